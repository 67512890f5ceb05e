#include "samples/camera-sim/faults.h"

#include <charconv>
#include <random>

namespace millrace::camera_sim {
namespace {

constexpr double kNsPerSecond = 1e9;

// Keeps the session but sends no media.
class Silent final : public Fault {
 public:
  explicit Silent(double) {}
  void OnUnit(UnitPlan& unit) override { unit.drop = true; }
};

// Takes connections and requests, and never answers.
class Mute final : public Fault {
 public:
  explicit Mute(double) {}
  void OnRequest(ReplyPlan& reply) override { reply.silent = true; }
};

// Sends no sender reports.
class NoReports final : public Fault {
 public:
  explicit NoReports(double) {}
  void OnReport(ReportPlan& report) override { report.drop = true; }
};

// The camera's clock is wrong by so many seconds.
class ReportShift final : public Fault {
 public:
  explicit ReportShift(double seconds) : shift_ns_(static_cast<std::int64_t>(seconds * kNsPerSecond)) {}
  void OnReport(ReportPlan& report) override { report.ntp.ns += shift_ns_; }

 private:
  std::int64_t shift_ns_;
};

// RTP times jump by so many seconds, and stay there.
class TimeJump final : public Fault {
 public:
  explicit TimeJump(double seconds) : shift_ns_(static_cast<std::int64_t>(seconds * kNsPerSecond)) {}
  void OnUnit(UnitPlan& unit) override { unit.shift_ns += shift_ns_; }

 private:
  std::int64_t shift_ns_;
};

// One video frame in fifty is off by so many seconds.
class TimeSpike final : public Fault {
 public:
  explicit TimeSpike(double seconds) : shift_ns_(static_cast<std::int64_t>(seconds * kNsPerSecond)) {}
  void OnUnit(UnitPlan& unit) override {
    if (unit.kind == TrackKind::kVideo && unit.count % 50 == 25) unit.shift_ns += shift_ns_;
  }

 private:
  std::int64_t shift_ns_;
};

// So many percent of the RTP packets are lost on the way, always the same ones.
class Loss final : public Fault {
 public:
  explicit Loss(double percent) : lost_(percent / 100) {}
  void OnPacket(PacketPlan& packet) override { packet.drop |= lost_(random_); }

 private:
  std::mt19937 random_{1};
  std::bernoulli_distribution lost_;
};

// The microphone is gone: no more audio packets.
class NoSound final : public Fault {
 public:
  explicit NoSound(double) {}
  void OnUnit(UnitPlan& unit) override { unit.drop |= unit.kind == TrackKind::kAudio; }
};

template <typename T>
std::unique_ptr<Fault> Make(double value) {
  return std::make_unique<T>(value);
}

struct Row {
  const char* name;
  double value;  // when none is given
  double min;
  double max;
  std::unique_ptr<Fault> (*make)(double);
};

constexpr Row kFaults[] = {
    {"silent", 0, 0, 0, Make<Silent>},
    {"mute", 0, 0, 0, Make<Mute>},
    {"no-sr", 0, 0, 0, Make<NoReports>},
    {"sr-shift", 86400, -2e9, 2e9, Make<ReportShift>},
    {"ts-jump", 3600, -1e6, 1e6, Make<TimeJump>},
    {"ts-spike", 3600, -1e6, 1e6, Make<TimeSpike>},
    {"loss", 5, 0, 100, Make<Loss>},
    {"no-sound", 0, 0, 0, Make<NoSound>},
};

}  // namespace

Result<std::unique_ptr<Fault>> MakeFault(const std::string& name, const std::string& value) {
  for (const Row& row : kFaults) {
    if (name != row.name) continue;
    double number = row.value;
    if (!value.empty()) {
      const char* end = value.data() + value.size();
      const auto [stop, problem] = std::from_chars(value.data(), end, number);
      if (problem != std::errc{} || stop != end || !(number >= row.min && number <= row.max)) {
        return Error{ErrorCode::kInvalidArgument, "fault " + name + " cannot be '" + value + "'"};
      }
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
