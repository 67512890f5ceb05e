// How fast counters rise, over the last seconds.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>

namespace millrace {

// Threads: one owner.
class RateMeter {
 public:
  using Time = std::chrono::steady_clock::time_point;
  struct Rates {
    double frames_per_second = 0;
    double bits_per_second = 0;
  };

  // The counters as they stand; call about once a second.
  void Sample(Time now, std::uint64_t frames, std::uint64_t bytes) {
    if (count_ > 0 && now <= samples_[(next_ + kSamples - 1) % kSamples].time) return;
    samples_[next_] = {now, frames, bytes};
    next_ = (next_ + 1) % kSamples;
    if (count_ < kSamples) ++count_;
  }
  void Reset() { count_ = 0; }
  Rates Get() const {
    if (count_ < 2) return {};
    const Point& first = samples_[(next_ + kSamples - count_) % kSamples];
    const Point& last = samples_[(next_ + kSamples - 1) % kSamples];
    const double seconds = std::chrono::duration<double>(last.time - first.time).count();
    return {static_cast<double>(last.frames - first.frames) / seconds,
            static_cast<double>(last.bytes - first.bytes) * 8 / seconds};
  }

 private:
  static constexpr std::size_t kSamples = 6;
  struct Point {
    Time time;
    std::uint64_t frames = 0;
    std::uint64_t bytes = 0;
  };
  std::array<Point, kSamples> samples_{};
  std::size_t next_ = 0;
  std::size_t count_ = 0;
};

}  // namespace millrace
