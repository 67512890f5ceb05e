// Makes runs of one connection's frames: waits until all tracks are known, gives frames their producer times,
// and starts another run when the tracks change or a clock jumps.
//
// A camera has one clock: where its tracks' sender reports disagree about it none is believed, or sound and
// picture would not fit together.
//
// While tracks are not all known frames wait here, for two seconds or so many bytes at most; a track that
// shows up later joins at the next key frame. What has waited gets the time that is known by then: the first
// frames of a connection are late by what it took to set it up, each track's by another time.
//
// Threads: any, one call at a time (the source's lock). Calls the events from within its own calls.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "base/time.h"
#include "ingest/rtsp_source.h"
#include "ingest/track_clock.h"

namespace millrace {

class RunBuilder {
 public:
  // `wait_bytes_max`: of the frames that wait until all tracks are known, and with `wait_for_reports` a
  // sender report of each, so that sound and picture are in step from the beginning.
  explicit RunBuilder(RtspSourceEvents& events, std::size_t wait_bytes_max = std::size_t{16} << 20,
                      bool wait_for_reports = false)
      : events_(events), wait_bytes_max_(wait_bytes_max), wait_for_reports_(wait_for_reports) {}

  // Another track of the connection, before its first frame. Returns its index.
  std::size_t AddTrack(TrackKind kind, std::uint32_t rtp_rate, Duration clock_difference_max);
  // So many tracks will come, in any order and at any time.
  void Expect(std::size_t tracks) { expected_ = tracks; }

  void OnSenderReport(std::size_t track, Timestamp ntp, std::uint32_t rtp, ArrivalTime now);
  // `info`: as it is for this frame; its number is set here.
  void OnFrame(std::size_t track, const TrackInfo& info, std::uint32_t rtp, ArrivalTime now, Frame frame);

 private:
  struct Track {
    TrackKind kind;
    TrackClock clock;
    std::optional<TrackInfo> info;
    bool in_run = false;
    // What the newest report said of the camera's clock, and when.
    std::optional<Duration> camera_ahead{};
    std::chrono::steady_clock::time_point reported{};
    int reports_apart = 0;  // in a row that disagreed with another track's
  };

  bool AllKnown() const;
  void HandOutWaiting();
  bool StartsHere(const Track& track, const Frame& frame) const;
  void StartRun();
  void TellTrouble();
  const Track& ReferenceTrack() const;  // whose clock speaks for all
  bool AreApart(const Track& track) const;
  static constexpr Duration kWaitMax = std::chrono::seconds(2);

  RtspSourceEvents& events_;
  const std::size_t wait_bytes_max_;
  const bool wait_for_reports_;
  std::vector<Track> tracks_;
  std::size_t expected_ = 0;  // 0: not known
  bool running_ = false;
  bool restart_wanted_ = false;  // at the next key frame: a track joined, or a clock jumps
  ClockSource told_clock_ = ClockSource::kArrival;
  std::uint64_t told_corrected_ = 0;
  std::uint64_t told_jumps_ = 0;
  std::uint64_t jumps_ = 0;
  struct Waiting {
    std::size_t track;    // index
    Duration correction;  // of its track's clock, that its time was made with
    Frame frame;
  };
  std::vector<Waiting> waiting_;
  std::size_t waiting_bytes_ = 0;
};

}  // namespace millrace
