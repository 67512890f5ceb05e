// Reads fragments of video streams through the consumer library, shows them to an analyzer, and commits what
// it finds with how far it is.
//
// Each fragment of the streams that are asked for has its results once: what was not committed is analysed
// again, by this process or another. A fragment that has ended its process three times is set aside, with a
// record that says so, and passed over; the third time it was tried without warming up, lest it be the
// footage before it that does harm.
//
// Memory:  one fragment, and what StreamAnalysis keeps.
// Errors:  Run gives what makes going on senseless. kInternal: the analyzer gave up, and Close must not
//          follow: the fragment is suspect. kPermissionDenied, kUnauthenticated: the server refuses; nothing
//          of the footage is passed over.
// Threads: Run on one thread; Stop, SetStreams and progress from any.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "consumers/analysis/stream_analysis.h"
#include "consumers/worker/worker.h"

namespace millrace {

enum class WhenBehind {
  kCatchUp,  // every fragment, however late
  kSkip,     // what lies more than skip_after back is recorded as skipped
};

struct AnalysisOptions {
  wire::Endpoint endpoint;
  std::string application;
  std::string owner;  // of the leases; empty: one is made. One that was used before takes its own again
  std::set<std::string> streams;  // video streams; may be none at first
  std::string start = "LATEST";
  AnalysisSettings settings;
  WhenBehind when_behind = WhenBehind::kCatchUp;
  Duration skip_after = std::chrono::seconds(10);
  Duration lease_length = std::chrono::seconds(15);
  std::function<void()> fragment_begins;  // called by Run, before anything of it is looked at; may be empty
};

// That are noted: the first end of a process is found out by the next.
inline constexpr std::uint64_t kAttemptsMax = 2;

class AnalysisHost {
 public:
  // `analyzer` outlives the host. Errors: kInvalidArgument, an option that is bad for one of the streams
  // among them.
  static Result<std::unique_ptr<AnalysisHost>> Make(AnalyzerRef analyzer, AnalysisOptions options);

  Result<void> Run();  // until Stop
  void Stop();
  // Releases the leases, after Run has returned; nothing may follow but progress.
  void Close() { worker_->Close(); }
  // From now on; any thread.
  void SetStreams(std::set<std::string> streams);
  AnalysisProgress progress() const;

 private:
  // The streams that are asked for; shared with the worker's filter.
  struct StreamSet {
    std::mutex mutex;
    std::set<std::string> names;  // GUARDED_BY(mutex)
    bool changed = false;         // GUARDED_BY(mutex): since TakeChanged
    std::optional<std::set<std::string>> TakeChanged() {
      std::lock_guard lock(mutex);
      if (!std::exchange(changed, false)) return std::nullopt;
      return names;
    }
    bool Empty() {
      std::lock_guard lock(mutex);
      return names.empty();
    }
    bool Contains(const std::string& name) {
      std::lock_guard lock(mutex);
      return names.contains(name);
    }
  };

  AnalysisHost(AnalyzerRef analyzer, AnalysisOptions options);
  Result<void> Handle(const WorkerRecord& record);
  // Commits one record that says why the fragment has no others.
  Result<void> CommitStatus(const WorkerRecord& record, const FragmentDescriptor& fragment,
                            std::string_view status, std::string_view message,
                            std::uint64_t AnalysisProgress::*counted);
  void SetFragment(const std::string& fragment);

  const AnalysisOptions options_;
  AnalysisMeter meter_;
  StreamAnalysis analysis_;
  std::unique_ptr<Worker> worker_;  // Make starts it
  std::atomic<bool> stopping_{false};
  std::shared_ptr<StreamSet> streams_;
};

}  // namespace millrace
