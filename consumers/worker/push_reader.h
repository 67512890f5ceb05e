// Reads shards by SubscribeToShard, over HTTP/2: a subscription a shard, made anew before the server ends it,
// and after whatever ended it, behind the last event that came whole.
//
// A shard without room is not subscribed to: its subscription is held back, not renewed, and none
// follows it until there is room again.
//
// Bounds:  what came for a shard without room, and wire::Http2Client's window, a shard.
// Threads: one of its own, which subscribes; the HTTP/2 client's takes events. Begin, End and
//          HasRoomAgain from any.
#pragma once

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <thread>

#include "base/backoff.h"
#include "consumers/worker/held_shards.h"
#include "consumers/worker/registered_consumer.h"
#include "consumers/worker/shard_subscription.h"
#include "consumers/worker/worker_state.h"
#include "wire/http2_client.h"

namespace millrace::consumer {

class PushReader final : public ShardReader {
 public:
  // All outlive this.
  PushReader(const WorkerOptions& options, HeldShards& held, WorkerState& state);
  ~PushReader() override;
  PushReader(const PushReader&) = delete;
  PushReader& operator=(const PushReader&) = delete;

  void Begin(const HeldLease& lease) override;
  void End(const std::string& shard, std::uint64_t counter) override;
  void HasRoomAgain(const std::string& shard, std::uint64_t counter) override;

 private:
  using TimePoint = std::chrono::steady_clock::time_point;
  struct Pushed {
    HeldLease lease;
    std::string continuation;                         // empty: from the lease's place
    std::shared_ptr<ShardSubscription> subscription;  // null: none is open
    wire::Http2Client::RequestId request = 0;
    TimePoint subscribe_at;  // not before, while none is open
    TimePoint renew_at;
    Backoff retry;
    bool troubled = false;  // failed, and told so
  };

  void Run();
  // One look at all shards; when the next one is due. REQUIRES: mutex_ is held.
  TimePoint Look(const std::string& arn);
  void LookAfter(Pushed& shard);
  void Subscribe(Pushed& shard, const std::string& arn);
  void Drop(Pushed& shard);

  const WorkerOptions& options_;
  HeldShards& held_;
  WorkerState& state_;
  RegisteredConsumer consumer_;  // of the thread
  std::minstd_rand random_;      // of the thread

  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, Pushed> shards_;  // GUARDED_BY(mutex_)
  bool consumer_gone_ = false;            // GUARDED_BY(mutex_)
  bool look_ = false;                     // GUARDED_BY(mutex_)
  bool stopping_ = false;                 // GUARDED_BY(mutex_)
  std::unique_ptr<wire::Http2Client> client_;
  std::thread thread_;
};

}  // namespace millrace::consumer
