#include "consumers/worker/push_reader.h"

#include <algorithm>
#include <utility>

#include "wire/cbor.h"

namespace millrace::consumer {
namespace {

using std::chrono::steady_clock;

// The server sends an event every few seconds, whatever happens.
constexpr std::chrono::seconds kSilence{20};
constexpr Duration kPauseMax = std::chrono::seconds(5);
// A subscription of the owner before may not be taken over in its first seconds.
constexpr std::chrono::seconds kInUsePause{1};
constexpr std::chrono::seconds kLookEvery{1};

wire::Http2Client::Options ClientOptions(const WorkerOptions& options) {
  wire::Http2Client::Options client;
  client.key = options.key;
  client.ca_file = options.ca_file;
  return client;
}

}  // namespace

PushReader::PushReader(const WorkerOptions& options, HeldShards& held, WorkerState& state)
    : options_(options),
      held_(held),
      state_(state),
      consumer_(options),
      random_(static_cast<unsigned>(std::hash<std::string>()(options.owner))),
      client_(std::make_unique<wire::Http2Client>(options.endpoint, ClientOptions(options))),
      thread_([this] { Run(); }) {}

PushReader::~PushReader() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
  client_.reset();  // no subscription is told anything afterwards
}

void PushReader::Begin(const HeldLease& lease) {
  {
    const std::lock_guard lock(mutex_);
    Pushed& shard = shards_[lease.shard];
    Drop(shard);
    shard = Pushed();
    shard.lease = lease;
    shard.retry = Backoff({kTroublePause, kPauseMax});
    shard.subscribe_at = steady_clock::now();
    state_.troubles.Note("reading " + lease.shard, {});
    look_ = true;
  }
  changed_.notify_all();
}

void PushReader::End(const std::string& shard, std::uint64_t counter) {
  const std::lock_guard lock(mutex_);
  const auto found = shards_.find(shard);
  if (found == shards_.end() || found->second.lease.counter != counter) return;
  Drop(found->second);
  state_.troubles.Note("reading " + shard, {});
  shards_.erase(found);
}

void PushReader::HasRoomAgain(const std::string& shard, std::uint64_t counter) {
  std::shared_ptr<ShardSubscription> subscription;
  {
    const std::lock_guard lock(mutex_);
    const auto found = shards_.find(shard);
    if (found == shards_.end() || found->second.lease.counter != counter) return;
    subscription = found->second.subscription;
    look_ = look_ || !subscription;
  }
  if (subscription) return subscription->Resume();
  changed_.notify_all();
}

void PushReader::Drop(Pushed& shard) {
  if (!shard.subscription) return;
  const ShardSubscription::State state = shard.subscription->Stop();
  if (!state.continuation.empty()) shard.continuation = state.continuation;
  if (!state.over) client_->Cancel(shard.request);
  shard.subscription.reset();
}

void PushReader::Run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    look_ = false;
    if (std::exchange(consumer_gone_, false)) consumer_.Forget();
    Result<std::string> arn = std::string();
    if (!shards_.empty()) {
      lock.unlock();
      arn = consumer_.Arn();
      state_.troubles.Note("registered consumer", arn ? Result<void>() : Result<void>(arn.error()));
      lock.lock();
    }
    const TimePoint until = arn ? Look(*arn) : steady_clock::now() + kTroublePause;
    const bool there = arn.has_value();
    changed_.wait_until(lock, until, [&] { return stopping_ || (there && look_); });
  }
}

PushReader::TimePoint PushReader::Look(const std::string& arn) {
  TimePoint next = steady_clock::now() + kLookEvery;
  for (auto& [name, shard] : shards_) {
    LookAfter(shard);
    if (!shard.subscription && shard.subscribe_at <= steady_clock::now()) {
      // HasRoomAgain makes it be looked at.
      if (!held_.HasRoom(name, shard.lease.counter)) continue;
      Subscribe(shard, arn);
    }
    next = std::min(next, shard.subscription ? shard.renew_at : shard.subscribe_at);
  }
  return next;
}

void PushReader::LookAfter(Pushed& shard) {
  if (!shard.subscription) return;
  const TimePoint now = steady_clock::now();
  const ShardSubscription::State state = shard.subscription->state();
  if (state.at_end) {
    Drop(shard);
    shard.subscribe_at = TimePoint::max();  // nothing more comes
    return;
  }
  if (!state.over) {
    if (shard.troubled && !state.continuation.empty()) {
      shard.troubled = false;
      state_.troubles.Note("reading " + shard.lease.shard, {});
    }
    const bool silent = !state.stalled && now - state.heard_at > kSilence;
    if (silent) ++state_.counters.read_retries;
    // A new one would bring a window more of what there is no room for.
    if (state.stalled && now >= shard.renew_at) shard.renew_at = now + kLookEvery;
    if (silent || now >= shard.renew_at) {
      Drop(shard);
      shard.subscribe_at = now;
    }
    return;
  }
  const bool moved = !state.continuation.empty();
  Drop(shard);
  // It had its time, or broke while this side let nothing come.
  if (!state.error || (state.stalled && ServerIsAway(state.error->code))) {
    shard.subscribe_at = now;
    return;
  }
  const ErrorCode code = state.error->code;
  if (code == ErrorCode::kNotFound) consumer_gone_ = look_ = true;
  if (code == ErrorCode::kFailedPrecondition) {
    shard.subscribe_at = now + kInUsePause;
    return;
  }
  ++state_.counters.read_retries;
  state_.troubles.Note("reading " + shard.lease.shard, *state.error);
  // The first time at once: connections break.
  const bool first = !std::exchange(shard.troubled, true) || moved;
  if (first) shard.retry.Reset();
  shard.subscribe_at = first ? now : now + shard.retry.Next();
}

void PushReader::Subscribe(Pushed& shard, const std::string& arn) {
  const bool begun = !shard.continuation.empty();
  const std::string& after = begun ? shard.continuation : shard.lease.place.sequence_number;
  // Of an aggregated record that is done in part, the rest is still to come.
  const bool again = !begun && shard.lease.place.sub_sequence;
  wire::CborWriter body;
  body.BeginObject().Key("ConsumerARN").String(arn).Key("ShardId").String(shard.lease.shard);
  body.Key("StartingPosition").BeginObject().Key("Type");
  body.String(after.empty() ? "TRIM_HORIZON" : again ? "AT_SEQUENCE_NUMBER" : "AFTER_SEQUENCE_NUMBER");
  if (!after.empty()) body.Key("SequenceNumber").String(after);
  body.EndObject().EndObject();
  wire::HttpRequest request{
      "POST",
      "/",
      {{"Content-Type", "application/x-amz-cbor-1.1"}, {"X-Amz-Target", "Kinesis_20131202.SubscribeToShard"}},
      std::move(body).Take()};
  const auto over = [this] {
    {
      const std::lock_guard lock(mutex_);
      look_ = true;
    }
    changed_.notify_all();
  };
  ++state_.counters.subscriptions;
  shard.subscription = std::make_shared<ShardSubscription>(*client_, held_, state_, shard.lease, over);
  shard.request = client_->Send(std::move(request), shard.subscription);
  // Not all at the same moment.
  const double part = 0.8 + 0.2 * std::uniform_real_distribution<double>()(random_);
  shard.renew_at =
      steady_clock::now() + std::chrono::duration_cast<Duration>(options_.subscription_length * part);
}

}  // namespace millrace::consumer
