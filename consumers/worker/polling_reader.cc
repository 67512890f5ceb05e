#include "consumers/worker/polling_reader.h"

#include <algorithm>

#include "consumers/worker/record_batch.h"
#include "wire/answer_fields.h"
#include "wire/cbor.h"

namespace millrace::consumer {
namespace {

using std::chrono::steady_clock;

constexpr Duration kRetryPauseMax = std::chrono::seconds(5);

}  // namespace

PollingReader::PollingReader(const WorkerOptions& options, HeldShards& held, WorkerState& state)
    : options_(options), held_(held), state_(state) {
  for (std::size_t i = 0; i < options.pollers; ++i) threads_.emplace_back([this] { Run(); });
}

PollingReader::~PollingReader() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void PollingReader::Begin(const HeldLease& lease) {
  Polled shard;
  shard.shard = lease.shard;
  shard.counter = lease.counter;
  shard.from = lease.place;
  shard.due = steady_clock::now();
  shard.pause = options_.poll_interval;
  shard.retry = Backoff({options_.poll_interval, kRetryPauseMax});
  {
    const std::lock_guard lock(mutex_);
    Drop(lease.shard);
    wanted_[lease.shard] = lease.counter;
    due_.emplace(shard.due, lease.shard);
    shards_[lease.shard] = std::move(shard);
  }
  changed_.notify_one();
}

void PollingReader::End(const std::string& shard, std::uint64_t counter) {
  const std::lock_guard lock(mutex_);
  if (Wanted(shard, counter)) Drop(shard);
}

bool PollingReader::Wanted(const std::string& shard, std::uint64_t counter) const {
  const auto wanted = wanted_.find(shard);
  return wanted != wanted_.end() && wanted->second == counter;
}

void PollingReader::Drop(const std::string& shard) {
  wanted_.erase(shard);
  roomy_.erase(shard);
  state_.troubles.Note("reading " + shard, {});
  const auto found = shards_.find(shard);
  if (found == shards_.end()) return;
  due_.erase({found->second.due, shard});
  shards_.erase(found);
}

void PollingReader::HasRoomAgain(const std::string& shard, std::uint64_t counter) {
  {
    const std::lock_guard lock(mutex_);
    if (!Wanted(shard, counter)) return;
    const auto found = shards_.find(shard);
    if (found == shards_.end()) {
      roomy_.insert(shard);
      return;
    }
    due_.emplace(found->second.due, shard);
  }
  changed_.notify_one();
}

void PollingReader::Run() {
  wire::ServiceClient client(options_.endpoint, HttpOptions(options_));
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    if (due_.empty()) {
      changed_.wait(lock);
      continue;
    }
    const auto first = *due_.begin();
    if (first.first > steady_clock::now()) {
      changed_.wait_until(lock, first.first);
      continue;
    }
    due_.erase(due_.begin());
    Polled shard = std::move(shards_.extract(first.second).mapped());
    lock.unlock();
    const After after = Poll(client, shard);
    lock.lock();
    if (!Wanted(shard.shard, shard.counter)) continue;
    // Only now: of a shard that has ended nobody would clear it.
    state_.troubles.Note("reading " + shard.shard, shard.outcome);
    if (after == After::kOver) {
      wanted_.erase(shard.shard);
      continue;
    }
    const bool room = roomy_.erase(shard.shard) > 0 || after == After::kDue;
    if (room) due_.emplace(shard.due, shard.shard);
    const std::string name = shard.shard;
    shards_[name] = std::move(shard);
  }
}

PollingReader::After PollingReader::Poll(wire::ServiceClient& client, Polled& shard) {
  if (!held_.HasRoom(shard.shard, shard.counter)) return After::kFull;
  auto batch = Read(client, shard);
  const auto now = steady_clock::now();
  if (!batch) {
    ++state_.counters.read_retries;
    if (batch.error().code == ErrorCode::kResourceExhausted) {  // the shard gives no more for a moment
      shard.due = now + shard.retry.Next();
      return After::kDue;
    }
    // An iterator that is too old, or of a server that is gone: from the last record that was read, anew.
    const bool expired = batch.error().code == ErrorCode::kOutOfRange && !shard.iterator.empty();
    shard.iterator.clear();
    if (!expired) shard.outcome = std::move(batch).error();
    shard.due = expired ? now : now + shard.retry.Next();
    return After::kDue;
  }
  shard.outcome = {};
  shard.retry.Reset();
  const bool filled = !batch->records.empty();
  const bool more = batch->behind > Duration{0};
  const bool end = batch->end;
  shard.pause = filled ? options_.poll_interval
                       : std::clamp(shard.pause * 2, options_.poll_interval, options_.poll_interval_idle);
  shard.due = more && filled ? now : now + shard.pause;
  if (!held_.Put(shard.shard, shard.counter, std::move(*batch)) || end) return After::kOver;
  return After::kDue;
}

Result<void> PollingReader::OpenIterator(wire::ServiceClient& client, Polled& shard) {
  const bool begun = !shard.read_to.empty();
  const std::string& after = begun ? shard.read_to : shard.from.sequence_number;
  // Of an aggregated record that is done in part, the rest is still to come.
  const bool again = !begun && shard.from.sub_sequence;
  boost::json::object request;
  request["StreamName"] = options_.stream;
  request["ShardId"] = shard.shard;
  request["ShardIteratorType"] = after.empty() ? "TRIM_HORIZON"
                                 : again       ? "AT_SEQUENCE_NUMBER"
                                               : "AFTER_SEQUENCE_NUMBER";
  if (!after.empty()) request["StartingSequenceNumber"] = after;
  MILLRACE_ASSIGN_OR_RETURN(const auto answer, client.DataStreams("GetShardIterator", request));
  shard.iterator = wire::TextOf(answer, "ShardIterator");
  if (shard.iterator.empty()) return Error{ErrorCode::kInternal, "an answer without an iterator"};
  return {};
}

Result<FetchedBatch> PollingReader::Read(wire::ServiceClient& client, Polled& shard) {
  if (shard.iterator.empty()) MILLRACE_RETURN_IF_ERROR(OpenIterator(client, shard));
  ++state_.counters.requests;
  wire::CborWriter request;
  request.BeginObject().Key("ShardIterator").String(shard.iterator).Key("Limit");
  request.Integer(static_cast<std::int64_t>(options_.read_ahead_records)).EndObject();
  MILLRACE_ASSIGN_OR_RETURN(auto answer, client.DataStreamsCbor("GetRecords", std::move(request).Take()));
  MILLRACE_ASSIGN_OR_RETURN(FetchedBatch batch, ReadBatch(shard.shard, answer));
  if (!batch.records.empty()) shard.read_to = batch.records.back().sequence_number;
  shard.iterator = wire::TextOf(answer, "NextShardIterator");
  batch.end = shard.iterator.empty();
  return batch;
}

}  // namespace millrace::consumer
