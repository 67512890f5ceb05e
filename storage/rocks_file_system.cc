#include "storage/rocks_file_system.h"

#include <rocksdb/env.h>
#include <rocksdb/file_system.h>
#include <rocksdb/io_status.h>
#include <rocksdb/system_clock.h>

#include <algorithm>
#include <utility>

namespace millrace::storage {
namespace {

using rocksdb::FileOptions;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;
using rocksdb::Slice;

IOStatus ToStatus(const Error& error) {
  switch (error.code) {
    case ErrorCode::kNotFound:
      return IOStatus::PathNotFound(error.message);
    case ErrorCode::kNoSpace:
      return IOStatus::NoSpace(error.message);
    default:
      return IOStatus::IOError(error.message);
  }
}

template <typename T>
IOStatus ToStatus(const Result<T>& result) {
  return result ? IOStatus::OK() : ToStatus(result.error());
}

IOStatus ReadInto(File& file, std::uint64_t offset, std::size_t n, Slice* result, char* scratch) {
  auto got = file.ReadAt(offset, {reinterpret_cast<std::uint8_t*>(scratch), n});
  *result = Slice(scratch, got ? *got : 0);
  return ToStatus(got);
}

class SequentialFile final : public rocksdb::FSSequentialFile {
 public:
  explicit SequentialFile(std::unique_ptr<File> file) : file_(std::move(file)) {}
  IOStatus Read(std::size_t n, const IOOptions&, Slice* result, char* scratch, IODebugContext*) override {
    IOStatus status = ReadInto(*file_, position_, n, result, scratch);
    position_ += result->size();
    return status;
  }
  IOStatus Skip(std::uint64_t n) override {
    position_ += n;
    return IOStatus::OK();
  }

 private:
  std::unique_ptr<File> file_;
  std::uint64_t position_ = 0;
};

class RandomFile final : public rocksdb::FSRandomAccessFile {
 public:
  explicit RandomFile(std::unique_ptr<File> file) : file_(std::move(file)) {}
  IOStatus Read(std::uint64_t offset, std::size_t n, const IOOptions&, Slice* result, char* scratch,
                IODebugContext*) const override {
    return ReadInto(*file_, offset, n, result, scratch);
  }

 private:
  std::unique_ptr<File> file_;
};

class WritableFile final : public rocksdb::FSWritableFile {
 public:
  explicit WritableFile(std::unique_ptr<File> file) : file_(std::move(file)) {}
  using rocksdb::FSWritableFile::Append;
  IOStatus Append(const Slice& data, const IOOptions&, IODebugContext*) override {
    ByteSpan part = AsBytes({data.data(), data.size()});
    IOStatus status = ToStatus(file_->WriteAt(size_, std::span(&part, 1)));
    if (status.ok()) size_ += data.size();
    return status;
  }
  IOStatus Truncate(std::uint64_t size, const IOOptions&, IODebugContext*) override {
    size_ = size;
    return ToStatus(file_->Truncate(size));
  }
  IOStatus Close(const IOOptions&, IODebugContext*) override {
    file_.reset();
    return IOStatus::OK();
  }
  IOStatus Flush(const IOOptions&, IODebugContext*) override { return IOStatus::OK(); }
  IOStatus Sync(const IOOptions&, IODebugContext*) override { return ToStatus(file_->Sync()); }
  bool IsSyncThreadSafe() const override { return true; }
  std::uint64_t GetFileSize(const IOOptions&, IODebugContext*) override { return size_; }

 private:
  std::unique_ptr<File> file_;
  std::uint64_t size_ = 0;
};

class Directory final : public rocksdb::FSDirectory {
 public:
  Directory(FileSystem& files, std::string path) : files_(files), path_(std::move(path)) {}
  IOStatus Fsync(const IOOptions&, IODebugContext*) override { return ToStatus(files_.SyncDirectory(path_)); }

 private:
  FileSystem& files_;
  std::string path_;
};

class HeldLock final : public rocksdb::FileLock {
 public:
  explicit HeldLock(std::unique_ptr<storage::FileLock> lock) : lock_(std::move(lock)) {}

 private:
  std::unique_ptr<storage::FileLock> lock_;
};

class RocksFileSystem final : public rocksdb::FileSystem {
 public:
  explicit RocksFileSystem(storage::FileSystem& files) : files_(files) {}
  const char* Name() const override { return "MillraceFileSystem"; }

