#include "consumers/objects/objects_analyzer.h"

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <cstdio>
#include <opencv2/core.hpp>
#include <utility>

#include "consumers/analysis/result_members.h"

namespace millrace {
namespace {

std::string ToText(const ObjectSettings& settings) {
  boost::json::array mean(settings.mean.begin(), settings.mean.end());
  boost::json::array classes;
  for (const std::string& name : settings.classes) classes.emplace_back(name);
  return boost::json::serialize(boost::json::array{
      settings.model, settings.labels, settings.width, settings.height, settings.scale, std::move(mean),
      settings.bgr, settings.confidence_min, settings.overlap_max, std::move(classes)});
}

// What is in the files counts, and not where they lie.
std::string Version(const ObjectDetector& detector, ObjectSettings settings) {
  char model[32];
  std::snprintf(model, sizeof(model), "1-%08x", detector.model_checksum());
  settings.model.clear();
  settings.labels.clear();
  std::string all = ToText(settings);
  for (const std::string& label : detector.labels()) all += '\n' + label;
  return VersionOf(model, all);
}

boost::json::object ToJson(const std::vector<FoundObject>& found, const std::vector<std::string>& labels) {
  boost::json::array list;
  std::vector<std::size_t> listed;
  for (const FoundObject& object : found) {  // best first
    const auto place = std::find(listed.begin(), listed.end(), object.label);
    const auto index = static_cast<std::size_t>(place - listed.begin());
    if (place == listed.end()) {
      listed.push_back(object.label);
      list.push_back({{"Name", labels[object.label]},
                      {"Confidence", RoundedRatio(object.confidence)},
                      {"Instances", boost::json::array()}});
    }
    list[index].as_object()["Instances"].as_array().push_back(
        {{"BoundingBox", BoundingBox(object.box)}, {"Confidence", RoundedRatio(object.confidence)}});
  }
  return {{"Labels", std::move(list)}};
}

class StreamObjects final : public StreamAnalyzer {
 public:
  explicit StreamObjects(ObjectDetector& detector) : detector_(detector) {}

  Result<boost::json::object> Analyze(const AnalysisFrame& frame) override {
    if (frame.image.empty() || frame.image.type() != CV_8UC3) {
      return Error{ErrorCode::kInvalidArgument, "the objects analyzer got no picture in colour"};
    }
    MILLRACE_ASSIGN_OR_RETURN(const std::vector<FoundObject> found, detector_.Detect(frame.image));
    return ToJson(found, detector_.labels());
  }

 private:
  ObjectDetector& detector_;
};

}  // namespace

ObjectsAnalyzer::ObjectsAnalyzer(std::unique_ptr<ObjectDetector> detector, const ObjectSettings& settings)
    : detector_(std::move(detector)),
      settings_(ToText(settings)),
      version_(Version(*detector_, settings)),
      rows_(settings.height) {}

Result<std::unique_ptr<FrameAnalyzer>> ObjectsAnalyzer::Make(const boost::json::object& options) {
  MILLRACE_ASSIGN_OR_RETURN(const ObjectSettings settings, ParseObjectSettings(options));
  cv::setNumThreads(1);
  MILLRACE_ASSIGN_OR_RETURN(std::unique_ptr<ObjectDetector> detector, ObjectDetector::Open(settings));
  return std::unique_ptr<FrameAnalyzer>(new ObjectsAnalyzer(std::move(detector), settings));
}

Result<std::unique_ptr<StreamAnalyzer>> ObjectsAnalyzer::Open(const std::string& stream,
                                                              const boost::json::object& options) {
  MILLRACE_ASSIGN_OR_RETURN(const ObjectSettings settings, ParseObjectSettings(options));
  if (ToText(settings) != settings_) {
    return Error{ErrorCode::kInvalidArgument,
                 "stream '" + stream +
                     "' cannot have options of its own for objects: all streams share the network. Configure "
                     "another analyzer by another name"};
  }
  return std::unique_ptr<StreamAnalyzer>(std::make_unique<StreamObjects>(*detector_));
}

}  // namespace millrace
