// The motion analyzer: what moves in each picture, and events where it begins and ends.
//
// {"Motion": {"Zones": [{"Name", "Area", "Boxes": [BoundingBox, …]}, …]}, "Events": [
//  {"Type": "MotionStarted", "EventId", "Time", "Zone", "Continued": true},
//  {"Type": "MotionStopped", "EventId", "Time", "Zone", "StartTime"},
//  {"Type": "SceneChanged", "EventId", "Time"}]}
//
// Zones are those in which something moves, Area the part of the zone that does; the list is empty where
// nothing moves. Times are the footage's (RFC 3339). "Events" is there where there are some, "Continued"
// where a motion goes on that was ended with its minute.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "consumers/analysis/frame_analyzer.h"
#include "consumers/motion/motion_detector.h"

namespace millrace {

class MotionAnalyzer final : public FrameAnalyzer {
 public:
  // Options: docs/analyzers.md, motion. Switches OpenCV's own threads off for the whole process.
  // Errors: kInvalidArgument: an unknown or bad option, with its name.
  static Result<std::unique_ptr<FrameAnalyzer>> Make(const boost::json::object& options);

  std::string name() const override { return "motion"; }
  std::string version() const override { return version_; }
  PictureForm picture_form() const override;
  Duration warm_up() const override;
  Result<std::unique_ptr<StreamAnalyzer>> Open(const std::string& stream,
                                               const boost::json::object& options) override;

 private:
  explicit MotionAnalyzer(std::string version) : version_(std::move(version)) {}

  const std::string version_;
};

// Errors: kInvalidArgument, with the option's name.
Result<MotionSettings> ParseMotionSettings(const boost::json::object& options);

}  // namespace millrace
