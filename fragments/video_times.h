// Keeps the presentation times of one run's video in order, in whole milliseconds, and learns how far decode
// order runs ahead of display order.
//
// Promises for the times that it gives out, whatever comes in:
//   all differ; those placed after Cut(m) are greater than m; at most depth() earlier ones of the same
//   fragment are greater than one (depth() may grow up to 16 to keep that); steps forward are at most
//   kJumpMax.
// A time that would break this is moved, and all that follow with it, until the next key frame shows whether
// the source has come back (the run goes on) or has another clock now (NeedsNewRun).
//
// Threads: one owner at a time.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace millrace {

class VideoTimes {
 public:
  static constexpr std::int64_t kJumpMaxMs = 10'000;     // a longer step forward is a jump
  static constexpr std::int64_t kStepBackMaxMs = 1'000;  // a longer step back at a key frame is a jump
  static constexpr std::uint32_t kDepthMax = 16;         // of H.264 and H.265

  // `depth` as the stream's headers say; none: they leave it open, and 2 is taken until more is seen.
  // `frame_ms`: how long a frame lasts, until enough of them are seen.
  VideoTimes(std::optional<std::uint32_t> depth, std::int64_t frame_ms);

  struct Placed {
    std::int64_t ms = 0;
    bool moved = false;
  };
  // Whether a key frame at `raw_ms` cannot go on in this run.
  bool NeedsNewRun(std::int64_t raw_ms) const;
  Placed PlaceKeyFrame(std::int64_t raw_ms);
  Placed PlaceOther(std::int64_t raw_ms);

  // The fragment ended: its greatest time is `last_ms`; those placed above it belong to what follows.
  void Cut(std::int64_t last_ms);
  // After Cut(): a time given out before it, moved if it lies below the cut.
  Placed KeepAboveFloor(std::int64_t ms);
  // The fragment ended without a picture to follow: what comes is to be at or after `ms`.
  void RaiseFloor(std::int64_t ms);
  // Other tracks have come to `ms`: up to there a step forward is no jump.
  void OthersAt(std::int64_t ms);

  bool empty() const { return !started_; }
  std::int64_t max_ms() const { return max_ms_; }  // the greatest time given out. REQUIRES: !empty().
  std::uint32_t depth() const { return depth_; }
  std::int64_t shift_ms() const { return shift_ms_; }  // by which times are moved now
  std::int64_t frame_ms() const;                       // how long a frame lasts: 1 to kJumpMaxMs
  // The headers said that frames are never reordered, and then they were.
  bool headers_lied() const { return headers_lied_; }

 private:
  std::int64_t Newest() const;  // nothing that can follow a key frame lies at or before it
  bool JumpsForward(std::int64_t ms) const;
  Placed Move(std::int64_t raw_ms);
  Placed Take(std::int64_t raw_ms, std::int64_t ms);

  std::uint32_t depth_;
  std::int64_t frame_ms_;
  bool started_ = false;
  bool headers_lied_ = false;
  std::int64_t floor_ms_ = 0;
  std::int64_t max_ms_ = 0;
  std::int64_t others_ms_ = 0;
  std::int64_t shift_ms_ = 0;
  std::vector<std::int64_t> placed_;  // since the last cut, ascending
};

}  // namespace millrace
