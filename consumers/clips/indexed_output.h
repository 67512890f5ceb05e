// An MP4 with its index in front, to where nobody can seek: written twice, once for its head, which the muxer
// completes at the end, and once for the media behind it.
//
// Threads: one owner at a time.
#pragma once

#include <cstdint>

#include "base/bytes.h"
#include "consumers/clips/clip_output.h"

namespace millrace {

// Keeps what is written into the head, and forgets the rest.
class HeadOutput final : public ClipOutput {
 public:
  HeadOutput() : ClipOutput(/*seekable=*/true) {}
  // All up to `end` is the head; called when nothing has been written behind it.
  void EndHeadAt(std::uint64_t end) {
    end_ = end;
    head_.resize(static_cast<std::size_t>(end));
  }
  const Bytes& head() const { return head_; }

 private:
  Result<void> Write(std::uint64_t offset, ByteSpan bytes) override;

  std::uint64_t end_ = 0;  // 0: not known yet
  Bytes head_;
};

// Passes on what is written behind the head, in order.
class BodyOutput final : public ClipOutput {
 public:
  // `sink` outlives this.
  BodyOutput(std::uint64_t head_bytes, const ByteSink& sink)
      : ClipOutput(/*seekable=*/true), next_(head_bytes), head_bytes_(head_bytes), sink_(sink) {}
  // Where the next byte of the body belongs.
  std::uint64_t next() const { return next_; }

 private:
  Result<void> Write(std::uint64_t offset, ByteSpan bytes) override;

  std::uint64_t next_;
  const std::uint64_t head_bytes_;
  const ByteSink& sink_;
};

}  // namespace millrace
