#include "storage/disk_monitor.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace millrace::storage {
namespace {

constexpr std::chrono::seconds kOtherEvery{10};  // how often the index is measured
constexpr std::chrono::seconds kFullFor{5};      // a refused put shows for so long
constexpr double kRateWindow_s = 600;
constexpr double kPriorWeight = 0.2;  // of what the past says of the rate
constexpr std::uint64_t kSlackBytesMax = 256 << 20;
constexpr std::uint64_t kRoomShare = 16;  // of the budget: what recording needs at least

std::chrono::nanoseconds SinceZero(std::chrono::steady_clock::time_point time) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch());
}

}  // namespace

std::string_view ToString(StorageState state) {
  switch (state) {
    case StorageState::kOk:
      return "ok";
    case StorageState::kEvicting:
      return "evicting";
    case StorageState::kHeld:
      return "held";
    case StorageState::kFull:
      return "full";
    case StorageState::kStalled:
      return "stalled";
    case StorageState::kFailing:
      return "failing";
    case StorageState::kReadOnly:
      return "read_only";
  }
  return "failing";
}

DiskMonitor::DiskMonitor(FileSystem& files, const DataDirectory& directory, SegmentStore& segments,
                         Ballast& ballast, Options options)
    : files_(files),
      directory_(directory),
      segments_(segments),
      ballast_(ballast),
      options_(std::move(options)),
      segment_bytes_(options_.segment_bytes) {}

Result<std::uint64_t> DiskMonitor::MeasureSegments() {
  std::uint64_t bytes = 0;
  for (const SegmentInfo& segment : segments_.List()) {
    // What is sealed changes only by holes, and who punches them forgets the number.
    if (!segment.sealed || segment.disk_bytes == 0) {
      auto file = segments_.OpenForRead(segment.segment);
      if (!file && file.error().code == ErrorCode::kNotFound) continue;
      if (!file) return std::move(file).error();
      MILLRACE_ASSIGN_OR_RETURN(auto allocated, (*file)->AllocatedBytes());
      segments_.SetDiskBytes(segment.segment, allocated);
      bytes += allocated;
    } else {
      bytes += segment.disk_bytes;
    }
  }
  return bytes;
}

// Of the files right in it, but for data segments.
Result<std::uint64_t> DiskMonitor::MeasureDirectory(const std::string& path) {
  MILLRACE_ASSIGN_OR_RETURN(auto entries, files_.List(path));
  std::uint64_t bytes = 0;
  for (const DirectoryEntry& entry : entries) {
    if (entry.directory || (path == directory_.LogPath() && entry.name.ends_with(".log"))) continue;
    auto file = files_.Open(path + "/" + entry.name, OpenMode::kRead);
    if (!file) continue;  // RocksDB removes its files when it likes
    MILLRACE_ASSIGN_OR_RETURN(auto allocated, (*file)->AllocatedBytes());
    bytes += allocated;
  }
  return bytes;
}

Result<void> DiskMonitor::Measure(const Facts& facts) {
  const auto now = options_.clock->SteadyNow();
  MILLRACE_ASSIGN_OR_RETURN(auto space, files_.Space(directory_.path));
  MILLRACE_ASSIGN_OR_RETURN(auto segment_bytes, MeasureSegments());
  bool look = false;
  {
    const std::lock_guard lock(mutex_);
    look = !other_measured_ || now - *other_measured_ >= kOtherEvery;
  }
  std::uint64_t other = 0;
  if (look) {
    MILLRACE_ASSIGN_OR_RETURN(auto index, MeasureDirectory(directory_.IndexPath()));
    MILLRACE_ASSIGN_OR_RETURN(auto control, MeasureDirectory(directory_.LogPath()));
    other = index + control;
  }
  std::optional<Timestamp> oldest;
  for (const SegmentInfo& segment : segments_.List()) {
    if (!oldest || segment.created < *oldest) oldest = segment.created;
  }

  const std::lock_guard lock(mutex_);
  if (look) {
    other_bytes_ = other;
    other_measured_ = now;
  }
  facts_ = facts;
  read_only_ = space.read_only;
  measured_.used_bytes = segment_bytes + other_bytes_ + ballast_.held_bytes();
  measured_.free_bytes = space.free_bytes;
  measured_.total_bytes = space.total_bytes;
  if (options_.budget.limited()) {
    allowed_ = AllowedBytes(options_.budget, space, measured_.used_bytes,
                            options_.reserve_bytes + ballast_.missing_bytes());
    segment_bytes_ = SegmentBytesFor(*allowed_, options_.segment_bytes);
  }
  measured_.budget_bytes = allowed_;
  measured_.held_records = facts.held.records;
  measured_.held_bytes = facts.held.data_bytes;
  if (facts.evicted_through != 0) {
    measured_.evicted_before = Timestamp{static_cast<std::int64_t>(facts.evicted_through) + 1};
    if (oldest) oldest = std::max(*oldest, *measured_.evicted_before);
  }
  if (oldest) oldest = std::max(*oldest, options_.clock->Now() - facts.longest_retention);
  measured_.oldest = oldest;
  UpdateRate(segment_bytes);
  return {};
}

