// Those who wait for a shard to become readable (RecordLog::NotifyReadable).
//
// Threads: any. A callback runs on the thread that calls Fire.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "storage/log_format.h"
#include "storage/record_log.h"

namespace millrace::storage {

class ReadWaiter;

class ReadWaiters : public std::enable_shared_from_this<ReadWaiters> {
 public:
  // Letting the subscription go ends the wait, and waits for a callback that is running on another thread.
  std::shared_ptr<ReadWaiter> Add(StreamId stream, ShardId shard, std::uint64_t after,
                                  std::function<void()> ready);
  static Subscription ToSubscription(std::shared_ptr<ReadWaiter> waiter);

  // Fires those of the shard that wait behind a counter below `tip`.
  void FireShard(StreamId stream, ShardId shard, std::uint64_t tip);
  // Those of the stream for which `readable(shard, after)` says so.
  // Everybody who waits: the log was opened again, and whoever reads finds out what there is.
  void FireAll();
  void FireStream(StreamId stream, const std::function<bool(ShardId, std::uint64_t)>& readable);
  static void Fire(ReadWaiter& waiter);

 private:
  friend class ReadWaiter;
  using Key = std::pair<StreamId, ShardId>;
  std::mutex mutex_;
  std::multimap<Key, std::weak_ptr<ReadWaiter>> waiters_;  // GUARDED_BY(mutex_)
};

class ReadWaiter {
 public:
  ReadWaiter(std::shared_ptr<ReadWaiters> owner, StreamId stream, ShardId shard, std::uint64_t after,
             std::function<void()> ready)
      : owner_(std::move(owner)), key_(stream, shard), after_(after), ready_(std::move(ready)) {}
  void Cancel();

 private:
  friend class ReadWaiters;
  const std::shared_ptr<ReadWaiters> owner_;
  const ReadWaiters::Key key_;
  const std::uint64_t after_;

  // Held while the callback runs; recursive, because the callback itself may let go.
  std::recursive_mutex mutex_;
  std::function<void()> ready_;  // GUARDED_BY(mutex_); empty: fired or cancelled
};

}  // namespace millrace::storage
