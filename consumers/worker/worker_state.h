// What a worker's threads tell each other besides leases and records: counts, and what is wrong now.
//
// Threads: any.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>

#include "base/result.h"

namespace millrace::consumer {

// See WorkerMetrics, which they become.
struct WorkerCounters {
  std::atomic<std::uint64_t> records{0}, records_passed{0}, bytes{0}, requests{0}, subscriptions{0},
      events{0}, read_retries{0}, commits{0}, commit_retries{0}, results{0}, leases_taken{0},
      leases_stolen{0}, leases_lost{0}, shards_ended{0};
};

// The troubles of those who call the server: each says what its last call came to.
class Troubles {
 public:
  void Note(const std::string& who, const Result<void>& outcome) {
    const std::lock_guard lock(mutex_);
    if (outcome) {
      now_.erase(who);
    } else {
      now_[who] = outcome.error().ToString();
    }
  }
  // One of them; empty: there is none.
  std::string Any() const {
    const std::lock_guard lock(mutex_);
    return now_.empty() ? std::string() : now_.begin()->second;
  }

 private:
  mutable std::mutex mutex_;
  std::map<std::string, std::string> now_;  // GUARDED_BY(mutex_)
};

// What each thread of a worker is given. Everything outlives the threads.
struct WorkerState {
  WorkerCounters counters;
  Troubles troubles;
};

inline constexpr std::chrono::milliseconds kTroublePause{500};

// Whether the same call may succeed later.
inline bool ServerIsAway(ErrorCode code) {
  return code == ErrorCode::kUnavailable || code == ErrorCode::kDeadlineExceeded ||
         code == ErrorCode::kResourceExhausted || code == ErrorCode::kNoSpace || code == ErrorCode::kIo;
}

}  // namespace millrace::consumer