void DiskMonitor::UpdateRate(std::uint64_t segment_bytes) {
  const auto now = options_.clock->SteadyNow();
  const std::uint64_t written = written_.load();
  if (!rated_) {
    // Until there is a present, the past: what lies there was written since the oldest of it.
    if (measured_.oldest) {
      const double age_s = std::chrono::duration<double>(options_.clock->Now() - *measured_.oldest).count();
      if (age_s > 60) {
        rate_weight_ = kPriorWeight;
        rate_sum_ = kPriorWeight * static_cast<double>(segment_bytes) / age_s;
      }
    }
  } else if (now > *rated_) {
    const double seconds = std::chrono::duration<double>(now - *rated_).count();
    const double share = 1 - std::exp(-seconds / kRateWindow_s);
    rate_sum_ += share * (static_cast<double>(written - rated_written_) / seconds - rate_sum_);
    rate_weight_ += share * (1 - rate_weight_);
  } else {
    return;
  }
  rated_ = now;
  rated_written_ = written;
  measured_.write_bytes_per_second = rate_weight_ > 0 ? rate_sum_ / rate_weight_ : 0;
}

std::uint64_t DiskMonitor::ExcessBytes() const {
  const std::lock_guard lock(mutex_);
  if (!allowed_ || measured_.used_bytes <= *allowed_) return 0;
  return measured_.used_bytes - *allowed_ + std::min(*allowed_ / 64, kSlackBytesMax);
}

void DiskMonitor::NoteFreed(std::uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  measured_.used_bytes -= std::min(measured_.used_bytes, bytes);
}

Result<void> DiskMonitor::CheckSpace(std::uint64_t bytes) {
  MILLRACE_ASSIGN_OR_RETURN(auto space, files_.Space(directory_.path));
  if (space.free_bytes + ballast_.held_bytes() >= options_.reserve_bytes + bytes) return {};
  const std::lock_guard lock(mutex_);
  no_space_ = options_.clock->SteadyNow();
  return Error{ErrorCode::kNoSpace, "the disk of " + directory_.path + " is full: " +
                                        std::to_string(space.free_bytes) + " bytes are free, and " +
                                        std::to_string(options_.reserve_bytes) + " are kept for deleting"};
}

void DiskMonitor::NoteWorking() {
  working_since_ns_ = std::max<std::int64_t>(SinceZero(options_.clock->SteadyNow()).count(), 1);
}

void DiskMonitor::NoteDone() { working_since_ns_ = 0; }

void DiskMonitor::NoteError(const Error& error) {
  const std::lock_guard lock(mutex_);
  if (error.code == ErrorCode::kNoSpace) no_space_ = options_.clock->SteadyNow();
  measured_.last_error = error.message;
  measured_.last_error_at = options_.clock->Now();
}

void DiskMonitor::NoteFailure(const Error& failure) {
  const std::lock_guard lock(mutex_);
  failure_ = failure;
  measured_.last_error = failure.message;
  measured_.last_error_at = options_.clock->Now();
}

void DiskMonitor::SetEvictedThrough(std::uint64_t through) {
  if (through == 0) return;
  const std::lock_guard lock(mutex_);
  facts_.evicted_through = through;
  measured_.evicted_before = Timestamp{static_cast<std::int64_t>(through) + 1};
}

