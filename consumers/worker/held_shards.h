// The shards that a worker holds, and what was read ahead of each: where its threads meet. Leases are added
// and taken away by the keeper, records are put by the readers and taken by the thread that uses the worker.
//
// All that is of one lease names its counter with its shard, both ways: what a reader brings for a lease that
// was lost, or lost and taken again, goes nowhere, and so does what a reader is told of it.
//
// Bounds:  see WorkerOptions::read_ahead_records and read_ahead_bytes; readers ask HasRoom before they read.
// Threads: any.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "consumers/worker/application_client.h"
#include "consumers/worker/worker_record.h"

namespace millrace::consumer {

// Records that one read of a shard gave.
struct FetchedBatch {
  std::vector<WorkerRecord> records;  // in order, as they are stored
  Duration behind{0};                 // how far the read was from the shard's tip
  bool end = false;                   // the shard is closed, and nothing is behind these
};

// Who reads the shards of leases into HeldShards. Any thread tells it, without a lock: what it is told of a
// shard's lease may come after the shard was begun under another counter, and is to be ignored then.
class ShardReader {
 public:
  virtual ~ShardReader() = default;
  // In place of what is read of the shard, if anything is.
  virtual void Begin(const HeldLease& lease) = 0;
  virtual void End(const std::string& shard, std::uint64_t counter) = 0;
  // There is room again, where there was none.
  virtual void HasRoomAgain(const std::string& shard, std::uint64_t counter) = 0;
};

class HeldShards {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  HeldShards(std::size_t records_max, std::size_t bytes_max)
      : records_max_(records_max), bytes_max_(bytes_max) {}

  // Before anything is added; outlives this, or is set to null first.
  void SetReader(ShardReader* reader);

  // ---- the keeper
  // `valid_until`: the lease has surely not run out before.
  void Add(const HeldLease& lease, TimePoint valid_until);
  // False: it is not held under this counter.
  bool Remove(const std::string& shard, std::uint64_t counter);
  // All leases that are held were renewed.
  void Renewed(TimePoint valid_until);
  std::vector<HeldLease> Leases() const;

  // ---- readers
  // False too where it is not held any more. After a false one HasRoomAgain tells when there is.
  bool HasRoom(const std::string& shard, std::uint64_t counter);
  // False: it is not held any more.
  bool Put(const std::string& shard, std::uint64_t counter, FetchedBatch batch);

  // ---- the using thread
  // Changes with every lease that comes or goes.
  std::uint64_t generation() const;
  // The first shard behind `last` in their circle that has something to be given; empty: none has. Nothing is
  // given where the leases may have run out.
  std::string NextReady(const std::string& last) const;
  struct Taken {
    std::optional<WorkerRecord> record;  // none: none is there now
    bool end = false;                    // nothing comes behind it; told once
  };
  Taken Take(const std::string& shard, std::uint64_t counter);
  // Whether parts of the record taken last are still to be given: the shard is ready while they are.
  void SetUnpacking(const std::string& shard, std::uint64_t counter, bool unpacking);
  // Until something can be taken, a lease comes or goes, Wake is called, or `until`.
  void Wait(TimePoint until, std::uint64_t generation);
  void Wake();

  // ---- metrics
  std::size_t read_ahead_bytes() const;
  std::map<std::string, Duration> Behind() const;

 private:
  struct Fetched {
    WorkerRecord record;
    Duration behind;
    TimePoint at;
  };
  struct Inbox {
    HeldLease lease;
    std::deque<Fetched> records;
    std::size_t bytes = 0;
    bool end = false;
    bool unpacking = false;
    bool full = false;  // its reader waits for room
    bool read = false;  // once, at least
    Duration behind{0};
  };
  // REQUIRES of all: mutex_ is held.
  Inbox* Find(const std::string& shard, std::uint64_t counter);
  // After what makes a shard ready, or no longer so.
  void NoteReady(const Inbox& inbox);
  bool Ready() const;
  bool Roomy(const Inbox& inbox) const;

  const std::size_t records_max_;
  const std::size_t bytes_max_;
  ShardReader* reader_ = nullptr;  // set before the threads start

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, Inbox> held_;  // GUARDED_BY(mutex_)
  std::set<std::string> ready_;        // GUARDED_BY(mutex_): have something to be given, or an end
  std::size_t bytes_ = 0;              // GUARDED_BY(mutex_)
  std::uint64_t generation_ = 0;       // GUARDED_BY(mutex_)
  TimePoint valid_until_;              // GUARDED_BY(mutex_)
  bool woken_ = false;                 // GUARDED_BY(mutex_)
};

}  // namespace millrace::consumer
