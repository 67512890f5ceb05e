#include "consumers/faces/yunet_detector.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <opencv2/core/version.hpp>
#include <opencv2/dnn.hpp>
#include <utility>

#include "consumers/vision/onnx_file.h"

namespace millrace {
namespace {

constexpr int kSmallestSide = 16;    // pixels; its anchors begin with 10
constexpr int kPadded = 32;          // the cells of its coarsest outputs but one
constexpr float kOverlapMax = 0.3F;  // of two faces, as intersection over union: OpenCV's default
constexpr int kFacesMax = 5000;      // before overlapping ones are dropped: OpenCV's default
constexpr std::size_t kModelBytesMax = std::size_t{64} << 20;  // YuNet has a third of a megabyte
constexpr int kRowColumns = 15;                                // box, five landmarks, score

const std::string kWanted =
    "OpenCV " CV_VERSION " finds faces with the YuNet of March 2022, face_detection_yunet_2022mar.onnx";

Error WrongModel(const std::string& path, const std::string& because) {
  return Error{ErrorCode::kUnsupported,
               path + " is no model to find faces with (" + because + "): " + kWanted};
}

const std::vector<cv::String> kOutputs = {"loc", "conf", "iou"};
constexpr std::size_t kOutputColumns[] = {14, 2, 1};

// As FaceDetectorYN counts them, of a picture whose sides are multiples of kPadded.
std::size_t Anchors(const cv::Size& size) {
  constexpr std::pair<int, std::size_t> kCells[] = {{8, 3}, {16, 2}, {32, 2}, {64, 3}};
  std::size_t anchors = 0;
  for (const auto& [side, count] : kCells) {
    anchors +=
        static_cast<std::size_t>(size.width / side) * static_cast<std::size_t>(size.height / side) * count;
  }
  return anchors;
}

// FaceDetectorYN reads so many numbers from the outputs, whatever there are: a model with fewer would be read
// beyond its end. Throws: cv::Exception.
bool HoldAllAnchors(cv::dnn::Net& network, const cv::Size& size) {
  network.setInput(cv::dnn::blobFromImage(cv::Mat::zeros(size, CV_8UC3)));
  std::vector<cv::Mat> results;
  network.forward(results, kOutputs);
  if (results.size() != kOutputs.size()) return false;
  for (std::size_t i = 0; i < kOutputs.size(); ++i) {
    if (results[i].type() != CV_32F || !results[i].isContinuous()) return false;
    if (results[i].total() < Anchors(size) * kOutputColumns[i]) return false;
  }
  return true;
}

Result<void> CheckOutputs(const std::string& path, const std::vector<unsigned char>& model) {
  const cv::Size kSize(64, 64);
  try {
    cv::dnn::Net network = cv::dnn::readNetFromONNX(model);
    const std::vector<cv::String> outputs = network.getUnconnectedOutLayersNames();
    for (const cv::String& name : kOutputs) {
      if (std::find(outputs.begin(), outputs.end(), name) != outputs.end()) continue;
      std::string names;
      for (const cv::String& output : outputs) {
        if (names.size() > 200) break;
        names += (names.empty() ? "" : ", ") + output;
      }
      return WrongModel(path, "whose outputs are loc, conf and iou; this one's are " + names);
    }
    network.setInput(cv::dnn::blobFromImage(cv::Mat::zeros(kSize, CV_8UC3)));
    std::vector<cv::Mat> results;
    network.forward(results, kOutputs);
    for (std::size_t i = 0; i < kOutputs.size(); ++i) {
      if (results.size() == kOutputs.size() && results[i].type() == CV_32F &&
          results[i].total() == Anchors(kSize) * kOutputColumns[i]) {
        continue;
      }
      return WrongModel(path, "whose outputs have another size than this one's");
    }
  } catch (const std::exception&) {
    return WrongModel(path, "this one cannot be run as ONNX");
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<FaceDetector>> YunetDetector::Open(const FaceSettings& settings) {
  MILLRACE_ASSIGN_OR_RETURN(const OnnxFile model, ReadOnnxFile(settings.model, kModelBytesMax, kWanted));
  MILLRACE_RETURN_IF_ERROR(CheckOutputs(settings.model, model.bytes));
  try {
    auto network =
        cv::FaceDetectorYN::create(settings.model, "", {320, 320},
                                   static_cast<float>(settings.confidence_min / 100), kOverlapMax, kFacesMax);
    std::unique_ptr<YunetDetector> detector(new YunetDetector(
        settings, std::move(network), cv::dnn::readNetFromONNX(model.bytes), model.checksum));
    // Whether it runs shows here, and not at the first frame.
    detector->Detect(cv::Mat::zeros(64, 64, CV_8UC3));
    return std::unique_ptr<FaceDetector>(std::move(detector));
  } catch (const std::exception&) {
    return WrongModel(settings.model, "this one does not run");
  }
}

std::string YunetDetector::version() const {
  char text[24];
  std::snprintf(text, sizeof(text), "yunet1-%08x", checksum_);
  return text;
}

PictureForm YunetDetector::form() const {
  return {PictureFormat::kBgr, static_cast<int>(std::ceil(kSmallestSide / settings_.smallest_face - 1e-9))};
}

void YunetDetector::Check(const cv::Size& size) {
  if (checked_.contains({size.width, size.height})) return;
  if (!HoldAllAnchors(checking_, size)) {
    CV_Error(cv::Error::StsUnmatchedSizes, "the model has too few outputs for pictures of this size");
  }
  checked_.emplace(size.width, size.height);
}

std::vector<Face> YunetDetector::Detect(const cv::Mat& picture) {
  // Padded here: then the network's cells and FaceDetectorYN's anchors are the same for each size.
  const cv::Size size((picture.cols + kPadded - 1) / kPadded * kPadded,
                      (picture.rows + kPadded - 1) / kPadded * kPadded);
  Check(size);
  cv::Mat padded = picture;
  if (size != picture.size()) {
    cv::copyMakeBorder(picture, padded, 0, size.height - picture.rows, 0, size.width - picture.cols,
                       cv::BORDER_CONSTANT);
  }
  if (network_->getInputSize() != size) network_->setInputSize(size);
  cv::Mat rows;
  network_->detect(padded, rows);
  std::vector<Face> faces;
  if (rows.cols != kRowColumns) return faces;  // nothing found: an empty matrix
  const double width = picture.cols;
  const double height = picture.rows;
  for (int i = 0; i < rows.rows; ++i) {
    const float* row = rows.ptr<float>(i);
    if (!std::all_of(row, row + kRowColumns, [](float value) { return std::isfinite(value); })) continue;
    Face face;
    face.box =
        cv::Rect2d(row[0] / width, row[1] / height, row[2] / width, row[3] / height) & cv::Rect2d(0, 0, 1, 1);
    if (face.box.empty()) continue;
    face.confidence = std::clamp(row[kRowColumns - 1] * 100.0, 0.0, 100.0);
    // YuNet's right eye is the person's, and so on the left of the picture.
    constexpr LandmarkType kTypes[] = {LandmarkType::kEyeLeft, LandmarkType::kEyeRight, LandmarkType::kNose,
                                       LandmarkType::kMouthLeft, LandmarkType::kMouthRight};
    for (int k = 0; k < 5; ++k) {
      face.landmarks.push_back({kTypes[k], {row[4 + 2 * k] / width, row[5 + 2 * k] / height}});
    }
    faces.push_back(std::move(face));
  }
  std::stable_sort(faces.begin(), faces.end(),
                   [](const Face& a, const Face& b) { return a.confidence > b.confidence; });
  return faces;
}

}  // namespace millrace
