#include "consumers/faces/yunet_detector.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <opencv2/core/version.hpp>
#include <opencv2/dnn.hpp>
#include <utility>

#include "consumers/faces/onnx_file.h"

namespace millrace {
namespace {

constexpr int kSmallestSide = 16;    // pixels; its anchors begin with 10
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

// FaceDetectorYN reads so many numbers from the outputs, whatever there are: a model with fewer would be read
// beyond its end.
Result<void> CheckOutputs(const std::string& path, const std::vector<unsigned char>& model) {
  const std::vector<cv::String> wanted = {"loc", "conf", "iou"};
  constexpr std::size_t kColumns[] = {14, 2, 1};
  constexpr int kSide = 64;
  constexpr std::size_t kAnchors = 8 * 8 * 3 + 4 * 4 * 2 + 2 * 2 * 2 + 3;  // of a picture of that size
  try {
    cv::dnn::Net network = cv::dnn::readNetFromONNX(model);
    const std::vector<cv::String> outputs = network.getUnconnectedOutLayersNames();
    for (const cv::String& name : wanted) {
      if (std::find(outputs.begin(), outputs.end(), name) != outputs.end()) continue;
      std::string names;
      for (const cv::String& output : outputs) {
        if (names.size() > 200) break;
        names += (names.empty() ? "" : ", ") + output;
      }
      return WrongModel(path, "whose outputs are loc, conf and iou; this one's are " + names);
    }
    network.setInput(cv::dnn::blobFromImage(cv::Mat::zeros(kSide, kSide, CV_8UC3)));
    std::vector<cv::Mat> results;
    network.forward(results, wanted);
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      if (results.size() == wanted.size() && results[i].type() == CV_32F &&
          results[i].total() == kAnchors * kColumns[i]) {
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
    std::unique_ptr<YunetDetector> detector(new YunetDetector(settings, std::move(network), model.checksum));
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

std::vector<Face> YunetDetector::Detect(const cv::Mat& picture) {
  if (network_->getInputSize() != picture.size()) network_->setInputSize(picture.size());
  cv::Mat rows;
  network_->detect(picture, rows);
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
