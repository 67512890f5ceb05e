// A backup of a log's metadata: streams, shards, retention rules, and what the other rooms keep in it
// (cameras, video streams, checkpoints, leases, coverage). Not what is under kNotBackedUp, not the records,
// and not the data keys that open encrypted ones: a stream that is encrypted is so again in what is made of
// the backup, with a new key. No master key is needed for making or restoring one; the log that is restored
// asks for one when it is opened.
//
//   backup = magic "MRbackup", format version (4), store id (8), created, ns since 1970 (8),
//            newest counter (8), length of the rows (8), CRC32C of the rows (4), CRC32C of the above (4),
//            rows (a change, as in the control segment)
//
// Integers are big-endian. Made from one moment of a running log, so that everything in it belongs together.
// Threads: pure functions, any thread; Restore by one at a time for a directory.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"
#include "storage/control_state.h"
#include "storage/file_system.h"
#include "storage/log_format.h"

namespace millrace::storage {

// Metadata under this prefix stays in its data directory: secrets that are made again where they are missing.
inline constexpr std::string_view kNotBackedUp = "local/";

struct BackupSummary {
  StoreId store = 0;  // whose it is
  Timestamp created;
  std::uint64_t last_counter = 0;  // no record had a higher one
  std::size_t streams = 0;
  std::size_t metadata = 0;  // entries
};

// REQUIRES: `state` does not change meanwhile.
Bytes EncodeBackup(const ControlState& state, StoreId store, Timestamp created, std::uint64_t last_counter);

// What is in it. Errors: kCorruption (damaged, or no backup), kUnsupported (a newer format).
Result<BackupSummary> ReadBackup(ByteSpan backup);

// Makes a new data directory with the metadata of the backup and no records. Sequence numbers go on behind
// those that there were. Errors: those of ReadBackup, kAlreadyExists (there is a data directory already),
// kFailedPrecondition (the directory holds something else), kIo, kNoSpace; then a directory that was made
// here has no control segment and is made anew by the next try.
Result<BackupSummary> RestoreBackup(ByteSpan backup, const std::string& path,
                                    FileSystem& files = PosixFileSystem(),
                                    const Clock& clock = SystemClock());

}  // namespace millrace::storage
