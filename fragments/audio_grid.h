// Puts the packets of one audio track on its sample grid: each begins where the one before ended, unless
// there is a real gap.
//
// Cameras stamp audio with jitter, and its clock drifts against the video's. A packet whose time is off by up
// to kJitterMax is taken to follow the one before it. One that is later leaves a gap; one that is earlier
// (it would sound twice) is refused. An offset over kDriftMax that stays for kDriftPackets packets is made
// good in the same two ways.
//
// Threads: one owner at a time.
#pragma once

#include <cstdint>
#include <optional>

#include "base/time.h"

namespace millrace {

class AudioGrid {
 public:
  static constexpr Duration kJitterMax = std::chrono::milliseconds(80);
  static constexpr Duration kDriftMax = std::chrono::milliseconds(30);
  static constexpr int kDriftPackets = 50;

  // Sample zero is at `zero`. REQUIRES: sample_rate > 0.
  AudioGrid(Timestamp zero, std::uint32_t sample_rate) : zero_(zero), sample_rate_(sample_rate) {}

  // The first sample of a packet of `samples` samples that is stamped `pts`; none: it is to be dropped
  // (before sample zero, or what it says has been said).
  std::optional<std::int64_t> Place(Timestamp pts, std::uint32_t samples);

  Timestamp TimeOf(std::int64_t sample) const;
  // Where the next packet is expected.
  Timestamp next_time() const { return TimeOf(next_); }

 private:
  std::int64_t SampleAt(Timestamp time) const;
  std::int64_t SamplesIn(Duration duration) const;

  Timestamp zero_;
  std::uint32_t sample_rate_;
  bool started_ = false;
  std::int64_t next_ = 0;
  int off_ =
      0;  // packets in a row that were off by more than kDriftMax to the same side; its sign says which
};

}  // namespace millrace
