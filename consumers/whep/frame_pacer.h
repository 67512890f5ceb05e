// When frames that come a fragment at a time are to be sent, so that they go on as they were taken.
//
// The first one goes at once, and those that follow at their distance from it. A fragment that comes late
// moves all that follow, so that after a while the longest one that there was is waited for, and no picture
// comes too late.
//
// Threads: one owner.
#pragma once

#include <chrono>
#include <optional>

#include "base/time.h"

namespace millrace {

class FramePacer {
 public:
  using SteadyTime = std::chrono::steady_clock::time_point;
  static constexpr Duration kLateMax = std::chrono::milliseconds(100);  // later: all that follow are moved
  static constexpr Duration kAheadMax =
      std::chrono::seconds(20);  // a longer way ahead is a jump of the times

  // Not before `now`. `leads`: a frame by which the others go: a picture, where there are any.
  SteadyTime Place(Timestamp pts, bool leads, SteadyTime now);
  // The next frame does not follow the last one.
  void Reset() { base_.reset(); }

 private:
  struct Base {
    Timestamp pts;
    SteadyTime at;
  };
  std::optional<Base> base_;
};

}  // namespace millrace
