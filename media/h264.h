// What Millrace needs to know of H.264 (ITU-T H.264, ISO/IEC 14496-15): the decoder configuration record
// (avcC), the sequence parameter set, and which frames are IDR. Nothing is decoded.
//
// Input comes from cameras: every length, count and Exp-Golomb code is checked against the bytes there are.
// Errors:  kCorruption (cut short, out of range), kUnsupported (a version or layout that we do not handle).
// Threads: pure functions, any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace millrace {

// The parts of an avcC. The spans point into the bytes that were parsed.
struct AvcConfig {
  std::uint8_t profile_idc = 0;
  std::uint8_t constraints = 0;  // constraint_set0_flag is the highest bit
  std::uint8_t level_idc = 0;
  std::uint8_t nal_length_bytes = 4;  // 1, 2 or 4
  std::vector<ByteSpan> sps;          // NAL units with their header byte
  std::vector<ByteSpan> pps;
};
Result<AvcConfig> ParseAvcConfig(ByteSpan avcc);

struct H264Sps {
  std::uint8_t profile_idc = 0;
  std::uint8_t constraints = 0;
  std::uint8_t level_idc = 0;
  std::uint32_t width = 0;  // in luma samples, after cropping
  std::uint32_t height = 0;
  bool frame_mbs_only = true;  // false: interlaced coding is possible
  std::uint32_t pic_order_cnt_type = 0;
  std::optional<std::uint32_t> max_num_reorder_frames{};  // from the VUI's bitstream restriction, 0 to 16
  // Frames a second from the VUI's timing, as a fraction; 0/0 where it says nothing (or nonsense).
  std::uint32_t frame_rate_numerator = 0;
  std::uint32_t frame_rate_denominator = 0;
  std::size_t coding_bits = 0;  // of the payload before the VUI: all that decides how slices are read
};
// `nal`: an SPS NAL unit with its header byte and emulation prevention bytes.
Result<H264Sps> ParseH264Sps(ByteSpan nal);

// By how many frames decode order may run ahead of display order; none: the SPS leaves it open.
std::optional<std::uint32_t> H264ReorderDepth(const H264Sps& sps);

// Whether slices that were made for one configuration decode alike under the other: they differ at most in
// level, constraint flags and VUI, which encoders change for no reason that a decoder would see, and agree on
// the reorder depth. False for what cannot be read.
bool DecodesAlike(ByteSpan avcc, ByteSpan other_avcc);

// Whether a frame of length-prefixed NAL units has a slice: without one it is no picture.
bool HasH264Slice(ByteSpan frame, std::size_t nal_length_bytes);

// Whether the first slice of a frame of length-prefixed NAL units is of an IDR picture: then nothing that
// follows is shown before it. A frame that is cut short is not one.
bool IsH264Idr(ByteSpan frame, std::size_t nal_length_bytes);

}  // namespace millrace
