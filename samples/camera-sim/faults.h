// What can be wrong with a simulated camera. A fault is one small class that changes what passes through it
// at a few hooks; a camera asks all of its faults at each hook, in the order in which they were switched on.
// A new fault is a new class (session_faults.h, media_faults.h, clock_faults.h) and a row in the table of
// faults.cc, and nothing else changes.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"
#include "media/codec.h"

namespace millrace::camera_sim {

// When something happens, by the camera's own time.
struct CameraTime {
  std::chrono::nanoseconds since_start{0};  // of the camera
  std::chrono::nanoseconds since_play{0};   // since its first client began to play; zero while nobody does
};

// An RTSP request that was understood, and what is going to be answered.
struct ReplyPlan {
  std::string method;
  bool has_user_agent = false;
  CameraTime time{};
  // Who may; an empty user: everybody.
  std::string user{};
  std::string password{};
  bool silent = false;      // say nothing
  bool refuse = false;      // 401, whatever the request says of its user
  bool gone = false;        // 404
  bool hide_audio = false;  // describe the picture only
};

// The first client begins to play.
struct StartPlan {
  bool times_from_zero = false;    // RTP times start anew
  bool at_once = false;            // video does not start at a key frame
  std::chrono::nanoseconds in{0};  // how far in the clip it begins
};

// A round of the clip begins.
struct PacePlan {
  double speed = 1;       // frames come so many times as fast as the clip says; their stamps tell the truth
  double stamp_rate = 1;  // the RTP clock runs so many times as fast as real time
};

// What is to be shown from now on.
struct ClipPlan {
  std::string name;  // of a --variant; empty: the camera's own clip
};

enum class Cut : std::uint8_t { kNone, kClose, kReset };

// An access unit that is about to be sent to the clients.
struct UnitPlan {
  const TrackInfo& track;
  std::uint64_t count = 0;  // of this track's units since the camera started
  bool key = false;
  CameraTime time{};
  bool drop = false;
  Cut cut = Cut::kNone;              // the clients are cut off instead
  std::int64_t shift_ns = 0;         // added to its RTP time
  std::vector<Bytes> nals_before{};  // NAL units that are sent as its first ones, each in one packet

  TrackKind kind() const { return track.kind(); }
};

// An RTP packet that is about to be sent.
struct PacketPlan {
  TrackKind kind = TrackKind::kVideo;
  int nal_type = 0;  // video: of the NAL unit that it is of, or is part of
  bool marker = false;
  bool drop = false;  // its sequence number is used up all the same: it is lost on the way
};

// An RTCP sender report that is about to be sent.
struct ReportPlan {
  TrackKind kind = TrackKind::kVideo;
  CameraTime time{};
  std::uint64_t count = 0;    // of this track's reports since the camera started
  Timestamp ntp{};            // what the camera's clock says
  std::int64_t shift_ns = 0;  // added to its RTP time
  std::uint32_t ssrc = 0;
  bool drop = false;
  Bytes instead{};  // sent in its place, where not empty
};

// Threads: the server's one thread.
class Fault {
 public:
  virtual ~Fault() = default;
  virtual void OnRequest(ReplyPlan&) {}
  virtual void OnStart(StartPlan&) {}
  virtual void OnPace(PacePlan&) {}
  virtual void OnClip(ClipPlan&) {}
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
