// Which control segment counts: the one decision that opening the log and checking it have to agree in.
//
// The newest control segment with a whole snapshot counts. A newer one without was never finished, and its
// forerunner is still there; an older one was replaced, and not removed in time. Nothing on the disk is
// changed here: the caller does that, or says it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "storage/control_state.h"
#include "storage/data_directory.h"
#include "storage/file_system.h"
#include "storage/index.h"
#include "storage/recovery.h"

namespace millrace::storage {

struct FoundControl {
  struct LeftOver {
    SegmentId segment = 0;
    std::string path;
    std::string why;  // of unfinished ones: what is wrong with its beginning
  };

  std::unique_ptr<File> file;  // null: there is none, the directory is new
  SegmentId segment = 0;
  std::string path;
  TailScan scan;
  std::vector<LeftOver> unfinished;  // newest first
  std::vector<LeftOver> replaced;    // newest first
};

// Applies the rows of the segment that counts to `state`. Errors: kCorruption (acknowledged changes are
// damaged), kUnsupported (a newer format), those of reading.
Result<FoundControl> FindControl(FileSystem& files, const DataDirectory& directory,
                                 const std::vector<SegmentFile>& segments, OpenMode mode,
                                 ControlState& state);

// The index remembers how far a control segment was durable: what is shorter has lost acknowledged changes.
// Errors: kCorruption.
Result<void> CheckControlMarkers(const FoundControl& control, Index& index);

// A data segment that is not in the list but newer than it, and holds records, proves that the list has lost
// its end. Errors: kCorruption, those of reading.
Result<void> CheckUnlisted(FileSystem& files, const DataDirectory& directory, const SegmentFile& segment,
                           const ControlState& state);

}  // namespace millrace::storage
