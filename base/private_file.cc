#include "base/private_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace millrace {
namespace {

Result<void> WriteWhole(const std::string& path, const std::filesystem::path& replaced, ByteSpan bytes,
                        bool keep_owner) {
  const FileDescriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!file) return OsError("making " + path);
  while (!bytes.empty()) {
    const ssize_t written = ::write(file.get(), bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return OsError("writing " + path);
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
  struct stat before {};
  if (keep_owner && ::stat(replaced.c_str(), &before) == 0 &&
      (::fchown(file.get(), before.st_uid, before.st_gid) != 0 ||
       ::fchmod(file.get(), before.st_mode & 0640) != 0)) {
    return OsError("giving " + path + " to the owner of " + replaced.string());
  }
  if (::fsync(file.get()) != 0) return OsError("syncing " + path);
  return {};
}

}  // namespace

FileDescriptor::~FileDescriptor() {
  if (fd_ >= 0) ::close(fd_);
}

Error OsError(const std::string& doing) {
  return Error{errno == ENOSPC ? ErrorCode::kNoSpace : ErrorCode::kIo, doing + ": " + std::strerror(errno)};
}

Result<void> WritePrivateFile(const std::filesystem::path& path, ByteSpan bytes, bool keep_owner) {
  const std::string part = path.string() + ".new";
  ::unlink(part.c_str());
  auto written = WriteWhole(part, path, bytes, keep_owner);
  if (written && ::rename(part.c_str(), path.c_str()) != 0) written = OsError("naming " + path.string());
  if (!written) {
    ::unlink(part.c_str());
    return written;
  }
  const std::filesystem::path directory = path.has_parent_path() ? path.parent_path() : ".";
  const FileDescriptor opened(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!opened || ::fsync(opened.get()) != 0) return OsError("syncing " + directory.string());
  return {};
}

}  // namespace millrace
