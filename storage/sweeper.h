// Gives back what is gone for readers: expired records, purged partitions, deleted streams, empty segments,
// old shards.
//
// Order, so that nothing that is gone comes back and nothing that is there points to nothing: first the
// control state says that it is gone (durable), then the index rows go (synced), then the bytes: a hole where
// the record lies, or the whole segment when nothing in it lives. A segment is read (heads only) no earlier
// than something in it can expire.
//
// It also keeps the disk budget, in another order: sweeper_eviction.cc.
//
// Threads: any may call Sweep and SweepPartition, one at a time gets in; its own thread calls both parts.
#pragma once

#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "storage/commit_writer.h"
#include "storage/engine.h"
#include "storage/retention_clock.h"

namespace millrace::storage {

class Sweeper {
 public:
  // All outlive this. Nobody else uses the clock meanwhile.
  Sweeper(Engine& engine, CommitWriter& writer, RetentionClock& clock);
  ~Sweeper();

  Result<void> Sweep();
  // Removes the rows and bytes of what a purge has hidden, before returning.
  Result<void> SweepPartition(StreamId stream, const std::string& partition_key);
  // A retention has become shorter: every segment may have something to give back.
  void LookEverywhere();

 private:
  struct Removal {
    StreamId stream;
    IndexedRecord record;
  };

  void Run();
  Result<void> SweepLocked();
  bool stopping();
  void Report(const Result<void>& done);  // its own thread only

  // Lets the oldest records go until the budget holds.
  Result<void> KeepBudget();
  Result<void> Measure();
  std::vector<SegmentInfo> SealedOldestFirst() const;
  // Whole segments, of at least `excess` bytes where there are so many. False: there is nothing to take.
  Result<bool> Evict(std::uint64_t excess);
  // Removes the rows, and punches the bytes, of what an eviction has hidden.
  Result<void> SweepEvicted();
  // So that the next opening need not do it again.
  Result<void> SettleEviction();

  Result<void> SweepStreams();
  Result<void> SweepPartitions();
  Result<void> SweepPartitionLocked(StreamId stream, const std::string& partition_key);
  Result<void> SweepSegment(const SegmentInfo& segment, Timestamp now);
  // Up to when records are gone for ever: of a stream's partition key with its own retention, or (none) of
  // the others.
  using Trims = std::map<std::pair<StreamId, std::optional<std::string>>, Timestamp>;
  Result<void> RaiseTrims(const Trims& trims);
  Result<void> RemoveEmptySegments();
  Result<void> RemoveOldShards(Timestamp now);
  Result<void> RemoveOldRules();
  // Rows, then bytes; of those that still have a row.
  Result<void> RemovePresent(const std::vector<Removal>& removals);
  Result<void> Remove(const std::vector<Removal>& removals);

  Engine& engine_;
  CommitWriter& writer_;
  RetentionClock& clock_;            // GUARDED_BY(sweep_mutex_)
  std::mutex sweep_mutex_;           // one sweep at a time, so that no count is taken down twice
  std::uint64_t evicted_swept_ = 0;  // GUARDED_BY(sweep_mutex_); no row has a counter up to this

  std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false;  // GUARDED_BY(mutex_)
  bool failing_ = false;   // its own thread only
  std::thread thread_;     // last: starts when the rest is there
};

}  // namespace millrace::storage
