#include "consumers/worker/worker.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <set>
#include <utility>

#include "consumers/worker/aggregate_unpacker.h"
#include "consumers/worker/checkpoint_committer.h"
#include "consumers/worker/held_shards.h"
#include "consumers/worker/lease_keeper.h"
#include "consumers/worker/polling_reader.h"
#include "consumers/worker/push_reader.h"
#include "consumers/worker/shard_ranges.h"
#include "consumers/worker/worker_state.h"

namespace millrace {

using std::chrono::steady_clock;

namespace {
constexpr std::chrono::milliseconds kDeferredPause{50};

std::unique_ptr<consumer::ShardReader> MakeReader(const WorkerOptions& options, consumer::HeldShards& held,
                                                  consumer::WorkerState& state) {
  if (options.read_by == ReadBy::kPush) return std::make_unique<consumer::PushReader>(options, held, state);
  return std::make_unique<consumer::PollingReader>(options, held, state);
}

}  // namespace

class Worker::Impl {
 public:
  explicit Impl(WorkerOptions options)
      : options_(std::move(options)),
        held_(options_.read_ahead_records, options_.read_ahead_bytes),
        committer_(options_, state_, [this](Duration pause) { return Pause(pause); }),
        ranges_(options_),
        reader_(MakeReader(options_, held_, state_)) {
    held_.SetReader(reader_.get());
    keeper_.emplace(options_, held_, state_);
  }
  ~Impl() { Close(); }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  std::vector<WorkerRecord> Next(Duration wait, std::size_t records_max);
  void Done(const WorkerRecord& record) { committer_.Done(record); }
  Result<void> Commit(const WorkerRecord& record, const std::vector<WorkerResult>& results);
  // Gives the shards whose commit failed, and why.
  std::map<std::string, Error> Flush(bool all);
  void GiveUp(const std::string& shard);
  void GiveUp(const WorkerRecord& record) {
    const auto found = shards_.find(record.shard);
    if (found != shards_.end() && found->second.lease.counter == record.lease) GiveUp(record.shard);
  }
  Result<std::uint64_t> Attempt(const WorkerRecord& record, const std::string& what);
  void Close();
  void Stop();

  const WorkerOptions& options() const { return options_; }
  std::string trouble() const { return state_.troubles.Any(); }
  std::size_t shards() const { return held_.Leases().size(); }
  WorkerMetrics metrics() const;

 private:
  using TimePoint = steady_clock::time_point;
  // A shard that this worker holds, as the using thread knows it.
  struct Shard {
    consumer::HeldLease lease;
    bool suspect = false;  // the next record that is given is
    consumer::AggregateUnpacker unpacker;
    consumer::HashKeyRange range;  // empty: not known yet
    bool at_end = false;           // all of it was given
    TimePoint again_at;            // not before; after trouble
  };

  bool Pause(Duration pause);
  void Tell(ShardEvent::Kind kind, const std::string& shard, const ShardPlace& place = {});
  // Takes notice of leases that came and went.
  void FollowLeases();
  void Lose(const std::string& shard);
  // Records of the next shard that has some; none: no shard has.
  std::vector<WorkerRecord> Gather(std::size_t records_max);
  std::vector<WorkerRecord> GatherFrom(const std::string& name, Shard& shard, std::size_t records_max);
  // The next record of the shard, taken apart; none: nothing is there now, or there is trouble.
  std::optional<WorkerRecord> TakeOne(const std::string& name, Shard& shard);
  void EndShards();

  const WorkerOptions options_;
  consumer::WorkerState state_;
  consumer::HeldShards held_;
  consumer::CheckpointCommitter committer_;
  consumer::ShardRanges ranges_;

  // Of the using thread.
  std::map<std::string, Shard> shards_;
  std::set<std::string> ending_;  // are at their end
  std::string last_shard_;        // where the last records came from
  std::uint64_t generation_ = 0;
  bool deferred_ = false;  // a shard has records, and they cannot be given yet
  bool closed_ = false;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::atomic<bool> stopping_{false};  // set under mutex_

  std::unique_ptr<consumer::ShardReader> reader_;
  std::optional<consumer::LeaseKeeper> keeper_;
};

// ---- stopping

bool Worker::Impl::Pause(Duration pause) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, pause, [this] { return stopping_.load(); });
}

void Worker::Impl::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  held_.Wake();
}

void Worker::Impl::Close() {
  if (std::exchange(closed_, true)) return;
  Stop();
  keeper_.reset();
  held_.SetReader(nullptr);
  reader_.reset();
  FollowLeases();
  const auto failed = Flush(true);
  consumer::ApplicationClient client(options_, consumer::CommitHttpOptions(options_));
  bool away = false;  // then they run out
  for (const consumer::HeldLease& lease : held_.Leases()) {
    bool released = false;
    if (!away) {
      const auto outcome = client.Release(lease);
      away = !outcome && consumer::ServerIsAway(outcome.error().code);
      released = outcome.has_value();
    }
    held_.Remove(lease.shard, lease.counter);
    const bool whole = released && !failed.contains(lease.shard);
    Tell(whole ? ShardEvent::Kind::kReleased : ShardEvent::Kind::kLost, lease.shard);
  }
  shards_.clear();
}

