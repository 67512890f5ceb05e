// What Millrace needs to know of AV1 (AV1 Bitstream & Decoding Process Specification; AV1 Codec ISO Media
// File Format Binding): the sequence header, the configuration record (av1C), and which temporal units are
// key frames. Nothing is decoded.
//
// Input comes from producers: every length and count is checked against the bytes.
// Errors:  kCorruption (cut short, out of range), kNotFound (no sequence header), kUnsupported (a version).
// Threads: pure functions, any thread.
#pragma once

#include <cstdint>

#include "base/bytes.h"
#include "base/result.h"

namespace millrace {

// Of sequence_header_obu(), section 5.5.
struct Av1Sequence {
  std::uint8_t profile = 0;    // 0 to 2
  std::uint8_t level_idx = 0;  // of operating point 0
  bool high_tier = false;
  std::uint8_t bit_depth = 8;  // 8, 10, 12
  bool monochrome = false;
  bool subsampling_x = true;
  bool subsampling_y = true;
  std::uint8_t chroma_sample_position = 0;
  std::uint32_t width = 0;  // the largest of its frames
  std::uint32_t height = 0;
  ByteSpan obu;  // the whole OBU, in the bytes that were searched
};
// The first sequence header of a temporal unit, or of an av1C's configOBUs.
Result<Av1Sequence> FindAv1Sequence(ByteSpan obus);

// Whether a temporal unit begins with a key frame that is shown, with its sequence header in front: decoding
// can start here. False for what is cut short.
bool IsAv1KeyFrame(ByteSpan temporal_unit);

// The record's first four bytes, section 2.3.3 of the binding. Its sequence header may be missing.
struct Av1Config {
  std::uint8_t profile = 0;
  std::uint8_t level_idx = 0;
  bool high_tier = false;
  std::uint8_t bit_depth = 8;
  friend bool operator==(const Av1Config&, const Av1Config&) = default;
};
Result<Av1Config> ParseAv1Config(ByteSpan av1c);
Av1Config ConfigOf(const Av1Sequence& sequence);
// An av1C with the sequence header.
Bytes MakeAv1Config(const Av1Sequence& sequence);

}  // namespace millrace
