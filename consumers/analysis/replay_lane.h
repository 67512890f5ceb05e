// One of the processes that analyse the past side by side (`millrace replay`): its share of the footage, into
// a data stream of results.
//
// The time range is cut into slots, the same for all streams: lane i of n takes slots i, i + n, i + 2n … of
// the first stream, then of the next one. Slots are so long that warming up at their beginnings costs a tenth
// at most. One lane alone has one slot: its results come in the footage's order.
//
// A lane's progress is a lease on a shard of the data stream of the results, which has one for each lane: the
// checkpoint is that shard's first sequence number, and its sub-sequence number the place in the lane's own
// order. So each fragment's results and the progress are one commit, a lane that is started again goes on
// where it was, and a result that is there already is not written twice (docs/http-api.md, "Applications").
//
// Errors:  kFailedPrecondition: another replay of this name is running; kInvalidArgument: the output's shards
//          were split or merged; kPermissionDenied, kUnauthenticated: the server refuses; kInternal: the
//          analyzer gave up; kCancelled: Stop; kNotFound: a stream; those of the server.
// Threads: Run on one; Stop and progress from any.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "consumers/analysis/stream_analysis.h"
#include "consumers/worker/application_client.h"

namespace millrace {

struct ReplayOptions {
  wire::Endpoint endpoint;
  std::string application;
  AnalysisSettings settings;         // output: the data stream, with a shard for each lane
  std::vector<std::string> streams;  // 1024 at most; the same order in each lane
  Timestamp from;                    // fragments that begin in [from, to), by producer time
  Timestamp to;
  std::size_t lane = 0;
  std::size_t lanes = 0;  // that there are; 0: as many as the output has shards
  std::string run;        // which replay the lane belongs to: of one name and range, one runs at a time
  std::optional<Duration> slot;           // none: a minute, or ten times the warming up
  std::function<void()> fragment_begins;  // called by Run, before anything of it is looked at; may be empty
};

class ReplayLane {
 public:
  static constexpr std::size_t kStreamsMax = 1024;

  // `analyzer` outlives the lane. Errors: kInvalidArgument: an option that is bad for one of the streams.
  static Result<std::unique_ptr<ReplayLane>> Make(AnalyzerRef analyzer, ReplayOptions options);

  Result<void> Run();
  void Stop() { analysis_.Stop(); }
  AnalysisProgress progress() const { return meter_.progress(); }

 private:
  ReplayLane(AnalyzerRef analyzer, ReplayOptions options);
  // The lane's lease, and how far it was.
  Result<void> Begin();
  Result<void> RunStream(std::size_t stream);
  Result<void> Handle(const FragmentDescriptor& fragment, std::uint64_t place);
  Result<void> Commit(std::uint64_t place, const std::vector<WorkerResult>& results);

  const ReplayOptions options_;
  const WorkerOptions worker_;
  AnalysisMeter meter_;
  StreamAnalysis analysis_;
  consumer::ApplicationClient client_;
  wire::ServiceClient data_streams_;
  consumer::HeldLease lease_;
  std::size_t lanes_ = 1;
  std::uint64_t done_ = 0;    // the place of the last fragment that is done; 0: none is
  std::size_t suspects_ = 0;  // so many of the next fragments may be what ended the process before
};

}  // namespace millrace
