// The one door to the disk: every byte that storage reads or writes goes through this interface, so that
// tests can lose power, tear writes, fill the disk and fail or stall any call.
//
// Errors:  kNoSpace (ENOSPC, EDQUOT), kNotFound (ENOENT), kAlreadyExists (EEXIST), kFailedPrecondition
//          (locked by another process), kIo for everything else; the text names the call, the path and the
//          system's words.
// Threads: a FileSystem and its Files may be used from any thread; writes to one File come from one thread at
// a time.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace millrace::storage {

// An open file; letting go closes it. A file that is removed while it is open stays readable.
class File {
 public:
  virtual ~File() = default;

  // Writes the parts one after another from `offset`. On an error any of the bytes may have been written.
  virtual Result<void> WriteAt(std::uint64_t offset, std::span<const ByteSpan> parts) = 0;
  // Fills `out`; gives the number of bytes read, fewer than asked for only at the end of the file.
  virtual Result<std::size_t> ReadAt(std::uint64_t offset, std::span<std::uint8_t> out) = 0;
  // What has been written is on the disk afterwards (fdatasync). After an error, nothing is known about it.
  virtual Result<void> Sync() = 0;
  virtual Result<void> Truncate(std::uint64_t size) = 0;
  // Gives the blocks back to the disk; the range reads as zeros, the size stays. Both multiples of
  // kBlockBytes.
  virtual Result<void> PunchHole(std::uint64_t offset, std::uint64_t length) = 0;
  // Takes blocks of the disk for the first `size` bytes; a shorter file becomes that long.
  virtual Result<void> Allocate(std::uint64_t size) = 0;
  virtual Result<std::uint64_t> Size() = 0;
  // What the file takes on the disk: less than its size when it has holes.
  virtual Result<std::uint64_t> AllocatedBytes() = 0;
};

inline constexpr std::uint64_t kBlockBytes = 4096;  // of a hole

// Held while it lives; the system lets it go when the process ends, however it ends.
class FileLock {
 public:
  virtual ~FileLock() = default;
};

enum class OpenMode {
  kRead,       // must exist
  kReadWrite,  // must exist
  kCreate,     // must not exist
};

struct DirectoryEntry {
  std::string name;  // without the path
  bool directory = false;
};

struct DiskSpace {
  std::uint64_t total_bytes = 0;
  std::uint64_t free_bytes = 0;  // that this process may still write
  bool read_only = false;        // mounted so, or remounted after an error
};

class FileSystem {
 public:
  virtual ~FileSystem() = default;

  virtual Result<std::unique_ptr<File>> Open(const std::string& path, OpenMode mode) = 0;
  virtual Result<void> CreateDirectory(const std::string& path) = 0;  // kAlreadyExists when there
  // Names that were made, renamed or removed in it stay so after a power loss.
  virtual Result<void> SyncDirectory(const std::string& path) = 0;
  virtual Result<void> Remove(const std::string& path) = 0;                            // a file
  virtual Result<void> RemoveDirectory(const std::string& path) = 0;                   // an empty one
  virtual Result<void> Rename(const std::string& from, const std::string& to) = 0;     // replaces a file `to`
  virtual Result<std::vector<DirectoryEntry>> List(const std::string& directory) = 0;  // in name order
  virtual Result<bool> Exists(const std::string& path) = 0;
  // Makes the file if needed and locks it for this process; kFailedPrecondition names the holder's pid.
  virtual Result<std::unique_ptr<FileLock>> Lock(const std::string& path) = 0;
  // Of the disk that holds `path`.
  virtual Result<DiskSpace> Space(const std::string& path) = 0;
};

// The machine's own. Lives for ever.
FileSystem& PosixFileSystem();

// Small whole files.
Result<Bytes> ReadWholeFile(FileSystem& files, const std::string& path, std::size_t bytes_max);
// All or nothing, also over a power loss: written aside, synced, renamed, directory synced.
Result<void> ReplaceFile(FileSystem& files, const std::string& directory, const std::string& name,
                         ByteSpan content);

}  // namespace millrace::storage
