#include "consumers/motion/motion_analyzer.h"

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <chrono>
#include <opencv2/core.hpp>
#include <set>
#include <utility>

#include "consumers/analysis/option_reader.h"
#include "consumers/analysis/result_members.h"

namespace millrace {
namespace {

constexpr int kRows = 180;  // a whole part of 360, 720, 1080 and 2160: reduced in one step
constexpr std::size_t kZonesMax = 32;
constexpr std::size_t kCornersMax = 64;
constexpr std::size_t kNameBytesMax = 64;

bool IsCorner(const boost::json::value& value) {
  const auto* pair = value.if_array();
  if (pair == nullptr || pair->size() != 2) return false;
  return std::all_of(pair->begin(), pair->end(), [](const boost::json::value& ratio) {
    return ratio.is_number() && ratio.to_number<double>() >= 0 && ratio.to_number<double>() <= 1;
  });
}

bool IsName(const std::string& name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.' || c == ' ';
  });
}

void ReadZones(OptionReader& reader, std::string_view name, std::vector<Zone>& zones) {
  if (!reader.Has(name)) return;
  std::vector<Zone> read;
  std::set<std::string> names;
  reader.Objects(name, kZonesMax, [&](OptionReader& item) {
    Zone& zone = read.emplace_back();
    item.Text("name", zone.name, kNameBytesMax);
    if (!IsName(zone.name))
      item.Fail("name", "must be letters, digits, spaces and -_. (each zone needs one)");
    if (!names.insert(zone.name).second) item.Fail("name", "is another one's already");
    const boost::json::value* polygon = item.Raw("polygon");
    const auto* corners = polygon != nullptr ? polygon->if_array() : nullptr;
    if (corners == nullptr || corners->size() < 3 || corners->size() > kCornersMax ||
        !std::all_of(corners->begin(), corners->end(), IsCorner)) {
      item.Fail(
          "polygon",
          "must be a list of 3 to 64 corners [x, y], each from 0 to 1: parts of the picture's width and "
          "height, from the top left");
      return;
    }
    for (const boost::json::value& corner : *corners) {
      const auto& pair = corner.get_array();
      zone.polygon.emplace_back(pair[0].to_number<double>(), pair[1].to_number<double>());
    }
  });
  if (!read.empty()) zones = std::move(read);
}

std::string ToText(const MotionSettings& settings) {
  boost::json::array all;
  for (const std::vector<Zone>* zones : {&settings.zones, &settings.masks}) {
    boost::json::array list;
    for (const Zone& zone : *zones) {
      boost::json::array corners;
      for (const cv::Point2d& corner : zone.polygon) corners.push_back({corner.x, corner.y});
      list.push_back({boost::json::string(zone.name), std::move(corners)});
    }
    all.push_back(std::move(list));
  }
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
  return json;
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
  if (!frame.events.empty()) {
    boost::json::array events;
    for (const MotionEvent& event : frame.events) events.push_back(ToJson(event, zones));
    found["Events"] = std::move(events);
  }
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

 private:
  MotionDetector detector_;
};

}  // namespace

Result<MotionSettings> ParseMotionSettings(const boost::json::object& options) {
  MotionSettings settings;
  double start_after_s = std::chrono::duration<double>(settings.start_after).count();
  double stop_after_s = std::chrono::duration<double>(settings.stop_after).count();
  OptionReader reader(options);
  ReadZones(reader, "zones", settings.zones);
  ReadZones(reader, "masks", settings.masks);
  reader.Number("sensitivity", settings.sensitivity, 0, 100);
  reader.Number("area_min", settings.area_min, 0.00005, 1);
  reader.Number("start_after_s", start_after_s, 0, 10);
  reader.Number("stop_after_s", stop_after_s, 0.1, 300);
  MILLRACE_RETURN_IF_ERROR(reader.Finish());
  const auto ns = [](double seconds) { return Duration(std::llround(seconds * 1e9)); };
  settings.start_after = ns(start_after_s);
  settings.stop_after = ns(stop_after_s);
  return settings;
}

Result<std::unique_ptr<FrameAnalyzer>> MotionAnalyzer::Make(const boost::json::object& options) {
  MILLRACE_ASSIGN_OR_RETURN(const MotionSettings settings, ParseMotionSettings(options));
  cv::setNumThreads(1);
  return std::unique_ptr<FrameAnalyzer>(new MotionAnalyzer(VersionOf("1", ToText(settings))));
}

PictureForm MotionAnalyzer::picture_form() const { return {PictureFormat::kGray, kRows}; }

// What stood still has become background by then.
Duration MotionAnalyzer::warm_up() const { return std::chrono::seconds(30); }

Result<std::unique_ptr<StreamAnalyzer>> MotionAnalyzer::Open(const std::string&,
                                                             const boost::json::object& options) {
  MILLRACE_ASSIGN_OR_RETURN(MotionSettings settings, ParseMotionSettings(options));
  return std::unique_ptr<StreamAnalyzer>(std::make_unique<StreamMotion>(std::move(settings)));
}

}  // namespace millrace
