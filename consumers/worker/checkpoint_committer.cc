#include "consumers/worker/checkpoint_committer.h"

#include <utility>

namespace millrace::consumer {
namespace {

using std::chrono::steady_clock;

constexpr int kCommitTries = 5;

}  // namespace

CheckpointCommitter::CheckpointCommitter(const WorkerOptions& options, WorkerState& state, Pause pause)
    : options_(options), state_(state), pause_(std::move(pause)), client_(options) {}

void CheckpointCommitter::Begin(const HeldLease& lease) {
  shards_[lease.shard] = {lease.counter, ShardProgress(lease.place), {}};
}

void CheckpointCommitter::Given(const std::string& shard, const ShardPlace& place) {
  shards_.at(shard).progress.Given(place);
}

void CheckpointCommitter::Passed(const std::string& shard, const ShardPlace& place) {
  Shard& found = shards_.at(shard);
  found.progress.Passed(place);
  NoteDue(shard, found);
}

void CheckpointCommitter::Done(const std::string& shard, const ShardPlace& place) {
  const auto found = shards_.find(shard);
  if (found == shards_.end()) return;  // lost: another worker reads it again
  found->second.progress.Done(place);
  NoteDue(shard, found->second);
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
  state_.troubles.Note("commit", lost ? Result<void>() : sent);
  if (sent) ++state_.counters.commits;
  return sent;
}

Result<void> CheckpointCommitter::Commit(const std::string& shard, const ShardPlace& place,
                                         const std::vector<WorkerResult>& results) {
  const auto found = shards_.find(shard);
  if (found == shards_.end()) {
    return Error{ErrorCode::kFailedPrecondition, "the lease of " + shard + " is another worker's now"};
  }
  const CommitRequest request{shard, found->second.counter, place, &results};
  for (int i = 1;; ++i) {
    auto sent = Send(request);
    if (sent) {
      state_.counters.results += results.size();
      found->second.progress.Done(place);
      found->second.progress.Committed(place);
      NoteDue(shard, found->second);
      return sent;
    }
    if (!ServerIsAway(sent.error().code) || i == kCommitTries) return sent;
    ++state_.counters.commit_retries;
    if (pause_(kTroublePause * i)) return sent;
  }
}

Result<void> CheckpointCommitter::End(const std::string& shard) {
  return Send({shard, shards_.at(shard).counter, std::nullopt, nullptr});
}

Result<std::uint64_t> CheckpointCommitter::Attempt(const std::string& shard, const std::string& what) {
  const auto found = shards_.find(shard);
  if (found == shards_.end()) {
    return Error{ErrorCode::kFailedPrecondition, "the lease of " + shard + " is another worker's now"};
  }
  return client_.Attempt(shard, found->second.counter, what);
}

std::vector<std::string> CheckpointCommitter::Flush(bool all) {
  std::vector<std::string> lost;
  const auto now = steady_clock::now();
  if (due_.empty() || (!all && now < flush_at_)) return lost;
  flush_at_ = now + options_.checkpoint_interval / 4;
  std::set<std::string> later;
  bool away = false;  // then each of the others would wait for the same server
  for (const std::string& name : std::exchange(due_, {})) {
    const auto found = shards_.find(name);
    if (found == shards_.end()) continue;
    Shard& shard = found->second;
    const auto place = shard.progress.Due();
    if (!place) continue;
    if (away || (!all && now - shard.due_since < options_.checkpoint_interval)) {
      later.insert(name);
      continue;
    }
    auto sent = Send({name, shard.counter, place, nullptr});
    if (sent) {
      shard.progress.Committed(*place);
    } else if (sent.error().code == ErrorCode::kFailedPrecondition) {
      lost.push_back(name);
    } else {
      ++state_.counters.commit_retries;
      away = true;
      later.insert(name);
      flush_at_ = steady_clock::now() + kTroublePause;
    }
  }
  due_.merge(later);
  return lost;
}

}  // namespace millrace::consumer
