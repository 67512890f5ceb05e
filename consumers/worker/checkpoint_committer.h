// Commits how far the shards are done: at once and with results, or what has gathered, each while.
//
// Errors:  kFailedPrecondition: the lease is another worker's now. kUnavailable and the like: no server was
//          there for some seconds; the same commit may be made again, a repeated one is recognised.
// Threads: the thread that uses the worker.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "consumers/worker/application_client.h"
#include "consumers/worker/shard_progress.h"
#include "consumers/worker/worker_state.h"

namespace millrace::consumer {

class CheckpointCommitter {
 public:
  // Waits; true: the worker is being stopped, and nothing is to be waited for.
  using Pause = std::function<bool(Duration)>;

  // `options` and `state` outlive this.
  CheckpointCommitter(const WorkerOptions& options, WorkerState& state, Pause pause);

  void Begin(const HeldLease& lease);
  void Forget(const std::string& shard);
  void Given(const std::string& shard, const ShardPlace& place);
  void Passed(const std::string& shard, const ShardPlace& place);
  // Committed with the next flush.
  void Done(const WorkerRecord& record);
  bool AllDone(const std::string& shard) const;

  Result<void> Commit(const WorkerRecord& record, const std::vector<WorkerResult>& results);
  Result<std::uint64_t> Attempt(const WorkerRecord& record, const std::string& what);
  // The shard is done to its end. One try. REQUIRES: it was begun.
  Result<void> End(const std::string& shard);
  struct Flushed {
    std::vector<std::string> lost;        // shards whose leases are another worker's now
    std::map<std::string, Error> failed;  // those whose commit is still due, and why
  };
  // Commits what is done and due: of all shards whose oldest has waited for checkpoint_interval, or of `all`.
  // One try each, and none behind one that found no server.
  Flushed Flush(bool all);

 private:
  using TimePoint = std::chrono::steady_clock::time_point;
  struct Shard {
    std::uint64_t counter = 0;
    ShardProgress progress;
    TimePoint due_since;
  };
  // Null: the lease under which the record was given is not held any more.
  Shard* Find(const WorkerRecord& record);
  void NoteDue(const std::string& name, Shard& shard);
  Result<void> Send(const CommitRequest& request);

  const WorkerOptions& options_;
  WorkerState& state_;
  const Pause pause_;
  ApplicationClient client_;
  std::map<std::string, Shard> shards_;
  std::set<std::string> due_;  // names of shards, some of which may be gone
  TimePoint flush_at_;         // not before
};

}  // namespace millrace::consumer
