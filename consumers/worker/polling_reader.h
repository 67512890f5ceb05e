// Reads shards by GetRecords: each again at once while it has more, else after an interval, which grows while
// nothing comes. A few threads take the shards as they are due.
//
// Bounds:  a request a thread; a shard without room is not read.
// Threads: its own; Begin, End and HasRoomAgain from any.
#pragma once

#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/backoff.h"
#include "consumers/worker/held_shards.h"
#include "consumers/worker/worker_state.h"
#include "wire/service_client.h"

namespace millrace::consumer {

class PollingReader final : public ShardReader {
 public:
  // All outlive this.
  PollingReader(const WorkerOptions& options, HeldShards& held, WorkerState& state);
  ~PollingReader() override;
  PollingReader(const PollingReader&) = delete;
  PollingReader& operator=(const PollingReader&) = delete;

  void Begin(const HeldLease& lease) override;
  void End(const std::string& shard, std::uint64_t counter) override;
  void HasRoomAgain(const std::string& shard, std::uint64_t counter) override;

 private:
  using TimePoint = std::chrono::steady_clock::time_point;
  struct Polled {
    std::string shard;
    std::uint64_t counter = 0;
    ShardPlace from;
    std::string iterator;  // empty: none is open
    std::string read_to;   // the last sequence number read; empty: none, see `from`
    TimePoint due;
    Duration pause{0};  // up to the next poll, as long as nothing comes
    Backoff retry;
    Result<void> outcome;  // of the last poll that told something
  };

  void Run();
  // REQUIRES: mutex_ is held.
  bool Wanted(const std::string& shard, std::uint64_t counter) const;
  void Drop(const std::string& shard);
  // What is done with a shard after a poll.
  enum class After { kDue, kFull, kOver };
  After Poll(wire::ServiceClient& client, Polled& shard);
  Result<FetchedBatch> Read(wire::ServiceClient& client, Polled& shard);
  Result<void> OpenIterator(wire::ServiceClient& client, Polled& shard);

  const WorkerOptions& options_;
  HeldShards& held_;
  WorkerState& state_;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, Polled> shards_;  // GUARDED_BY(mutex_): none that is being polled
  std::set<std::pair<TimePoint, std::string>>
      due_;                                      // GUARDED_BY(mutex_): of shards_, but those that are full
  std::map<std::string, std::uint64_t> wanted_;  // GUARDED_BY(mutex_): the counters of all
  std::set<std::string> roomy_;                  // GUARDED_BY(mutex_): got room while being polled
  bool stopping_ = false;                        // GUARDED_BY(mutex_)
  std::vector<std::thread> threads_;
};

}  // namespace millrace::consumer
