#include "storage/read_waiters.h"

#include <utility>

namespace millrace::storage {

std::shared_ptr<ReadWaiter> ReadWaiters::Add(StreamId stream, ShardId shard, std::uint64_t after,
                                             std::function<void()> ready) {
  auto waiter = std::make_shared<ReadWaiter>(shared_from_this(), stream, shard, after, std::move(ready));
  std::lock_guard lock(mutex_);
  waiters_.emplace(waiter->key_, waiter);
  return waiter;
}

Subscription ReadWaiters::ToSubscription(std::shared_ptr<ReadWaiter> waiter) {
  ReadWaiter* raw = waiter.get();
  return Subscription(raw, [waiter = std::move(waiter)](void*) { waiter->Cancel(); });
}

void ReadWaiters::FireShard(StreamId stream, ShardId shard, std::uint64_t tip) {
  std::vector<std::shared_ptr<ReadWaiter>> ready;
  {
    std::lock_guard lock(mutex_);
    auto [first, last] = waiters_.equal_range({stream, shard});
    for (auto it = first; it != last;) {
      auto waiter = it->second.lock();
      bool fire = waiter && waiter->after_ < tip;
      it = !waiter || fire ? waiters_.erase(it) : std::next(it);
      if (fire) ready.push_back(std::move(waiter));
    }
  }
  for (const auto& waiter : ready) Fire(*waiter);
}

void ReadWaiters::FireStream(StreamId stream, const std::function<bool(ShardId, std::uint64_t)>& readable) {
  std::vector<std::shared_ptr<ReadWaiter>> waiting;
  {
    std::lock_guard lock(mutex_);
    for (auto it = waiters_.lower_bound({stream, ShardId{0}});
         it != waiters_.end() && it->first.first == stream; ++it) {
      if (auto waiter = it->second.lock()) waiting.push_back(std::move(waiter));
    }
  }
  for (const auto& waiter : waiting) {
    if (readable(waiter->key_.second, waiter->after_)) Fire(*waiter);
  }
}

void ReadWaiters::FireAll() {
  std::vector<std::shared_ptr<ReadWaiter>> waiting;
  {
    std::lock_guard lock(mutex_);
    for (const auto& [key, weak] : waiters_) {
      if (auto waiter = weak.lock()) waiting.push_back(std::move(waiter));
    }
  }
  for (const auto& waiter : waiting) Fire(*waiter);
}

void ReadWaiters::Fire(ReadWaiter& waiter) {
  std::lock_guard lock(waiter.mutex_);
  auto ready = std::exchange(waiter.ready_, nullptr);
  if (ready) ready();
}

void ReadWaiter::Cancel() {
  {
    std::lock_guard lock(owner_->mutex_);
    auto [first, last] = owner_->waiters_.equal_range(key_);
    for (auto it = first; it != last; ++it) {
      auto waiter = it->second.lock();
      if (waiter.get() == this) {
        owner_->waiters_.erase(it);
        break;
      }
    }
  }
  std::lock_guard lock(mutex_);
  ready_ = nullptr;
}

}  // namespace millrace::storage
