#include "consumers/clips/indexed_output.h"

#include <algorithm>

namespace millrace {

Result<void> HeadOutput::Write(std::uint64_t offset, ByteSpan bytes) {
  const std::uint64_t end = end_ == 0 ? offset + bytes.size() : end_;
  if (offset >= end) return {};
  const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(bytes.size(), end - offset));
  if (head_.size() < offset + count) head_.resize(static_cast<std::size_t>(offset) + count);
  std::copy_n(bytes.begin(), count, head_.begin() + static_cast<std::ptrdiff_t>(offset));
  return {};
}

Result<void> BodyOutput::Write(std::uint64_t offset, ByteSpan bytes) {
  if (offset < head_bytes_) {
    const std::uint64_t in_head = std::min<std::uint64_t>(bytes.size(), head_bytes_ - offset);
    bytes = bytes.subspan(static_cast<std::size_t>(in_head));
    offset += in_head;
  }
  if (bytes.empty()) return {};
  if (offset != next_) {
    return Error{ErrorCode::kInternal, "the muxer went back within the media"};
  }
  next_ += bytes.size();
  return sink_(bytes);
}

}  // namespace millrace
