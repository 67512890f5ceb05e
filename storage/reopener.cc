#include "storage/reopener.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/log.h"

namespace millrace::storage {
namespace {

constexpr Duration kReopenDelayMax = std::chrono::seconds(30);
constexpr std::size_t kProbeBytes = 4096;

}  // namespace

Result<std::unique_ptr<Reopener>> Reopener::Open(EmbeddedLogOptions options,
                                                 std::shared_ptr<ReadWaiters> waiters) {
  std::unique_ptr<Reopener> reopener(new Reopener(std::move(options), std::move(waiters)));
  MILLRACE_RETURN_IF_ERROR(reopener->OpenParts());
  if (reopener->options_.reopen_after) reopener->thread_ = std::thread([r = reopener.get()] { r->Run(); });
  return reopener;
}

Reopener::Reopener(EmbeddedLogOptions options, std::shared_ptr<ReadWaiters> waiters)
    : options_(std::move(options)), waiters_(std::move(waiters)), retention_clock_(*options_.clock) {}

Reopener::~Reopener() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
  Close();
}

Result<std::shared_ptr<LogParts>> Reopener::Use() {
  const std::lock_guard lock(mutex_);
  if (parts_) return parts_;
  return Error{ErrorCode::kUnavailable, closed_status_.message};
}

StorageStatus Reopener::Status() {
  std::shared_ptr<LogParts> parts;
  {
    const std::lock_guard lock(mutex_);
    if (!parts_) return closed_status_;
    parts = parts_;
  }
  return parts->engine.monitor.Status(parts->writer->queued_bytes());
}

Result<void> Reopener::OpenParts() {
  auto on_failure = [this] {
    const std::lock_guard lock(mutex_);
    failed_ = true;
    changed_.notify_all();
  };
  MILLRACE_ASSIGN_OR_RETURN(auto opened, LogParts::Open(options_, retention_clock_, waiters_, on_failure));
  auto retire = [this](LogParts* parts) {
    const std::lock_guard lock(mutex_);
    retired_ = parts;
    changed_.notify_all();
  };
  std::shared_ptr<LogParts> parts(opened.release(), retire);
  const std::lock_guard lock(mutex_);
  parts_ = std::move(parts);
  return {};
}

void Reopener::Close() {
  std::shared_ptr<LogParts> parts;
  std::unique_ptr<LogParts> retired;
  {
    const std::lock_guard lock(mutex_);
    parts = std::move(parts_);
    parts_ = nullptr;
  }
  if (!parts) return;
  parts.reset();  // whoever still uses it lets go of it last
  {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return retired_ != nullptr; });
    retired.reset(std::exchange(retired_, nullptr));
  }
  // Here, and not on the thread of whoever used it last: that may be the log's own.
}

void Reopener::Run() {
  std::unique_lock lock(mutex_);
  Duration delay = *options_.reopen_after;
  while (true) {
    changed_.wait(lock, [this] { return stopping_ || failed_; });
    if (changed_.wait_for(lock, delay, [this] { return stopping_; })) return;
    lock.unlock();
    Reopen();
    lock.lock();
    delay = failed_ ? std::min(delay * 2, kReopenDelayMax) : *options_.reopen_after;
  }
}

void Reopener::Reopen() {
  if (auto takes = TryDisk(); !takes) {
    Log(LogLevel::kWarning, "the disk does not take writes yet", {{"error", takes.error().ToString()}});
    return;
  }
  StorageStatus status = Status();
  status.state = StorageState::kFailing;
  {
    const std::lock_guard lock(mutex_);
    failed_ = false;  // what the log says from here on is of the one that is opened now
    closed_status_ = status;
  }
  Close();
  auto opened = OpenParts();
  if (opened) {
    Log(LogLevel::kInfo, "the log was opened again and takes writes");
    waiters_->FireAll();
    return;
  }
  Log(LogLevel::kError, "the log could not be opened again; it is tried again",
      {{"error", opened.error().ToString()}});
  const std::lock_guard lock(mutex_);
  failed_ = true;
  closed_status_.message = "the log could not be opened again: " + opened.error().message;
  closed_status_.last_error = opened.error().message;
  closed_status_.last_error_at = options_.clock->Now();
}

Result<void> Reopener::TryDisk() {
  FileSystem& files = *options_.files;
  const std::string path = options_.path + "/probe";
  if (auto left = files.Remove(path); !left && left.error().code != ErrorCode::kNotFound) return left;
  {
    MILLRACE_ASSIGN_OR_RETURN(auto file, files.Open(path, OpenMode::kCreate));
    const Bytes bytes(kProbeBytes);
    ByteSpan part(bytes);
    MILLRACE_RETURN_IF_ERROR(file->WriteAt(0, std::span(&part, 1)));
    MILLRACE_RETURN_IF_ERROR(file->Sync());
  }
  MILLRACE_RETURN_IF_ERROR(files.Remove(path));
  return files.SyncDirectory(options_.path);
}

}  // namespace millrace::storage
