// Where bytes come from: a file, a socket, memory, or whatever else can be read.
//
//   MILLRACE_ASSIGN_OR_RETURN(auto file, FileSource::Open("door.mkv"));
//   Printer printer;                                            // a FragmentHandler
//   MILLRACE_RETURN_IF_ERROR(ReadFragments(*file, printer));
//
// Back-pressure: a source is read only when its reader asks for more, so a slow reader fills the kernel's
// buffers and then slows its peer down; nothing grows in between.
//
// Errors:  kIo (the operating system said no), kDeadlineExceeded (nothing came for the time limit) and
//          kNotFound; a source of one's own may give others, which come out of its reader as they are.
// Threads: one owner at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"
#include "parser/fragment_visitor.h"

namespace millrace {

class ByteSource {
 public:
  virtual ~ByteSource() = default;
  // Waits for bytes and puts what is there into `room`, which is not empty. Returns how many; 0: the end.
  virtual Result<std::size_t> Read(std::span<std::uint8_t> room) = 0;
};

// A source in which any place can be read.
class RandomAccess {
 public:
  virtual ~RandomAccess() = default;
  // Fills `room` from `offset` on, less only at the end. Returns how many.
  virtual Result<std::size_t> ReadAt(std::uint64_t offset, std::span<std::uint8_t> room) = 0;
  virtual std::uint64_t size() const = 0;  // when it was opened
};

// A file of the file system, from its beginning, or anywhere.
class FileSource final : public ByteSource, public RandomAccess {
 public:
  // Errors: kNotFound, kIo: with the path.
  static Result<std::unique_ptr<FileSource>> Open(const std::string& path);
  ~FileSource() override;
  FileSource(const FileSource&) = delete;
  FileSource& operator=(const FileSource&) = delete;

  Result<std::size_t> Read(std::span<std::uint8_t> room) override;
  Result<std::size_t> ReadAt(std::uint64_t offset, std::span<std::uint8_t> room) override;
  std::uint64_t size() const override { return size_; }

 private:
  FileSource(int descriptor, std::uint64_t size, std::string path)
      : descriptor_(descriptor), size_(size), path_(std::move(path)) {}

  const int descriptor_;
  const std::uint64_t size_;
  const std::string path_;
  std::uint64_t position_ = 0;
};

// A connected socket, a pipe, a terminal: any descriptor that can be waited for.
class DescriptorSource final : public ByteSource {
 public:
  // `descriptor` stays the caller's, and open while this lives. `timeout`: how long nothing may come; zero:
  // for ever.
  explicit DescriptorSource(int descriptor, Duration timeout = Duration{0})
      : descriptor_(descriptor), timeout_(timeout) {}
  Result<std::size_t> Read(std::span<std::uint8_t> room) override;

 private:
  const int descriptor_;
  const Duration timeout_;
};

// Bytes in memory.
class MemorySource final : public ByteSource, public RandomAccess {
 public:
  explicit MemorySource(SharedBytes bytes) : bytes_(std::move(bytes)) {}
  Result<std::size_t> Read(std::span<std::uint8_t> room) override;
  Result<std::size_t> ReadAt(std::uint64_t offset, std::span<std::uint8_t> room) override;
  std::uint64_t size() const override { return bytes_.size(); }

 private:
  const SharedBytes bytes_;
  std::size_t position_ = 0;
};

// How much is read at a time by what reads a source.
inline constexpr std::size_t kReadBytes = std::size_t{64} << 10;

// Reads all of `source`. The frames' bytes are slices of what was read: keeping one costs no copy. Errors:
// the source's, FragmentReader's, the handler's.
Result<void> ReadFragments(ByteSource& source, FragmentHandler& handler, const ParserLimits& limits = {});

}  // namespace millrace
