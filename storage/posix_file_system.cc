#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include "storage/file_system.h"

namespace millrace::storage {
namespace {

Error ErrnoError(int number, std::string_view call, const std::string& path) {
  ErrorCode code = ErrorCode::kIo;
  if (number == ENOSPC || number == EDQUOT) code = ErrorCode::kNoSpace;
  if (number == ENOENT) code = ErrorCode::kNotFound;
  if (number == EEXIST) code = ErrorCode::kAlreadyExists;
  return Error{code, std::string(call) + " " + path + ": " + std::generic_category().message(number)};
}

class PosixFile final : public File {
 public:
  PosixFile(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}
  ~PosixFile() override { ::close(fd_); }
  PosixFile(const PosixFile&) = delete;
  PosixFile& operator=(const PosixFile&) = delete;

  Result<void> WriteAt(std::uint64_t offset, std::span<const ByteSpan> parts) override {
    std::array<iovec, 256> vectors;
    std::size_t part = 0;
    std::size_t done_of_part = 0;
    while (part < parts.size()) {
      std::size_t count = 0;
      for (std::size_t i = part; i < parts.size() && count < vectors.size(); ++i) {
        ByteSpan bytes = parts[i].subspan(i == part ? done_of_part : 0);
        vectors[count++] = {const_cast<std::uint8_t*>(bytes.data()), bytes.size()};
      }
      ssize_t written = ::pwritev(fd_, vectors.data(), static_cast<int>(count), static_cast<off_t>(offset));
      if (written < 0) {
        if (errno == EINTR) continue;
        return ErrnoError(errno, "writing", path_);
      }
      offset += static_cast<std::uint64_t>(written);
      auto left = static_cast<std::size_t>(written);
      while (part < parts.size() && left >= parts[part].size() - done_of_part) {
        left -= parts[part].size() - done_of_part;
        done_of_part = 0;
        ++part;
      }
      done_of_part += left;
    }
    return {};
  }

  Result<std::size_t> ReadAt(std::uint64_t offset, std::span<std::uint8_t> out) override {
    std::size_t done = 0;
    while (done < out.size()) {
      ssize_t got = ::pread(fd_, out.data() + done, out.size() - done, static_cast<off_t>(offset + done));
      if (got < 0) {
        if (errno == EINTR) continue;
        return ErrnoError(errno, "reading", path_);
      }
      if (got == 0) break;
      done += static_cast<std::size_t>(got);
    }
    return done;
  }

  Result<void> Sync() override {
    if (::fdatasync(fd_) != 0) return ErrnoError(errno, "syncing", path_);
    return {};
  }

  Result<void> Truncate(std::uint64_t size) override {
    if (::ftruncate(fd_, static_cast<off_t>(size)) != 0) return ErrnoError(errno, "truncating", path_);
    return {};
  }

  Result<void> PunchHole(std::uint64_t offset, std::uint64_t length) override {
    if (::fallocate(fd_, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(offset),
                    static_cast<off_t>(length)) != 0) {
      return ErrnoError(errno, "punching a hole into", path_);
    }
    return {};
  }

  Result<void> Allocate(std::uint64_t size) override {
    if (int failed = ::posix_fallocate(fd_, 0, static_cast<off_t>(size)); failed != 0) {
      return ErrnoError(failed, "taking space for", path_);
    }
    return {};
  }

  Result<std::uint64_t> Size() override {
    struct stat info {};
    if (::fstat(fd_, &info) != 0) return ErrnoError(errno, "asking for the size of", path_);
    return static_cast<std::uint64_t>(info.st_size);
  }

  Result<std::uint64_t> AllocatedBytes() override {
    struct stat info {};
    if (::fstat(fd_, &info) != 0) return ErrnoError(errno, "asking for the size of", path_);
    return static_cast<std::uint64_t>(info.st_blocks) * 512;
  }

 private:
  const int fd_;
  const std::string path_;
};

class PosixLock final : public FileLock {
 public:
  explicit PosixLock(int fd) : fd_(fd) {}
  ~PosixLock() override { ::close(fd_); }
  PosixLock(const PosixLock&) = delete;
  PosixLock& operator=(const PosixLock&) = delete;

 private:
  const int fd_;
};

class PosixFiles final : public FileSystem {
 public:
  Result<std::unique_ptr<File>> Open(const std::string& path, OpenMode mode) override {
    int flags = O_CLOEXEC | (mode == OpenMode::kRead ? O_RDONLY : O_RDWR);
    if (mode == OpenMode::kCreate) flags |= O_CREAT | O_EXCL;
    int fd = ::open(path.c_str(), flags, 0640);
    if (fd < 0) return ErrnoError(errno, mode == OpenMode::kCreate ? "creating" : "opening", path);
    return std::unique_ptr<File>(std::make_unique<PosixFile>(fd, path));
  }

  Result<void> CreateDirectory(const std::string& path) override {
    if (::mkdir(path.c_str(), 0700) != 0) return ErrnoError(errno, "making directory", path);
    return {};
  }

