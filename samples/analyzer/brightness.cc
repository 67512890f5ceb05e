#include "brightness.h"

#include <boost/json/array.hpp>
#include <cmath>
#include <opencv2/core.hpp>
#include <string>

#include "consumers/analysis/analyzer_plugin.h"
#include "consumers/analysis/option_reader.h"

namespace {

millrace::Result<BrightnessSettings> ReadSettings(const boost::json::object& options) {
  BrightnessSettings settings;
  millrace::OptionReader reader(options);
  reader.Number("dark", settings.dark, 0, 1);
  reader.Number("bright", settings.bright, 0, 1);
  if (settings.dark > settings.bright) reader.Fail("dark", "must not be above 'bright'");
  MILLRACE_RETURN_IF_ERROR(reader.Finish());
  return settings;
}

class Stream final : public millrace::StreamAnalyzer {
 public:
  explicit Stream(const BrightnessSettings& settings) : settings_(settings) {}

  millrace::Result<boost::json::object> Analyze(const millrace::AnalysisFrame& frame) override {
    // Luma is 16 to 235 in most videos.
    const double brightness = std::round((cv::mean(frame.image)[0] - 16) / 219 * 1000) / 1000;
    boost::json::object found{{"Brightness", brightness}};
    const std::optional<bool> before = on_;
    if (brightness < settings_.dark) on_ = false;
    if (brightness > settings_.bright) on_ = true;
    if (before && on_ != before) {
      // The same footage gives the same id again: what is told twice is one event.
      found["Events"] =
          boost::json::array{{{"Type", *on_ ? "LightOn" : "LightOff"},
                              {"EventId", "light-" + std::to_string(frame.producer_time.millis())},
                              {"Time", millrace::FormatRfc3339(frame.producer_time)}}};
    }
    return found;
  }

 private:
  const BrightnessSettings settings_;
  std::optional<bool> on_;  // none: no frame was clearly dark or bright yet
};

}  // namespace

millrace::Result<std::unique_ptr<millrace::FrameAnalyzer>> Brightness::Make(
    const boost::json::object& options) {
  MILLRACE_RETURN_IF_ERROR(ReadSettings(options));  // a wrong one is told at once
  return std::unique_ptr<millrace::FrameAnalyzer>(std::make_unique<Brightness>());
}

millrace::Result<std::unique_ptr<millrace::StreamAnalyzer>> Brightness::Open(
    const std::string&, const boost::json::object& options) {
  MILLRACE_ASSIGN_OR_RETURN(const BrightnessSettings settings, ReadSettings(options));
  return std::unique_ptr<millrace::StreamAnalyzer>(std::make_unique<Stream>(settings));
}

MILLRACE_ANALYZER(Brightness);
