// The writer: the one thread that appends to the log. It takes what is queued, gives sequence numbers, writes
// a group to each segment concerned, syncs, writes the index, and then acknowledges. Changes of the control
// state run on it as well, between groups, so that the order of everything is the order of the queue.
//
// Failing: a write that the disk refuses is cut off again and its puts get the error. A sync that fails is
// final: nothing
//   is written any more until the log is opened anew (kUnavailable), because what the disk has is not known.
// Threads: any may call; callbacks run on the writer's thread, refusals on the notifier's.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include "storage/commit_batch.h"
#include "storage/engine.h"
#include "storage/record_cipher.h"
#include "storage/segment_appender.h"
#include "storage/task_thread.h"

namespace millrace::storage {

// An open segment that takes groups.
struct Lane {
  std::unique_ptr<SegmentAppender> appender;
  Timestamp created;
  std::uint64_t last_counter = 0;  // of the records that were in it when the log was opened
};

// Where the writer goes on: what recovery found.
struct WriterStart {
  std::unique_ptr<SegmentAppender> control;
  std::map<std::uint8_t, Lane> lanes;  // by retention class
  std::uint64_t last_counter = 0;
};

// A new control segment that holds the whole state, durable. Takes its id from the state and does not change
// it but for the next id. Errors leave no file behind; kUnavailable: one may be left, and nothing more may be
// written.
Result<std::unique_ptr<SegmentAppender>> MakeControlSegment(Engine& engine, std::uint64_t counter,
                                                            std::uint64_t durable_counter, Timestamp now);

class CommitWriter {
 public:
  using PutDone = std::function<void(std::vector<Result<PutReceipt>>)>;

  // What a planned change may look at. It runs on the writer's thread and must not wait for anything.
  struct PlanContext {
    const ControlState& state;
    Timestamp now;
    std::uint64_t last_counter;  // newest one given to a record
  };
  using Plan = std::function<Result<ControlChange>(const PlanContext&)>;

  // `engine` outlives this. `on_stream_changed` runs on the writer's thread after a change of a stream or its
  // shards.
  CommitWriter(Engine& engine, WriterStart start, std::function<void(StreamId)> on_stream_changed);
  ~CommitWriter();  // commits what is queued

  void Put(const std::string& stream, std::vector<PutRecord> records, PutDone done);
  // Makes the planned change durable, then applies it; waits. An empty change is nothing to do.
  Result<void> Change(Plan plan);
  // Writes the state to a new control segment, durably; the old one goes. Waits.
  Result<void> RenewControl();
  // value none: removes. Gives the new version, 0 for a removal (of nothing, too).
  Result<std::uint64_t> PutMetadata(const std::string& key, std::optional<Bytes> value,
                                    std::optional<std::uint64_t> expected_version);
  // Waits.
  Result<CommitReceipt> Commit(CommitBatch batch);
  // Ends the open segments: all that hold something, or those that take records for longer than their class
  // lets them. Waits.
  Result<void> Seal(bool all);

  // Why it has stopped taking writes for good. None: it has not.
  std::optional<Error> Failure() const;
  std::uint64_t queued_bytes() const {
    const std::lock_guard lock(mutex_);
    return queued_bytes_;
  }
  void PostToNotifier(std::function<void()> task) { notifier_.Post(std::move(task)); }

 private:
  struct PreparedRecord {
    PutRecord record;
    Bytes attributes;
    HashKey hash_key;
    std::optional<std::uint32_t> data_crc;  // none: it is to be sealed, and has one only then
    std::optional<Error> refused;
  };
  struct PutJob {
    std::string stream;
    std::vector<PreparedRecord> records;
    std::uint64_t bytes = 0;
    std::chrono::steady_clock::time_point since;
    PutDone done;
  };
  struct MetadataJob {
    std::string key;
    std::optional<Bytes> value;
    std::optional<std::uint64_t> expected_version;
    std::promise<Result<std::uint64_t>> done;
  };
  struct BatchJob {
    std::vector<MetadataChange> metadata;
    std::vector<std::string> streams;  // of the records, in their order
    std::vector<PreparedRecord> records;
    std::uint64_t bytes = 0;
    std::promise<Result<CommitReceipt>> done;
  };
  struct ChangeJob {
    Plan plan;
    std::promise<Result<void>> done;
  };
  struct RenewJob {
    std::promise<Result<void>> done;
  };
  struct SealJob {
    bool all = false;
    std::promise<Result<void>> done;
  };
  using Job = std::variant<PutJob, BatchJob, MetadataJob, ChangeJob, RenewJob, SealJob>;
  // One record on its way: what the index gets and what the caller is told.
  struct Placed {
    StreamId stream;
    IndexedRecord indexed;
  };
  // What one group commit is about.
  struct Round {
    std::set<Lane*> lanes;
    std::vector<Placed> placed;
    std::map<std::pair<StreamId, ShardId>, std::uint64_t> tips;
    std::uint64_t data_bytes = 0;
  };

