#include "storage/segment_store.h"

#include <algorithm>
#include <bit>
#include <utility>

namespace millrace::storage {

void SegmentStore::Add(const SegmentInfo& info) {
  std::lock_guard lock(mutex_);
  segments_[info.segment] = info;
}

void SegmentStore::SetSealed(SegmentId segment, std::uint64_t last_counter) {
  std::lock_guard lock(mutex_);
  auto found = segments_.find(segment);
  if (found == segments_.end()) return;
  found->second.sealed = true;
  found->second.last_counter = last_counter;
  found->second.disk_bytes = 0;
}

void SegmentStore::SetSweepDue(SegmentId segment, Timestamp due) {
  std::lock_guard lock(mutex_);
  if (auto found = segments_.find(segment); found != segments_.end()) found->second.sweep_due = due;
}

void SegmentStore::SetDiskBytes(SegmentId segment, std::uint64_t bytes) {
  std::lock_guard lock(mutex_);
  if (auto found = segments_.find(segment); found != segments_.end()) found->second.disk_bytes = bytes;
}

std::vector<SegmentInfo> SegmentStore::List() const {
  std::lock_guard lock(mutex_);
  std::vector<SegmentInfo> list;
  list.reserve(segments_.size());
  for (const auto& [id, info] : segments_) list.push_back(info);
  return list;
}

bool SegmentStore::Has(SegmentId segment) const {
  std::lock_guard lock(mutex_);
  return segments_.contains(segment);
}

std::size_t SegmentStore::Count() const {
  std::lock_guard lock(mutex_);
  return segments_.size();
}

Result<void> SegmentStore::Remove(SegmentId segment) {
  {
    std::lock_guard lock(mutex_);
    segments_.erase(segment);
    if (auto found = open_by_segment_.find(segment); found != open_by_segment_.end()) {
      open_.erase(found->second);
      open_by_segment_.erase(found);
    }
  }
  auto removed = files_.Remove(PathOf(segment));
  if (!removed && removed.error().code != ErrorCode::kNotFound) return removed;
  return {};
}

Result<std::shared_ptr<File>> SegmentStore::OpenForRead(SegmentId segment) {
  std::shared_ptr<File> closed;  // the file that leaves the cache is closed without the lock
  std::lock_guard lock(mutex_);
  if (auto found = open_by_segment_.find(segment); found != open_by_segment_.end()) {
    open_.splice(open_.begin(), open_, found->second);
    return found->second->file;
  }
  if (!segments_.contains(segment)) {
    return Error{ErrorCode::kNotFound, "segment " + std::to_string(segment) + " is not there any more"};
  }
  MILLRACE_ASSIGN_OR_RETURN(std::shared_ptr<File> file, files_.Open(PathOf(segment), OpenMode::kRead));
  open_.push_front({segment, file});
  open_by_segment_[segment] = open_.begin();
  if (open_.size() > kOpenFilesMax) {
    open_by_segment_.erase(open_.back().segment);
    closed = std::move(open_.back().file);
    open_.pop_back();
  }
  return file;
}

std::uint8_t RetentionClass(Duration retention) {
  auto minutes = std::chrono::duration_cast<std::chrono::minutes>(retention).count();
  return static_cast<std::uint8_t>(
      std::bit_width(static_cast<std::uint64_t>(std::max<std::int64_t>(minutes, 1))));
}

Duration RetentionMin(std::uint8_t retention_class) {
  if (retention_class <= 1) return Duration{0};
  return std::chrono::minutes(std::int64_t{1} << (std::min<int>(retention_class, 40) - 1));
}

Duration SegmentSpanMax(std::uint8_t retention_class) {
  // A sixteenth of the class's longest retention, and not under ten seconds.
  auto longest = std::chrono::minutes(std::int64_t{1} << std::min<int>(retention_class, 40));
  return std::max<Duration>(std::chrono::duration_cast<Duration>(longest) / 16, std::chrono::seconds(10));
}

}  // namespace millrace::storage
