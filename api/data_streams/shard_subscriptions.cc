#include "api/data_streams/shard_subscriptions.h"

#include <utility>
#include <vector>

namespace millrace::api {

void ShardSubscription::OnEnd(std::function<void()> wake) {
  {
    const std::lock_guard lock(mutex_);
    if (end_ == End::kNone) {
      wake_ = std::move(wake);
      return;
    }
  }
  wake();
}

void ShardSubscription::Tell(End end) {
  std::function<void()> wake;
  {
    const std::lock_guard lock(mutex_);
    if (end_ != End::kNone) return;
    end_ = end;
    wake = std::exchange(wake_, nullptr);
  }
  if (wake) wake();
}

ShardSubscriptions::ShardSubscriptions(SubscriptionTimes times)
    : times_(times), table_(std::make_shared<Table>()) {}

ShardSubscriptions::Key ShardSubscriptions::KeyOf(const StreamConsumer& consumer, storage::ShardId shard) {
  return {consumer.stream, consumer.stream_created.ns, consumer.name, consumer.created.seconds(), shard};
}

Result<std::shared_ptr<ShardSubscription>> ShardSubscriptions::Begin(const StreamConsumer& consumer,
                                                                     storage::ShardId shard, TimePoint now) {
  const Key key = KeyOf(consumer, shard);
  // Leaves the table when its owner lets it go, unless another has its place by then.
  const auto leave = [table = table_, key](ShardSubscription* gone) {
    {
      const std::lock_guard lock(table->mutex);
      const auto found = table->active.find(key);
      if (found != table->active.end() && found->second.expired()) table->active.erase(found);
    }
    delete gone;
  };
  std::shared_ptr<ShardSubscription> begun(new ShardSubscription, leave);
  begun->began_ = now;
  std::shared_ptr<ShardSubscription> before;  // let go of after the lock: `leave` takes it
  {
    const std::lock_guard lock(table_->mutex);
    std::weak_ptr<ShardSubscription>& place = table_->active[key];
    before = place.lock();
    if (before && before->end_ == ShardSubscription::End::kNone && now - before->began_ < times_.takeover) {
      return Error{ErrorCode::kAlreadyExists, "another subscription has just begun"};
    }
    place = begun;
  }
  if (before) before->Tell(ShardSubscription::End::kTakenOver);
  return begun;
}

void ShardSubscriptions::End(const StreamConsumer& consumer) {
  std::vector<std::shared_ptr<ShardSubscription>> ended;
  {
    const std::lock_guard lock(table_->mutex);
    const Key first = KeyOf(consumer, storage::ShardId{0});
    for (auto at = table_->active.lower_bound(first); at != table_->active.end(); ++at) {
      if (KeyOf(consumer, at->first.shard) != at->first) break;
      if (auto subscription = at->second.lock()) ended.push_back(std::move(subscription));
    }
  }
  for (const auto& subscription : ended) subscription->Tell(ShardSubscription::End::kConsumerGone);
}

std::size_t ShardSubscriptions::count() const {
  const std::lock_guard lock(table_->mutex);
  return table_->active.size();
}

}  // namespace millrace::api
