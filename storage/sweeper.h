// Gives back what is gone for readers: expired records, purged partitions, deleted streams, empty segments,
// old shards.
//
// Order, so that nothing that is gone comes back and nothing that is there points to nothing: first the
// control state says that it is gone (durable), then the index rows go (synced), then the bytes: a hole where
// the record lies, or the whole segment when nothing in it lives. A segment is read (heads only) no earlier
// than something in it can expire.
//
// It also keeps the disk budget, in another order (sweeper_eviction.cc), and takes what is deleted by range
// at once (sweeper_marks.cc).
//
// Threads: any may call what is public, one at a time gets in; its own thread calls both parts.
#pragma once

#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <tuple>
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
  // As RecordLog's.
  Result<RemovedRecords> DeleteRecords(const std::string& name, const std::string& partition_key,
                                       const std::vector<AttributeRange>& ranges);
  // Removes the rows and bytes of what a partition key's trim has hidden, before returning.
  Result<void> SweepTrimmed(StreamId stream, const std::string& partition_key);
  // No deletion looks at the holds while this is held.
  std::unique_lock<std::mutex> HoldOffDeletions() { return std::unique_lock(marks_mutex_); }
  void HoldReleased();

 private:
  struct Removal {
    StreamId stream;
    IndexedRecord record;
  };

  void Run();
  Result<void> SweepLocked(std::unique_lock<std::mutex>& sweeping);
  bool stopping();
  void Report(const Result<void>& done);  // its own thread only
  // What fails keeps nothing else from its turn: the first error is the one that is told.
  static void KeepFirst(Result<void>& first, Result<void> done) {
    if (first && !done) first = std::move(done);
  }

  // Lets the oldest records go until the budget holds.
  Result<void> KeepBudget();
  Result<void> Measure();
  std::vector<SegmentInfo> SealedOldestFirst() const;
  // What goes next for the budget: everything up to a counter, but for what is held.
  struct Choice {
    std::uint64_t through = 0;
    std::uint64_t bytes = 0;         // that this gives back, about
    std::vector<SegmentInfo> whole;  // segments in which nothing is held
    std::uint64_t holds_version = 0;
  };
  Result<Choice> Choose(std::uint64_t excess);
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
  // What a deletion takes, durably; `id`: the stream's.
  Result<RemovedRecords> DecideDeletion(const std::string& name, const std::string& partition_key,
                                        const std::vector<AttributeRange>& ranges, StreamId& id);
  // Of those that have a row, and are gone by now: a hold may have been placed since they were looked at.
  Result<void> RemovePresent(const std::vector<Removal>& removals);
  // Rows, then bytes.
  Result<void> Remove(const std::vector<Removal>& removals);
  Result<void> RemoveRows(const std::vector<Removal>& removals);
  bool IsGone(StreamId stream, const IndexedRecord& record) const;
  bool IsHeld(StreamId stream, const IndexedRecord& record) const;  // and not gone

  // These take and let go of sweep_mutex_ for each batch: what is long keeps nobody waiting.
  Result<void> SweepDeletions();
  Result<void> SweepDeletionsOf(StreamId stream, const std::string& partition_key);
  Result<void> SweepDeletion(StreamId stream, const std::string& partition_key, std::uint64_t id,
                             const RangeDeletion& deletion);
  // Off the disk, then out of the index. False: the index has no space to forget them.
  Result<bool> EraseBatch(const std::vector<Removal>& removals);
  // By a deletion that is not swept, or that is being made.
  bool IsToBeErased(StreamId stream, const IndexedRecord& record) const;
  // Of whose data not a byte stays on the disk.
  Result<void> Erase(const std::vector<Removal>& removals);
  using Files = std::map<SegmentId, std::unique_ptr<File>>;
  Result<File*> OpenForErasing(Files& files, SegmentId segment);
  // What goes with a segment when the budget takes it: all of it, or whole blocks beside what is held.
  struct Yield {
    bool whole = true;
    std::uint64_t bytes = 0;
  };
  // Nothing where the segment cannot be read: what lies in it may be held.
  Result<Yield> YieldOf(const SegmentInfo& segment);
  Result<Yield> WalkYield(const SegmentInfo& segment, std::uint64_t end);
  // The open segments have enough that is not held to be sealed for it.
  Result<bool> IsWorthSealing(std::uint64_t excess);
  Result<void> CountHeld();

  Engine& engine_;
  CommitWriter& writer_;
  RetentionClock& clock_;   // GUARDED_BY(sweep_mutex_)
  std::mutex sweep_mutex_;  // one sweep at a time, so that no count is taken down twice
  std::uint64_t evicted_swept_ =
      0;  // GUARDED_BY(sweep_mutex_); no row but held ones has a counter up to this
  // As of a version of the holds, and where the segment ended then.
  struct KnownYield {
    std::uint64_t holds_version = 0;
    std::uint64_t end = 0;
    Yield yield;
  };
  std::map<SegmentId, KnownYield> yields_;  // GUARDED_BY(sweep_mutex_)
  RemovedRecords held_;                     // all that is, as last counted; GUARDED_BY(sweep_mutex_)
  std::uint64_t held_version_ = 0;          // of the holds then; GUARDED_BY(sweep_mutex_)
  std::chrono::steady_clock::time_point count_held_at_;  // again; GUARDED_BY(sweep_mutex_)
  std::mutex marks_mutex_;  // deletions and holds do not overtake each other; taken before sweep_mutex_
  // The deletion that is between its look at the records and its row.
  struct PlannedDeletion {
    StreamId stream;
    std::string partition_key;
    RangeDeletion deletion;
  };
  std::optional<PlannedDeletion> planned_;  // GUARDED_BY(engine_.mutex)

  std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false;  // GUARDED_BY(mutex_)
  bool failing_ = false;   // its own thread only
  std::thread thread_;     // last: starts when the rest is there
};

}  // namespace millrace::storage
