// Knows how the disk is: what the store takes of it, what it may take, how fast that grows, and what went
// wrong last. What the sweeper evicts by, and what Status() shows.
//
// Threads: Measure by the sweeper alone; everything else from any thread, never waiting for the disk.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>

#include "base/result.h"
#include "base/time.h"
#include "storage/ballast.h"
#include "storage/data_directory.h"
#include "storage/disk_budget.h"
#include "storage/record_log.h"
#include "storage/segment_store.h"
#include "storage/storage_status.h"

namespace millrace::storage {

// A disk that has not answered for so long is stalled.
inline constexpr std::chrono::seconds kStalledAfter{5};

class DiskMonitor {
 public:
  struct Options {
    DiskBudget budget;
    std::uint64_t reserve_bytes = 0;  // with the ballast
    std::uint64_t segment_bytes = 0;
    const Clock* clock = nullptr;  // outlives the monitor, as everything that it is given
  };
  DiskMonitor(FileSystem& files, const DataDirectory& directory, SegmentStore& segments, Ballast& ballast,
              Options options);

  // What Measure cannot see itself.
  struct Facts {
    Duration longest_retention{0};      // of all streams and partition keys
    std::uint64_t evicted_through = 0;  // counter
    RemovedRecords held{};              // what holds keep
  };
  // Errors: those of looking at the disk; then the last measurement stays.
  Result<void> Measure(const Facts& facts);

  // How much has to go, as last measured; more than strictly needed, so that it is not called for at once
  // again. 0: the budget holds, or there is none.
  std::uint64_t ExcessBytes() const;
  // What has been given back since then.
  void NoteFreed(std::uint64_t bytes);
  // A segment that is this large takes no further group.
  std::uint64_t segment_bytes() const { return segment_bytes_.load(); }
  // Errors: kNoSpace: a put of so many bytes has to wait for space.
  Result<void> CheckSpace(std::uint64_t bytes);

  // -- told by the writer and the sweeper
  void NoteWorking();  // a disk operation begins; Done ends it
  void NoteDone();
  void NoteWritten(std::uint64_t bytes) { written_ += bytes; }
  void NoteError(const Error& error);
  void NoteFailure(const Error& failure);         // the log takes no more writes
  void SetEvictedThrough(std::uint64_t through);  // what earlier processes evicted; 0: nothing
  void NoteEvicted(std::uint64_t through, std::uint64_t records, std::uint64_t bytes);
  void NoteNothingToEvict(bool nothing) { nothing_to_evict_ = nothing; }

  StorageStatus Status(std::uint64_t queued_bytes) const;

 private:
  Result<std::uint64_t> MeasureSegments();
  Result<std::uint64_t> MeasureDirectory(const std::string& path);
  void UpdateRate(std::uint64_t segment_bytes);  // REQUIRES: mutex_ is held
  // REQUIRES: mutex_ is held. Holds leave next to nothing of the budget.
  bool HoldsLeaveNoRoom() const;
  StorageState StateLocked(std::chrono::steady_clock::time_point now) const;
  std::string MessageLocked(StorageState state) const;

  FileSystem& files_;
  const DataDirectory& directory_;
  SegmentStore& segments_;
  Ballast& ballast_;
  const Options options_;

  std::atomic<std::uint64_t> written_{0};
  std::atomic<std::uint64_t> segment_bytes_;
  std::atomic<std::int64_t> working_since_ns_{0};  // steady; 0: not working
  std::atomic<bool> nothing_to_evict_{false};

  mutable std::mutex mutex_;  // guards what follows; held for memory operations only
  StorageStatus measured_;
  Facts facts_;
  std::optional<std::uint64_t> allowed_;
  std::uint64_t other_bytes_ = 0;  // index, control segment
  std::optional<std::chrono::steady_clock::time_point> other_measured_;
  std::optional<std::chrono::steady_clock::time_point> rated_;
  std::uint64_t rated_written_ = 0;
  double rate_sum_ = 0;
  double rate_weight_ = 0;
  std::optional<Error> failure_;
  std::optional<Error> error_;
  std::optional<std::chrono::steady_clock::time_point> no_space_;  // when a put was last refused
  bool read_only_ = false;
};

}  // namespace millrace::storage
