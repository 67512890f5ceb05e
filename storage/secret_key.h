// 256 bits that nobody else may know: a master key, a data key, or one that is derived of it. Overwritten
// when it is let go of, never printed, never written anywhere but wrapped (master_keys.h).
#pragma once

#include <openssl/crypto.h>
#include <openssl/rand.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <cstdint>

#include "base/bytes.h"
#include "base/result.h"

namespace millrace::storage {

class SecretKey {
 public:
  static constexpr std::size_t kBytes = 32;

  // Errors: kUnavailable: the system has no random numbers.
  static Result<SecretKey> Random() {
    SecretKey key;
    if (RAND_priv_bytes(key.bytes_.data(), static_cast<int>(kBytes)) != 1) {
      return Error{ErrorCode::kUnavailable, "the system has no random numbers for a key"};
    }
    return key;
  }
  SecretKey() = default;  // zeros: not a key yet
  // REQUIRES: bytes.size() == kBytes.
  explicit SecretKey(ByteSpan bytes) {
    assert(bytes.size() == kBytes);
    std::copy_n(bytes.begin(), kBytes, bytes_.begin());
  }
  SecretKey(const SecretKey&) = default;
  SecretKey& operator=(const SecretKey&) = default;
  ~SecretKey() { OPENSSL_cleanse(bytes_.data(), kBytes); }

  ByteSpan span() const { return bytes_; }

 private:
  std::array<std::uint8_t, kBytes> bytes_{};
};

}  // namespace millrace::storage
