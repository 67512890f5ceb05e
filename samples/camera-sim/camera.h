// One simulated camera: the shared clip on its own clock, sent to whoever plays it.
#pragma once

#include <chrono>
#include <cstdint>
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

  bool waits_for_key = true;  // the camera's own: video starts at a key frame
};

// While nobody plays, a camera rests, and its next client gets the clip from the start with RTP times that
// have run on. A second client joins at the next key frame. Threads: the server's one thread.
class Camera {
 public:
  // `frames_max`: ends after so many video frames; 0: never.
  Camera(int number, std::shared_ptr<const PacketClip> clip, std::int64_t frames_max);

  int number() const { return number_; }
  const PacketClip& clip() const { return *clip_; }
  bool running() const { return running_; }

  void Start();  // new SSRCs and RTP times, unless it runs
  void Stop();   // cuts its clients off
  void DropClients();
  void AddFault(std::unique_ptr<Fault> fault) { faults_.push_back(std::move(fault)); }
  void ClearFaults() { faults_.clear(); }
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
    std::uint32_t rtp_base = 0;    // RTP time at boot_
    std::int64_t round_start = 0;  // ticks from boot_ to the start of this round of the loop
    std::size_t next = 0;          // unit of this round that is due next
    std::uint64_t count = 0;       // units sent since the start
  };

  std::int64_t TicksSinceBoot(std::size_t track, SteadyTime now) const;
  SteadyTime DueTime(std::size_t track) const;
  void Rewind(SteadyTime now);
  void SendNextUnit(std::size_t track);
  void SendReports(SteadyTime now);
  void End();

  const int number_;
  const std::shared_ptr<const PacketClip> clip_;
  const std::int64_t frames_max_;
  std::vector<std::unique_ptr<Fault>> faults_;
  std::vector<std::shared_ptr<Player>> players_;
  std::vector<TrackClock> clocks_;  // as clip_->tracks
  bool running_ = false;
  SteadyTime boot_;
  SteadyTime next_report_;
};

}  // namespace millrace::camera_sim
