// The data segments: which there are, what is known of them in memory, and their open files.
//
// Threads: any. A file that is handed out stays readable while it is held, also when its segment is removed
// meanwhile.
#pragma once

#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "storage/data_directory.h"
#include "storage/file_system.h"
#include "storage/log_format.h"

namespace millrace::storage {

struct SegmentInfo {
  SegmentId segment = 0;
  std::uint8_t retention_class = 0;
  Timestamp created;
  bool sealed = false;
  Timestamp sweep_due = Timestamp{0};  // nothing in it expires before
  std::uint64_t disk_bytes = 0;        // when the sweeper last looked; 0: it has to look
  std::uint64_t last_counter = 0;      // of sealed ones: no record in it has a higher one
};

class SegmentStore {
 public:
  static constexpr std::size_t kOpenFilesMax = 256;

  SegmentStore(FileSystem& files, const DataDirectory& directory) : files_(files), directory_(directory) {}

  void Add(const SegmentInfo& info);
  void SetSealed(SegmentId segment, std::uint64_t last_counter);
  void SetSweepDue(SegmentId segment, Timestamp due);
  void SetDiskBytes(SegmentId segment, std::uint64_t bytes);
  std::vector<SegmentInfo> List() const;
  bool Has(SegmentId segment) const;
  std::size_t Count() const;
  // Out of the list and off the disk. kNotFound from the disk is success.
  Result<void> Remove(SegmentId segment);

  // For reading, from a cache of kOpenFilesMax files. kNotFound: there is no such segment (any more).
  Result<std::shared_ptr<File>> OpenForRead(SegmentId segment);
  std::string PathOf(SegmentId segment) const { return directory_.SegmentPath(segment, SegmentKind::kData); }

 private:
  struct OpenFile {
    SegmentId segment;
    std::shared_ptr<File> file;
  };

  FileSystem& files_;
  const DataDirectory& directory_;
  mutable std::mutex mutex_;
  std::map<SegmentId, SegmentInfo> segments_;                           // GUARDED_BY(mutex_)
  std::list<OpenFile> open_;                                            // GUARDED_BY(mutex_), last used first
  std::map<SegmentId, std::list<OpenFile>::iterator> open_by_segment_;  // GUARDED_BY(mutex_)
};

// Segments are grouped by how long their records are kept: one class for each doubling from a minute on, so
// that what lies in one segment expires at about the same time.
std::uint8_t RetentionClass(Duration retention);
// What a record of the class is kept at least, as retentions are when it is put.
Duration RetentionMin(std::uint8_t retention_class);
// A segment of the class takes records for this long at most.
Duration SegmentSpanMax(std::uint8_t retention_class);

}  // namespace millrace::storage
