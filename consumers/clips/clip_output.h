// Where a clip's bytes go: a file, which a muxer may seek in, or a sink, which it may not; as libav wants to
// see them.
//
// Threads: one owner at a time.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "base/bytes.h"
#include "base/result.h"
#include "consumers/clips/clip_exporter.h"
#include "media/libav_handles.h"

namespace millrace {

class ClipOutput {
 public:
  virtual ~ClipOutput() = default;
  ClipOutput(const ClipOutput&) = delete;
  ClipOutput& operator=(const ClipOutput&) = delete;

  // For AVFormatContext::pb; lives as long as this. Null when memory ran out.
  AVIOContext* io() const { return io_.get(); }
  // What went wrong in a write, rather than libav's number for it.
  const std::optional<Error>& error() const { return error_; }
  // Bytes from the beginning to the furthest one written.
  std::uint64_t bytes() const { return bytes_; }
  // Puts out what libav still holds. The place where the next byte goes.
  std::uint64_t Flush() {
    avio_flush(io_.get());
    return offset_;
  }

 protected:
  explicit ClipOutput(bool seekable);
  virtual Result<void> Write(std::uint64_t offset, ByteSpan bytes) = 0;

 private:
  static int OnWrite(void* self, std::uint8_t* data, int size);
  static std::int64_t OnSeek(void* self, std::int64_t offset, int whence);

  AvIoPtr io_;
  std::optional<Error> error_;
  std::uint64_t offset_ = 0;
  std::uint64_t bytes_ = 0;
};

class SinkOutput final : public ClipOutput {
 public:
  // `sink` outlives this.
  explicit SinkOutput(const ByteSink& sink) : ClipOutput(/*seekable=*/false), sink_(sink) {}

 private:
  Result<void> Write(std::uint64_t /*offset*/, ByteSpan bytes) override { return sink_(bytes); }
  const ByteSink& sink_;
};

// A file that gets its name when it is whole; until then it lies next to it under a name of its own, and goes
// away with this.
class FileOutput final : public ClipOutput {
 public:
  static Result<std::unique_ptr<FileOutput>> Create(const std::filesystem::path& path);
  ~FileOutput() override;
  // Makes it durable under its name. REQUIRES: everything is written.
  Result<void> Commit();

 private:
  FileOutput(int fd, std::filesystem::path path, std::string part);
  Result<void> Write(std::uint64_t offset, ByteSpan bytes) override;

  int fd_;
  std::filesystem::path path_;
  std::string part_;  // empty once it has its name
};

}  // namespace millrace