// ---- leases

void Worker::Impl::Tell(ShardEvent::Kind kind, const std::string& shard, const ShardPlace& place) {
  if (options_.shard_event) options_.shard_event({kind, shard, place});
}

void Worker::Impl::FollowLeases() {
  const std::uint64_t generation = held_.generation();
  if (generation == generation_) return;
  generation_ = generation;
  std::map<std::string, consumer::HeldLease> leases;
  for (consumer::HeldLease& lease : held_.Leases()) leases[lease.shard] = std::move(lease);
  std::vector<std::string> gone;
  for (const auto& [name, shard] : shards_) {
    const auto lease = leases.find(name);
    if (lease == leases.end() || lease->second.counter != shard.lease.counter) gone.push_back(name);
  }
  for (const std::string& name : gone) Lose(name);
  for (const auto& [name, lease] : leases) {
    if (shards_.contains(name)) continue;
    Shard& shard = shards_[name];
    shard.lease = lease;
    shard.suspect = lease.suspect;
    committer_.Begin(lease);
    Tell(ShardEvent::Kind::kTaken, name, lease.place);
  }
}

void Worker::Impl::Lose(const std::string& shard) {
  shards_.erase(shard);
  ending_.erase(shard);
  committer_.Forget(shard);
  ranges_.Forget(shard);
  Tell(ShardEvent::Kind::kLost, shard);
}

void Worker::Impl::GiveUp(const std::string& shard) {
  const auto found = shards_.find(shard);
  if (found == shards_.end()) return;
  if (held_.Remove(shard, found->second.lease.counter)) ++state_.counters.leases_lost;
  Lose(shard);
}

void Worker::Impl::EndShards() {
  for (const std::string& name : std::set<std::string>(ending_)) {
    Shard& shard = shards_.at(name);
    if (!committer_.AllDone(name) || steady_clock::now() < shard.again_at) continue;
    auto ended = committer_.End(name);
    if (!ended && ended.error().code == ErrorCode::kFailedPrecondition) {
      GiveUp(name);
    } else if (!ended) {
      shard.again_at = steady_clock::now() + consumer::kTroublePause;
    } else {
      held_.Remove(name, shard.lease.counter);
      shards_.erase(name);
      ending_.erase(name);
      committer_.Forget(name);
      ++state_.counters.shards_ended;
      if (keeper_) keeper_->BalanceNow();
      Tell(ShardEvent::Kind::kEnded, name);
    }
  }
}

// ---- reading

std::vector<WorkerRecord> Worker::Impl::Next(Duration wait, std::size_t records_max) {
  const TimePoint until = steady_clock::now() + wait;
  while (!stopping_) {
    FollowLeases();
    (void)Flush(false);
    EndShards();
    auto records = Gather(records_max);
    if (!records.empty()) return records;
    const TimePoint now = steady_clock::now();
    if (now >= until) break;
    if (std::exchange(deferred_, false)) {  // what is there may not be taken yet
      (void)Pause(std::min<Duration>(until - now, kDeferredPause));
      continue;
    }
    // Noted checkpoints and ends wait for this thread alone.
    const Duration tick = ending_.empty() ? options_.checkpoint_interval / 2 + std::chrono::milliseconds(10)
                                          : Duration(consumer::kTroublePause);
    held_.Wait(std::min(until, now + tick), generation_);
  }
  return {};
}

std::vector<WorkerRecord> Worker::Impl::Gather(std::size_t records_max) {
  // A circle of the shards at most: then leases and checkpoints are looked after again.
  for (std::size_t i = 0; i <= shards_.size() && !stopping_; ++i) {
    const std::string name = held_.NextReady(last_shard_);
    const auto shard = shards_.find(name);
    if (shard == shards_.end()) break;  // none is ready, or it came this moment
    last_shard_ = name;
    if (steady_clock::now() < shard->second.again_at) {
      deferred_ = true;
      continue;
    }
    auto records = GatherFrom(name, shard->second, records_max);
    if (!records.empty()) return records;
  }
  return {};
}

std::vector<WorkerRecord> Worker::Impl::GatherFrom(const std::string& name, Shard& shard,
                                                   std::size_t records_max) {
  std::vector<WorkerRecord> records;
  const bool was_unpacking = shard.unpacker.active();
  while (records.size() < records_max) {
    auto record = TakeOne(name, shard);
    if (!record) break;
    state_.counters.bytes += record->data.size();
    if (options_.wanted && !options_.wanted(*record)) {
      ++state_.counters.records_passed;
      committer_.Passed(name, record->place());
      continue;
    }
    ++state_.counters.records;
    committer_.Given(name, record->place());
    record->suspect = std::exchange(shard.suspect, false);
    record->lease = shard.lease.counter;
    records.push_back(std::move(*record));
  }
  const bool unpacking = shard.unpacker.active();
  if (unpacking != was_unpacking) held_.SetUnpacking(name, shard.lease.counter, unpacking);
  if (!unpacking && shard.at_end) ending_.insert(name);
  return records;
}

