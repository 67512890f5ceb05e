#include "consumers/clips/clip_output.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <exception>
#include <system_error>
#include <utility>

namespace millrace {
namespace {

constexpr int kIoBufferBytes = 256 * 1024;

Error FileError(const std::string& what, int number) {
  const ErrorCode code = number == ENOSPC || number == EDQUOT  ? ErrorCode::kNoSpace
                         : number == EACCES || number == EROFS ? ErrorCode::kPermissionDenied
                         : number == ENOENT                    ? ErrorCode::kNotFound
                                                               : ErrorCode::kIo;
  return {code, what + ": " + std::generic_category().message(number)};
}

}  // namespace

ClipOutput::ClipOutput(bool seekable) {
  auto* buffer = static_cast<unsigned char*>(av_malloc(kIoBufferBytes));
  if (buffer == nullptr) return;
  AVIOContext* io = avio_alloc_context(buffer, kIoBufferBytes, /*write_flag=*/1, this, nullptr,
                                       &ClipOutput::OnWrite, seekable ? &ClipOutput::OnSeek : nullptr);
  if (io == nullptr) {
    av_free(buffer);
    return;
  }
  io->seekable = seekable ? AVIO_SEEKABLE_NORMAL : 0;
  io_.reset(io);
}

// Called from C: nothing may be thrown through it.
int ClipOutput::OnWrite(void* opaque, std::uint8_t* data, int size) {
  auto* self = static_cast<ClipOutput*>(opaque);
  if (self->error_) return AVERROR_EXTERNAL;
  try {
    auto written = self->Write(self->offset_, ByteSpan(data, static_cast<std::size_t>(size)));
    if (!written) self->error_ = std::move(written).error();
  } catch (const std::exception& thrown) {
    self->error_ = Error{ErrorCode::kInternal, thrown.what()};
  }
  if (self->error_) return AVERROR_EXTERNAL;
  self->offset_ += static_cast<std::uint64_t>(size);
  self->bytes_ = std::max(self->bytes_, self->offset_);
  return size;
}

std::int64_t ClipOutput::OnSeek(void* opaque, std::int64_t offset, int whence) {
  auto* self = static_cast<ClipOutput*>(opaque);
  if (whence == AVSEEK_SIZE) return static_cast<std::int64_t>(self->bytes_);
  std::int64_t from = 0;
  if (whence == SEEK_CUR) from = static_cast<std::int64_t>(self->offset_);
  if (whence == SEEK_END) from = static_cast<std::int64_t>(self->bytes_);
  if (from + offset < 0) return AVERROR(EINVAL);
  self->offset_ = static_cast<std::uint64_t>(from + offset);
  return from + offset;
}

Result<std::unique_ptr<FileOutput>> FileOutput::Create(const std::filesystem::path& path) {
  std::string part = path.string() + ".part-XXXXXX";
  int fd = mkostemp(part.data(), O_CLOEXEC);
  if (fd < 0) return FileError("cannot write '" + path.string() + "'", errno);
  fchmod(fd, 0644);
  return std::unique_ptr<FileOutput>(new FileOutput(fd, path, std::move(part)));
}

FileOutput::FileOutput(int fd, std::filesystem::path path, std::string part)
    : ClipOutput(/*seekable=*/true), fd_(fd), path_(std::move(path)), part_(std::move(part)) {}

FileOutput::~FileOutput() {
  if (fd_ >= 0) ::close(fd_);
  if (!part_.empty()) ::unlink(part_.c_str());
}

Result<void> FileOutput::Write(std::uint64_t offset, ByteSpan bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (written < 0) {
      if (errno == EINTR) continue;
      return FileError("writing '" + path_.string() + "'", errno);
    }
    bytes = bytes.subspan(static_cast<std::size_t>(written));
    offset += static_cast<std::uint64_t>(written);
  }
  return {};
}

Result<void> FileOutput::Commit() {
  if (::fsync(fd_) != 0) return FileError("writing '" + path_.string() + "'", errno);
  if (::rename(part_.c_str(), path_.c_str()) != 0) return FileError("naming '" + path_.string() + "'", errno);
  part_.clear();
  return {};
}

}  // namespace millrace
