#include "storage/ids.h"

#include <openssl/evp.h>

#include <algorithm>
#include <cassert>
#include <charconv>
#include <optional>
#include <span>

#include "base/text.h"

namespace millrace::storage {
namespace {

// A big-endian number of 32-bit limbs, most significant first: just enough arithmetic for decimal text.
template <std::size_t N>
using Limbs = std::array<std::uint32_t, N>;

template <std::size_t N>
std::string ToDecimal(Limbs<N> number) {
  constexpr std::uint32_t kChunk = 1'000'000'000;
  std::string reversed;
  bool zero = false;
  while (!zero) {
    std::uint64_t rest = 0;
    zero = true;
    for (std::uint32_t& limb : number) {
      std::uint64_t part = (rest << 32) | limb;
      limb = static_cast<std::uint32_t>(part / kChunk);
      rest = part % kChunk;
      if (limb != 0) zero = false;
    }
    for (int i = 0; i < 9; ++i) {
      reversed.push_back(static_cast<char>('0' + rest % 10));
      rest /= 10;
    }
  }
  while (reversed.size() > 1 && reversed.back() == '0') reversed.pop_back();
  std::reverse(reversed.begin(), reversed.end());
  return reversed;
}

// None: not digits, a leading zero, or too large for N limbs.
template <std::size_t N>
std::optional<Limbs<N>> FromDecimal(std::string_view text) {
  if (text.empty() || text.size() > 80 || (text.size() > 1 && text[0] == '0')) return std::nullopt;
  Limbs<N> number{};
  for (char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    std::uint64_t carry = static_cast<std::uint64_t>(c - '0');
    for (std::size_t i = N; i-- > 0;) {
      std::uint64_t part = std::uint64_t{number[i]} * 10 + carry;
      number[i] = static_cast<std::uint32_t>(part);
      carry = part >> 32;
    }
    if (carry != 0) return std::nullopt;
  }
  return number;
}

Limbs<6> LimbsOf(const std::array<std::uint8_t, 24>& bytes) {
  Limbs<6> limbs;
  for (std::size_t i = 0; i < 6; ++i) limbs[i] = ReadBigEndian<std::uint32_t>(ByteSpan(bytes).subspan(i * 4));
  return limbs;
}

// Hex digits of a sequence number's bytes; digit 0 is always zero, digit 1 is the layout's first.
void SetDigits(std::array<std::uint8_t, 24>& bytes, std::size_t first, std::size_t count,
               std::uint64_t value) {
  for (std::size_t i = count; i-- > 0; value >>= 4) {
    std::uint8_t& byte = bytes[(first + i) / 2];
    auto digit = static_cast<std::uint8_t>(value & 15);
    byte = (first + i) % 2 == 0 ? static_cast<std::uint8_t>((byte & 0x0f) | (digit << 4))
                                : static_cast<std::uint8_t>((byte & 0xf0) | digit);
  }
}

std::uint64_t GetDigits(const std::array<std::uint8_t, 24>& bytes, std::size_t first, std::size_t count) {
  std::uint64_t value = 0;
  for (std::size_t i = first; i < first + count; ++i) {
    std::uint8_t byte = bytes[i / 2];
    value = (value << 4) | (i % 2 == 0 ? byte >> 4 : byte & 15);
  }
  return value;
}

}  // namespace

HashKey HashKey::FromPartitionKey(std::string_view partition_key) {
  std::array<std::uint8_t, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  [[maybe_unused]] int ok =
      EVP_Digest(partition_key.data(), partition_key.size(), digest.data(), &size, EVP_md5(), nullptr);
  assert(ok == 1 && size == 16);
  ByteSpan bytes(digest);
  return {ReadBigEndian<std::uint64_t>(bytes), ReadBigEndian<std::uint64_t>(bytes.subspan(8))};
}

Result<HashKey> HashKey::Parse(std::string_view decimal) {
  auto limbs = FromDecimal<4>(decimal);
  if (!limbs) {
    return Error{ErrorCode::kInvalidArgument,
                 "a hash key is a decimal number from 0 to 2^128-1 without leading zeros, not '" +
                     Excerpt(decimal) + "'"};
  }
  const auto& l = *limbs;
  return HashKey{(std::uint64_t{l[0]} << 32) | l[1], (std::uint64_t{l[2]} << 32) | l[3]};
}

std::string HashKey::ToString() const {
  return ToDecimal<4>({static_cast<std::uint32_t>(high >> 32), static_cast<std::uint32_t>(high),
                       static_cast<std::uint32_t>(low >> 32), static_cast<std::uint32_t>(low)});
}

HashKey HashKey::Next() const {
  assert(*this != Max());
  return {low == ~std::uint64_t{0} ? high + 1 : high, low + 1};
}

HashKey HashKey::Previous() const {
  assert(*this != HashKey{});
  return {low == 0 ? high - 1 : high, low - 1};
}

std::string ShardId::ToString() const {
  std::string digits = std::to_string(index);
  return "shardId-" + std::string(digits.size() < 12 ? 12 - digits.size() : 0, '0') + digits;
}

Result<ShardId> ShardId::Parse(std::string_view text) {
  std::string_view digits = text;
  if (auto dash = digits.rfind('-'); dash != std::string_view::npos) digits.remove_prefix(dash + 1);
  std::uint32_t index = 0;
  auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), index);
  if (digits.empty() || error != std::errc{} || end != digits.data() + digits.size() || index > 2147483647u) {
    return Error{ErrorCode::kInvalidArgument,
                 "'" + Excerpt(text, 128) + "' is no shard id: expected shardId-000000000000"};
  }
  return ShardId{index};
}