std::optional<WorkerRecord> Worker::Impl::TakeOne(const std::string& name, Shard& shard) {
  for (;;) {
    if (shard.unpacker.active()) {
      if (shard.range.first.empty()) {
        auto range = ranges_.Find(name);
        state_.troubles.Note("shard's range", range ? Result<void>() : Result<void>(range.error()));
        if (!range) {
          shard.again_at = steady_clock::now() + consumer::kTroublePause;
          return std::nullopt;
        }
        shard.range = std::move(*range);
      }
      if (auto record = shard.unpacker.Next(shard.range)) return record;
      committer_.Passed(name, shard.unpacker.passed());
      continue;
    }
    auto taken = held_.Take(name, shard.lease.counter);
    shard.at_end = shard.at_end || taken.end;
    if (!taken.record) return std::nullopt;
    if (!options_.deaggregate || !shard.unpacker.Begin(*taken.record, shard.lease.place)) {
      return std::move(taken.record);
    }
  }
}

// ---- committing

std::map<std::string, Error> Worker::Impl::Flush(bool all) {
  auto flushed = committer_.Flush(all);
  for (const std::string& shard : flushed.lost) GiveUp(shard);
  return std::move(flushed.failed);
}

Result<void> Worker::Impl::Commit(const WorkerRecord& record, const std::vector<WorkerResult>& results) {
  auto committed = committer_.Commit(record, results);
  if (!committed && committed.error().code == ErrorCode::kFailedPrecondition) GiveUp(record);
  return committed;
}

Result<std::uint64_t> Worker::Impl::Attempt(const WorkerRecord& record, const std::string& what) {
  // A later checkpoint would forget the attempt.
  const auto failed = Flush(true);
  if (const auto found = failed.find(record.shard); found != failed.end()) return found->second;
  return committer_.Attempt(record, what);
}

WorkerMetrics Worker::Impl::metrics() const {
  const consumer::WorkerCounters& counters = state_.counters;
  WorkerMetrics metrics;
  metrics.records = counters.records;
  metrics.records_passed = counters.records_passed;
  metrics.bytes = counters.bytes;
  metrics.requests = counters.requests;
  metrics.subscriptions = counters.subscriptions;
  metrics.events = counters.events;
  metrics.read_retries = counters.read_retries;
  metrics.commits = counters.commits;
  metrics.commit_retries = counters.commit_retries;
  metrics.results = counters.results;
  metrics.leases_taken = counters.leases_taken;
  metrics.leases_stolen = counters.leases_stolen;
  metrics.leases_lost = counters.leases_lost;
  metrics.shards_ended = counters.shards_ended;
  metrics.leases = shards();
  metrics.read_ahead_bytes = held_.read_ahead_bytes();
  metrics.behind = held_.Behind();
  return metrics;
}

// ---- the worker

Worker::Worker(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Worker::~Worker() = default;

Result<std::unique_ptr<Worker>> Worker::Start(WorkerOptions options) {
  MILLRACE_ASSIGN_OR_RETURN(WorkerOptions checked, CheckWorkerOptions(std::move(options)));
  return std::unique_ptr<Worker>(new Worker(std::make_unique<Impl>(std::move(checked))));
}

std::optional<WorkerRecord> Worker::Next(Duration wait) {
  auto records = impl_->Next(wait, 1);
  return records.empty() ? std::nullopt : std::optional(std::move(records.front()));
}
std::vector<WorkerRecord> Worker::NextBatch(Duration wait, std::size_t records_max) {
  return impl_->Next(wait, std::max<std::size_t>(records_max, 1));
}
void Worker::Done(const WorkerRecord& record) { impl_->Done(record); }
Result<void> Worker::Commit(const WorkerRecord& record, const std::vector<WorkerResult>& results) {
  return impl_->Commit(record, results);
}
void Worker::Flush() { (void)impl_->Flush(true); }
void Worker::GiveUp(const WorkerRecord& record) { impl_->GiveUp(record); }
Result<std::uint64_t> Worker::Attempt(const WorkerRecord& record, const std::string& what) {
  return impl_->Attempt(record, what);
}
void Worker::Close() { impl_->Close(); }
void Worker::Stop() { impl_->Stop(); }
std::string Worker::trouble() const { return impl_->trouble(); }
std::size_t Worker::shards() const { return impl_->shards(); }
WorkerMetrics Worker::metrics() const { return impl_->metrics(); }
std::string Worker::PrometheusText() const {
  const WorkerOptions& options = impl_->options();
  return millrace::PrometheusText(metrics(), options.application, options.stream, options.owner);
}
const std::string& Worker::owner() const { return impl_->options().owner; }

}  // namespace millrace
