#include "parser/byte_source.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>
#include <utility>

namespace millrace {
namespace {

Error SystemError(const std::string& doing, int number) {
  return Error{number == ENOENT ? ErrorCode::kNotFound : ErrorCode::kIo,
               doing + ": " + std::strerror(number)};
}

std::size_t CopyTo(std::span<std::uint8_t> room, ByteSpan bytes, std::uint64_t offset) {
  if (offset >= bytes.size()) return 0;
  const std::size_t count = std::min(room.size(), bytes.size() - static_cast<std::size_t>(offset));
  std::memcpy(room.data(), bytes.data() + offset, count);
  return count;
}

}  // namespace

Result<std::unique_ptr<FileSource>> FileSource::Open(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return SystemError("opening " + path, errno);
  struct stat facts {};
  if (::fstat(descriptor, &facts) != 0) {
    const int number = errno;
    ::close(descriptor);
    return SystemError("opening " + path, number);
  }
  return std::unique_ptr<FileSource>(
      new FileSource(descriptor, static_cast<std::uint64_t>(facts.st_size), path));
}

FileSource::~FileSource() { ::close(descriptor_); }

Result<std::size_t> FileSource::Read(std::span<std::uint8_t> room) {
  MILLRACE_ASSIGN_OR_RETURN(const std::size_t count, ReadAt(position_, room));
  position_ += count;
  return count;
}

Result<std::size_t> FileSource::ReadAt(std::uint64_t offset, std::span<std::uint8_t> room) {
  if (offset > static_cast<std::uint64_t>(LLONG_MAX) - room.size()) return std::size_t{0};
  std::size_t count = 0;
  while (count < room.size()) {
    const ssize_t got =
        ::pread(descriptor_, room.data() + count, room.size() - count, static_cast<off_t>(offset + count));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return SystemError("reading " + path_, errno);
    if (got == 0) break;
    count += static_cast<std::size_t>(got);
  }
  return count;
}

Result<std::size_t> DescriptorSource::Read(std::span<std::uint8_t> room) {
  const auto deadline = std::chrono::steady_clock::now() + timeout_;
  for (;;) {
    int wait_ms = -1;
    if (timeout_ > Duration{0}) {
      const auto left =
          std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
      wait_ms = static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, INT_MAX));
    }
    pollfd waiting{descriptor_, POLLIN, 0};
    const int ready = ::poll(&waiting, 1, wait_ms);
    if (ready < 0 && errno == EINTR) continue;
    if (ready < 0) return SystemError("waiting for bytes", errno);
    if (ready == 0) return Error{ErrorCode::kDeadlineExceeded, "no bytes came within the time limit"};
    const ssize_t got = ::read(descriptor_, room.data(), room.size());
    if (got >= 0) return static_cast<std::size_t>(got);
    if (errno != EINTR && errno != EAGAIN) return SystemError("reading", errno);
  }
}

Result<std::size_t> MemorySource::Read(std::span<std::uint8_t> room) {
  const std::size_t count = CopyTo(room, bytes_.span(), position_);
  position_ += count;
  return count;
}

Result<std::size_t> MemorySource::ReadAt(std::uint64_t offset, std::span<std::uint8_t> room) {
  return CopyTo(room, bytes_.span(), offset);
}

Result<void> ReadFragments(ByteSource& source, FragmentHandler& handler, const ParserLimits& limits) {
  FragmentReader reader(handler, limits);
  for (;;) {
    Bytes piece(kReadBytes);
    MILLRACE_ASSIGN_OR_RETURN(const std::size_t count, source.Read(piece));
    if (count == 0) return reader.Finish();
    MILLRACE_RETURN_IF_ERROR(reader.Push(SharedBytes(std::move(piece)).Slice(0, count)));
  }
}

}  // namespace millrace
