#include "fragments/fragment_appender.h"

#include <utility>
#include <vector>

#include "base/log.h"
#include "base/metrics.h"

namespace millrace {
namespace {

constexpr std::uint64_t kItemBytes = 1024;  // counted for a fragment besides its own bytes

prometheus::Gauge& HeldBytes() {
  static prometheus::Gauge& gauge = GetGauge(
      "millrace_fragments_held_bytes", "Fragments that the disk refused for now and that are tried again");
  return gauge;
}
prometheus::Counter& HeldTotal() {
  static prometheus::Counter& counter =
      GetCounter("millrace_fragments_held_total", "Fragments that were not stored at the first try");
  return counter;
}
prometheus::Counter& LostTotal() {
  static prometheus::Counter& counter =
      GetCounter("millrace_fragments_lost_total", "Fragments that the disk refused for good");
  return counter;
}

// Refusals that pass.
bool Passes(ErrorCode code) {
  return code == ErrorCode::kResourceExhausted || code == ErrorCode::kNoSpace ||
         code == ErrorCode::kUnavailable || code == ErrorCode::kIo;
}

// After these the record may be there, once the log has been opened again.
bool LeavesInDoubt(ErrorCode code) { return code == ErrorCode::kUnavailable || code == ErrorCode::kIo; }

}  // namespace

FragmentAppender::FragmentAppender(storage::RecordLog& log, Options options)
    : log_(log), options_(std::move(options)), thread_([this] { Run(); }) {}

FragmentAppender::~FragmentAppender() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return under_way_ == 0; });
}

void FragmentAppender::Append(storage::PutRecord record, Done done) {
  auto item = std::make_shared<Item>();
  item->bytes = record.data.size() + kItemBytes;
  item->record = std::move(record);
  item->done = std::move(done);
  bool waits = false;
  {
    const std::lock_guard lock(mutex_);
    ++under_way_;
    const auto lane = lanes_.find(item->record.partition_key);
    waits = lane != lanes_.end();
    if (waits && !lane->second.held.empty()) item->error = lane->second.held.front()->error;
    if (waits && Hold(item)) return;
  }
  // Where it does not fit behind those that wait, the log has the last word on it.
  Put(std::move(item));
}

void FragmentAppender::Drop(const std::string& partition_key,
                            const std::function<bool(const storage::PutRecord&)>& drop) {
  std::vector<ItemPtr> dropped;
  {
    const std::lock_guard lock(mutex_);
    const auto lane = lanes_.find(partition_key);
    if (lane == lanes_.end()) return;
    std::deque<ItemPtr>& held = lane->second.held;
    for (std::size_t i = held.size(); i-- > (lane->second.busy ? 1u : 0u);) {
      if (!drop(held[i]->record)) continue;
      held_bytes_ -= held[i]->bytes;
      HeldBytes().Decrement(static_cast<double>(held[i]->bytes));
      dropped.push_back(std::move(held[i]));
      held.erase(held.begin() + static_cast<std::ptrdiff_t>(i));
    }
    if (lane->second.busy && drop(held.front()->record)) held.front()->dropped = true;
    if (held.empty()) lanes_.erase(lane);
  }
  for (const ItemPtr& item : dropped) Finish(item, {});
}

void FragmentAppender::Put(ItemPtr item) {
  storage::PutRecord record = item->record;
  log_.Put(options_.data_stream, std::move(record),
           [this, item = std::move(item)](Result<storage::PutReceipt> receipt) {
             if (receipt) return Finish(item, {});
             Refused(item, std::move(receipt).error());
           });
}

void FragmentAppender::Refused(ItemPtr item, Error error) {
  const bool passes = Passes(error.code);
  item->in_doubt = item->in_doubt || LeavesInDoubt(error.code);
  item->error = error;
  {
    const std::lock_guard lock(mutex_);
    if (passes && Hold(item)) return;
  }
  if (passes) LostTotal().Increment();
  Finish(item, std::move(error));
}

bool FragmentAppender::Hold(const ItemPtr& item) {
  if (stopping_ || held_bytes_ + item->bytes > options_.held_bytes_max) return false;
  held_bytes_ += item->bytes;
  HeldBytes().Increment(static_cast<double>(item->bytes));
  HeldTotal().Increment();
  lanes_[item->record.partition_key].held.push_back(item);
  return true;
}

FragmentAppender::ItemPtr FragmentAppender::TakeFirst(const std::string& key) {
  const auto lane = lanes_.find(key);
  ItemPtr item = std::move(lane->second.held.front());
  lane->second.held.pop_front();
  held_bytes_ -= item->bytes;
  HeldBytes().Decrement(static_cast<double>(item->bytes));
  if (lane->second.held.empty()) lanes_.erase(lane);
  return item;
}

