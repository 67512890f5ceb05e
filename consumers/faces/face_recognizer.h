// Tells faces apart: what a face looks like as numbers, and how alike two of these are.
#pragma once

#include <memory>
#include <opencv2/core/mat.hpp>
#include <string>

#include "base/result.h"
#include "consumers/faces/face_detector.h"

namespace millrace {

struct RecognizerSettings {
  // An SFace model as ONNX (face_recognition_sface_2021dec.onnx). Empty: local binary patterns.
  std::string model{};
};

// Threads: one owner.
class FaceRecognizer {
 public:
  virtual ~FaceRecognizer() = default;
  // [a-z0-9-]+, with what decides its results: part of the analyzer's version.
  virtual std::string version() const = 0;
  // The width of a face in pixels from which it tells people apart; smaller ones are not to be given to it.
  virtual int smallest_width() const = 0;
  // Whether it needs the detector's landmarks, and colour.
  virtual bool needs_landmarks() const = 0;
  // 1 x n, float. Empty: there is nothing to go by. `picture`: gray or BGR, uint8; BGR where landmarks are
  // needed. Throws: cv::Exception.
  virtual cv::Mat Describe(const cv::Mat& picture, const Face& face) = 0;
  // 0 to 100: from 80 on they are most probably the same person's. REQUIRES: both are Describe's, not empty.
  virtual double Similarity(const cv::Mat& a, const cv::Mat& b) const = 0;
};

// Errors: kNotFound: a file that is not there; kUnsupported: a model that this OpenCV cannot use, with the
// one that it can.
Result<std::unique_ptr<FaceRecognizer>> MakeFaceRecognizer(const RecognizerSettings& settings);

}  // namespace millrace
