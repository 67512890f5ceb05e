// Writing EBML: the primitives that a Matroska writer is made of. All append to `out`; nothing here fails.
//
//   Bytes out;
//   AppendUnsigned(out, ElementId::kTrackNumber, 1);              // D7 81 01
//   const std::size_t video = BeginMaster(out, ElementId::kVideo);
//   AppendUnsigned(out, ElementId::kPixelWidth, 1920);
//   EndMaster(out, video);                                        // fills in the size
//   AppendSimpleBlockHeader(out, {.track = 1, .relative_timestamp = 40, .key_frame = true}, frame.size());
//   out.insert(out.end(), frame.begin(), frame.end());            // or write the frame after `out`, uncopied
#pragma once

#include <bit>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/bytes.h"
#include "parser/elements.h"

namespace millrace {

// The largest value that a size can carry: 8-byte vints hold 56 bits, and all ones mean "unknown" (RFC 8794
// section 6.2).
inline constexpr std::uint64_t kVintMax = (std::uint64_t{1} << 56) - 2;

// How many bytes `value` takes as a size, at least. REQUIRES: value <= kVintMax.
inline int VintLength(std::uint64_t value) {
  assert(value <= kVintMax);
  int length = 1;
  while (value >= (std::uint64_t{1} << (7 * length)) - 1) ++length;
  return length;
}

// REQUIRES: 1 <= length <= 8, VintLength(value) <= length.
inline void AppendVint(Bytes& out, std::uint64_t value, int length) {
  assert(length >= 1 && length <= 8 && VintLength(value) <= length);
  value |= std::uint64_t{1} << (7 * length);
  for (int shift = 8 * (length - 1); shift >= 0; shift -= 8)
    out.push_back(static_cast<std::uint8_t>(value >> shift));
}
inline void AppendVint(Bytes& out, std::uint64_t value) { AppendVint(out, value, VintLength(value)); }

// All ones: the element ends where an element of its own or a higher level begins. REQUIRES: 1 <= length
// <= 8.
inline void AppendUnknownSize(Bytes& out, int length = 8) {
  assert(length >= 1 && length <= 8);
  out.push_back(static_cast<std::uint8_t>((1u << (8 - length)) | ((1u << (8 - length)) - 1)));
  out.insert(out.end(), static_cast<std::size_t>(length - 1), 0xFF);
}

inline void AppendElementId(Bytes& out, ElementId id) {
  const auto value = static_cast<std::uint32_t>(id);
  for (int shift = (static_cast<int>(std::bit_width(value)) - 1) / 8 * 8; shift >= 0; shift -= 8) {
    out.push_back(static_cast<std::uint8_t>(value >> shift));
  }
}

// Id and size; the payload of `size` bytes is to follow.
inline void AppendElementHeader(Bytes& out, ElementId id, std::uint64_t size) {
  AppendElementId(out, id);
  AppendVint(out, size);
}

inline void AppendBinary(Bytes& out, ElementId id, ByteSpan payload) {
  AppendElementHeader(out, id, payload.size());
  out.insert(out.end(), payload.begin(), payload.end());
}

inline void AppendText(Bytes& out, ElementId id, std::string_view text) {
  AppendBinary(out, id, AsBytes(text));
}

// In as few bytes as the value needs, at least one.
inline void AppendUnsigned(Bytes& out, ElementId id, std::uint64_t value) {
  const int length = value == 0 ? 1 : (static_cast<int>(std::bit_width(value)) + 7) / 8;
  AppendElementHeader(out, id, static_cast<std::uint64_t>(length));
  for (int shift = 8 * (length - 1); shift >= 0; shift -= 8)
    out.push_back(static_cast<std::uint8_t>(value >> shift));
}

// In eight bytes always: for a value that is filled in later.
inline void AppendUnsigned64(Bytes& out, ElementId id, std::uint64_t value) {
  AppendElementHeader(out, id, 8);
  AppendBigEndian(out, value);
}

// Two's complement, in as few bytes as the value needs, at least one.
inline void AppendSigned(Bytes& out, ElementId id, std::int64_t value) {
  int length = 1;
  while (length < 8 && (value >> (8 * length - 1)) != 0 && (value >> (8 * length - 1)) != -1) ++length;
  AppendElementHeader(out, id, static_cast<std::uint64_t>(length));
  for (int shift = 8 * (length - 1); shift >= 0; shift -= 8)
    out.push_back(static_cast<std::uint8_t>(value >> shift));
}

// As a 64-bit IEEE 754 number.
inline void AppendFloat(Bytes& out, ElementId id, double value) {
  AppendElementHeader(out, id, 8);
  AppendBigEndian(out, std::bit_cast<std::uint64_t>(value));
}

// Starts a master whose size is filled in by EndMaster. `size_length` bytes are set aside for it: 8 hold any
// size, 4 hold 256 MiB. Returns the mark to give to EndMaster.
inline std::size_t BeginMaster(Bytes& out, ElementId id, int size_length = 8) {
  AppendElementId(out, id);
  AppendUnknownSize(out, size_length);
  return out.size();
}

// REQUIRES: `size_length` is BeginMaster's; what was written since fits into it.
inline void EndMaster(Bytes& out, std::size_t mark, int size_length = 8) {
  std::uint64_t size = out.size() - mark;
  assert(VintLength(size) <= size_length);
  size |= std::uint64_t{1} << (7 * size_length);
  for (std::size_t i = 1; i <= static_cast<std::size_t>(size_length); ++i) {
    out[mark - i] = static_cast<std::uint8_t>(size);
    size >>= 8;
  }
}

// The EBML header of a Matroska document (RFC 8794 section 11.2.1): what every one begins with.
// `version`: of Matroska; of the elements that the writer uses the newest (RFC 9559 section 4.2).
inline void AppendMatroskaHeader(Bytes& out, std::uint64_t version) {
  const std::size_t header = BeginMaster(out, ElementId::kEbml, 1);
  AppendUnsigned(out, ElementId::kEbmlVersion, 1);
  AppendUnsigned(out, ElementId::kEbmlReadVersion, 1);
  AppendUnsigned(out, ElementId::kEbmlMaxIdLength, 4);
  AppendUnsigned(out, ElementId::kEbmlMaxSizeLength, 8);
  AppendText(out, ElementId::kDocType, "matroska");
  AppendUnsigned(out, ElementId::kDocTypeVersion, version);
  AppendUnsigned(out, ElementId::kDocTypeReadVersion, 2);
  EndMaster(out, header, 1);
}

struct BlockHeader {
  std::uint32_t track = 1;              // TrackNumber
  std::int16_t relative_timestamp = 0;  // to the Cluster's Timestamp, in ticks of TimestampScale
  bool key_frame = false;               // SimpleBlock only; in a Block the absence of ReferenceBlock says it
  bool discardable = false;             // SimpleBlock only
};

// Track, relative timestamp and flags (RFC 9559 section 10.1), without lacing: what stands before the frame's
// bytes.
inline void AppendBlockHeader(Bytes& out, const BlockHeader& block) {
  AppendVint(out, block.track);
  AppendBigEndian(out, static_cast<std::uint16_t>(block.relative_timestamp));
  out.push_back(static_cast<std::uint8_t>((block.key_frame ? 0x80 : 0) | (block.discardable ? 0x01 : 0)));
}

// All of a SimpleBlock but the frame, whose `frame_bytes` bytes are to follow.
inline void AppendSimpleBlockHeader(Bytes& out, const BlockHeader& block, std::size_t frame_bytes) {
  AppendElementHeader(out, ElementId::kSimpleBlock,
                      static_cast<std::uint64_t>(VintLength(block.track)) + 3 + frame_bytes);
  AppendBlockHeader(out, block);
}

}  // namespace millrace
