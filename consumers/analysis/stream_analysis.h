// Shows fragments to an analyzer, and gives what it finds: the part that live analysis and replay share, so
// that the results of both are the same.
//
// A stream's state begins anew where a fragment does not follow the one before in its run. It is then warmed
// up with the footage of the run before the fragment: as much as the analyzer asks for, whose results are
// dropped; in front of that whatever the decoder needs, back to a key frame.
//
// What the state before says at its end is a record of its last frame, and comes with the records of the
// first fragment behind the interruption that can be read. A process that begins behind an interruption of
// kInterruptionMax at most makes that record too.
//
// Memory:  kStreamsMax streams' states, each a decoder, the analyzer's, and the fragments since the
//          last one that begins with a key frame (64 MiB at most); the results of one fragment.
// Errors:  kNotFound: the fragment is gone; kCorruption, kUnsupported, kInvalidArgument,
//          kResourceExhausted: it cannot be read; kCancelled: Stop. kInternal: the analyzer gave
//          up, or threw: going on is senseless.
// Threads: one owner; Stop from any.
#pragma once

#include <atomic>
#include <list>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "consumers/analysis/analysis_meter.h"
#include "consumers/analysis/analyzer_options.h"
#include "consumers/analysis/analyzer_ref.h"
#include "consumers/analysis/footage_reader.h"
#include "consumers/analysis/result_record.h"
#include "consumers/worker/worker.h"
#include "parser/decoder/fragment_decoder.h"

namespace millrace {

class FragmentFindings;

// What decides the results beside the analyzer.
struct AnalysisSettings {
  std::string output;  // the data stream that results go to
  FrameSelection selection{};
  AnalyzerOptions options;
};

class StreamAnalysis {
 public:
  // Far more than one process can follow: those that are not wanted any more go by KeepOnly.
  static constexpr std::size_t kStreamsMax = 1024;
  static constexpr Duration kInterruptionMax = std::chrono::minutes(10);

  // Analyzer and meter outlive this.
  StreamAnalysis(AnalyzerRef analyzer, AnalysisSettings settings, wire::Endpoint endpoint,
                 AnalysisMeter& meter);
  ~StreamAnalysis();
  StreamAnalysis(const StreamAnalysis&) = delete;
  StreamAnalysis& operator=(const StreamAnalysis&) = delete;

  // The fragment's records. `warm` false: a state that has to begin begins cold.
  Result<std::vector<WorkerResult>> Analyze(const FragmentDescriptor& fragment, bool warm = true);
  // It is passed over on purpose, and the analyzer's state goes on behind it.
  void PassOver(const FragmentDescriptor& fragment);
  // Likewise, and it is never shown again, for warming up either: the state begins anew behind it.
  void SetAside(const FragmentDescriptor& fragment);
  // Forgets what it knows of all other streams.
  void KeepOnly(const std::set<std::string>& streams);
  // One record in the place of the fragment's.
  WorkerResult StatusOf(const FragmentDescriptor& fragment, std::string_view status,
                        std::string_view message) const;
  // Whether the options are good for this stream: opens it once. Errors: kInvalidArgument.
  Result<void> CheckOptions(const std::string& stream);

  FootageReader& footage() { return footage_; }
  Duration warm_up() const { return warm_up_; }
  void Stop() { stopping_ = true; }
  bool stopping() const { return stopping_; }

 private:
  struct State;

  State& StateOf(const std::string& stream);
  Result<void> Open(State& state, const std::string& stream);
  // Ends what is open, and begins anew for this fragment.
  Result<void> Begin(State& state, const FragmentDescriptor& fragment, bool warm);
  // The newest footage before it, of the last kInterruptionMax; none: there is none.
  Result<std::optional<FragmentDescriptor>> FootageBefore(const FragmentDescriptor& fragment);
  Result<void> End(State& state);
  // Likewise, of the footage up to `before`, which others have analysed and an interruption has ended.
  Result<void> EndOf(State& state, const FragmentDescriptor& before);
  Result<void> WarmUp(State& state, const FragmentDescriptor& fragment);
  // `findings` null: they are dropped.
  Result<void> Show(State& state, const FragmentDescriptor& fragment, ParsedFragment parsed,
                    FragmentFindings* findings);
  Result<void> ShowPictures(State& state, const FragmentDescriptor& fragment, const ParsedFragment& parsed,
                            FragmentFindings* findings);
  Result<void> ShowFragment(State& state, const FragmentDescriptor& fragment, const ParsedFragment& parsed,
                            FragmentFindings* findings);
  void NoteUnreadable(const FragmentDescriptor& fragment, ErrorCode code);
  void Keep(State& state, const FragmentDescriptor& fragment, ParsedFragment parsed);
  Result<ParsedFragment> Fetch(const FragmentDescriptor& fragment);

  const AnalyzerRef analyzer_;
  const AnalysisSettings settings_;
  const AnalyzerIdentity identity_;
  const PictureForm form_;
  const Duration warm_up_;
  AnalysisMeter& meter_;
  std::atomic<bool> stopping_{false};
  FootageReader footage_;
  std::list<State> states_;           // the one that was used last is the first
  std::set<std::string> set_aside_;   // "stream/number"
  std::set<std::string> unreadable_;  // likewise: warming up goes back to them at most
};

}  // namespace millrace
