// Verifies a data directory that nobody uses: what `millrace check` prints.
//
// Checked: the marker; every segment's header, groups, heads and data against their checksums; that the
// listed segments are there; that sequence numbers increase; that the index holds exactly what the log says
// (records, attributes, counts of partition keys and segments). Nothing on the disk is changed, but for the
// pid in LOCK. Encrypted records are checked against their checksums, which needs no key; with the master
// keys also whether each opens with its data key, as the record that it says it is. Memory: one group and one
// MiB of data at a time. Time: everything is read once.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "storage/file_system.h"
#include "storage/master_keys.h"

namespace millrace::storage {

struct CheckReport {
  static constexpr std::size_t kTextsMax = 1000;  // of problems, and of notes; further ones are counted only

  // Why nothing was looked at: it is in use, no data directory or a newer one's, it cannot be read, or the
  // master keys do not open its data keys. That is no damage.
  std::optional<Error> refused;
  std::vector<std::string> problems;  // damage: file, offset, stream, shard, sequence number, in words
  std::vector<std::string>
      notes;  // what the next opening puts in order (a torn tail, an index behind the log)
  std::uint64_t problem_count = 0;
  std::uint64_t segments = 0;
  std::uint64_t records = 0;            // live ones
  std::uint64_t data_bytes = 0;         // of live records
  std::uint64_t encrypted_records = 0;  // of live records
  bool opened = false;                  // whether these were opened, too
  std::uint64_t gone_records = 0;       // expired or deleted, with their heads still in a segment

  bool ok() const { return !refused && problem_count == 0; }
  std::string ToString() const;  // lines for a person
};

CheckReport CheckDataDirectory(const std::string& path, FileSystem& files = PosixFileSystem(),
                               const Clock& clock = SystemClock(),
                               std::shared_ptr<const MasterKeys> master_keys = nullptr);

}  // namespace millrace::storage
