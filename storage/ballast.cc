#include "storage/ballast.h"

#include <algorithm>

#include "base/log.h"

namespace millrace::storage {

Result<void> Ballast::Adopt() {
  const std::lock_guard lock(mutex_);
  auto file = files_.Open(path_, OpenMode::kRead);
  if (!file && file.error().code == ErrorCode::kNotFound) return {};
  if (!file) return std::move(file).error();
  MILLRACE_ASSIGN_OR_RETURN(auto allocated, (*file)->AllocatedBytes());
  held_ = std::min(allocated, bytes_);
  return {};
}

Result<void> Ballast::Fill() {
  const std::lock_guard lock(mutex_);
  if (held_ == bytes_) return {};
  auto fill = [&]() -> Result<void> {
    auto file = files_.Open(path_, OpenMode::kReadWrite);
    if (!file && file.error().code == ErrorCode::kNotFound) file = files_.Open(path_, OpenMode::kCreate);
    if (!file) return std::move(file).error();
    MILLRACE_ASSIGN_OR_RETURN(auto size, (*file)->Size());
    if (size > bytes_) MILLRACE_RETURN_IF_ERROR((*file)->Truncate(bytes_));
    return (*file)->Allocate(bytes_);
  };
  auto filled = fill();
  if (filled) {
    held_ = bytes_;
  } else if (auto removed = files_.Remove(path_); !removed && removed.error().code != ErrorCode::kNotFound) {
    Log(LogLevel::kWarning, "the reserve could not be given back", {{"error", removed.error().ToString()}});
  }
  return filled;
}

bool Ballast::Release() {
  const std::lock_guard lock(mutex_);
  if (held_ == 0) return false;
  auto removed = files_.Remove(path_);
  if (!removed && removed.error().code != ErrorCode::kNotFound) {
    Log(LogLevel::kWarning, "the reserve could not be given back", {{"error", removed.error().ToString()}});
    return false;
  }
  held_ = 0;
  Log(LogLevel::kWarning, "the disk is full: the reserve is given back so that deleting works",
      {{"bytes", bytes_}});
  return true;
}

}  // namespace millrace::storage