void DiskMonitor::NoteEvicted(std::uint64_t through, std::uint64_t records, std::uint64_t bytes) {
  SetEvictedThrough(through);
  const std::lock_guard lock(mutex_);
  measured_.evicted_records += records;
  measured_.evicted_bytes += bytes;
  measured_.last_eviction = options_.clock->Now();
}

bool DiskMonitor::HoldsLeaveNoRoom() const {
  if (!allowed_ || facts_.held.data_bytes == 0) return false;
  const std::uint64_t kept = facts_.held.data_bytes + other_bytes_ + ballast_.held_bytes();
  return kept + *allowed_ / kRoomShare >= *allowed_;
}

StorageState DiskMonitor::StateLocked(std::chrono::steady_clock::time_point now) const {
  if (read_only_) return StorageState::kReadOnly;
  if (failure_) return StorageState::kFailing;
  const std::int64_t since = working_since_ns_.load();
  if (since != 0 && SinceZero(now).count() - since > std::chrono::nanoseconds(kStalledAfter).count()) {
    return StorageState::kStalled;
  }
  const bool too_little =
      measured_.total_bytes != 0 && measured_.free_bytes + ballast_.held_bytes() < options_.reserve_bytes;
  if (too_little || (no_space_ && now - *no_space_ < kFullFor)) return StorageState::kFull;
  if (HoldsLeaveNoRoom()) return StorageState::kHeld;
  // In the long run what is used stays a segment or two under the budget.
  if (measured_.last_eviction && allowed_ && measured_.used_bytes + *allowed_ / 8 >= *allowed_) {
    return StorageState::kEvicting;
  }
  return StorageState::kOk;
}

std::string DiskMonitor::MessageLocked(StorageState state) const {
  switch (state) {
    case StorageState::kOk:
      return {};
    case StorageState::kEvicting:
      return "the disk budget is used up: the oldest records go for the newest. For more, give it a larger "
             "disk or budget, or shorten retentions";
    case StorageState::kHeld:
      return "holds keep " + std::to_string(facts_.held.data_bytes) + " of the " + std::to_string(*allowed_) +
             " bytes that may be used, so that next to nothing is left for what is recorded: it goes again "
             "at "
             "once. Release holds that are no longer needed, or give the store a larger disk or budget";
    case StorageState::kFull:
      return "the disk of " + directory_.path + " is full" +
             (nothing_to_evict_.load() ? ", and nothing of ours is left that could go: free space on it, or "
                                         "lower storage.free_min_mib, storage.free_min_percent"
                                       : ": recording goes on by itself when there is space");
    case StorageState::kStalled:
      return "the disk of " + directory_.path +
             " does not answer; what is recorded waits in memory as long as it fits there";
    case StorageState::kFailing:
      return failure_->message;
    case StorageState::kReadOnly:
      return "the disk of " + directory_.path +
             " is read-only (the system remounts it so after errors: see its log); mount it writable again";
  }
  return {};
}

StorageStatus DiskMonitor::Status(std::uint64_t queued_bytes) const {
  const auto steady = options_.clock->SteadyNow();
  const std::lock_guard lock(mutex_);
  StorageStatus status = measured_;
  status.queued_bytes = queued_bytes;
  status.state = StateLocked(steady);
  status.message = MessageLocked(status.state);
  const double rate = status.write_bytes_per_second;
  if (!allowed_ || rate <= 0) return status;
  const std::uint64_t overhead = other_bytes_ + ballast_.held_bytes() + facts_.held.data_bytes;
  const double room = static_cast<double>(*allowed_ - std::min(*allowed_, overhead));
  const double reach_s = room / rate;
  if (reach_s >= std::chrono::duration<double>(facts_.longest_retention).count()) return status;
  status.reach = std::chrono::duration_cast<Duration>(std::chrono::duration<double>(reach_s));
  if (status.used_bytes < *allowed_ && status.state != StorageState::kEvicting) {
    const double left_s = static_cast<double>(*allowed_ - status.used_bytes) / rate;
    status.budget_reached_at =
        options_.clock->Now() + std::chrono::duration_cast<Duration>(std::chrono::duration<double>(left_s));
  }
  return status;
}

}  // namespace millrace::storage
