// A rate limit that lets through what was saved up: tokens come in at a steady rate, up to a capacity, and
// what is done takes some out. What is done may take more than there is; then nothing more is, until that is
// paid.
//
// Threads: one owner at a time.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "base/time.h"

namespace millrace::api {

class TokenBucket {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  // Begins full. A rate of 0: no limit.
  TokenBucket(std::uint64_t per_second, std::uint64_t capacity, TimePoint now)
      : per_second_(static_cast<double>(per_second)),
        capacity_(static_cast<double>(capacity)),
        level_(capacity_),
        at_(now) {}

  bool Has(std::uint64_t tokens, TimePoint now) {
    Refill(now);
    return per_second_ == 0 || level_ >= static_cast<double>(tokens);
  }
  void Take(std::uint64_t tokens, TimePoint now) {
    Refill(now);
    if (per_second_ > 0) level_ -= static_cast<double>(tokens);
  }
  // As Take, but what is not there is not owed.
  void TakeWhatIsThere(std::uint64_t tokens, TimePoint now) {
    Take(tokens, now);
    level_ = std::max(level_, 0.0);
  }
  // How long until nothing is owed.
  Duration Owes(TimePoint now) {
    Refill(now);
    if (per_second_ == 0 || level_ >= 0) return Duration{0};
    return Duration{static_cast<std::int64_t>(-level_ / per_second_ * 1e9) + 1};
  }

 private:
  void Refill(TimePoint now) {
    if (now <= at_) return;
    const std::chrono::duration<double> passed = now - at_;
    level_ = std::min(capacity_, level_ + passed.count() * per_second_);
    at_ = now;
  }

  double per_second_;
  double capacity_;
  double level_;
  TimePoint at_;
};

}  // namespace millrace::api
