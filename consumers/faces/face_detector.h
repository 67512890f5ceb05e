// Finds faces in one picture.
#pragma once

#include <cstdint>
#include <memory>
#include <opencv2/core/mat.hpp>
#include <string>
#include <vector>

#include "base/result.h"
#include "parser/decoder/picture.h"

namespace millrace {

struct FaceSettings {
  // A YuNet model as ONNX (face_detection_yunet_2022mar.onnx). Empty: the cascades that come with OpenCV.
  std::string model{};
  // Where OpenCV's data lie: lbpcascades/ and haarcascades/ (Debian's package opencv-data).
  std::string opencv_data = "/usr/share/opencv4";
  // The smallest face to find, as a part of the picture's height: 0.02 to 1. Pictures are reduced as far as
  // that allows, and the cost goes with the square of its inverse.
  double smallest_face = 0.1;
  // Faces of a lesser confidence are left out; 0 to 100.
  double confidence_min = 50;
  friend bool operator==(const FaceSettings&, const FaceSettings&) = default;
};

enum class LandmarkType : std::uint8_t { kEyeLeft, kEyeRight, kNose, kMouthLeft, kMouthRight };

// Left and right as they are in the picture.
struct Landmark {
  LandmarkType type = LandmarkType::kNose;
  cv::Point2d place;  // as ratios of the picture's width and height
};

struct Face {
  cv::Rect2d box;         // as ratios of the picture's width and height; within 0 to 1
  double confidence = 0;  // 0 to 100
  std::vector<Landmark> landmarks{};
};

// Threads: one owner. OpenCV's own threads help where cv::setNumThreads allows more than one.
class FaceDetector {
 public:
  virtual ~FaceDetector() = default;
  // [a-z0-9]+, with what decides its results: part of the analyzer's version.
  virtual std::string version() const = 0;
  // What Detect is to be given.
  virtual PictureForm form() const = 0;
  // The faces that are seen from the front, best first. REQUIRES: `picture` is of form()'s format, and not
  // empty. Throws: cv::Exception.
  virtual std::vector<Face> Detect(const cv::Mat& picture) = 0;
};

// Errors: kInvalidArgument: settings out of their bounds; kNotFound: a file that is not there; kUnsupported:
// a model that this OpenCV cannot use, with the one that it can.
Result<std::unique_ptr<FaceDetector>> MakeFaceDetector(const FaceSettings& settings);

}  // namespace millrace
