// What an analyzing process is doing, and has done: for its watchdog, its supervisor and the metrics.
//
// Threads: any.
#pragma once

#include <chrono>
#include <functional>
#include <mutex>
#include <optional>
#include <string>

#include "base/time.h"

namespace millrace {

struct AnalysisProgress {
  std::uint64_t fragments = 0;   // committed
  std::uint64_t frames = 0;      // analysed; those of warming up are not counted
  std::uint64_t results = 0;     // records, those that say why there is none among them
  std::uint64_t skipped = 0;     // fragments
  std::uint64_t set_aside = 0;   // fragments
  std::uint64_t unreadable = 0;  // fragments
  Duration decoding{0};          // and fetching; warming up included
  Duration analyzing{0};         // in the analyzer; likewise
  Duration footage{0};           // that the fragments cover, set aside and unreadable ones among them
  Duration passed{0};            // of a replay: footage that was done before it began
  Duration behind{0};            // how old the last fragment was when its results were there
  std::string fragment;          // "stream/number" that is being analysed; empty: none
  Duration busy{0};              // with the current frame, or fragment of a consumer of them
  std::string trouble;           // with the server; empty: none
};

class AnalysisMeter {
 public:
  void Add(const std::function<void(AnalysisProgress&)>& change) {
    std::lock_guard lock(mutex_);
    change(progress_);
  }
  // The analyzer is called now; until Ended.
  void Begins() {
    std::lock_guard lock(mutex_);
    busy_since_ = std::chrono::steady_clock::now();
  }
  Duration Ended() {
    std::lock_guard lock(mutex_);
    const Duration busy = std::chrono::steady_clock::now() - busy_since_.value();
    busy_since_.reset();
    progress_.analyzing += busy;
    return busy;
  }
  AnalysisProgress progress() const {
    std::lock_guard lock(mutex_);
    AnalysisProgress progress = progress_;
    if (busy_since_) progress.busy = std::chrono::steady_clock::now() - *busy_since_;
    return progress;
  }

 private:
  mutable std::mutex mutex_;
  AnalysisProgress progress_;                                        // GUARDED_BY(mutex_)
  std::optional<std::chrono::steady_clock::time_point> busy_since_;  // GUARDED_BY(mutex_)
};

}  // namespace millrace
