#include "consumers/faces/sface_recognizer.h"

#include <cmath>
#include <cstdio>
#include <opencv2/core/version.hpp>
#include <opencv2/dnn.hpp>
#include <utility>

#include "consumers/vision/onnx_file.h"

namespace millrace {
namespace {

constexpr std::size_t kSfaceModelBytesMax = std::size_t{128} << 20;  // SFace has 37 MB
constexpr int kSfaceSide = 112;                                      // of an aligned face
constexpr std::size_t kNumbers = 128;                                // that it makes of a face
constexpr std::size_t kLandmarks = 5;

// The cosine from which its authors take two faces for the same person's is 0.363: 80 of 100.
constexpr double kSfaceHalfAlike = 0.283;
constexpr double kSfaceSlope = 0.0577;

const std::string kSfaceWanted =
    "OpenCV " CV_VERSION " recognises faces with the SFace model face_recognition_sface_2021dec.onnx";

Result<void> CheckOutput(const std::string& path, const std::vector<unsigned char>& model) {
  std::string trouble = "it cannot be run as ONNX";
  try {
    cv::dnn::Net network = cv::dnn::readNetFromONNX(model);
    network.setInput(cv::dnn::blobFromImage(cv::Mat::zeros(kSfaceSide, kSfaceSide, CV_8UC3)));
    const cv::Mat numbers = network.forward();
    if (numbers.type() == CV_32F && numbers.total() == kNumbers) return {};
    trouble = "it makes " + std::to_string(numbers.total()) + " numbers of a face";
  } catch (const std::exception&) {
  }
  return Error{ErrorCode::kUnsupported,
               path + " is no model to recognise faces with (" + trouble + "): " + kSfaceWanted};
}

// As YuNet gives it: box and landmarks, in pixels.
cv::Mat RowOf(const cv::Mat& picture, const Face& face) {
  const auto width = static_cast<float>(picture.cols);
  const auto height = static_cast<float>(picture.rows);
  cv::Mat row(1, 15, CV_32F);
  row.at<float>(0) = static_cast<float>(face.box.x) * width;
  row.at<float>(1) = static_cast<float>(face.box.y) * height;
  row.at<float>(2) = static_cast<float>(face.box.width) * width;
  row.at<float>(3) = static_cast<float>(face.box.height) * height;
  for (std::size_t i = 0; i < kLandmarks; ++i) {
    row.at<float>(static_cast<int>(4 + 2 * i)) = static_cast<float>(face.landmarks[i].place.x) * width;
    row.at<float>(static_cast<int>(5 + 2 * i)) = static_cast<float>(face.landmarks[i].place.y) * height;
  }
  row.at<float>(14) = static_cast<float>(face.confidence / 100);
  return row;
}

}  // namespace

Result<std::unique_ptr<FaceRecognizer>> SfaceRecognizer::Open(const std::string& model) {
  MILLRACE_ASSIGN_OR_RETURN(const OnnxFile file, ReadOnnxFile(model, kSfaceModelBytesMax, kSfaceWanted));
  MILLRACE_RETURN_IF_ERROR(CheckOutput(model, file.bytes));
  try {
    auto network = cv::FaceRecognizerSF::create(model, "");
    return std::unique_ptr<FaceRecognizer>(new SfaceRecognizer(std::move(network), file.checksum));
  } catch (const std::exception&) {
    return Error{ErrorCode::kUnsupported,
                 model + " cannot be opened; its name must end in .onnx: " + kSfaceWanted};
  }
}

std::string SfaceRecognizer::version() const {
  char text[24];
  std::snprintf(text, sizeof(text), "sface1-%08x", checksum_);
  return text;
}

cv::Mat SfaceRecognizer::Describe(const cv::Mat& picture, const Face& face) {
  if (face.landmarks.size() != kLandmarks || picture.type() != CV_8UC3) return {};
  cv::Mat upright;
  network_->alignCrop(picture, RowOf(picture, face), upright);
  cv::Mat numbers;
  network_->feature(upright, numbers);
  numbers = numbers.reshape(1, 1).clone();
  const double length = cv::norm(numbers);
  if (!std::isfinite(length) || length <= 0) return {};
  return numbers / length;
}

double SfaceRecognizer::Similarity(const cv::Mat& a, const cv::Mat& b) const {
  return 100 / (1 + std::exp((kSfaceHalfAlike - a.dot(b)) / kSfaceSlope));
}

}  // namespace millrace
