// How bright a picture is, and when the light goes on or off: a small analyzer that remembers something.
//
//   {"Brightness": 0.42}                                       of each frame, 0 (black) to 1 (white)
//   {"Brightness": 0.9, "Events": [{"Type": "LightOn", …}]}    where it crosses the threshold
//
// Options: "dark" and "bright", 0 to 1: darker than the first is off, brighter than the second is on, and
// between them it stays as it was.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "consumers/analysis/frame_analyzer.h"

struct BrightnessSettings {
  double dark = 0.3;
  double bright = 0.5;
};

class Brightness final : public millrace::FrameAnalyzer {
 public:
  static millrace::Result<std::unique_ptr<millrace::FrameAnalyzer>> Make(const boost::json::object& options);

  std::string name() const override { return "brightness"; }
  std::string version() const override { return "1"; }  // goes up whenever results change
  // Small and grey: that is cheap to decode, and enough.
  millrace::PictureForm picture_form() const override { return {millrace::PictureFormat::kGray, 90}; }
  // Whether the light was on is decided by the last frame that was clearly dark or bright. Where the light is
  // between the two for longer than this, results may depend on where analysis began.
  millrace::Duration warm_up() const override { return std::chrono::seconds(10); }
  millrace::Result<std::unique_ptr<millrace::StreamAnalyzer>> Open(
      const std::string& stream, const boost::json::object& options) override;
};
