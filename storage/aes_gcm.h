// AES-256-GCM (NIST SP 800-38D) over OpenSSL, which uses the processor's AES where there is one. The key is
// scheduled once for many messages.
//
// A nonce must never come twice under a key: whoever uses this says how that is kept (record_cipher.h,
// master_keys.h). Threads: one at a time.
#pragma once

#include <array>
#include <memory>
#include <span>

#include "base/bytes.h"
#include "base/result.h"
#include "storage/secret_key.h"

struct evp_cipher_ctx_st;

namespace millrace::storage {

inline constexpr std::size_t kGcmNonceBytes = 12;
inline constexpr std::size_t kGcmTagBytes = 16;
using GcmNonce = std::array<std::uint8_t, kGcmNonceBytes>;
using GcmTag = std::array<std::uint8_t, kGcmTagBytes>;

class AesGcm {
 public:
  AesGcm();
  ~AesGcm();
  AesGcm(AesGcm&&) noexcept;
  AesGcm& operator=(AesGcm&&) noexcept;

  // Errors, of all: kInternal: the library refuses, for want of memory.
  Result<void> SetKey(const SecretKey& key);

  // Encrypts `plain` to `out`, which has as many bytes, and may be the same ones. `bound` is what the tag
  // covers besides, part after part. REQUIRES: a key is set; no part has 2 GiB.
  Result<GcmTag> Seal(const GcmNonce& nonce, std::span<const ByteSpan> bound, ByteSpan plain,
                      std::uint8_t* out);
  // The other way. False: nonce, bound parts, bytes and tag do not belong together under this key; `out` is
  // overwritten then, so that nothing unproven is left in it.
  Result<bool> Open(const GcmNonce& nonce, std::span<const ByteSpan> bound, ByteSpan sealed,
                    const GcmTag& tag, std::uint8_t* out);

 private:
  struct Free {
    void operator()(evp_cipher_ctx_st* context) const;
  };
  using Context = std::unique_ptr<evp_cipher_ctx_st, Free>;

  Result<void> Begin(Context& context, bool encrypt, const GcmNonce& nonce, std::span<const ByteSpan> bound);

  SecretKey key_;
  Context seal_;  // null: not made yet; keyed at the first use after SetKey
  Context open_;
  bool seal_keyed_ = false;
  bool open_keyed_ = false;
};

}  // namespace millrace::storage
