// Reading EBML's parts (RFC 8794): variable-size integers, element headers and values, from memory.
//
// Nothing here allocates or fails by more than its return value; the callers know offsets and say what went
// wrong.
#pragma once

#include <bit>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"
#include "parser/elements.h"

namespace millrace {

// The size of an element that ends where an element of its own or a higher level begins (RFC 8794
// section 6.2).
inline constexpr std::uint64_t kUnknownSize = ~std::uint64_t{0};

inline constexpr int kNeedMoreBytes = 0;
inline constexpr int kMalformedVint = -1;

// What DecodeVint and DecodeElementId found. `length` is the number of bytes taken, or one of the two
// constants above.
struct DecodedVint {
  std::uint64_t value = 0;
  int length = kNeedMoreBytes;
};

// RFC 8794 section 4: a number of 1 to 8 bytes without its length marker. All ones gives kUnknownSize.
inline DecodedVint DecodeVint(ByteSpan in) {
  if (in.empty()) return {0, kNeedMoreBytes};
  const std::uint8_t first = in[0];
  if (first == 0) return {0, kMalformedVint};
  const int length = std::countl_zero(first) + 1;
  if (in.size() < static_cast<std::size_t>(length)) return {0, kNeedMoreBytes};
  std::uint64_t value = first & (0xFFu >> length);
  for (int i = 1; i < length; ++i) value = (value << 8) | in[static_cast<std::size_t>(i)];
  if (value == (std::uint64_t{1} << (7 * length)) - 1) value = kUnknownSize;
  return {value, length};
}

// RFC 8794 section 5: an id of 1 to 4 bytes with its length marker. Reserved ids (all zeros, all ones) and
// ids that are longer than they need be are malformed.
inline DecodedVint DecodeElementId(ByteSpan in) {
  if (in.empty()) return {0, kNeedMoreBytes};
  const std::uint8_t first = in[0];
  const int length = std::countl_zero(first) + 1;
  if (length > 4) return {0, kMalformedVint};
  if (in.size() < static_cast<std::size_t>(length)) return {0, kNeedMoreBytes};
  std::uint64_t id = first;
  for (int i = 1; i < length; ++i) id = (id << 8) | in[static_cast<std::size_t>(i)];
  const std::uint64_t data = id & ((std::uint64_t{1} << (7 * length)) - 1);
  if (data == 0 || data == (std::uint64_t{1} << (7 * length)) - 1) return {0, kMalformedVint};
  // The shorter form's all-ones pattern is reserved, so a number equal to it does need this length.
  if (length > 1 && data < (std::uint64_t{1} << (7 * (length - 1))) - 1) return {0, kMalformedVint};
  return {id, length};
}

// An element's header, and where it stands.
struct ElementHeader {
  ElementId id{};
  const ElementInfo* info = nullptr;  // nullptr for an unknown element
  std::uint64_t offset = 0;           // of the header's first byte, from the start of the input
  std::uint32_t header_bytes = 0;     // id and size
  std::uint64_t size = 0;             // of what follows the header, or kUnknownSize

  bool has_known_size() const { return size != kUnknownSize; }
  std::uint64_t payload_offset() const { return offset + header_bytes; }
};

// What is said of an element that is not as it should be: kCorruption, "Info at byte 52 " and `what`.
inline Error CorruptElement(const ElementHeader& element, const std::string& what) {
  return {ErrorCode::kCorruption,
          ElementName(element.id) + " at byte " + std::to_string(element.offset) + " " + what};
}

// The longest header that can be met: a 4-byte id and an 8-byte size.
inline constexpr std::size_t kElementHeaderBytesMax = 12;

// RFC 8794 section 7: values. A payload of no bytes is zero (or empty text); one that is too long, or a float
// of another length than 4 or 8, has no value.
inline std::optional<std::uint64_t> DecodeUnsigned(ByteSpan payload) {
  if (payload.size() > 8) return std::nullopt;
  std::uint64_t value = 0;
  for (const std::uint8_t byte : payload) value = (value << 8) | byte;
  return value;
}

inline std::optional<std::int64_t> DecodeSigned(ByteSpan payload) {
  const std::optional<std::uint64_t> bits = DecodeUnsigned(payload);
  if (!bits || payload.empty()) return bits ? std::optional<std::int64_t>(0) : std::nullopt;
  const int unused = 64 - 8 * static_cast<int>(payload.size());
  return static_cast<std::int64_t>(*bits << unused) >> unused;
}

inline std::optional<double> DecodeFloat(ByteSpan payload) {
  if (payload.empty()) return 0.0;
  if (payload.size() == 4) return std::bit_cast<float>(ReadBigEndian<std::uint32_t>(payload));
  if (payload.size() == 8) return std::bit_cast<double>(ReadBigEndian<std::uint64_t>(payload));
  return std::nullopt;
}

// Up to the first zero byte: what follows it is padding (RFC 8794 section 13). Borrows from `payload`.
inline std::string_view DecodeText(ByteSpan payload) {
  const std::string_view text = AsText(payload);
  return text.substr(0, text.find('\0'));
}

}  // namespace millrace
