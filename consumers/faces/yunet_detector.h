// Faces by a YuNet model that the user has, through OpenCV's FaceDetectorYN.
//
// OpenCV 4.6 runs the YuNet of March 2022 (face_detection_yunet_2022mar.onnx, from the OpenCV Zoo), whose
// outputs are loc, conf and iou. Models of 2023 have twelve outputs, and need OpenCV 4.8: they are refused,
// with these words.
#pragma once

#include <memory>
#include <opencv2/dnn.hpp>
#include <opencv2/objdetect/face.hpp>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "consumers/faces/face_detector.h"

namespace millrace {

class YunetDetector final : public FaceDetector {
 public:
  // REQUIRES: settings.model is not empty. Errors: as MakeFaceDetector.
  static Result<std::unique_ptr<FaceDetector>> Open(const FaceSettings& settings);

  std::string version() const override;  // with the model's checksum
  PictureForm form() const override;
  std::vector<Face> Detect(const cv::Mat& picture) override;

 private:
  YunetDetector(const FaceSettings& settings, cv::Ptr<cv::FaceDetectorYN> network, cv::dnn::Net checking,
                std::uint32_t checksum)
      : settings_(settings),
        network_(std::move(network)),
        checking_(std::move(checking)),
        checksum_(checksum) {}
  // That the network gives enough for pictures of a size; looked at once for each. Throws:
  // cv::Exception.
  void Check(const cv::Size& size);

  const FaceSettings settings_;
  const cv::Ptr<cv::FaceDetectorYN> network_;
  cv::dnn::Net checking_;                  // the same model
  std::set<std::pair<int, int>> checked_;  // width and height
  const std::uint32_t checksum_;
};

}  // namespace millrace
