// What Millrace needs to know of H.265 (ITU-T H.265, ISO/IEC 14496-15): the decoder configuration record
// (hvcC), the sequence parameter set, and which frames decoding can start with. Nothing is decoded.
//
// Input comes from cameras and producers: every length, count and Exp-Golomb code is checked against the
// bytes. Errors:  kCorruption (cut short, out of range), kUnsupported (a version or layout that we do not
// handle). Threads: pure functions, any thread.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace millrace {

// profile_tier_level() without its sub-layers, section 7.3.3.
struct H265Profile {
  std::uint8_t space = 0;  // 0 to 3
  bool high_tier = false;
  std::uint8_t idc = 0;
  std::uint32_t compatibility = 0;            // general_profile_compatibility_flag[0] is the highest bit
  std::array<std::uint8_t, 6> constraints{};  // the 48 bits from general_progressive_source_flag on
  std::uint8_t level_idc = 0;                 // 30 times the level
  friend bool operator==(const H265Profile&, const H265Profile&) = default;
};

// The parts of an hvcC. The spans point into the bytes that were parsed.
struct HevcConfig {
  H265Profile profile;
  std::uint8_t nal_length_bytes = 4;  // 1, 2 or 4
  std::vector<ByteSpan> vps;          // NAL units with their header's two bytes
  std::vector<ByteSpan> sps;
  std::vector<ByteSpan> pps;
};
Result<HevcConfig> ParseHevcConfig(ByteSpan hvcc);

struct H265Sps {
  H265Profile profile;
  std::uint32_t width = 0;  // in luma samples, after the conformance window
  std::uint32_t height = 0;
  std::uint8_t chroma_format = 1;
  std::uint8_t bit_depth_luma = 8;
  std::uint8_t bit_depth_chroma = 8;
  std::uint32_t max_num_reorder = 0;  // of the highest sub-layer: by how many frames decode order runs ahead
};
// `nal`: an SPS NAL unit with its header and emulation prevention bytes.
Result<H265Sps> ParseH265Sps(ByteSpan nal);

// Of a frame of length-prefixed NAL units; a frame that is cut short has none of these.
// Whether it has a slice: without one it is no picture.
bool HasH265Slice(ByteSpan frame, std::size_t nal_length_bytes);
// Whether its picture is a random access point (IDR, BLA, CRA): decoding can start with it.
bool IsH265RandomAccess(ByteSpan frame, std::size_t nal_length_bytes);
// Whether nothing that follows is shown before it (IDR or BLA without leading pictures).
bool IsH265WithoutLeading(ByteSpan frame, std::size_t nal_length_bytes);

}  // namespace millrace
