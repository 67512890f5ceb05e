// Who is subscribed to which shard: one subscription of each consumer and shard at a time. A later call takes
// over from an earlier one, but not before that has had its time.
//
// Threads: any.
#pragma once

#include <atomic>
#include <chrono>
#include <compare>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "api/data_streams/stream_consumers.h"
#include "base/result.h"
#include "storage/ids.h"

namespace millrace::api {

struct SubscriptionTimes {
  Duration lifetime = std::chrono::minutes(5);  // then it ends, and the client subscribes again
  Duration silence = std::chrono::seconds(4);   // an event comes at least so often; clients are told 5 s
  Duration takeover = std::chrono::seconds(5);  // before it nobody else gets the shard
};

// One subscription. Its owner is whoever sends the events; it is over when that lets go of it.
class ShardSubscription {
 public:
  enum class End { kNone, kTakenOver, kConsumerGone };

  // Whether, and why, it is to end now.
  End end() const { return end_; }
  // `wake` is called once it is to end; on any thread, and at once if it is already. Must not block.
  void OnEnd(std::function<void()> wake);

 private:
  friend class ShardSubscriptions;
  void Tell(End end);

  std::atomic<End> end_{End::kNone};
  std::chrono::steady_clock::time_point began_;  // set before it is shared, never changes
  std::mutex mutex_;
  std::function<void()> wake_;  // GUARDED_BY(mutex_)
};

class ShardSubscriptions {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  explicit ShardSubscriptions(SubscriptionTimes times = {});

  // Ends the subscription that there is. Errors: kAlreadyExists: it began less than `takeover` ago.
  // The subscription may outlive this.
  Result<std::shared_ptr<ShardSubscription>> Begin(const StreamConsumer& consumer, storage::ShardId shard,
                                                   TimePoint now);
  // Ends those of the consumer, which is gone.
  void End(const StreamConsumer& consumer);

  const SubscriptionTimes& times() const { return times_; }
  std::size_t count() const;

 private:
  struct Key {
    std::string stream;
    std::int64_t stream_created_ns = 0;
    std::string consumer;
    std::int64_t created_s = 0;
    storage::ShardId shard;
    friend auto operator<=>(const Key&, const Key&) = default;
  };
  struct Table {
    std::mutex mutex;
    std::map<Key, std::weak_ptr<ShardSubscription>> active;  // GUARDED_BY(mutex)
  };
  static Key KeyOf(const StreamConsumer& consumer, storage::ShardId shard);

  const SubscriptionTimes times_;
  const std::shared_ptr<Table> table_;
};

}  // namespace millrace::api
