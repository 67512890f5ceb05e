// Mends a data directory that nobody uses: what `millrace check --repair` does.
//
// What is damaged is taken out, what can be made again is made again, and everything else stays as it is:
//
//   index                 made again from the log
//   record, group         taken out of its segment; the records around it stay
//   segment's end, seal   what is whole stays; the segment is sealed where it has to be
//   segment file missing  taken off the list
//   control segment       changes that cannot be read are left out; the rest is written as a new snapshot
//   marker file           made again from the segments' headers
//
// Only segments with damage are written, each into a new file beside the old one, which is kept in
// `damaged/`. Records keep their sequence numbers. Not mended: a control segment without a whole snapshot
// (the streams are lost: restore the metadata from a backup); a newer format.
//
// Encrypted records are mended without a key: they stay as they lie. With the master keys, before and after
// are checked as the checker does with them.
//
// Memory: the heads of one segment and one record. Time: everything is read twice, and the heads once more.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "storage/checker.h"
#include "storage/file_system.h"

namespace millrace::storage {

struct RepairReport {
  CheckReport before;
  std::vector<std::string> mended;  // what was done, in words
  std::vector<std::string> lost;    // what is gone for good
  std::optional<Error> failed;      // why it was given up; what was mended until then stays
  CheckReport after;                // as `before` where nothing had to be done

  bool ok() const { return !failed && after.ok(); }
  std::string ToString() const;  // lines for a person
};

RepairReport RepairDataDirectory(const std::string& path, FileSystem& files = PosixFileSystem(),
                                 const Clock& clock = SystemClock(),
                                 std::shared_ptr<const MasterKeys> master_keys = nullptr);

}  // namespace millrace::storage
