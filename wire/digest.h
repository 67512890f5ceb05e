// SHA-256 (FIPS 180-4), HMAC with it (RFC 2104), and hexadecimal text.
//
// Threads: functions, any; a Sha256 has one owner at a time.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/bytes.h"

namespace millrace::wire {

using Digest = std::array<std::uint8_t, 32>;

// A hash of bytes that come piece by piece.
class Sha256 {
 public:
  Sha256();
  void Add(ByteSpan bytes);
  // Of all that was added. REQUIRES: called once, and nothing is added afterwards.
  Digest Finish();

 private:
  struct Free {
    void operator()(void* context) const;
  };
  std::unique_ptr<void, Free> context_;
};

Digest Sha256Of(ByteSpan bytes);
Digest HmacSha256(ByteSpan key, std::string_view text);

// A name that anybody can make again from the same bytes: a UUID of version 8 (RFC 9562) of their SHA-256.
std::string UuidOf(ByteSpan bytes);

std::string Hex(ByteSpan bytes);  // lower case
// Exactly 64 hexadecimal digits, lower case: how Signature V4 writes a digest.
bool IsHexDigest(std::string_view text);

// Compares in a time that tells nothing of where two texts differ. Texts of different lengths differ.
bool EqualInConstantTime(std::string_view a, std::string_view b);

}  // namespace millrace::wire
