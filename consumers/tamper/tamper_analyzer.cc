#include "consumers/tamper/tamper_analyzer.h"

#include <algorithm>
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
constexpr std::array<std::string_view, kTamperKinds> kNames{"Black", "Covered", "Defocused", "Moved",
                                                            "Frozen"};

std::string_view NameOf(TamperKind kind) { return kNames[static_cast<std::size_t>(kind)]; }

void ReadKinds(OptionReader& reader, std::array<bool, kTamperKinds>& wanted) {
  if (!reader.Has("kinds")) return;
  std::vector<std::string> names;
  reader.Texts("kinds", names, kTamperKinds);
  wanted.fill(false);
  for (const std::string& name : names) {
    const auto found = std::find(kNames.begin(), kNames.end(), name);
    if (found == kNames.end()) {
      reader.Fail("kinds", "must be a list of Black, Covered, Defocused, Moved, Frozen");
      return;
    }
    wanted[static_cast<std::size_t>(found - kNames.begin())] = true;
  }
}

std::string ToText(const TamperSettings& settings) {
  boost::json::array all{ToJson(settings.masks)};
  for (const bool wanted : settings.wanted) all.emplace_back(wanted);
  all.push_back({settings.sensitivity, settings.start_after.count(), settings.stop_after.count()});
  return boost::json::serialize(all);
}

boost::json::object ToJson(const TamperEvent& event) {
  boost::json::object json =
      EventMember(event.started ? "TamperStarted" : "TamperStopped",
                  EventId("tamper-" + std::string(NameOf(event.kind)), event.began), event.time);
  json["Kind"] = NameOf(event.kind);
  if (!event.started) json["StartTime"] = FormatRfc3339(event.began);
  if (event.continued) json["Continued"] = true;
  if (event.accepted) json["Accepted"] = true;
  return json;
}

boost::json::array EventsOf(const TamperFrame& frame) {
  boost::json::array events;
  for (const TamperEvent& event : frame.events) events.push_back(ToJson(event));
  return events;
}

boost::json::object ToJson(const TamperFrame& frame) {
  boost::json::object tamper{{"Kind", nullptr},
                             {"View", RoundedRatio(std::max(frame.likeness.edges, 0.0))},
                             {"Sharpness", RoundedRatio(frame.likeness.sharpness)},
                             {"Brightness", RoundedRatio(frame.brightness / 255)}};
  if (frame.kind) tamper["Kind"] = NameOf(*frame.kind);
  boost::json::object found{{"Tamper", std::move(tamper)}};
  if (!frame.events.empty()) found["Events"] = EventsOf(frame);
  return found;
}

class StreamTamper final : public StreamAnalyzer {
 public:
  explicit StreamTamper(const TamperSettings& settings) : detector_(settings) {}

  Result<boost::json::object> Analyze(const AnalysisFrame& frame) override {
    if (frame.image.empty() || frame.image.type() != CV_8UC1) {
      return Error{ErrorCode::kInvalidArgument, "the tamper analyzer got no grey picture"};
    }
    return ToJson(detector_.Look(frame.image, frame.key_frame, frame.producer_time));
  }
  Result<boost::json::object> End() override { return EventsRecord(EventsOf(detector_.End())); }

 private:
  TamperDetector detector_;
};

}  // namespace

Result<TamperSettings> ParseTamperSettings(const boost::json::object& options) {
  TamperSettings settings;
  OptionReader reader(options);
  ReadKinds(reader, settings.wanted);
  ReadZones(reader, "masks", settings.masks);
  reader.Number("sensitivity", settings.sensitivity, 0, 100);
  reader.Seconds("start_after_s", settings.start_after, Duration{0}, TamperDetector::kAfterMax);
  reader.Seconds("stop_after_s", settings.stop_after, Duration{0}, TamperDetector::kAfterMax);
  MILLRACE_RETURN_IF_ERROR(reader.Finish());
  return settings;
}

Result<std::unique_ptr<FrameAnalyzer>> TamperAnalyzer::Make(const boost::json::object& options) {
  MILLRACE_ASSIGN_OR_RETURN(const TamperSettings settings, ParseTamperSettings(options));
  cv::setNumThreads(1);
  return std::unique_ptr<FrameAnalyzer>(new TamperAnalyzer(VersionOf("2", ToText(settings))));
}

PictureForm TamperAnalyzer::picture_form() const { return {PictureFormat::kGray, kRows}; }

static_assert(TamperDetector::kRemembered <= std::chrono::minutes(10));

// Whatever began before has ended by then, or was begun again.
Duration TamperAnalyzer::warm_up() const { return TamperDetector::kRemembered; }

Result<std::unique_ptr<StreamAnalyzer>> TamperAnalyzer::Open(const std::string&,
                                                             const boost::json::object& options) {
  MILLRACE_ASSIGN_OR_RETURN(const TamperSettings settings, ParseTamperSettings(options));
  return std::unique_ptr<StreamAnalyzer>(std::make_unique<StreamTamper>(settings));
}

}  // namespace millrace
