#include "consumers/objects/object_detector.h"

#include <algorithm>
#include <cmath>
#include <opencv2/core/version.hpp>
#include <opencv2/imgproc.hpp>
#include <utility>

#include "consumers/vision/onnx_file.h"

namespace millrace {
namespace {

constexpr std::size_t kModelBytesMax = std::size_t{1} << 30;
constexpr std::size_t kCandidatesMax = 3000;  // before overlapping ones are dropped
constexpr std::size_t kObjectsMax = 300;
const std::string kWanted = "the model must be a network that finds objects, as ONNX";

std::string FirstLine(const std::string& text) {
  return text.substr(0, std::min<std::size_t>(text.find('\n'), 300));
}

double Overlap(const cv::Rect2d& a, const cv::Rect2d& b) {
  const double both = (a & b).area();
  return both <= 0 ? 0 : both / (a.area() + b.area() - both);
}

// How a picture lies in the network's.
struct Letterbox {
  double scale = 1;
  cv::Rect place;

  Letterbox(cv::Size picture, cv::Size network) {
    scale = std::min(static_cast<double>(network.width) / picture.width,
                     static_cast<double>(network.height) / picture.height);
    place.width = std::clamp(static_cast<int>(std::lround(picture.width * scale)), 1, network.width);
    place.height = std::clamp(static_cast<int>(std::lround(picture.height * scale)), 1, network.height);
    place.x = (network.width - place.width) / 2;
    place.y = (network.height - place.height) / 2;
  }
};

}  // namespace

Result<std::vector<cv::Mat>> ObjectDetector::Run(const cv::Mat& picture) {
  const cv::Size size(settings_.width, settings_.height);
  // The means are told in the order that the network takes.
  const cv::Scalar mean(settings_.mean[0], settings_.mean[1], settings_.mean[2]);
  network_.setInput(
      cv::dnn::blobFromImage(picture, settings_.scale, size, mean, !settings_.bgr, false, CV_32F));
  std::vector<cv::Mat> outputs;
  network_.forward(outputs, output_names_);
  if (outputs.size() != output_names_.size()) {
    return Error{ErrorCode::kInternal, "OpenCV gave fewer outputs than the model has"};
  }
  return outputs;
}

Result<std::unique_ptr<ObjectDetector>> ObjectDetector::Open(const ObjectSettings& settings) {
  MILLRACE_ASSIGN_OR_RETURN(const OnnxFile model, ReadOnnxFile(settings.model, kModelBytesMax, kWanted));
  MILLRACE_ASSIGN_OR_RETURN(std::vector<std::string> labels, ReadLabels(settings.labels));
  if (labels.size() > 1 && (labels[0] == "background" || labels[0] == "__background__")) {
    labels.erase(labels.begin());
  }
  std::unique_ptr<ObjectDetector> detector(new ObjectDetector(settings, std::move(labels)));
  for (const std::string& name : settings.classes) {
    const auto found = std::find(detector->labels_.begin(), detector->labels_.end(), name);
    if (found == detector->labels_.end()) {
      return Error{ErrorCode::kInvalidArgument, "option 'classes' names '" + name +
                                                    "', which is none of the labels in " + settings.labels};
    }
    detector->wanted_.insert(static_cast<std::size_t>(found - detector->labels_.begin()));
  }
  detector->checksum_ = model.checksum;
  try {
    detector->network_ = cv::dnn::readNetFromONNX(model.bytes);
    detector->network_.setPreferableBackend(cv::dnn::DNN_BACKEND_OPENCV);
    detector->network_.setPreferableTarget(cv::dnn::DNN_TARGET_CPU);
    detector->output_names_ = detector->network_.getUnconnectedOutLayersNames();
  } catch (const std::exception& e) {
    return Error{ErrorCode::kUnsupported,
                 settings.model + " cannot be read as ONNX by OpenCV " CV_VERSION ": " + FirstLine(e.what())};
  }
  std::vector<std::vector<int>> shapes;
  try {
    MILLRACE_ASSIGN_OR_RETURN(const std::vector<cv::Mat> outputs,
                              detector->Run(cv::Mat::zeros(settings.height, settings.width, CV_8UC3)));
    for (const cv::Mat& output : outputs) shapes.push_back(ShapeOf(output));
  } catch (const std::exception& e) {
    return Error{
        ErrorCode::kUnsupported,
        settings.model + " does not run with pictures of " + std::to_string(settings.width) + "x" +
            std::to_string(settings.height) +
            " (options 'width' and 'height': those that it was exported for): " + FirstLine(e.what())};
  }
  auto form = FindOutputForm(shapes, detector->labels_.size());
  if (!form) return WithContext(std::move(form).error(), settings.model);
  detector->form_ = *form;
  return detector;
}

Result<std::vector<FoundObject>> ObjectDetector::Detect(const cv::Mat& picture) {
  const cv::Size size(settings_.width, settings_.height);
  const Letterbox letterbox(picture.size(), size);
  cv::Mat fitted(size, CV_8UC3, cv::Scalar::all(114));  // the grey that these networks are trained with
  cv::resize(picture, fitted(letterbox.place), letterbox.place.size(), 0, 0,
             letterbox.scale < 1 ? cv::INTER_AREA : cv::INTER_LINEAR);
  MILLRACE_ASSIGN_OR_RETURN(const std::vector<cv::Mat> outputs, Run(fitted));
  MILLRACE_ASSIGN_OR_RETURN(std::vector<Detection> all, ReadDetections(form_, outputs, size, labels_.size(),
                                                                       settings_.confidence_min / 100));
  std::stable_sort(all.begin(), all.end(),
                   [](const Detection& a, const Detection& b) { return a.confidence > b.confidence; });
  if (all.size() > kCandidatesMax) all.resize(kCandidatesMax);
  std::vector<Detection> kept;
  std::vector<FoundObject> found;
  for (const Detection& one : all) {
    if (found.size() == kObjectsMax) break;
    if (!wanted_.empty() && !wanted_.contains(one.label)) continue;
    const bool again = std::any_of(kept.begin(), kept.end(), [&](const Detection& other) {
      return other.label == one.label && Overlap(other.box, one.box) > settings_.overlap_max / 100;
    });
    if (again) continue;
    kept.push_back(one);
    const cv::Rect2d box((one.box.x * size.width - letterbox.place.x) / letterbox.place.width,
                         (one.box.y * size.height - letterbox.place.y) / letterbox.place.height,
                         one.box.width * size.width / letterbox.place.width,
                         one.box.height * size.height / letterbox.place.height);
    FoundObject object{one.label, one.confidence * 100, box & cv::Rect2d(0, 0, 1, 1)};
    if (!object.box.empty()) found.push_back(object);
  }
  return found;
}

}  // namespace millrace
