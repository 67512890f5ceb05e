#include "api/access/audit_log.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/log.h"
#include "base/metrics.h"
#include "base/text.h"
#include "wire/json_writer.h"

namespace millrace::api {
namespace {

constexpr std::size_t kTextBytesMax = 2048;
constexpr std::size_t kBatchBytesMax = 1024 * 1024;

int OpenToAppend(const std::filesystem::path& file) {
  return ::open(file.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
}

// What a client sent may be no UTF-8, and long.
std::string Plain(const std::string& text) {
  std::string plain = Excerpt(text, kTextBytesMax);
  if (!IsUtf8(plain)) {
    for (char& c : plain) {
      if (static_cast<unsigned char>(c) >= 0x80) c = '?';
    }
  }
  return plain;
}

}  // namespace

std::string ToAuditLine(const AuditEntry& entry) {
  wire::JsonWriter json;
  json.BeginObject().Key("time").String(FormatRfc3339(entry.time));
  const auto text = [&](const char* name, const std::string& value) {
    if (!value.empty()) json.Key(name).String(Plain(value));
  };
  text("user", entry.user);
  text("key", entry.key_id);
  text("action", entry.action);
  text("resource", entry.resource);
  text("peer", entry.peer);
  text("method", entry.method);
  text("path", entry.path);
  json.Key("status").Integer(entry.status);
  text("error", entry.error);
  text("request_id", entry.request_id);
  json.EndObject();
  return std::move(json).Take();
}

Result<std::unique_ptr<AuditLog>> AuditLog::Open(Options options) {
  const int fd = OpenToAppend(options.file);
  struct stat info {};
  if (fd < 0 || ::fstat(fd, &info) != 0) {
    const Error error{ErrorCode::kIo,
                      "cannot write the audit log " + options.file.string() + ": " + std::strerror(errno)};
    if (fd >= 0) ::close(fd);
    return error;
  }
  return std::unique_ptr<AuditLog>(
      new AuditLog(std::move(options), fd, static_cast<std::uint64_t>(info.st_size)));
}

AuditLog::AuditLog(Options options, int fd, std::uint64_t bytes)
    : options_(std::move(options)), fd_(fd), bytes_(bytes), thread_([this] { Run(); }) {}

AuditLog::~AuditLog() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
  if (fd_ >= 0) ::close(fd_);
}

void AuditLog::Add(const AuditEntry& entry) {
  std::string line = ToAuditLine(entry) + "\n";
  {
    std::lock_guard lock(mutex_);
    if (lines_.size() < options_.lines_waiting_max) {
      lines_.push_back(std::move(line));
    } else {
      Drop(1);
    }
  }
  changed_.notify_all();
}

void AuditLog::Flush() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return lines_.empty() && !writing_; });
}

// REQUIRES: the mutex is held.
void AuditLog::Drop(std::uint64_t lines) {
  static prometheus::Counter& counter =
      GetCounter("millrace_audit_dropped_total", "Lines of the audit log that were lost");
  dropped_ += lines;
  counter.Increment(static_cast<double>(lines));
}

void AuditLog::Run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return stopping_ || !lines_.empty(); });
    if (lines_.empty()) return;
    std::string batch;
    std::uint64_t count = 0;
    const std::uint64_t dropped = std::exchange(dropped_, 0);
    if (dropped > 0) {
      batch = "{\"time\":\"" + FormatRfc3339(SystemClock().Now()) +
              "\",\"dropped\":" + std::to_string(dropped) + "}\n";
    }
    // A batch does not reach over a file's end, so that files keep to their size.
    const std::uint64_t room = std::min<std::uint64_t>(
        kBatchBytesMax, options_.bytes_max > bytes_ ? options_.bytes_max - bytes_ : 0);
    while (!lines_.empty() && (count == 0 || batch.size() + lines_.front().size() <= room)) {
      batch += lines_.front();
      lines_.pop_front();
      ++count;
    }
    writing_ = true;
    lock.unlock();
    const bool written = Write(batch);
    lock.lock();
    if (!written) {
      dropped_ += dropped;  // counted before
      Drop(count);
    }
    writing_ = false;
    changed_.notify_all();
  }
}

bool AuditLog::Write(const std::string& text) {
  const auto full = [&] { return bytes_ > 0 && bytes_ + text.size() > options_.bytes_max; };
  int error = 0;
  if (fd_ < 0) OpenFile();
  if (full()) error = Rotate();
  if (fd_ < 0) error = errno;
  std::size_t done = 0;
  while (fd_ >= 0 && !full() && done < text.size()) {
    const ssize_t wrote = ::write(fd_, text.data() + done, text.size() - done);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) {
      error = errno;
      break;
    }
    done += static_cast<std::size_t>(wrote);
  }
  bytes_ += done;
  const bool good = done == text.size();
  // Once for each trouble, not for each line.
  if (!good && !failing_) {
    Log(LogLevel::kError, "the audit log cannot be written",
        {{"file", options_.file.string()}, {"error", std::strerror(error)}});
  }
  // What is there of a line must not run into the next.
  if (!good && done > 0 && ::write(fd_, "\n", 1) == 1) ++bytes_;
  failing_ = !good;
  return good;
}

void AuditLog::OpenFile() {
  fd_ = OpenToAppend(options_.file);
  struct stat info {};
  bytes_ = fd_ >= 0 && ::fstat(fd_, &info) == 0 ? static_cast<std::uint64_t>(info.st_size) : 0;
}

int AuditLog::Rotate() {
  if (fd_ >= 0) ::close(fd_);
  const std::string name = options_.file.string();
  const auto numbered = [&](unsigned number) { return name + "." + std::to_string(number); };
  int error = options_.keep == 0 && ::unlink(name.c_str()) != 0 ? errno : 0;
  // Only those move that are in the way: a file that cannot be put aside does not push the others out.
  unsigned free = 1;
  while (free < options_.keep && ::access(numbered(free).c_str(), F_OK) == 0) ++free;
  for (unsigned number = std::min(free, options_.keep); number > 0 && error == 0; --number) {
    const std::string from = number == 1 ? name : numbered(number - 1);
    if (::rename(from.c_str(), numbered(number).c_str()) != 0 && errno != ENOENT) error = errno;
  }
  OpenFile();
  return error;
}

}  // namespace millrace::api