  // `sealed`: as far as can be known here.
  static PreparedRecord Prepare(PutRecord record, bool sealed, std::uint64_t& bytes);
  bool IsSealed(const std::string& stream) const;
  void Run();
  bool Enqueue(Job job, std::uint64_t bytes);
  void CommitPuts(std::vector<PutJob> jobs);
  Result<void> CommitRound(std::vector<PutJob>& jobs, Round& round,
                           std::vector<std::vector<Result<PutReceipt>>>& results);
  void CommitBatches(std::vector<BatchJob> jobs);
  Result<void> CommitBatchRound(std::vector<BatchJob>& jobs, Round& round,
                                std::vector<Result<CommitReceipt>>& results,
                                std::vector<ControlChange>& changes);
  // Errors: kNoSpace and the like, or the final failure.
  Result<void> CheckReady(std::uint64_t bytes);
  Result<PutReceipt> PlaceRecord(StreamState& stream, PreparedRecord& record, EntryKind kind, Timestamp now,
                                 Round& round);
  // Durable when it returns; otherwise the lanes end where they ended before, or the failure is final.
  Result<void> WriteLanes(const Round& round, Result<void> placed);
  // Of lanes that were written and synced.
  Result<void> TakeBackLanes(const Round& round);
  IndexBatch ToIndexBatch(const Round& round) const;
  // Before anything is placed. Errors: kNotFound, kFailedPrecondition (its data key is not here); of the
  // stream alone.
  Result<StreamState*> StreamFor(const std::string& name);
  // New data keys for encrypted streams that have none, or whose key has sealed enough or is old enough.
  Result<void> RotateDataKeys(const std::set<std::string>& streams, Timestamp now);
  void CountFailure(const Error& error, std::size_t records);
  void RaiseTips(const Round& round);  // REQUIRES: engine_.mutex is held
  void CommitMetadata(std::vector<MetadataJob> jobs);
  Result<void> RunChange(const Plan& plan);
  Result<void> SealLanes(bool all);

  // Durable when it returns; not yet applied. Control entries in one group.
  Result<void> AppendControl(const std::vector<ControlChange>& changes);
  // The same without a marker in the index; `durable_counter`: up to where everything is durable.
  Result<void> WriteControl(const std::vector<ControlChange>& changes, std::uint64_t durable_counter);
  Result<void> Apply(const ControlChange& change);
  Result<void> SnapshotControlIfLarge();
  Result<void> SnapshotControl();
  Result<Lane*> LaneFor(std::uint8_t retention_class, Timestamp now);
  Result<void> OpenLane(std::uint8_t retention_class, Timestamp now);
  Result<void> SealLane(std::uint8_t retention_class);
  Result<void> MarkSeals();
  Result<void> SyncTimed(SegmentAppender& appender);
  Result<void> CheckSpace(std::uint64_t bytes);
  Error Fail(const Error& cause);  // the final state; gives what callers are told
  std::uint64_t NextCounter(Timestamp now);

  Engine& engine_;
  const std::function<void(StreamId)> on_stream_changed_;

  // writer thread only
  std::unique_ptr<SegmentAppender> control_;
  std::map<std::uint8_t, Lane> lanes_;
  RecordSealer sealer_;
  std::uint64_t last_counter_;
  std::uint64_t durable_counter_;
  std::uint64_t snapshot_bytes_ = 0;  // size of the control segment right after its snapshot
  std::set<StreamId> touched_streams_;
  std::uint64_t sealed_bytes_ = 0;                     // since the index was last flushed
  std::map<SegmentId, SegmentMarker> unmarked_seals_;  // the index had no space for them

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Job> queue_;           // GUARDED_BY(mutex_)
  std::uint64_t queued_bytes_ = 0;  // GUARDED_BY(mutex_); of puts that are queued or being committed
  bool stopping_ = false;           // GUARDED_BY(mutex_)
  std::optional<Error> failure_;    // GUARDED_BY(mutex_)

  TaskThread notifier_;
  std::thread thread_;  // last: starts when the rest is there
};

}  // namespace millrace::storage
