#include "samples/camera-sim/faults.h"

#include <charconv>

#include "samples/camera-sim/clock_faults.h"
#include "samples/camera-sim/media_faults.h"
#include "samples/camera-sim/session_faults.h"

namespace millrace::camera_sim {
namespace {

template <typename T>
std::unique_ptr<Fault> Make(double value) {
  return std::make_unique<T>(value);
}

template <typename T>
std::unique_ptr<Fault> MakeOfText(const std::string& value) {
  return std::make_unique<T>(value);
}

// Either a number or a text, which is not to be empty.
struct Row {
  const char* name;
  double value;  // when none is given
  double min;
  double max;
  std::unique_ptr<Fault> (*make)(double);
  std::unique_ptr<Fault> (*make_of_text)(const std::string&) = nullptr;
};

constexpr Row kFaults[] = {
    // connection and RTSP
    {"mute", 0, 0, 0, Make<Mute>},
    {"half-open", 5, 0, 1e6, Make<HalfOpen>},
    {"reset", 60, 0.01, 1e6, Make<ResetAfter>},
    {"flap", 30, 0.1, 1e6, Make<Flap>},
    {"user-agent", 0, 0, 0, Make<WantsUserAgent>},
    {"password", 0, 0, 0, nullptr, MakeOfText<Password>},
    {"no-audio-track", 0, 0, 0, Make<NoAudioTrack>},
    // what is sent
    {"silent", 0, 0, 0, Make<Silent>},
    {"no-sound", 0, 0, 0, Make<NoSound>},
    {"late-sound", 10, 0, 1e6, Make<LateSound>},
    {"join", 1, 0, 3600, Make<Join>},
    {"clip", 0, 0, 0, nullptr, MakeOfText<OtherClip>},
    {"loss", 5, 0, 100, Make<Loss>},
    {"marker-on-sets", 0, 0, 0, Make<MarkerOnSets>},
    {"no-marker", 0, 0, 0, Make<NoMarker>},
    {"sps-flap", 5, 1, 1e6, Make<SpsFlap>},
    // time
    {"ts-zero", 0, 0, 0, Make<TimesFromZero>},
    {"ts-jump", 3600, -1e6, 1e6, Make<TimeJump>},
    {"ts-spike", 3600, -1e6, 1e6, Make<TimeSpike>},
    {"ts-stutter", 40, 0, 1e6, Make<TimeStutter>},
    {"pace", 0.84, 0.1, 10, Make<Pace>},
    {"ts-rate", 1.0005, 0.1, 10, Make<StampRate>},
    {"no-sr", 0, 0, 0, Make<NoReports>},
    {"sr-late", 10, 0, 1e6, Make<LateReports>},
    {"sr-stranger", 0, 0, 0, Make<StrangeReports>},
    {"sr-broken", 0, 0, 0, Make<BrokenReports>},
    {"sr-shift", 86400, -2e9, 2e9, Make<ReportShift>},
    {"sr-epoch", 0, 0, 0, Make<ReportEpoch>},
    {"sr-step", 3, -1e6, 1e6, Make<ReportStep>},
    {"sr-drift", 500, -1e6, 1e6, Make<ReportDrift>},
    {"sr-apart", 3, -1e6, 1e6, Make<ReportsApart>},
};

}  // namespace

Result<std::unique_ptr<Fault>> MakeFault(const std::string& name, const std::string& value) {
  for (const Row& row : kFaults) {
    if (name != row.name) continue;
    const Error bad{ErrorCode::kInvalidArgument, "fault " + name + " cannot be '" + value + "'"};
    if (row.make_of_text != nullptr) {
      if (value.empty()) return bad;
      return row.make_of_text(value);
    }
    double number = row.value;
    if (!value.empty()) {
      const char* end = value.data() + value.size();
      const auto [stop, problem] = std::from_chars(value.data(), end, number);
      if (problem != std::errc{} || stop != end || !(number >= row.min && number <= row.max)) return bad;
    }
    return row.make(number);
  }
  return Error{ErrorCode::kInvalidArgument, "no fault '" + name + "'; there are: " + FaultNames()};
}

std::string FaultNames() {
  std::string names;
  for (const Row& row : kFaults) names += (names.empty() ? "" : ", ") + std::string(row.name);
  return names;
}

}  // namespace millrace::camera_sim
