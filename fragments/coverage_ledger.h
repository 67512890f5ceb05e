// Remembers why footage is missing, over restarts, and says of any stretch of time what there is.
//
//   coverage/gap/<stream>/<start>  a gap of a stream (gap.h); <start> as 16 hexadecimal digits in time order
//   coverage/server/<start>        a time in which this server was not running; counts for all streams
//   coverage/alive                 when the server was last known to run: the time from there to the next
//                                  start is such a gap
//
// Cost: one small durable write when a gap begins and one when it ends, made by a thread of its own at most
// once a second, and one every `heartbeat`. Gaps of one cause that follow each other within kGapMergeWithin
// are one gap: a camera that flaps writes nothing new. At most kGapsMax of a stream are kept: above that the
// two neighbours of one cause with the least time between them become one, and where no two have one cause
// the shortest is forgotten. Gaps older than the stream's retention are dropped.
//
// A write that fails (the disk refuses) is tried again; meanwhile the gaps are in memory and are reported.
// Threads: every method, from any thread. BeginGap, EndGap and Add never wait; Report and Flush wait for the
// disk.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "fragments/coverage_report.h"
#include "fragments/fragment_store.h"
#include "fragments/gap.h"
#include "storage/record_log.h"

namespace millrace {

inline constexpr char kGapMetadataPrefix[] = "coverage/gap/";
inline constexpr char kServerDownMetadataPrefix[] = "coverage/server/";
inline constexpr char kAliveMetadataKey[] = "coverage/alive";

inline constexpr std::size_t kGapsMax = 256;  // of one stream, and of the server
inline constexpr Duration kGapMergeWithin = std::chrono::seconds(30);

class CoverageLedger final : public GapListener {
 public:
  struct Options {
    Duration heartbeat = std::chrono::seconds(10);
    const Clock* clock = &SystemClock();
  };

  // Reads what is stored. Gaps that were open when the last process ended are closed there, and the time from
  // there to now becomes a gap of the server. Rows that cannot be read are logged and left alone. `log` and
  // `store` outlive the ledger. Errors: the log's.
  static Result<std::unique_ptr<CoverageLedger>> Open(storage::RecordLog& log, FragmentStore& store,
                                                      Options options);
  // Writes what is left to write, and that the server ran until now.
  ~CoverageLedger() override;
  CoverageLedger(const CoverageLedger&) = delete;
  CoverageLedger& operator=(const CoverageLedger&) = delete;

  // While a gap is open, another cause ends it and begins one of its own; kConnecting leaves an open gap as
  // it is unless that was kDisabled, and itself gives way to the cause that turns out.
  void BeginGap(const std::string& stream, GapCause cause, Timestamp start, std::string detail) override;
  void EndGap(const std::string& stream, Timestamp at) override;
  void Add(const std::string& stream, Gap gap) override;
  // Add for those who may outlive the ledger (appends that are under way); does nothing once it is gone.
  std::function<void(const std::string& stream, Gap gap)> Adder();

  // What there is of [start, end), as MergeCoverage gives it; `limit` spans at most, from the oldest on.
  // Errors: kNotFound; the log's.
  Result<std::vector<CoverageSpan>> Report(const std::string& stream, Timestamp start, Timestamp end,
                                           std::size_t limit);

  // Writes what is noted so far. Errors: the log's.
  Result<void> Flush();

 private:
  class Impl;
  explicit CoverageLedger(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace millrace
