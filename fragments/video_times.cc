#include "fragments/video_times.h"

#include <algorithm>

namespace millrace {
namespace {

// Streams whose headers leave the depth open seldom reorder at all; those that do rarely go deeper.
constexpr std::uint32_t kDepthAssumed = 2;

}  // namespace

VideoTimes::VideoTimes(std::optional<std::uint32_t> depth, std::int64_t frame_ms)
    : depth_(std::min(depth.value_or(kDepthAssumed), kDepthMax)),
      frame_ms_(std::clamp<std::int64_t>(frame_ms, 1, kJumpMaxMs)) {}

std::int64_t VideoTimes::frame_ms() const {
  if (placed_.size() < 2) return frame_ms_;
  const auto steps = static_cast<std::int64_t>(placed_.size() - 1);
  return std::clamp<std::int64_t>((placed_.back() - placed_.front() + steps / 2) / steps, 1, kJumpMaxMs);
}

std::int64_t VideoTimes::Newest() const { return std::max(max_ms_, floor_ms_); }

bool VideoTimes::JumpsForward(std::int64_t ms) const {
  return ms > std::max(Newest(), others_ms_) + kJumpMaxMs;
}

bool VideoTimes::NeedsNewRun(std::int64_t raw_ms) const {
  if (!started_) return false;
  return headers_lied_ || JumpsForward(raw_ms) || raw_ms < Newest() - kStepBackMaxMs;
}

VideoTimes::Placed VideoTimes::PlaceKeyFrame(std::int64_t raw_ms) {
  if (!started_) {
    started_ = true;
    floor_ms_ = max_ms_ = others_ms_ = raw_ms - 1;
  }
  // Nothing that comes later is shown before what came so far: the clock of the source is taken up again.
  if (raw_ms > Newest() && !JumpsForward(raw_ms)) {
    shift_ms_ = 0;
    return Take(raw_ms, raw_ms);
  }
  const std::int64_t ms = Newest() + 1;
  shift_ms_ = ms - raw_ms;
  return Take(raw_ms, ms);
}

VideoTimes::Placed VideoTimes::PlaceOther(std::int64_t raw_ms) {
  const std::int64_t ms = raw_ms + shift_ms_;
  if (JumpsForward(ms) || ms <= floor_ms_) return Move(raw_ms);
  if (ms > max_ms_) return Take(raw_ms, ms);
  const std::int64_t window_ms =
      std::clamp<std::int64_t>(2 * (std::int64_t{depth_} + 1) * frame_ms(), kStepBackMaxMs, kJumpMaxMs);
  if (ms <= max_ms_ - window_ms) return Move(raw_ms);
  if (depth_ == 0) {
    // Frames that are shown in another order fall by a whole frame at least: less is a stamp that stumbled,
    // the next one will be right.
    if (max_ms_ - ms < std::min(frame_ms_, frame_ms()) * 3 / 4) return Take(raw_ms, max_ms_ + 1);
    headers_lied_ = true;
    return Move(raw_ms);
  }
  const auto ahead = placed_.end() - std::upper_bound(placed_.begin(), placed_.end(), ms);
  if (ahead > std::ptrdiff_t{kDepthMax}) return Move(raw_ms);
  return Take(raw_ms, ms);
}

VideoTimes::Placed VideoTimes::Move(std::int64_t raw_ms) {
  const std::int64_t ms = Newest() + frame_ms();
  shift_ms_ = ms - raw_ms;
  return Take(raw_ms, ms);
}

VideoTimes::Placed VideoTimes::Take(std::int64_t raw_ms, std::int64_t ms) {
  auto at = std::lower_bound(placed_.begin(), placed_.end(), ms);
  while (at != placed_.end() && *at == ms) {
    ++ms;
    ++at;
  }
  const auto ahead = static_cast<std::uint32_t>(placed_.end() - at);
  placed_.insert(at, ms);
  depth_ = std::max(depth_, ahead);
  max_ms_ = std::max(max_ms_, ms);
  return {.ms = ms, .moved = ms != raw_ms};
}

void VideoTimes::Cut(std::int64_t last_ms) {
  frame_ms_ = frame_ms();
  floor_ms_ = std::max(floor_ms_, last_ms);
  placed_.erase(placed_.begin(), std::upper_bound(placed_.begin(), placed_.end(), last_ms));
}

VideoTimes::Placed VideoTimes::KeepAboveFloor(std::int64_t ms) {
  if (ms > floor_ms_) return {.ms = ms, .moved = false};
  return Move(ms - shift_ms_);
}

void VideoTimes::RaiseFloor(std::int64_t ms) { floor_ms_ = std::max(floor_ms_, ms - 1); }

void VideoTimes::OthersAt(std::int64_t ms) { others_ms_ = std::max(others_ms_, ms); }

}  // namespace millrace
