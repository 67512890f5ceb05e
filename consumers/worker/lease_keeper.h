// Keeps a worker's leases: renews them every third of their length, and takes those that are its share.
//
// A lease that was lost leaves HeldShards as soon as the server says so. While the server does not answer,
// they stay; once they have run out by this clock, nothing is given of them until they are renewed.
//
// Threads: one of its own; Stop and BalanceNow from any.
#pragma once

#include <condition_variable>
#include <mutex>
#include <thread>

#include "consumers/worker/application_client.h"
#include "consumers/worker/held_shards.h"
#include "consumers/worker/worker_state.h"

namespace millrace::consumer {

class LeaseKeeper {
 public:
  // All outlive this.
  LeaseKeeper(const WorkerOptions& options, HeldShards& held, WorkerState& state);
  ~LeaseKeeper() { Stop(); }
  LeaseKeeper(const LeaseKeeper&) = delete;
  LeaseKeeper& operator=(const LeaseKeeper&) = delete;

  // A shard has ended, so that its children may be free.
  void BalanceNow();
  // No lease comes or goes afterwards.
  void Stop();

 private:
  void Run();
  Result<void> Renew();
  // True: there is more to be taken, and leases have to be renewed before.
  Result<bool> Balance();

  const WorkerOptions& options_;
  HeldShards& held_;
  WorkerState& state_;
  ApplicationClient client_;  // of the thread

  std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false;     // GUARDED_BY(mutex_)
  bool balance_now_ = false;  // GUARDED_BY(mutex_)
  std::thread thread_;
};

}  // namespace millrace::consumer
