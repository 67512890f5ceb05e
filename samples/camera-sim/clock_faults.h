// Faults of time: RTP stamps, the pace of frames, and sender reports.
#pragma once

#include "samples/camera-sim/faults.h"
#include "samples/camera-sim/session_faults.h"

namespace millrace::camera_sim {

// RTP times start at zero with each connection.
class TimesFromZero final : public Fault {
 public:
  explicit TimesFromZero(double) {}
  void OnStart(StartPlan& start) override { start.times_from_zero = true; }
};

// RTP times jump by so many seconds, and stay there; the reports know of it.
class TimeJump final : public Fault {
 public:
  explicit TimeJump(double seconds) : shift_(FromSeconds(seconds)) {}
  void OnUnit(UnitPlan& unit) override { unit.shift_ns += shift_.count(); }
  void OnReport(ReportPlan& report) override { report.shift_ns += shift_.count(); }

 private:
  std::chrono::nanoseconds shift_;
};

// One video frame in fifty is off by so many seconds.
class TimeSpike final : public Fault {
 public:
  explicit TimeSpike(double seconds) : shift_(FromSeconds(seconds)) {}
  void OnUnit(UnitPlan& unit) override {
    if (unit.kind() == TrackKind::kVideo && unit.count % 50 == 25) unit.shift_ns += shift_.count();
  }

 private:
  std::chrono::nanoseconds shift_;
};

// One video frame in five is so many milliseconds behind its time: at the time of the frame before it, or
// before that.
class TimeStutter final : public Fault {
 public:
  explicit TimeStutter(double ms) : shift_(FromSeconds(ms / 1000)) {}
  void OnUnit(UnitPlan& unit) override {
    if (unit.kind() == TrackKind::kVideo && !unit.key && unit.count % 5 == 3) unit.shift_ns -= shift_.count();
  }

 private:
  std::chrono::nanoseconds shift_;
};

// Frames come at so many times the rate that the headers declare; their stamps tell the truth.
class Pace final : public Fault {
 public:
  explicit Pace(double speed) : speed_(speed) {}
  void OnPace(PacePlan& pace) override { pace.speed *= speed_; }

 private:
  double speed_;
};

// The RTP clock runs at so many times its rate.
class StampRate final : public Fault {
 public:
  explicit StampRate(double rate) : rate_(rate) {}
  void OnPace(PacePlan& pace) override { pace.stamp_rate *= rate_; }

 private:
  double rate_;
};

// Sends no sender reports.
class NoReports final : public Fault {
 public:
  explicit NoReports(double) {}
  void OnReport(ReportPlan& report) override { report.drop = true; }
};

// … in the first so many seconds of a connection.
class LateReports final : public Fault {
 public:
  explicit LateReports(double seconds) : after_(FromSeconds(seconds)) {}
  void OnReport(ReportPlan& report) override { report.drop |= report.time.since_play < after_; }

 private:
  std::chrono::nanoseconds after_;
};

// Reports speak of a sender that nobody knows.
class StrangeReports final : public Fault {
 public:
  explicit StrangeReports(double) {}
  void OnReport(ReportPlan& report) override { report.ssrc = ~report.ssrc; }
};

// What comes in the place of reports is no RTCP, or cut short, or contradicts itself.
class BrokenReports final : public Fault {
 public:
  explicit BrokenReports(double) {}
  void OnReport(ReportPlan& report) override {
    switch (report.count % 5) {
      case 0:  // a length far beyond its end
        report.instead = {0x80, 200, 0xFF, 0xFF, 1, 2, 3, 4};
        break;
      case 1:  // ends within the sender's information
        report.instead = {0x80, 200, 0, 6, 1, 2, 3, 4, 5, 6, 7, 8};
        break;
      case 2:  // version 0, a type that is none
        report.instead = {0x00, 1, 0, 1, 0, 0, 0, 0};
        break;
      case 3:  // 31 report blocks that are not there
        report.instead = {0x9F, 200, 0, 1, 0, 0, 0, 0};
        break;
      default:
        report.instead = {0x80};
    }
  }
};

// The camera's clock is wrong by so many seconds.
class ReportShift final : public Fault {
 public:
  explicit ReportShift(double seconds) : shift_(FromSeconds(seconds)) {}
  void OnReport(ReportPlan& report) override { report.ntp.ns += shift_.count(); }

 private:
  std::chrono::nanoseconds shift_;
};

// The camera's clock started in 1970, with the camera.
class ReportEpoch final : public Fault {
 public:
  explicit ReportEpoch(double) {}
  void OnReport(ReportPlan& report) override { report.ntp = Timestamp{report.time.since_start.count()}; }
};

// The camera's clock is set by so many seconds, and set back, between any two reports.
class ReportStep final : public Fault {
 public:
  explicit ReportStep(double seconds) : shift_(FromSeconds(seconds)) {}
  void OnReport(ReportPlan& report) override {
    if (report.count % 2 != 0) report.ntp.ns += shift_.count();
  }

 private:
  std::chrono::nanoseconds shift_;
};

// The camera's clock runs so many parts in a million too fast.
class ReportDrift final : public Fault {
 public:
  explicit ReportDrift(double ppm) : ppm_(ppm) {}
  void OnReport(ReportPlan& report) override {
    const auto since_start_ns = static_cast<double>(report.time.since_start.count());
    report.ntp.ns += static_cast<std::int64_t>(since_start_ns * ppm_ / 1e6);
  }

 private:
  double ppm_;
};

// Audio's clock is so many seconds ahead of video's.
class ReportsApart final : public Fault {
 public:
  explicit ReportsApart(double seconds) : shift_(FromSeconds(seconds)) {}
  void OnReport(ReportPlan& report) override {
    if (report.kind == TrackKind::kAudio) report.ntp.ns += shift_.count();
  }

 private:
  std::chrono::nanoseconds shift_;
};

}  // namespace millrace::camera_sim
