#include "consumers/worker/checkpoint_committer.h"

#include <optional>
#include <utility>

namespace millrace::consumer {
namespace {

using std::chrono::steady_clock;

// No try of a commit begins later than this.
constexpr std::chrono::seconds kCommitPatience{6};

Error Lost(const std::string& shard) {
  return {ErrorCode::kFailedPrecondition, "the lease of " + shard + " is another worker's now"};
}

}  // namespace

CheckpointCommitter::CheckpointCommitter(const WorkerOptions& options, WorkerState& state, Pause pause)
    : options_(options),
      state_(state),
      pause_(std::move(pause)),
      client_(options, CommitHttpOptions(options)) {}

void CheckpointCommitter::Begin(const HeldLease& lease) {
  shards_[lease.shard] = {lease.counter, ShardProgress(lease.place), {}};
}

void CheckpointCommitter::Forget(const std::string& shard) {
  shards_.erase(shard);
  state_.troubles.Note("commit of " + shard, {});  // nothing more is tried
}

void CheckpointCommitter::Given(const std::string& shard, const ShardPlace& place) {
  shards_.at(shard).progress.Given(place);
}

void CheckpointCommitter::Passed(const std::string& shard, const ShardPlace& place) {
  Shard& found = shards_.at(shard);
  found.progress.Passed(place);
  NoteDue(shard, found);
}

CheckpointCommitter::Shard* CheckpointCommitter::Find(const WorkerRecord& record) {
  const auto found = shards_.find(record.shard);
  return found != shards_.end() && found->second.counter == record.lease ? &found->second : nullptr;
}

void CheckpointCommitter::Done(const WorkerRecord& record) {
  Shard* shard = Find(record);
  if (shard == nullptr) return;  // lost: it is read again
  shard->progress.Done(record.place());
  NoteDue(record.shard, *shard);
}

bool CheckpointCommitter::AllDone(const std::string& shard) const {
  return shards_.at(shard).progress.AllDone();
}

void CheckpointCommitter::NoteDue(const std::string& name, Shard& shard) {
  if (!shard.progress.Due() || !due_.insert(name).second) return;
  shard.due_since = steady_clock::now();
}

Result<void> CheckpointCommitter::Send(const CommitRequest& request) {
  auto sent = client_.Commit(request);
  const bool lost = !sent && sent.error().code == ErrorCode::kFailedPrecondition;
  state_.troubles.Note("commit of " + request.shard, lost ? Result<void>() : sent);
  if (sent) ++state_.counters.commits;
  return sent;
}

Result<void> CheckpointCommitter::Commit(const WorkerRecord& record,
                                         const std::vector<WorkerResult>& results) {
  Shard* shard = Find(record);
  if (shard == nullptr) return Lost(record.shard);
  const CommitRequest request{record.shard, shard->counter, record.place(), &results};
  const auto until = steady_clock::now() + kCommitPatience;
  for (int i = 1;; ++i) {
    auto sent = Send(request);
    if (sent) {
      state_.counters.results += results.size();
      shard->progress.Done(record.place());
      shard->progress.Committed(record.place());
      NoteDue(record.shard, *shard);
      return sent;
    }
    const Duration pause = kTroublePause * i;
    if (!ServerIsAway(sent.error().code) || steady_clock::now() + pause > until) return sent;
    ++state_.counters.commit_retries;
    if (pause_(pause)) return sent;
  }
}

Result<void> CheckpointCommitter::End(const std::string& shard) {
  return Send({shard, shards_.at(shard).counter, std::nullopt, nullptr});
}

Result<std::uint64_t> CheckpointCommitter::Attempt(const WorkerRecord& record, const std::string& what) {
  const Shard* shard = Find(record);
  if (shard == nullptr) return Lost(record.shard);
  return client_.Attempt(record.shard, shard->counter, what);
}

CheckpointCommitter::Flushed CheckpointCommitter::Flush(bool all) {
  Flushed flushed;
  const auto now = steady_clock::now();
  if (due_.empty() || (!all && now < flush_at_)) return flushed;
  flush_at_ = now + options_.checkpoint_interval / 4;
  std::set<std::string> later;
  std::optional<Error> away;  // then each of the others would wait for the same server
  for (const std::string& name : std::exchange(due_, {})) {
    const auto found = shards_.find(name);
    if (found == shards_.end()) continue;
    Shard& shard = found->second;
    const auto place = shard.progress.Due();
    if (!place) continue;
    if (away || (!all && now - shard.due_since < options_.checkpoint_interval)) {
      later.insert(name);
      if (away) flushed.failed.emplace(name, *away);
      continue;
    }
    auto sent = Send({name, shard.counter, place, nullptr});
    if (sent) {
      shard.progress.Committed(*place);
    } else if (sent.error().code == ErrorCode::kFailedPrecondition) {
      flushed.lost.push_back(name);
    } else {
      ++state_.counters.commit_retries;
      later.insert(name);
      flushed.failed.emplace(name, sent.error());
      if (ServerIsAway(sent.error().code)) {
        away = sent.error();
        flush_at_ = steady_clock::now() + kTroublePause;
      } else {
        shard.due_since = steady_clock::now();  // its own trouble: it alone is tried later
      }
    }
  }
  due_.merge(later);
  return flushed;
}

}  // namespace millrace::consumer
