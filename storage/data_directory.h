// The data directory as a whole: its marker file, its lock, its layout.
//
//   MILLRACE     marker: format version and store id, as text
//   LOCK         locked while a process uses the directory; holds its pid
//   log/         N.control, N.log: segments (log_format.h)
//   index/       RocksDB (index.h); may be removed while nobody uses the directory: it is made again from
//   log/
#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "storage/file_system.h"
#include "storage/log_format.h"

namespace millrace::storage {

struct DataDirectory {
  std::string path;
  StoreId store = 0;
  std::uint32_t format = kFormatPlain;  // as the marker said when it was opened
  std::unique_ptr<FileLock> lock;       // held as long as this

  std::string LogPath() const { return path + "/log"; }
  std::string IndexPath() const { return path + "/index"; }
  std::string SegmentPath(SegmentId segment, SegmentKind kind) const;

  // Locks the directory; makes it, and what is in it, when it is not there or empty.
  // Errors: kFailedPrecondition (in use, names the pid; has files but is no data directory),
  // kUnsupported (newer format), kCorruption (a damaged marker), kIo, kNoSpace.
  static Result<DataDirectory> Open(FileSystem& files, const std::string& path);
  // The marker file, from `store`; durable.
  Result<void> WriteMarker(FileSystem& files, std::uint32_t as_format) const;
  // Locks it, and changes nothing else. kNotFound when there is no data directory.
  static Result<DataDirectory> OpenForLooking(FileSystem& files, const std::string& path);
};

struct SegmentFile {
  SegmentId segment = 0;
  SegmentKind kind = SegmentKind::kData;
};
// By id. Other files in log/ are named in `strangers` when it is given, and otherwise passed over.
Result<std::vector<SegmentFile>> ListSegments(FileSystem& files, const DataDirectory& directory,
                                              std::vector<std::string>* strangers = nullptr);

}  // namespace millrace::storage
