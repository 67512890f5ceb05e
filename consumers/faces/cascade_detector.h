// Faces by two of OpenCV's cascades.
//
// A cascade that is good enough takes 50 ms and more for a small picture, and a quick one sees faces
// everywhere. So the quick one (local binary patterns, 24 x 24) looks over the whole picture, with every
// single hit taken for a candidate; the good one (Haar features on trees, 20 x 20) looks at the candidates
// alone, each brought to the same size, and several of its hits must agree. The whole picture is seen octave
// by octave, each half the size of the one before, because OpenCV looks at twice as many places in each
// direction once a scale passes 2. What this finds and costs is in docs/benchmarks.md.
//
// Bounds: a picture with patterns that the quick one takes for faces gets kCandidatesMax of them
//         looked at, those with the most hits.
#pragma once

#include <memory>
#include <opencv2/objdetect.hpp>
#include <string>
#include <vector>

#include "consumers/faces/face_detector.h"

namespace millrace {

class CascadeDetector final : public FaceDetector {
 public:
  static constexpr std::size_t kCandidatesMax = 64;

  // Errors: as MakeFaceDetector.
  static Result<std::unique_ptr<FaceDetector>> Open(const FaceSettings& settings);

  std::string version() const override;
  PictureForm form() const override;
  std::vector<Face> Detect(const cv::Mat& picture) override;

 private:
  struct Candidate {
    cv::Rect2d box;  // mean of its hits, pixels
    int hits = 0;
  };

  explicit CascadeDetector(const FaceSettings& settings) : settings_(settings) {}

  std::vector<Candidate> FindCandidates(const cv::Mat& picture);
  void Confirm(const cv::Mat& picture, const Candidate& candidate, std::vector<Candidate>& faces);

  const FaceSettings settings_;
  cv::CascadeClassifier quick_;
  cv::CascadeClassifier good_;
};

}  // namespace millrace
