// The consumer library: a worker of an application reads its share of a data stream's shards, and commits how
// far it is together with what it has found.
//
//   MILLRACE_ASSIGN_OR_RETURN(auto worker, Worker::Start(options));
//   while (true) {
//     auto record = worker->Next(std::chrono::seconds(1));           // empty: nothing new
//     if (record) worker->Commit(*record, Results(*record));
//   }
//
// Workers of one application share the shards by leases (docs/http-api.md, "Applications"): each takes up to
// its share of those that are free, and one at a time from whoever holds more. A shard's parents are read to
// their end before the shard. Records of a shard come in order, one at a time; what was not committed comes
// again, to this worker or another.
//
// The user records of an aggregated record (wire/aggregated_record.h) come as single ones, each with its
// sub-sequence number, and are committed singly. Those whose hash key is not the shard's are left out: their
// producer has put them again.
//
// Bounds:  read-ahead of `read_ahead_records` a shard, and a GetRecords answer.
// Errors:  a server that is away is waited for: Next gives nothing meanwhile. Commit: kFailedPrecondition:
// the lease is
//          another worker's now, and so is the record; kUnavailable and the like: commit again, a repeated
//          commit is recognised.
// Threads: one thread uses the worker; one more inside renews leases, so that a long Process loses none.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"
#include "wire/aggregated_record.h"
#include "wire/service_client.h"

namespace millrace {

struct WorkerRecord {
  std::string shard;
  std::string sequence_number;
  std::optional<std::uint64_t> sub_sequence;  // of a user record of an aggregated one
  bool last_of_record = true;                 // false: more user records of the same record may follow
  std::string partition_key;
  Timestamp arrival;
  Bytes data;
  bool suspect = false;  // the first one behind a lease that its owner lost: it may have killed it
};

// What a commit puts beside the checkpoint.
struct WorkerResult {
  std::string stream;
  std::string partition_key;
  std::string data;
  std::string key;  // a result whose key is there already is left out; empty: none
  std::optional<Timestamp> time;
};

struct WorkerOptions {
  wire::Endpoint endpoint;
  std::string application;
  std::string stream = "millrace-fragments";
  std::string owner;             // this worker's name, of its own; empty: one is made
  std::string start = "LATEST";  // where the application begins: LATEST, TRIM_HORIZON or a time
  Duration lease_length = std::chrono::seconds(15);
  Duration poll_interval = std::chrono::milliseconds(200);
  std::size_t read_ahead_records = 100;
  bool deaggregate = true;  // false: aggregated records come as they are stored
  // What Next gives; the rest only moves the checkpoint. Called on the using thread. Empty: all.
  std::function<bool(const WorkerRecord&)> wanted;
};

class Worker {
 public:
  // Errors: kInvalidArgument (a name).
  static Result<std::unique_ptr<Worker>> Start(WorkerOptions options);
  ~Worker();  // Close
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // The next record that is wanted; empty: none came within `wait`, or Stop was called. What Next gave before
  // must be committed, or given up.
  std::optional<WorkerRecord> Next(Duration wait);

  // The record is done. REQUIRES: it is the last one that Next gave.
  Result<void> Commit(const WorkerRecord& record, const std::vector<WorkerResult>& results);
  // Gives the record up: it is not done, and comes again after its lease has changed hands.
  void GiveUp(const WorkerRecord& record);
  // How often this was attempted since the shard's checkpoint moved, this time included; durable before it
  // returns.
  Result<std::uint64_t> Attempt(const WorkerRecord& record, const std::string& what);

  // Releases the leases; nothing may follow. On the using thread.
  void Close();

  // Ends a Next that waits; any thread.
  void Stop();

  // What the last trouble with the server was; empty: there is none now. Any thread.
  std::string trouble() const;
  std::size_t shards() const;  // that this worker holds; any thread

 private:
  // How far a shard is done.
  struct Place {
    std::string sequence_number;                // empty: nothing is done
    std::optional<std::uint64_t> sub_sequence;  // of the last user record done; none: all of the record
  };
  // An aggregated record that is being taken apart.
  struct Aggregate {
    WorkerRecord record;
    std::vector<wire::UserRecord> parts;  // in record.data
    std::size_t next = 0;
  };
  struct Range {
    std::string first, last;  // hash keys; empty: not known yet
  };
  struct Held {
    std::uint64_t counter = 0;
    Place checkpoint;
    bool suspect = false;  // until the first wanted record is committed
    // of the using thread
    std::string iterator;
    std::string read_to;  // last sequence number that was read; empty: none, see checkpoint
    Place skipped;        // last one that was not wanted, and is not committed
    bool read_to_end = false;
    std::deque<WorkerRecord> ahead;
    std::optional<Aggregate> aggregate;  // before all of `ahead`
    Range hash_keys;
    std::chrono::steady_clock::time_point poll_at;
    std::chrono::steady_clock::time_point skipped_since;
  };

  explicit Worker(WorkerOptions options);
  void RunLeases();
  Result<void> RenewAndBalance();
  Result<void> Take(const std::string& shard, std::optional<std::uint64_t> steal_counter);
  // One pass over the held shards.
  std::optional<WorkerRecord> TakeAhead();
  Result<void> Poll(const std::string& shard, Held& held);
  Result<void> ReadOn(const std::string& shard, Held& held);
  // The next one that was read, wanted or not.
  Result<std::optional<WorkerRecord>> TakeOne(const std::string& shard, Held& held);
  // Where `record` is aggregated, it goes into held.aggregate.
  Result<bool> BeginAggregate(const std::string& shard, Held& held, WorkerRecord& record);
  Result<void> FindHashKeys(const std::string& shard, Held& held);
  static Place PlaceOf(const WorkerRecord& record);
  Result<void> CommitTo(const std::string& shard, const Place& checkpoint,
                        const std::vector<WorkerResult>& results);
  void FlushSkipped(bool all);
  void Note(const Result<void>& outcome);
  std::string Path(const char* what) const;

  const WorkerOptions options_;
  wire::ServiceClient client_;           // of the using thread
  wire::ServiceClient lease_client_;     // of the leases' thread
  std::map<std::string, Held> reading_;  // of the using thread: what it knows of the shards that it reads
  std::string last_shard_;               // of the using thread: where the last record came from

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  struct Lease {
    std::uint64_t counter = 0;
    Place checkpoint;
    bool suspect = false;
  };
  std::map<std::string, Lease> leases_;  // GUARDED_BY(mutex_): what this worker holds
  std::string trouble_;                  // GUARDED_BY(mutex_)
  bool stopping_ = false;                // GUARDED_BY(mutex_)
  bool balance_now_ = false;             // GUARDED_BY(mutex_): a shard has ended; its children may be free
  std::thread thread_;
};

}  // namespace millrace