SequenceNumber SequenceNumber::FromFields(const Fields& fields) {
  assert(fields.shard_created_s >= 0 && fields.time_s >= 0 && fields.counter < (std::uint64_t{1} << 63));
  SequenceNumber number;
  SetDigits(number.bytes_, 1, 1, 2);
  SetDigits(number.bytes_, 2, 9, static_cast<std::uint64_t>(fields.shard_created_s));
  SetDigits(number.bytes_, 11, 1, fields.shard.index);
  SetDigits(number.bytes_, 12, 16, fields.counter);
  SetDigits(number.bytes_, 30, 9, static_cast<std::uint64_t>(fields.time_s));
  SetDigits(number.bytes_, 39, 8, fields.shard.index);
  SetDigits(number.bytes_, 47, 1, 2);
  return number;
}

Result<SequenceNumber> SequenceNumber::Parse(std::string_view decimal) {
  auto fail = [&] {
    return Error{ErrorCode::kInvalidArgument,
                 "'" + Excerpt(decimal) + "' is no sequence number of version 2"};
  };
  auto limbs = FromDecimal<6>(decimal);
  if (!limbs) return fail();
  SequenceNumber number;
  for (std::size_t i = 0; i < 24; ++i) {
    number.bytes_[i] = static_cast<std::uint8_t>((*limbs)[i / 4] >> (24 - 8 * (i % 4)));
  }
  const auto& bytes = number.bytes_;
  if (GetDigits(bytes, 0, 2) != 2 || GetDigits(bytes, 47, 1) != 2 || GetDigits(bytes, 28, 2) != 0 ||
      (GetDigits(bytes, 12, 16) >> 63) != 0 || GetDigits(bytes, 11, 1) != GetDigits(bytes, 46, 1)) {
    return fail();
  }
  return number;
}

SequenceNumber SequenceNumber::FromBytes(ByteSpan bytes) {
  assert(bytes.size() == 24);
  SequenceNumber number;
  std::copy_n(bytes.begin(), 24, number.bytes_.begin());
  return number;
}

SequenceNumber::Fields SequenceNumber::fields() const {
  return {static_cast<std::int64_t>(GetDigits(bytes_, 2, 9)), GetDigits(bytes_, 12, 16),
          static_cast<std::int64_t>(GetDigits(bytes_, 30, 9)),
          ShardId{static_cast<std::uint32_t>(GetDigits(bytes_, 39, 8))}};
}

std::string SequenceNumber::ToString() const { return ToDecimal<6>(LimbsOf(bytes_)); }

}  // namespace millrace::storage
