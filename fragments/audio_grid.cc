#include "fragments/audio_grid.h"

#include <algorithm>

namespace millrace {
namespace {

constexpr std::int64_t kNanosecondsASecond = 1'000'000'000;

}  // namespace

std::int64_t AudioGrid::SamplesIn(Duration duration) const {
  // In two parts, so that no product overflows.
  const std::int64_t ns = duration.count();
  return ns / kNanosecondsASecond * sample_rate_ +
         ns % kNanosecondsASecond * sample_rate_ / kNanosecondsASecond;
}

std::int64_t AudioGrid::SampleAt(Timestamp time) const {
  return SamplesIn(time - zero_ + Duration{kNanosecondsASecond / sample_rate_ / 2});
}

Timestamp AudioGrid::TimeOf(std::int64_t sample) const {
  return zero_ + Duration{sample / sample_rate_ * kNanosecondsASecond +
                          sample % sample_rate_ * kNanosecondsASecond / sample_rate_};
}

std::optional<std::int64_t> AudioGrid::Place(Timestamp pts, std::uint32_t samples) {
  const std::int64_t stamped = SampleAt(pts);
  if (!started_) {
    if (pts < zero_) return std::nullopt;
    started_ = true;
    next_ = stamped;
  }
  const std::int64_t late = stamped - next_;
  const std::int64_t jitter = SamplesIn(kJitterMax);
  const std::int64_t drift = SamplesIn(kDriftMax);
  if (late > drift) {
    off_ = std::max(off_, 0) + 1;
  } else if (late < -drift) {
    off_ = std::min(off_, 0) - 1;
  } else {
    off_ = 0;
  }
  if (late > jitter || off_ >= kDriftPackets) {
    next_ = stamped;
    off_ = 0;
  } else if (late < -jitter || off_ <= -kDriftPackets) {
    off_ = 0;
    return std::nullopt;
  }
  const std::int64_t sample = next_;
  next_ += samples;
  return sample;
}

}  // namespace millrace
