// One simulated camera: the shared clip on its own clock, sent to whoever plays it.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "samples/camera-sim/faults.h"
#include "samples/camera-sim/packets.h"
#include "samples/camera-sim/rtp_output.h"

namespace millrace::camera_sim {

using SteadyTime = std::chrono::steady_clock::time_point;

// A client of a camera, as the camera sees it.
class Player {
 public:
  virtual ~Player() = default;
  virtual RtpOutput& output() = 0;
  // Something was put into the output: have the rest written, or end if it is broken. Does not call the
  // camera back.
  virtual void Pump() = 0;
  // Ends the connection, later, not from within this call; after what waits has been written when `flush`.
  virtual void Close(bool flush) = 0;
  // Likewise, at once and as a fault of the network: the client sees a reset.
  virtual void Reset() = 0;

  bool waits_for_key = true;  // the camera's own: video starts at a key frame
};

// The clips that a camera can be told to show instead of its own, by name.
using ClipLibrary = std::map<std::string, std::shared_ptr<const PacketClip>>;

struct CameraOptions {
  std::int64_t frames_max = 0;  // ends after so many video frames; 0: never
  std::chrono::nanoseconds report_interval = std::chrono::seconds(5);
  ClipLibrary library{};
};

// While nobody plays, a camera rests, and its next client gets the clip from the start with RTP times that
// have run on. A second client joins at the next key frame. Threads: the server's one thread.
class Camera {
 public:
  // `options` outlives the camera.
  Camera(int number, std::shared_ptr<const PacketClip> clip, const CameraOptions& options);

  int number() const { return number_; }
  const PacketClip& clip() const { return *clip_; }
  bool running() const { return running_; }

  void Start();  // new SSRCs and RTP times, unless it runs
  void Stop();   // cuts its clients off
  void DropClients();
  // Errors: kInvalidArgument: it names a clip that there is not.
  Result<void> AddFault(std::unique_ptr<Fault> fault);
  void ClearFaults();
  void AskFaults(ReplyPlan& reply) const;

  void Attach(const std::shared_ptr<Player>& player);
  void Detach(const Player* player);
  std::uint32_t ssrc(std::size_t track) const { return clocks_[track].ssrc; }

  // When SendDue has something to do; max() while nobody plays.
  SteadyTime NextDue() const;
  // Sends all that is due at `now`.
  void SendDue(SteadyTime now);

  // {"camera":1,"running":true,"clients":1,"frames":250,…}
  std::string StatusJson() const;

 private:
  // One track's place in the clip and its RTP clock.
  struct TrackClock {
    std::uint32_t ssrc = 0;
    std::uint32_t rtp_base = 0;  // RTP time at boot_
    // This round of the loop: how it is paced, when it started, and the stamp (ticks since rtp_base) it
    // started with.
    PacePlan pace;
    std::chrono::nanoseconds round_due{0};  // since boot_
    std::int64_t round_stamp = 0;
    std::size_t next = 0;       // unit of this round that is due next
    std::uint64_t count = 0;    // units sent since the start
    std::uint64_t reports = 0;  // sent, or left out, since the start
  };

  CameraTime TimeAt(SteadyTime now) const;
  // Stamp, without rtp_base, of what is captured at `now`.
  std::int64_t StampAt(std::size_t track, SteadyTime now) const;
  SteadyTime DueTime(std::size_t track) const;
  void Rewind(SteadyTime now, const StartPlan& start);
  void StartRound(std::size_t track);
  Result<void> ChooseClip();
  void SendNextUnit(std::size_t track, SteadyTime now);
  void CutOff(Cut how);
  void SendReports(SteadyTime now);
  void End();

  const int number_;
  const std::shared_ptr<const PacketClip> own_clip_;
  std::shared_ptr<const PacketClip> clip_;  // shown now
  const CameraOptions& options_;
  std::vector<std::unique_ptr<Fault>> faults_;
  std::vector<std::shared_ptr<Player>> players_;
  std::array<TrackClock, 2> clocks_;  // as clip_->tracks, which may be fewer
  bool running_ = false;
  SteadyTime boot_;
  SteadyTime play_;  // when the first of the players began
  SteadyTime next_report_;
};

}  // namespace millrace::camera_sim
