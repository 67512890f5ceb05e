#include "consumers/worker/lease_keeper.h"

#include <algorithm>
#include <set>
#include <utility>

#include "base/backoff.h"

namespace millrace::consumer {
namespace {

using std::chrono::steady_clock;

constexpr Duration kRetryPauseMax = std::chrono::seconds(2);

}  // namespace

LeaseKeeper::LeaseKeeper(const WorkerOptions& options, HeldShards& held, WorkerState& state)
    : options_(options),
      held_(held),
      state_(state),
      client_(options, LeaseHttpOptions(options)),
      thread_([this] { Run(); }) {}

void LeaseKeeper::BalanceNow() {
  {
    const std::lock_guard lock(mutex_);
    balance_now_ = true;
  }
  changed_.notify_all();
}

void LeaseKeeper::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void LeaseKeeper::Run() {
  // Several tries before the leases run out.
  const Duration pause_max = std::min(kRetryPauseMax, options_.lease_length / 6);
  Backoff retry({std::min<Duration>(kTroublePause, pause_max), pause_max});
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    balance_now_ = false;
    lock.unlock();
    Result<bool> more = false;
    if (auto renewed = Renew()) {
      more = Balance();
    } else {
      more = std::move(renewed).error();
    }
    state_.troubles.Note("leases", more ? Result<void>() : Result<void>(more.error()));
    lock.lock();
    if (more) retry.Reset();
    if (more && *more) continue;
    const Duration pause = more ? options_.lease_length / 3 : retry.Next();
    changed_.wait_for(lock, pause, [this] { return stopping_ || balance_now_; });
  }
}

Result<void> LeaseKeeper::Renew() {
  const std::vector<HeldLease> leases = held_.Leases();
  if (leases.empty()) return {};
  const auto sent_at = steady_clock::now();
  MILLRACE_ASSIGN_OR_RETURN(const auto lost, client_.Renew(leases));
  for (const HeldLease& lease : lost) {
    if (held_.Remove(lease.shard, lease.counter)) ++state_.counters.leases_lost;
  }
  held_.Renewed(sent_at + options_.lease_length);
  return {};
}

Result<bool> LeaseKeeper::Balance() {
  const auto until = steady_clock::now() + options_.lease_length / 3;
  MILLRACE_ASSIGN_OR_RETURN(const auto seen, client_.Begin());
  std::set<std::string> held;
  for (const HeldLease& lease : held_.Leases()) held.insert(lease.shard);
  for (const LeaseWish& wish : ChooseLeases(seen, options_.owner, held)) {
    {
      const std::lock_guard lock(mutex_);
      if (stopping_) return false;
    }
    if (held.size() >= options_.leases_max) break;
    const auto asked_at = steady_clock::now();
    if (asked_at > until) return true;  // each is a write of the server's; those that are held must not wait
    auto taken = client_.Take(wish);
    // Another worker was faster: the next look shows what is left.
    if (!taken && taken.error().code == ErrorCode::kFailedPrecondition) continue;
    if (!taken) return std::move(taken).error();
    if (!*taken) continue;
    ++state_.counters.leases_taken;
    if (wish.steal_counter) ++state_.counters.leases_stolen;
    held.insert(wish.shard);
    held_.Add(**taken, asked_at + options_.lease_length);
  }
  return false;
}

}  // namespace millrace::consumer
