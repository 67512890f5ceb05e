// Tokens that clients carry for us and cannot read, change or make up: shard iterators, places in listings.
//
// Form:    base64 of: 8 bytes 00 00 00 00 00 00 00 01 | 12 bytes nonce | AES-256-GCM of (length | contents |
//          zeros) | 16 bytes tag. What follows the first eight bytes is a multiple of 16 bytes, so that a
//          token looks as the Kinesis service's do. The nonce is random: no two tokens are equal.
// Errors:  Open: kInvalidArgument for everything that Seal did not make with this key for this purpose.
// Threads: any.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"

namespace millrace::wire {

class TokenSealer {
 public:
  static constexpr std::size_t kKeyBytes = 32;
  static constexpr std::size_t kContentsBytesMax = 4096;
  using Key = std::array<std::uint8_t, kKeyBytes>;

  explicit TokenSealer(const Key& key) : key_(key) {}
  // A new key, from the system's randomness.
  static Key MakeKey();

  // `purpose` tells tokens of one kind from those of another: they do not open each other.
  // REQUIRES: contents.size() <= kContentsBytesMax.
  std::string Seal(std::string_view purpose, ByteSpan contents) const;
  Result<Bytes> Open(std::string_view purpose, std::string_view token) const;

 private:
  const Key key_;
};

}  // namespace millrace::wire
