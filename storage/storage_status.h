// How a log and its disk are: what operators, probes and the console are shown.
//
// Values are those of the last measurement, at most a few seconds old; asking for them never waits for the
// disk.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/time.h"

namespace millrace::storage {

// The worst that applies counts; the later in this list the worse.
enum class StorageState : std::uint8_t {
  kOk,
  kEvicting,  // the budget is used up: the oldest records go for the newest
  kHeld,      // holds keep so much of the budget that next to nothing is left for what is put
  kFull,      // the disk has no space, and nothing is left that may go: puts are refused
  kStalled,   // the disk has not answered for some seconds: puts wait in memory
  kFailing,   // the disk reports errors; the log takes no writes until it has been opened again
  kReadOnly,  // the disk is mounted read-only: nothing can be written or deleted
};
// "ok", "evicting", "held", "full", "stalled", "failing", "read_only"; static storage.
std::string_view ToString(StorageState state);

// Whether what is put now is stored (it may wait a little), and stays for a while.
constexpr bool TakesWrites(StorageState state) { return state <= StorageState::kEvicting; }

struct StorageStatus {
  StorageState state = StorageState::kOk;
  std::string message;  // what is wrong and what helps; empty while the state is ok

  std::uint64_t used_bytes = 0;                // of the disk: records, index, reserve
  std::uint64_t free_bytes = 0;                // of the disk, for us
  std::uint64_t total_bytes = 0;               // of the disk
  std::optional<std::uint64_t> budget_bytes;   // used_bytes may grow to this; none: no budget is set
  std::uint64_t held_records = 0;              // that holds keep, as last counted
  std::uint64_t held_bytes = 0;                // likewise; of their data
  std::uint64_t queued_bytes = 0;              // put, and not durable yet
  double write_bytes_per_second = 0;           // mean of the last ten minutes, about
  std::optional<Timestamp> oldest;             // of what is kept, about; none: nothing is
  std::optional<Timestamp> evicted_before;     // what was put earlier had to go for the budget
  std::uint64_t evicted_records = 0;           // since the log was opened
  std::uint64_t evicted_bytes = 0;             // likewise; of their data
  std::optional<Timestamp> last_eviction;      // likewise
  std::optional<Timestamp> budget_reached_at;  // at the present rate; none: it never is, or has been
  std::optional<Duration> reach;               // how far back records reach then; none: as retention says
  std::string last_error;                      // of the disk, since the log was opened; may be empty
  std::optional<Timestamp> last_error_at;
};

}  // namespace millrace::storage
