// Small files that hold secrets: keys, certificates, users.
//
// Threads: any; two writers of one file are the caller's to keep apart.
#pragma once

#include <filesystem>

#include "base/bytes.h"
#include "base/result.h"

namespace millrace {

// Owns an open file; -1: none.
class FileDescriptor {
 public:
  explicit FileDescriptor(int fd) : fd_(fd) {}
  ~FileDescriptor();
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;
  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }

 private:
  const int fd_;
};

// errno in words: "making /data/secrets.key: Permission denied". kNoSpace on a full disk, else kIo.
Error OsError(const std::string& doing);

// Writes a file that only its owner can read (mode 0600), durably, and under its name only when it is whole.
// One that is there is replaced; with `keep_owner` it keeps owner, group and their mode (at most 0640), for
// what another user's process reads. Errors: kIo, kNoSpace.
Result<void> WritePrivateFile(const std::filesystem::path& path, ByteSpan bytes, bool keep_owner = false);

}  // namespace millrace
