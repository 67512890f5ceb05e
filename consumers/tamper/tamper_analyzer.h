// The tamper analyzer: whether the camera sees what it usually sees, and events where that begins and ends.
//
// {"Tamper": {"Kind", "View", "Sharpness", "Brightness"}, "Events": [
//  {"Type": "TamperStarted", "EventId", "Time", "Kind", "Continued": true},
//  {"Type": "TamperStopped", "EventId", "Time", "Kind", "StartTime", "Accepted": true}]}
//
// Kind: "Black", "Covered", "Defocused", "Moved", "Frozen" (tamper_detector.h), or null. View: 1 the usual
// one, about 0 another; Sharpness: of the usual one; Brightness: 0 to 1. "Events" is there where there are
// some; "Continued" and "Accepted" where they are true (tamper_detector.h).
#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "consumers/analysis/frame_analyzer.h"
#include "consumers/tamper/tamper_detector.h"

namespace millrace {

class TamperAnalyzer final : public FrameAnalyzer {
 public:
  // Options: docs/analyzers.md, tamper. Switches OpenCV's own threads off for the whole process.
  // Errors: kInvalidArgument: an unknown or bad option, with its name.
  static Result<std::unique_ptr<FrameAnalyzer>> Make(const boost::json::object& options);

  std::string name() const override { return "tamper"; }
  std::string version() const override { return version_; }
  PictureForm picture_form() const override;
  Duration warm_up() const override;
  Result<std::unique_ptr<StreamAnalyzer>> Open(const std::string& stream,
                                               const boost::json::object& options) override;

 private:
  explicit TamperAnalyzer(std::string version) : version_(std::move(version)) {}

  const std::string version_;
};

// Errors: kInvalidArgument, with the option's name.
Result<TamperSettings> ParseTamperSettings(const boost::json::object& options);

}  // namespace millrace
