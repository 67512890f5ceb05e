// What can be wrong with a simulated camera. A fault is one small class that changes what passes through it
// at a few hooks; a camera asks all of its faults at each hook, in the order in which they were switched on.
// A new fault is a new class and a row in the table of faults.cc, and nothing else changes.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "base/result.h"
#include "base/time.h"
#include "media/codec.h"

namespace millrace::camera_sim {

// An RTSP request that was understood, and what is going to be answered.
struct ReplyPlan {
  std::string method;
  bool silent = false;  // say nothing
};

// An access unit that is about to be sent to the clients.
struct UnitPlan {
  TrackKind kind = TrackKind::kVideo;
  std::uint64_t count = 0;  // of this track's units since the camera started
  bool key = false;
  std::chrono::nanoseconds since_start{0};  // the camera's time
  bool drop = false;
  std::int64_t shift_ns = 0;  // added to its RTP time
};

// An RTP packet that is about to be sent.
struct PacketPlan {
  TrackKind kind = TrackKind::kVideo;
  bool marker = false;
  bool drop = false;  // its sequence number is used up all the same: it is lost on the way
};

// An RTCP sender report that is about to be sent.
struct ReportPlan {
  TrackKind kind = TrackKind::kVideo;
  Timestamp ntp;  // what the camera's clock says
  bool drop = false;
};

// Threads: the server's one thread.
class Fault {
 public:
  virtual ~Fault() = default;
  virtual void OnRequest(ReplyPlan&) {}
  virtual void OnUnit(UnitPlan&) {}
  virtual void OnPacket(PacketPlan&) {}
  virtual void OnReport(ReportPlan&) {}
};

// `value` is the fault's parameter as text, empty for its default.
// Errors: kInvalidArgument: no fault of this name, or a value that it cannot take.
Result<std::unique_ptr<Fault>> MakeFault(const std::string& name, const std::string& value);

// "silent, mute, ...": for help texts.
std::string FaultNames();

}  // namespace millrace::camera_sim
