// Faces by their local binary patterns: OpenCV contrib's LBPHFaceRecognizer.
//
// Histograms of the patterns (circles of radius 2 with 8 points) in 6 x 6 cells of the face, brought to 64 x
// 64 and smoothed; alike by their chi-square distance. It needs no model and nothing but luma, light and
// contrast hardly matter to it, one photograph of a person is enough to begin with; but it knows a face as it
// was photographed, and not its profile. docs/faces.md has what was measured.
#pragma once

#include <opencv2/face/facerec.hpp>
#include <string>

#include "consumers/faces/face_recognizer.h"

namespace millrace {

class LbphRecognizer final : public FaceRecognizer {
 public:
  LbphRecognizer();

  std::string version() const override { return "lbph1"; }
  int smallest_width() const override { return 32; }
  bool needs_landmarks() const override { return false; }
  cv::Mat Describe(const cv::Mat& picture, const Face& face) override;
  double Similarity(const cv::Mat& a, const cv::Mat& b) const override;

 private:
  const cv::Ptr<cv::face::LBPHFaceRecognizer> patterns_;
};

}  // namespace millrace
