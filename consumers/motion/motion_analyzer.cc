#include "consumers/motion/motion_analyzer.h"

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <chrono>
#include <opencv2/core.hpp>
#include <utility>

#include "consumers/analysis/option_reader.h"
#include "consumers/analysis/result_members.h"
#include "consumers/vision/zone_options.h"

namespace millrace {
namespace {

constexpr int kRows = 180;  // a whole part of 360, 720, 1080 and 2160: reduced in one step

std::string ToText(const MotionSettings& settings) {
  boost::json::array all{ToJson(settings.zones), ToJson(settings.masks)};
  all.push_back(
      {settings.sensitivity, settings.area_min, settings.start_after.count(), settings.stop_after.count()});
  return boost::json::serialize(all);
}

boost::json::object ToJson(const MotionEvent& event, const std::vector<Zone>& zones) {
  if (event.kind == MotionEvent::Kind::kSceneChanged) {
    return EventMember("SceneChanged", EventId("scene", event.time), event.time);
  }
  const std::string& zone = zones[event.zone].name;
  const bool stopped = event.kind == MotionEvent::Kind::kStopped;
  boost::json::object json = EventMember(stopped ? "MotionStopped" : "MotionStarted",
                                         EventId("motion-" + zone, event.started), event.time);
  json["Zone"] = zone;
  if (stopped) json["StartTime"] = FormatRfc3339(event.started);
  if (event.continued) json["Continued"] = true;
  return json;
}

boost::json::array EventsOf(const MotionFrame& frame, const std::vector<Zone>& zones) {
  boost::json::array events;
  for (const MotionEvent& event : frame.events) events.push_back(ToJson(event, zones));
  return events;
}

boost::json::object ToJson(const MotionFrame& frame, const std::vector<Zone>& zones) {
  boost::json::array moving;
  for (const ZoneMotion& zone : frame.zones) {
    boost::json::array boxes;
    for (const cv::Rect2d& box : zone.boxes) boxes.push_back(BoundingBox(box));
    moving.push_back(
        {{"Name", zones[zone.zone].name}, {"Area", RoundedRatio(zone.area)}, {"Boxes", std::move(boxes)}});
  }
  boost::json::object found{{"Motion", {{"Zones", std::move(moving)}}}};
  if (!frame.events.empty()) found["Events"] = EventsOf(frame, zones);
  return found;
}

class StreamMotion final : public StreamAnalyzer {
 public:
  explicit StreamMotion(MotionSettings settings) : detector_(std::move(settings)) {}

  Result<boost::json::object> Analyze(const AnalysisFrame& frame) override {
    if (frame.image.empty() || frame.image.type() != CV_8UC1) {
      return Error{ErrorCode::kInvalidArgument, "the motion analyzer got no grey picture"};
    }
    return ToJson(detector_.Look(frame.image, frame.producer_time), detector_.settings().zones);
  }
  Result<boost::json::object> End() override {
    return EventsRecord(EventsOf(detector_.End(), detector_.settings().zones));
  }

 private:
  MotionDetector detector_;
};

}  // namespace

Result<MotionSettings> ParseMotionSettings(const boost::json::object& options) {
  MotionSettings settings;
  OptionReader reader(options);
  ReadZones(reader, "zones", settings.zones);
  ReadZones(reader, "masks", settings.masks);
  reader.Number("sensitivity", settings.sensitivity, 0, 100);
  reader.Number("area_min", settings.area_min, 0.00005, 1);
  reader.Seconds("start_after_s", settings.start_after, Duration{0}, MotionDetector::kStartAfterMax);
  reader.Seconds("stop_after_s", settings.stop_after, std::chrono::milliseconds(100),
                 MotionDetector::kStopAfterMax);
  MILLRACE_RETURN_IF_ERROR(reader.Finish());
  return settings;
}

Result<std::unique_ptr<FrameAnalyzer>> MotionAnalyzer::Make(const boost::json::object& options) {
  MILLRACE_ASSIGN_OR_RETURN(const MotionSettings settings, ParseMotionSettings(options));
  cv::setNumThreads(1);
  return std::unique_ptr<FrameAnalyzer>(new MotionAnalyzer(VersionOf("2", ToText(settings))));
}

PictureForm MotionAnalyzer::picture_form() const { return {PictureFormat::kGray, kRows}; }

// What stood still has become background in half a minute; events depend on the two turns that follow.
Duration MotionAnalyzer::warm_up() const {
  return std::chrono::seconds(30) + MotionDetector::kStartAfterMax + 2 * MotionDetector::kTurn;
}

Result<std::unique_ptr<StreamAnalyzer>> MotionAnalyzer::Open(const std::string&,
                                                             const boost::json::object& options) {
  MILLRACE_ASSIGN_OR_RETURN(MotionSettings settings, ParseMotionSettings(options));
  return std::unique_ptr<StreamAnalyzer>(std::make_unique<StreamMotion>(std::move(settings)));
}

}  // namespace millrace
