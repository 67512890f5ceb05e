// Faults of the connection and of RTSP.
#pragma once

#include <string>
#include <utility>

#include "samples/camera-sim/faults.h"

namespace millrace::camera_sim {

inline std::chrono::nanoseconds FromSeconds(double seconds) {
  return std::chrono::nanoseconds(static_cast<std::int64_t>(seconds * 1e9));
}

// Takes connections and requests, and never answers.
class Mute final : public Fault {
 public:
  explicit Mute(double) {}
  void OnRequest(ReplyPlan& reply) override { reply.silent = true; }
};

// After playing for so many seconds nothing comes any more, no media and no answer, and the connection stays:
// the power went, or a cable.
class HalfOpen final : public Fault {
 public:
  explicit HalfOpen(double seconds) : after_(FromSeconds(seconds)) {}
  void OnRequest(ReplyPlan& reply) override { reply.silent |= reply.time.since_play >= after_; }
  void OnUnit(UnitPlan& unit) override { unit.drop |= unit.time.since_play >= after_; }
  void OnReport(ReportPlan& report) override { report.drop |= report.time.since_play >= after_; }

 private:
  std::chrono::nanoseconds after_;
};

// Resets the connection each time that it has played for so many seconds.
class ResetAfter final : public Fault {
 public:
  explicit ResetAfter(double seconds) : after_(FromSeconds(seconds)) {}
  void OnUnit(UnitPlan& unit) override {
    if (unit.time.since_play >= after_) unit.cut = Cut::kReset;
  }

 private:
  std::chrono::nanoseconds after_;
};

// Is there for so many seconds, then away for half as long, and so on.
class Flap final : public Fault {
 public:
  explicit Flap(double seconds) : there_(FromSeconds(seconds)) {}
  void OnRequest(ReplyPlan& reply) override { reply.gone |= Away(reply.time); }
  void OnUnit(UnitPlan& unit) override {
    if (Away(unit.time)) unit.cut = Cut::kClose;
  }

 private:
  bool Away(const CameraTime& time) const { return time.since_start % (there_ * 3 / 2) >= there_; }
  std::chrono::nanoseconds there_;
};

// Answers 401 to clients that do not say what they are.
class WantsUserAgent final : public Fault {
 public:
  explicit WantsUserAgent(double) {}
  void OnRequest(ReplyPlan& reply) override { reply.refuse |= !reply.has_user_agent; }
};

// Asks for the user "admin" and this password.
class Password final : public Fault {
 public:
  explicit Password(std::string password) : password_(std::move(password)) {}
  void OnRequest(ReplyPlan& reply) override {
    reply.user = "admin";
    reply.password = password_;
  }

 private:
  std::string password_;
};

// Describes no audio.
class NoAudioTrack final : public Fault {
 public:
  explicit NoAudioTrack(double) {}
  void OnRequest(ReplyPlan& reply) override { reply.hide_audio = true; }
};

}  // namespace millrace::camera_sim