  Result<void> SyncDirectory(const std::string& path) override {
    int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return ErrnoError(errno, "opening directory", path);
    int failed = ::fsync(fd) == 0 ? 0 : errno;
    ::close(fd);
    if (failed != 0) return ErrnoError(failed, "syncing directory", path);
    return {};
  }

  Result<void> Remove(const std::string& path) override {
    if (::unlink(path.c_str()) != 0) return ErrnoError(errno, "removing", path);
    return {};
  }

  Result<void> RemoveDirectory(const std::string& path) override {
    if (::rmdir(path.c_str()) != 0) return ErrnoError(errno, "removing directory", path);
    return {};
  }

  Result<void> Rename(const std::string& from, const std::string& to) override {
    if (::rename(from.c_str(), to.c_str()) != 0) return ErrnoError(errno, "renaming " + from + " to", to);
    return {};
  }

  Result<std::vector<DirectoryEntry>> List(const std::string& directory) override {
    std::error_code error;
    std::vector<DirectoryEntry> entries;
    std::filesystem::directory_iterator it(directory, error);
    for (; !error && it != std::filesystem::directory_iterator(); it.increment(error)) {
      std::error_code ignored;
      entries.push_back({it->path().filename().string(), it->is_directory(ignored)});
    }
    if (error) return ErrnoError(error.value(), "listing", directory);
    std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
    return entries;
  }

  Result<bool> Exists(const std::string& path) override {
    struct stat info {};
    if (::stat(path.c_str(), &info) == 0) return true;
    if (errno == ENOENT) return false;
    return ErrnoError(errno, "looking for", path);
  }

  Result<std::unique_ptr<FileLock>> Lock(const std::string& path) override {
    int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    if (fd < 0) return ErrnoError(errno, "opening the lock", path);
    auto lock = std::make_unique<PosixLock>(fd);
    if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
      if (errno != EWOULDBLOCK) return ErrnoError(errno, "locking", path);
      std::array<char, 32> text{};
      ssize_t got = ::pread(fd, text.data(), text.size() - 1, 0);
      std::string holder(text.data(), got > 0 ? static_cast<std::size_t>(got) : 0);
      while (!holder.empty() && (holder.back() < '0' || holder.back() > '9')) holder.pop_back();
      return Error{ErrorCode::kFailedPrecondition, std::filesystem::path(path).parent_path().string() +
                                                       " is in use by process " +
                                                       (holder.empty() ? "(unknown)" : holder)};
    }
    std::string pid = std::to_string(::getpid()) + "\n";
    if (::ftruncate(fd, 0) != 0 || ::pwrite(fd, pid.data(), pid.size(), 0) < 0) {
      return ErrnoError(errno, "writing the pid into", path);
    }
    return std::unique_ptr<FileLock>(std::move(lock));
  }

  Result<DiskSpace> Space(const std::string& path) override {
    struct statvfs info {};
    if (::statvfs(path.c_str(), &info) != 0) return ErrnoError(errno, "asking for the free space of", path);
    return DiskSpace{static_cast<std::uint64_t>(info.f_blocks) * info.f_frsize,
                     static_cast<std::uint64_t>(info.f_bavail) * info.f_frsize,
                     (info.f_flag & ST_RDONLY) != 0};
  }
};

}  // namespace

FileSystem& PosixFileSystem() {
  static auto* files = new PosixFiles;  // never destroyed: engines may close late
  return *files;
}

Result<Bytes> ReadWholeFile(FileSystem& files, const std::string& path, std::size_t bytes_max) {
  MILLRACE_ASSIGN_OR_RETURN(auto file, files.Open(path, OpenMode::kRead));
  MILLRACE_ASSIGN_OR_RETURN(auto size, file->Size());
  if (size > bytes_max) {
    return Error{ErrorCode::kCorruption,
                 path + " has " + std::to_string(size) + " bytes, more than it may have"};
  }
  Bytes content(size);
  MILLRACE_ASSIGN_OR_RETURN(auto got, file->ReadAt(0, content));
  content.resize(got);
  return content;
}

Result<void> ReplaceFile(FileSystem& files, const std::string& directory, const std::string& name,
                         ByteSpan content) {
  std::string path = directory + "/" + name;
  std::string aside = path + ".new";
  if (auto removed = files.Remove(aside); !removed && removed.error().code != ErrorCode::kNotFound) {
    return std::move(removed).error();
  }
  {
    MILLRACE_ASSIGN_OR_RETURN(auto file, files.Open(aside, OpenMode::kCreate));
    MILLRACE_RETURN_IF_ERROR(file->WriteAt(0, std::span(&content, 1)));
    MILLRACE_RETURN_IF_ERROR(file->Sync());
  }
  MILLRACE_RETURN_IF_ERROR(files.Rename(aside, path));
  return files.SyncDirectory(directory);
}

}  // namespace millrace::storage
