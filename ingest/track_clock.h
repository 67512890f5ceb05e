// Gives a track's RTP time stamps their place on the producer's absolute clock.
//
// Two clocks are at hand for that: the camera's, told by RTCP sender reports, and the server's, by when
// frames arrive (the least delayed ones of the last seconds). The camera's is used while it is near the
// server's, else the time of arrival. The mapping is "RTP time + offset". It is kept, once chosen, so that
// frames keep the exact distances that the camera gave them; a small difference from the clock in use (drift,
// a late report) is worked off slowly, and a large one makes the clock want a jump, which the owner grants
// where it can start a new run.
//
// One wild stamp, or several, are not believed: the frame gets the time that it would have had. If stamps go
// on from a new place (the camera's counter was set anew), that is the new place, without a jump in the times
// handed out.
//
// Errors: none; every stamp gets a time. Threads: one owner (the source's lock).
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "base/time.h"
#include "fragments/fragment.h"

namespace millrace {

// When something arrived, on both of the server's clocks.
struct ArrivalTime {
  Timestamp wall;
  std::chrono::steady_clock::time_point steady;
};

class TrackClock {
 public:
  // `rate`: RTP ticks a second, not zero. `difference_max`: a camera's clock further off than this is not
  // used. `reordered`: frames come in decode order, so that their times may fall by a little (video).
  TrackClock(std::uint32_t rate, Duration difference_max, bool reordered);

  // A sender report: at `ntp` of the camera's clock its RTP clock stood at `rtp`.
  void OnSenderReport(Timestamp ntp, std::uint32_t rtp, ArrivalTime now);

  // Reports so far say nothing of the camera's clock.
  void RefuseReports();

  // The time of a frame. Without `reordered` times strictly rise.
  Timestamp Map(std::uint32_t rtp, ArrivalTime now);

  ClockSource source() const { return source_; }
  // What is added to media time now.
  Duration offset() const { return Duration{offset_ns_}; }
  // The same without what it changed by when stamps went on from a new place: the difference of two of these
  // is what a time that was handed out between lacks.
  Duration correction() const { return Duration{offset_ns_ - place_ns_}; }
  // The clock in use is far from the times handed out, and not just for a moment.
  bool wants_jump() const { return wants_jump_; }
  // Chooses the clock by what is known now; Jump then goes to it.
  void Choose(ArrivalTime now);
  // From now on times follow the clock in use. The next ones do not continue the last ones.
  void Jump();

  std::uint64_t corrected() const {
    return corrected_;
  }                                                   // frames that got another time than their stamp says
  std::uint64_t rebased() const { return rebased_; }  // times that the stamps went on from a new place
  std::uint64_t reports_refused() const { return reports_refused_; }

 private:
  std::int64_t Unwrap(std::uint32_t rtp) const;
  std::int64_t MediaNs(std::int64_t ticks) const;
  bool IsWild(std::int64_t media_ns, std::int64_t late_ns) const;
  bool StandsStill(std::int64_t media_ns, std::int64_t steady_ns);
  Timestamp MapWild(std::uint32_t rtp, std::int64_t ticks, ArrivalTime now);
  void SeeArrival(std::int64_t late_ns, std::int64_t steady_ns);
  std::int64_t TargetOffset(ArrivalTime now);
  void Follow(std::int64_t target_ns, std::int64_t steady_ns, std::int64_t risen_ns);
  Timestamp HandOut(std::int64_t time_ns, std::int64_t steady_ns);

  const std::uint32_t rate_;
  const std::int64_t difference_max_ns_;
  const bool reordered_;

  bool started_ = false;  // a frame was mapped
  // The last stamp that was believed, unwrapped to 64 bits. A report before the first frame sets it too.
  bool has_place_ = false;
  std::uint32_t last_rtp_ = 0;
  std::int64_t last_ticks_ = 0;
  std::int64_t max_media_ns_ = 0;  // newest stamp that was believed
  bool has_step_ = false;
  std::int64_t step_ns_ = 0;  // by which a frame raises it, on average
  // For how long frames have come that do not raise it.
  std::int64_t still_ns_ = 0;

  // What is added to media time. All in ns.
  std::int64_t offset_ns_ = 0;
  std::int64_t place_ns_ = 0;  // of it: the sum of what new places changed
  std::int64_t target_ns_ = 0;
  std::optional<std::int64_t> camera_offset_ns_;  // from the last sane report
  std::int64_t report_steady_ns_ = 0;
  ClockSource source_ = ClockSource::kArrival;
  bool following_ = false;  // a small difference is being worked off
  std::optional<std::int64_t> far_since_ns_;
  bool wants_jump_ = false;

  // Least (steady arrival - media time) of this and of the last few seconds.
  std::int64_t late_now_ns_ = 0;
  std::int64_t late_before_ns_ = 0;
  std::int64_t bucket_start_ns_ = 0;

  // The last time handed out, and when.
  std::int64_t out_ns_ = 0;
  std::int64_t out_steady_ns_ = 0;

  // Wild stamps in a row that agree with each other.
  int wild_ = 0;
  std::int64_t wild_media_ns_ = 0;
  std::int64_t wild_steady_ns_ = 0;
  std::int64_t guessed_ns_ = 0;  // by which their times are ahead of their arrivals

  std::uint64_t corrected_ = 0;
  std::uint64_t rebased_ = 0;
  std::uint64_t reports_refused_ = 0;
};

}  // namespace millrace
