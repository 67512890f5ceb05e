#include "consumers/whep/frame_pacer.h"

#include <algorithm>

namespace millrace {

FramePacer::SteadyTime FramePacer::Place(Timestamp pts, bool leads, SteadyTime now) {
  if (!base_) base_ = {pts, now};
  const SteadyTime due = base_->at + (pts - base_->pts);
  const bool jumped = due > now + kAheadMax;
  if (leads && (jumped || due < now - kLateMax)) base_ = {pts, now};
  return jumped ? now : std::max(due, now);
}

}  // namespace millrace