  IOStatus NewSequentialFile(const std::string& path, const FileOptions&,
                             std::unique_ptr<rocksdb::FSSequentialFile>* result, IODebugContext*) override {
    return OpenAs<SequentialFile>(path, result);
  }
  IOStatus NewRandomAccessFile(const std::string& path, const FileOptions&,
                               std::unique_ptr<rocksdb::FSRandomAccessFile>* result,
                               IODebugContext*) override {
    return OpenAs<RandomFile>(path, result);
  }
  IOStatus NewWritableFile(const std::string& path, const FileOptions&,
                           std::unique_ptr<rocksdb::FSWritableFile>* result, IODebugContext*) override {
    auto removed = files_.Remove(path);
    if (!removed && removed.error().code != ErrorCode::kNotFound) return ToStatus(removed);
    auto file = files_.Open(path, OpenMode::kCreate);
    if (file) *result = std::make_unique<WritableFile>(std::move(*file));
    return ToStatus(file);
  }
  IOStatus NewDirectory(const std::string& path, const IOOptions&,
                        std::unique_ptr<rocksdb::FSDirectory>* result, IODebugContext*) override {
    *result = std::make_unique<Directory>(files_, path);
    return IOStatus::OK();
  }
  IOStatus FileExists(const std::string& path, const IOOptions&, IODebugContext*) override {
    auto exists = files_.Exists(path);
    if (exists && !*exists) return IOStatus::NotFound(path);
    return ToStatus(exists);
  }
  IOStatus GetChildren(const std::string& path, const IOOptions&, std::vector<std::string>* names,
                       IODebugContext*) override {
    auto entries = files_.List(path);
    names->clear();
    if (entries) {
      for (DirectoryEntry& entry : *entries) names->push_back(std::move(entry.name));
    }
    return ToStatus(entries);
  }
  IOStatus DeleteFile(const std::string& path, const IOOptions&, IODebugContext*) override {
    return ToStatus(files_.Remove(path));
  }
  IOStatus CreateDir(const std::string& path, const IOOptions&, IODebugContext*) override {
    return ToStatus(files_.CreateDirectory(path));
  }
  IOStatus CreateDirIfMissing(const std::string& path, const IOOptions&, IODebugContext*) override {
    auto made = files_.CreateDirectory(path);
    if (!made && made.error().code == ErrorCode::kAlreadyExists) return IOStatus::OK();
    return ToStatus(made);
  }
  IOStatus DeleteDir(const std::string& path, const IOOptions&, IODebugContext*) override {
    return ToStatus(files_.RemoveDirectory(path));
  }
  IOStatus GetFileSize(const std::string& path, const IOOptions&, std::uint64_t* size,
                       IODebugContext*) override {
    auto file = files_.Open(path, OpenMode::kRead);
    if (!file) return ToStatus(file);
    auto bytes = (*file)->Size();
    *size = bytes ? *bytes : 0;
    return ToStatus(bytes);
  }
  IOStatus GetFileModificationTime(const std::string&, const IOOptions&, std::uint64_t* time,
                                   IODebugContext*) override {
    *time = 0;
    return IOStatus::OK();
  }
  IOStatus RenameFile(const std::string& from, const std::string& to, const IOOptions&,
                      IODebugContext*) override {
    return ToStatus(files_.Rename(from, to));
  }
  IOStatus LockFile(const std::string& path, const IOOptions&, rocksdb::FileLock** lock,
                    IODebugContext*) override {
    auto held = files_.Lock(path);
    if (held) *lock = new HeldLock(std::move(*held));
    return ToStatus(held);
  }
  IOStatus UnlockFile(rocksdb::FileLock* lock, const IOOptions&, IODebugContext*) override {
    delete lock;
    return IOStatus::OK();
  }
  IOStatus GetTestDirectory(const IOOptions&, std::string* path, IODebugContext*) override {
    *path = "/";
    return IOStatus::OK();
  }
  IOStatus GetAbsolutePath(const std::string& path, const IOOptions&, std::string* absolute,
                           IODebugContext*) override {
    *absolute = path;
    return IOStatus::OK();
  }
  IOStatus GetFreeSpace(const std::string& path, const IOOptions&, std::uint64_t* free,
                        IODebugContext*) override {
    auto space = files_.Space(path);
    *free = space ? space->free_bytes : 0;
    return ToStatus(space);
  }
  IOStatus IsDirectory(const std::string& path, const IOOptions&, bool* is_directory,
                       IODebugContext*) override {
    *is_directory = files_.List(path).has_value();
    return IOStatus::OK();
  }

 private:
  template <typename Wrapper, typename Base>
  IOStatus OpenAs(const std::string& path, std::unique_ptr<Base>* result) {
    auto file = files_.Open(path, OpenMode::kRead);
    if (file) *result = std::make_unique<Wrapper>(std::move(*file));
    return ToStatus(file);
  }

  storage::FileSystem& files_;
};

// RocksDB sleeps for a second after a background error, in case it passes; nobody waits for a simulated disk.
class HastyClock final : public rocksdb::SystemClockWrapper {
 public:
  HastyClock() : SystemClockWrapper(rocksdb::SystemClock::Default()) {}
  const char* Name() const override { return "millrace.HastyClock"; }
  void SleepForMicroseconds(int micros) override {
    SystemClockWrapper::SleepForMicroseconds(std::min(micros, 1'000));
  }
};

class InjectedEnv final : public rocksdb::EnvWrapper {
 public:
  explicit InjectedEnv(const std::shared_ptr<RocksFileSystem>& files)
      : EnvWrapper(rocksdb::NewCompositeEnv(files)) {
    file_system_ = files;
    system_clock_ = std::make_shared<HastyClock>();
  }
  const char* Name() const override { return "millrace.InjectedEnv"; }
};

}  // namespace

std::unique_ptr<rocksdb::Env> MakeRocksEnv(FileSystem& files) {
  return std::make_unique<InjectedEnv>(std::make_shared<RocksFileSystem>(files));
}

}  // namespace millrace::storage
