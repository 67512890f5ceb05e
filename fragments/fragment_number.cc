#include "fragments/fragment_number.h"

#include <array>

#include "base/text.h"

namespace millrace {
namespace {

constexpr std::size_t kDigits = 47;
constexpr std::size_t kKeyBytes = 20;

// The 160-bit number, least significant limb first.
using Limbs = std::array<std::uint32_t, 5>;

Error NotANumber(std::string_view text) {
  return {ErrorCode::kInvalidArgument,
          "'" + Excerpt(text) + "' is not a fragment number: 47 decimal digits are wanted"};
}

}  // namespace

std::string FragmentNumber::ToString() const {
  const Bytes key = ToKey();
  Limbs limbs{};
  for (std::size_t i = 0; i < limbs.size(); ++i) {
    limbs[i] = ReadBigEndian<std::uint32_t>(ByteSpan(key).subspan(kKeyBytes - 4 * (i + 1), 4));
  }
  std::string digits(kDigits, '0');
  for (std::size_t at = kDigits; at-- > 0;) {
    std::uint64_t remainder = 0;
    for (std::size_t i = limbs.size(); i-- > 0;) {
      const std::uint64_t value = (remainder << 32) | limbs[i];
      limbs[i] = static_cast<std::uint32_t>(value / 10);
      remainder = value % 10;
    }
    digits[at] = static_cast<char>('0' + remainder);
  }
  return digits;
}

Result<FragmentNumber> FragmentNumber::Parse(std::string_view decimal) {
  if (decimal.size() != kDigits) return NotANumber(decimal);
  Limbs limbs{};  // 47 digits are below 2^157: they always fit
  for (const char digit : decimal) {
    if (digit < '0' || digit > '9') return NotANumber(decimal);
    std::uint64_t carry = static_cast<std::uint64_t>(digit - '0');
    for (std::uint32_t& limb : limbs) {
      const std::uint64_t value = std::uint64_t{limb} * 10 + carry;
      limb = static_cast<std::uint32_t>(value);
      carry = value >> 32;
    }
  }
  if (limbs[4] >> 28 != 1) return NotANumber(decimal);
  Bytes key;
  for (std::size_t i = limbs.size(); i-- > 0;) AppendBigEndian(key, limbs[i]);
  return FromKey(key);
}

Bytes FragmentNumber::ToKey() const {
  // The leading 1 takes half a byte, so that everything behind it stands half a byte further right.
  Bytes key;
  key.reserve(kKeyBytes);
  AppendBigEndian(key, (std::uint64_t{1} << 60) | (counter >> 4));
  AppendBigEndian(key, (counter << 60) | (server_ms >> 4));
  AppendBigEndian(key, static_cast<std::uint32_t>(((server_ms & 0xF) << 28) | (random & 0x0FFF'FFFF)));
  return key;
}

FragmentNumber FragmentNumber::FromKey(ByteSpan key) {
  const auto first = ReadBigEndian<std::uint64_t>(key.first(8));
  const auto second = ReadBigEndian<std::uint64_t>(key.subspan(8, 8));
  const auto third = ReadBigEndian<std::uint32_t>(key.subspan(16, 4));
  return {.counter = (first << 4) | (second >> 60),
          .server_ms = (second << 4) | (third >> 28),
          .random = third & 0x0FFF'FFFF};
}

}  // namespace millrace
