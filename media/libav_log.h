// What libav may say on standard error while something is done of which it would say too much.
//
// libav has one level a process, and the process may be another's: it is as before as soon as none of these
// is left, in whatever order they come and go.
//
// Threads: any.
#pragma once

extern "C" {
#include <libavutil/log.h>
}

#include <algorithm>
#include <mutex>
#include <set>

namespace millrace {

class LibavLogLimit {
 public:
  // AV_LOG_WARNING: nothing below a warning.
  explicit LibavLogLimit(int level) : level_(level) {
    const std::lock_guard lock(mutex_);
    if (levels_.empty()) before_ = av_log_get_level();
    levels_.insert(level_);
    Set();
  }
  ~LibavLogLimit() {
    const std::lock_guard lock(mutex_);
    levels_.erase(levels_.find(level_));
    Set();
  }
  LibavLogLimit(const LibavLogLimit&) = delete;
  LibavLogLimit& operator=(const LibavLogLimit&) = delete;

 private:
  // REQUIRES: mutex_ is held.
  static void Set() { av_log_set_level(levels_.empty() ? before_ : std::min(before_, *levels_.begin())); }

  static inline std::mutex mutex_;
  static inline std::multiset<int> levels_;  // GUARDED_BY(mutex_): of those that live
  static inline int before_ = 0;             // GUARDED_BY(mutex_)

  const int level_;
};

}  // namespace millrace
