// What Millrace needs to know of VP8 (RFC 6386) and VP9 (VP9 Bitstream & Decoding Process Specification 0.6):
// which frames are key frames, and what those say of the picture. Nothing is decoded.
//
// Errors:  none: a frame that is cut short or is no key frame gives nothing.
// Threads: pure functions, any thread.
#pragma once

#include <cstdint>
#include <optional>

#include "base/bytes.h"

namespace millrace {

struct Vp8KeyFrame {
  std::uint32_t width = 0;
  std::uint32_t height = 0;
};
// RFC 6386 section 9.1.
std::optional<Vp8KeyFrame> ReadVp8KeyFrame(ByteSpan frame);

struct Vp9KeyFrame {
  std::uint8_t profile = 0;    // 0 to 3
  std::uint8_t bit_depth = 8;  // 8, 10, 12
  bool subsampling_x = true;
  bool subsampling_y = true;
  bool full_range = false;
  std::uint32_t width = 0;
  std::uint32_t height = 0;
};
// Section 6.2 (uncompressed_header). `frame` may be a superframe, whose first frame counts.
std::optional<Vp9KeyFrame> ReadVp9KeyFrame(ByteSpan frame);

// VP9's features as WebM's CodecPrivate and MP4's vpcC say them.
struct Vp9Features {
  std::uint8_t profile = 0;
  std::uint8_t level = 10;  // ten times the level
  std::uint8_t bit_depth = 8;
  std::uint8_t chroma_subsampling = 1;  // 0: 4:2:0 vertical, 1: 4:2:0 colocated, 2: 4:2:2, 3: 4:4:4
};
// The level is the least that holds a picture of this size thirty times a second: the bitstream has none.
Vp9Features FeaturesOf(const Vp9KeyFrame& frame);
// WebM Container Guidelines, "VP9 Codec Feature Metadata": four features of an id, a length and a byte each.
Bytes EncodeVp9Features(const Vp9Features& features);
// None: one is missing or makes no sense.
std::optional<Vp9Features> DecodeVp9Features(ByteSpan codec_private);

}  // namespace millrace
