// Which frames of a fragment become pictures.
//
// The choice is a function of the fragment alone, so that a fragment that is read again, by whomever, gives
// the same pictures. Threads: pure functions, any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace millrace {

struct FrameSelection {
  enum class Kind : std::uint8_t {
    kKeyFrames,  // the cheapest by far: each is decoded by itself
    kEveryNth,   // in the order of display: the fragment's first, and every nth after it
    kPerSecond,  // the first in each nth of a second, counted from the fragment's first
    kAll,
  };
  static constexpr std::uint32_t kNMax = 1000;

  Kind kind = Kind::kKeyFrames;
  std::uint32_t n = 1;  // 1 to kNMax; of kEveryNth and kPerSecond
  friend bool operator==(const FrameSelection&, const FrameSelection&) = default;
};

// "key-frames", "all", "every:5" (every fifth), "per-second:2". Errors: kInvalidArgument.
Result<FrameSelection> ParseFrameSelection(std::string_view text);
// The same text.
std::string ToString(const FrameSelection& selection);

struct SelectableFrame {
  std::int64_t timestamp_ns = 0;  // when it is shown
  bool key_frame = false;
};

// `frames`: a fragment's frames of one track, in any order. One element for each: whether it is chosen.
std::vector<bool> SelectFrames(const FrameSelection& selection, std::span<const SelectableFrame> frames);

// The frame that a viewer sees at this time: the last one that is not later, else the first of all; an index
// of `frames`. REQUIRES: there are frames.
std::size_t FrameShownAt(std::int64_t time_ns, std::span<const SelectableFrame> frames);
// Likewise, of key frames alone; none where there is none that is not later.
std::optional<std::size_t> KeyFrameBefore(std::int64_t time_ns, std::span<const SelectableFrame> frames);

}  // namespace millrace
