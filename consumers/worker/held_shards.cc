#include "consumers/worker/held_shards.h"

#include <algorithm>
#include <utility>

namespace millrace::consumer {

namespace {
// What a record takes.
std::size_t SizeOf(const WorkerRecord& record) {
  return sizeof(WorkerRecord) + record.data.size() + record.partition_key.size();
}
}  // namespace

void HeldShards::SetReader(ShardReader* reader) {
  const std::lock_guard lock(mutex_);
  reader_ = reader;
}

void HeldShards::Add(const HeldLease& lease, TimePoint valid_until) {
  ShardReader* reader = nullptr;
  {
    const std::lock_guard lock(mutex_);
    // Those that are held already were renewed earlier than this one was taken.
    if (held_.empty()) valid_until_ = valid_until;
    Inbox& inbox = held_[lease.shard];
    bytes_ -= inbox.bytes;
    inbox = Inbox();
    inbox.lease = lease;
    ready_.erase(lease.shard);
    ++generation_;
    reader = reader_;
  }
  changed_.notify_all();
  if (reader != nullptr) reader->Begin(lease);
}

bool HeldShards::Remove(const std::string& shard, std::uint64_t counter) {
  ShardReader* reader = nullptr;
  {
    const std::lock_guard lock(mutex_);
    const Inbox* inbox = Find(shard, counter);
    if (inbox == nullptr) return false;
    bytes_ -= inbox->bytes;
    held_.erase(shard);
    ready_.erase(shard);
    ++generation_;
    reader = reader_;
  }
  changed_.notify_all();
  if (reader != nullptr) reader->End(shard, counter);
  return true;
}

void HeldShards::Renewed(TimePoint valid_until) {
  {
    const std::lock_guard lock(mutex_);
    valid_until_ = std::max(valid_until_, valid_until);
  }
  changed_.notify_all();
}

std::vector<HeldLease> HeldShards::Leases() const {
  const std::lock_guard lock(mutex_);
  std::vector<HeldLease> leases;
  leases.reserve(held_.size());
  for (const auto& [shard, inbox] : held_) leases.push_back(inbox.lease);
  return leases;
}

HeldShards::Inbox* HeldShards::Find(const std::string& shard, std::uint64_t counter) {
  const auto found = held_.find(shard);
  return found != held_.end() && found->second.lease.counter == counter ? &found->second : nullptr;
}

bool HeldShards::Roomy(const Inbox& inbox) const {
  // A shard of which nothing waits is always read: what fills the room may be of others that do not go on.
  return inbox.records.empty() || (inbox.records.size() < records_max_ && bytes_ < bytes_max_);
}

void HeldShards::NoteReady(const Inbox& inbox) {
  if (!inbox.records.empty() || inbox.end || inbox.unpacking) {
    ready_.insert(inbox.lease.shard);
  } else {
    ready_.erase(inbox.lease.shard);
  }
}

bool HeldShards::HasRoom(const std::string& shard, std::uint64_t counter) {
  const std::lock_guard lock(mutex_);
  Inbox* inbox = Find(shard, counter);
  if (inbox == nullptr) return false;
  const bool room = Roomy(*inbox);
  if (!room) inbox->full = true;
  return room;
}

bool HeldShards::Put(const std::string& shard, std::uint64_t counter, FetchedBatch batch) {
  {
    const std::lock_guard lock(mutex_);
    Inbox* inbox = Find(shard, counter);
    if (inbox == nullptr) return false;
    const TimePoint now = std::chrono::steady_clock::now();
    inbox->read = true;
    inbox->behind = batch.behind;
    inbox->end = inbox->end || batch.end;
    for (WorkerRecord& record : batch.records) {
      const std::size_t size = SizeOf(record);
      inbox->bytes += size;
      bytes_ += size;
      inbox->records.push_back({std::move(record), batch.behind, now});
    }
    if (inbox->records.empty() && !inbox->end) return true;
    NoteReady(*inbox);
  }
  changed_.notify_all();
  return true;
}

std::uint64_t HeldShards::generation() const {
  const std::lock_guard lock(mutex_);
  return generation_;
}

bool HeldShards::Ready() const { return !ready_.empty() && std::chrono::steady_clock::now() < valid_until_; }

std::string HeldShards::NextReady(const std::string& last) const {
  const std::lock_guard lock(mutex_);
  if (!Ready()) return "";
  const auto next = ready_.upper_bound(last);
  return next != ready_.end() ? *next : *ready_.begin();
}

HeldShards::Taken HeldShards::Take(const std::string& shard, std::uint64_t counter) {
  Taken taken;
  ShardReader* reader = nullptr;
  std::vector<HeldLease> roomy;
  {
    const std::lock_guard lock(mutex_);
    Inbox* inbox = Find(shard, counter);
    if (inbox == nullptr) return taken;
    const bool all_full = bytes_ >= bytes_max_;
    if (!inbox->records.empty()) {
      taken.record = std::move(inbox->records.front().record);
      inbox->records.pop_front();
      const std::size_t size = SizeOf(*taken.record);
      inbox->bytes -= size;
      bytes_ -= size;
    }
    if (inbox->records.empty()) {
      taken.end = std::exchange(inbox->end, false);
      NoteReady(*inbox);
    }
    const auto note_room = [&](Inbox& each) {
      if (each.full && Roomy(each)) {
        each.full = false;
        roomy.push_back(each.lease);
      }
    };
    note_room(*inbox);
    if (all_full && bytes_ < bytes_max_) {
      for (auto& [name, each] : held_) note_room(each);
    }
    reader = reader_;
  }
  if (reader != nullptr) {
    for (const HeldLease& lease : roomy) reader->HasRoomAgain(lease.shard, lease.counter);
  }
  return taken;
}

void HeldShards::SetUnpacking(const std::string& shard, std::uint64_t counter, bool unpacking) {
  const std::lock_guard lock(mutex_);
  Inbox* inbox = Find(shard, counter);
  if (inbox == nullptr) return;
  inbox->unpacking = unpacking;
  NoteReady(*inbox);
}

void HeldShards::Wait(TimePoint until, std::uint64_t generation) {
  std::unique_lock lock(mutex_);
  changed_.wait_until(lock, until, [&] { return Ready() || generation_ != generation || woken_; });
  woken_ = false;
}

void HeldShards::Wake() {
  {
    const std::lock_guard lock(mutex_);
    woken_ = true;
  }
  changed_.notify_all();
}

std::size_t HeldShards::read_ahead_bytes() const {
  const std::lock_guard lock(mutex_);
  return bytes_;
}

std::map<std::string, Duration> HeldShards::Behind() const {
  const TimePoint now = std::chrono::steady_clock::now();
  const std::lock_guard lock(mutex_);
  std::map<std::string, Duration> behind;
  for (const auto& [shard, inbox] : held_) {
    if (!inbox.read) continue;
    const Fetched* oldest = inbox.records.empty() ? nullptr : &inbox.records.front();
    behind[shard] = oldest != nullptr ? oldest->behind + (now - oldest->at) : inbox.behind;
  }
  return behind;
}

}  // namespace millrace::consumer
