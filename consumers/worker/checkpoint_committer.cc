#include "consumers/worker/checkpoint_committer.h"

#include <utility>

namespace millrace::consumer {
namespace {

using std::chrono::steady_clock;

constexpr int kCommitTries = 5;

Error Lost(const std::string& shard) {
  return {ErrorCode::kFailedPrecondition, "the lease of " + shard + " is another worker's now"};
}

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
  state_.troubles.Note("commit", lost ? Result<void>() : sent);
  if (sent) ++state_.counters.commits;
  return sent;
}

Result<void> CheckpointCommitter::Commit(const WorkerRecord& record,
                                         const std::vector<WorkerResult>& results) {
  Shard* shard = Find(record);
  if (shard == nullptr) return Lost(record.shard);
  const CommitRequest request{record.shard, shard->counter, record.place(), &results};
  for (int i = 1;; ++i) {
    auto sent = Send(request);
    if (sent) {
      state_.counters.results += results.size();
      shard->progress.Done(record.place());
      shard->progress.Committed(record.place());
      NoteDue(record.shard, *shard);
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

Result<std::uint64_t> CheckpointCommitter::Attempt(const WorkerRecord& record, const std::string& what) {
  const Shard* shard = Find(record);
  if (shard == nullptr) return Lost(record.shard);
  return client_.Attempt(record.shard, shard->counter, what);
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