void FragmentAppender::Finish(const ItemPtr& item, Result<void> result) {
  item->done(std::move(result));
  item->done = nullptr;
  const std::lock_guard lock(mutex_);
  if (--under_way_ == 0) changed_.notify_all();
}

// REQUIRES: the lane is busy.
void FragmentAppender::PutFirst(const std::string& key) {
  storage::PutRecord record;
  {
    const std::lock_guard lock(mutex_);
    record = lanes_.at(key).held.front()->record;
  }
  log_.Put(options_.data_stream, std::move(record),
           [this, key](Result<storage::PutReceipt> receipt) { FirstDone(key, std::move(receipt)); });
}

void FragmentAppender::FirstDone(const std::string& key, Result<storage::PutReceipt> receipt) {
  ItemPtr item;
  bool more = false;
  {
    const std::lock_guard lock(mutex_);
    Lane& lane = lanes_.at(key);
    Item& first = *lane.held.front();
    const bool refused = !receipt && !first.in_doubt && !LeavesInDoubt(receipt.error().code);
    if (refused && first.dropped) receipt = storage::PutReceipt{};
    if (!receipt && Passes(receipt.error().code) && !stopping_) {
      first.error = receipt.error();
      first.in_doubt = first.in_doubt || LeavesInDoubt(receipt.error().code);
      lane.busy = false;
      return;
    }
    more = lane.held.size() > 1 && !stopping_;
    const bool ask = more && lane.held[1]->in_doubt;  // that waits for the disk: not here
    if (!more || ask) lane.busy = false;
    if (ask) again_ = true;
    more = more && !ask;
    item = TakeFirst(key);
    changed_.notify_all();
  }
  Finish(item, receipt ? Result<void>() : Result<void>(std::move(receipt).error()));
  if (more) PutFirst(key);
}

Result<bool> FragmentAppender::IsStored(const Item& item) {
  storage::AttributeQuery query;
  query.attribute = options_.number_attribute;
  for (const storage::Attribute& attribute : item.record.attributes) {
    if (attribute.id == query.attribute) query.from = query.to = attribute.value;
  }
  query.limit = 1;
  MILLRACE_ASSIGN_OR_RETURN(const auto found,
                            log_.Find(options_.data_stream, item.record.partition_key, query));
  return !found.empty();
}

void FragmentAppender::Retry() {
  std::vector<std::string> keys;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [key, lane] : lanes_) {
      if (!lane.busy) keys.push_back(key);
    }
  }
  for (const std::string& key : keys) {
    ItemPtr first;
    {
      const std::lock_guard lock(mutex_);
      const auto lane = lanes_.find(key);
      if (lane == lanes_.end()) continue;  // Drop emptied it meanwhile
      lane->second.busy = true;            // from here on the first is nobody else's
      first = lane->second.held.front();
    }
    Result<bool> stored = false;
    if (first->in_doubt) stored = IsStored(*first);
    bool over = false;
    {
      const std::lock_guard lock(mutex_);
      if (stored && !*stored) first->in_doubt = false;
      over = stored && (*stored || first->dropped);
      if (!stored || over) lanes_.at(key).busy = false;
      if (!stored) continue;  // the log does not even read: later
      if (over) TakeFirst(key);
      again_ = again_ || over;
    }
    if (over) {
      Finish(first, {});
    } else {
      PutFirst(key);
    }
  }
}

void FragmentAppender::Run() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait_for(lock, options_.retry_interval, [this] { return stopping_ || again_; });
    again_ = false;
    if (stopping_) break;
    lock.unlock();
    Retry();
    lock.lock();
  }
  // Those that are being put end by themselves, in FirstDone.
  std::vector<ItemPtr> left;
  for (auto lane = lanes_.begin(); lane != lanes_.end();) {
    const std::string key = lane->first;
    const std::size_t keep = lane->second.busy ? 1 : 0;
    while (lane->second.held.size() > keep) {
      left.push_back(std::move(lane->second.held.back()));
      lane->second.held.pop_back();
      held_bytes_ -= left.back()->bytes;
      HeldBytes().Decrement(static_cast<double>(left.back()->bytes));
    }
    lane = keep == 0 ? lanes_.erase(lane) : std::next(lane);
  }
  lock.unlock();
  for (auto item = left.rbegin(); item != left.rend(); ++item) {
    LostTotal().Increment();
    Finish(*item, (*item)->error);
  }
}

}  // namespace millrace
