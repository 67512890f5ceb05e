// Faces by an SFace model that the user has, through OpenCV's FaceRecognizerSF.
//
// The model (face_recognition_sface_2021dec.onnx, from the OpenCV Zoo) makes 128 numbers of a face that was
// turned upright by its landmarks; alike by the cosine between them. It needs a detector that gives
// landmarks: YuNet.
#pragma once

#include <cstdint>
#include <opencv2/objdetect/face.hpp>
#include <string>

#include "consumers/faces/face_recognizer.h"

namespace millrace {

class SfaceRecognizer final : public FaceRecognizer {
 public:
  // Errors: as MakeFaceRecognizer.
  static Result<std::unique_ptr<FaceRecognizer>> Open(const std::string& model);

  std::string version() const override;  // with the model's checksum
  int smallest_width() const override { return 32; }
  bool needs_landmarks() const override { return true; }
  cv::Mat Describe(const cv::Mat& picture, const Face& face) override;
  double Similarity(const cv::Mat& a, const cv::Mat& b) const override;

 private:
  SfaceRecognizer(cv::Ptr<cv::FaceRecognizerSF> network, std::uint32_t checksum)
      : network_(std::move(network)), checksum_(checksum) {}

  const cv::Ptr<cv::FaceRecognizerSF> network_;
  const std::uint32_t checksum_;
};

}  // namespace millrace
