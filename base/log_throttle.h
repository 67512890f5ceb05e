// For lines of the log that somebody else could have written as often as he likes: one in each `every` at
// most, which says for how many it stands.
//
// Threads: any.
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <utility>

#include "base/time.h"

namespace millrace {

class LogThrottle {
 public:
  // `clock` outlives this.
  LogThrottle(Duration every, const Clock& clock) : every_(every), clock_(clock) {}

  // `count` more of what the line tells of. A value: the line is due, and tells of so many.
  std::optional<std::int64_t> Add(std::int64_t count) {
    const std::lock_guard lock(mutex_);
    untold_ += count;
    const auto now = clock_.SteadyNow();
    if (last_ && now - *last_ < every_) return std::nullopt;
    last_ = now;
    return std::exchange(untold_, 0);
  }

 private:
  const Duration every_;
  const Clock& clock_;
  std::mutex mutex_;
  std::int64_t untold_ = 0;                                    // GUARDED_BY(mutex_)
  std::optional<std::chrono::steady_clock::time_point> last_;  // GUARDED_BY(mutex_)
};

}  // namespace millrace
