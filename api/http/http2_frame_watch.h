// Follows the frames of an HTTP/2 connection as their bytes come: which there are, and since when a request's
// header fields have been on their way. nghttp2 does not tell of frames that it skips, nor of those that are
// half there.
//
// Threads: one owner at a time.
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <utility>

#include "base/bytes.h"

namespace millrace::api {

class Http2FrameWatch {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  // `skip`: what comes before the first frame (the preface).
  explicit Http2FrameWatch(std::size_t skip) : skip_(skip) {}

  struct Frame {
    std::size_t bytes;  // of its payload
    std::uint8_t type;
    std::uint8_t flags;
  };

  // The next bytes, in any pieces. `on_frame` gets a Frame for each that begins.
  template <typename OnFrame>
  void Receive(ByteSpan bytes, TimePoint now, OnFrame on_frame) {
    while (!bytes.empty()) {
      const std::size_t skipped = std::min(skip_, bytes.size());
      skip_ -= skipped;
      bytes = bytes.subspan(skipped);
      if (skip_ > 0) return;
      EndFrame();
      while (!bytes.empty() && head_size_ < head_.size()) {
        head_[head_size_++] = bytes.front();
        bytes = bytes.subspan(1);
      }
      if (head_size_ == head_.size()) on_frame(BeginFrame(now));
    }
  }

  // When the block of header fields that is not complete began.
  std::optional<TimePoint> headers_since() const { return since_; }

 private:
  // RFC 9113 section 4.1: length (24 bits), type, flags, stream.
  Frame BeginFrame(TimePoint now) {
    constexpr std::uint8_t kHeaders = 1, kContinuation = 9, kEndHeaders = 4;
    head_size_ = 0;
    skip_ = std::size_t{head_[0]} << 16 | std::size_t{head_[1]} << 8 | head_[2];
    const bool fields = head_[3] == kHeaders || head_[3] == kContinuation;
    if (head_[3] == kHeaders) since_ = now;
    block_ends_ = fields && (head_[4] & kEndHeaders) != 0;
    const Frame frame{skip_, head_[3], head_[4]};
    if (skip_ == 0) EndFrame();
    return frame;
  }
  void EndFrame() {
    if (std::exchange(block_ends_, false)) since_.reset();
  }

  std::size_t skip_;  // bytes up to the next frame
  std::array<std::uint8_t, 9> head_{};
  std::size_t head_size_ = 0;
  bool block_ends_ = false;  // with this frame
  std::optional<TimePoint> since_;
};

}  // namespace millrace::api
