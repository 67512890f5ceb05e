// Reads fragments of video streams through the consumer library, shows their frames to an analyzer, and
// commits what it finds with how far it is.
//
// Each fragment of the streams that are asked for has its results once: what was not committed is analysed
// again, by this process or another. A fragment that has ended its process three times is set aside, with a
// record that says so, and passed over.
//
// Memory:  one fragment, the pictures of one frame, the results of one fragment (kResultBytesMax), a decoder
// a stream
//          (kDecodersMax at most), and the fragments that lead in to one that begins without a key frame.
// Errors:  Run gives what makes going on senseless: kFailedPrecondition, kInternal: the analyzer gave up.
// Threads: Run on one thread; Stop and progress from any.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "consumers/analysis/frame_analyzer.h"
#include "consumers/analysis/result_record.h"
#include "consumers/worker/worker.h"
#include "parser/decoder/fragment_decoder.h"
#include "wire/service_client.h"

namespace millrace {

enum class WhenBehind {
  kCatchUp,  // every fragment, however late
  kSkip,     // what lies more than skip_after back is recorded as skipped
};

struct AnalysisOptions {
  wire::Endpoint endpoint;
  std::string application;
  std::string output;  // the data stream that results go to
  std::string owner;   // of the leases; empty: one is made. One that was used before takes its own again
  std::set<std::string> streams;                              // video streams; may be none at first
  boost::json::object options;                                // the analyzer's, which streams begin with
  std::map<std::string, boost::json::object> stream_options;  // laid over them, by stream
  std::string start = "LATEST";
  FrameSelection selection{};
  WhenBehind when_behind = WhenBehind::kCatchUp;
  Duration skip_after = std::chrono::seconds(10);
  Duration lease_length = std::chrono::seconds(15);
  std::function<void()> fragment_begins;  // called by Run, before anything of it is looked at; may be empty
};

// What the process is doing: for its watchdog and its supervisor.
struct AnalysisProgress {
  std::uint64_t fragments = 0;   // committed
  std::uint64_t frames = 0;      // analysed
  std::uint64_t skipped = 0;     // fragments
  std::uint64_t set_aside = 0;   // fragments
  std::uint64_t unreadable = 0;  // fragments
  Duration behind{0};            // how old the last fragment was when its results were there
  std::string fragment;          // "stream/number" that is being analysed; empty: none
  Duration busy{0};              // with the current frame
  std::string trouble;           // with the server; empty: none
};

inline constexpr std::uint64_t kAttemptsMax =
    2;  // that are noted: the first end of a process is found out by the next

class AnalysisHost {
 public:
  // `analyzer` outlives the host. Errors: kInvalidArgument.
  static Result<std::unique_ptr<AnalysisHost>> Make(FrameAnalyzer& analyzer, AnalysisOptions options);

  Result<void> Run();  // until Stop
  void Stop();
  // Releases the leases, after Run has returned; nothing may follow but progress.
  void Close() { worker_->Close(); }
  // From now on; any thread.
  void SetStreams(std::set<std::string> streams);
  AnalysisProgress progress() const;

 private:
  struct LeadIn {
    std::vector<ParsedFragment> fragments;
    std::size_t bytes = 0;
  };

  // The streams that are asked for; shared with the worker's filter.
  struct StreamSet {
    std::mutex mutex;
    std::set<std::string> names;  // GUARDED_BY(mutex)
    bool Empty() {
      std::lock_guard lock(mutex);
      return names.empty();
    }
    bool Contains(const std::string& name) {
      std::lock_guard lock(mutex);
      return names.contains(name);
    }
  };

  AnalysisHost(FrameAnalyzer& analyzer, AnalysisOptions options, std::unique_ptr<Worker> worker,
               std::shared_ptr<StreamSet> streams);
  Result<void> Handle(const WorkerRecord& record);
  // The fragment's results. kCancelled: stopped meanwhile.
  Result<std::vector<WorkerResult>> Analyze(const FragmentDescriptor& fragment);
  Result<ParsedFragment> Fetch(const FragmentDescriptor& fragment);
  Result<void> AnalyzePicture(StreamAnalyzer& analyzer, const FragmentDescriptor& fragment,
                              const Picture& picture, Timestamp first, std::vector<WorkerResult>& results,
                              std::size_t& bytes);
  Result<StreamAnalyzer*> AnalyzerOf(const std::string& stream);
  FragmentDecoder& DecoderOf(const std::string& stream);
  void SetFragment(const std::string& fragment);
  void SetBusy(bool busy);

  FrameAnalyzer& analyzer_;
  const AnalysisOptions options_;
  const AnalyzerIdentity identity_;
  const PictureForm form_;
  std::unique_ptr<Worker> worker_;
  wire::ServiceClient media_;
  std::map<std::string, std::unique_ptr<FragmentDecoder>> decoders_;
  std::map<std::string, std::unique_ptr<StreamAnalyzer>> analyzers_;
  std::map<std::string, LeadIn> lead_ins_;
  std::atomic<bool> stopping_{false};
  std::shared_ptr<StreamSet> streams_;

  mutable std::mutex mutex_;
  AnalysisProgress progress_;                                        // GUARDED_BY(mutex_)
  std::optional<std::chrono::steady_clock::time_point> busy_since_;  // GUARDED_BY(mutex_)
};

}  // namespace millrace
