#include "wire/digest.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <new>

namespace millrace::wire {
namespace {

// Looked up once: OpenSSL 3 searches its providers each time that EVP_sha256() is used.
const EVP_MD* Algorithm() {
  static const EVP_MD* const algorithm = [] {
    const EVP_MD* fetched = EVP_MD_fetch(nullptr, "SHA256", nullptr);
    return fetched != nullptr ? fetched : EVP_sha256();
  }();
  return algorithm;
}

// What fails here is memory: there is nothing else to go wrong.
void Check(int good) {
  if (good != 1) throw std::bad_alloc();
}

EVP_MD_CTX* Context(void* context) { return static_cast<EVP_MD_CTX*>(context); }

}  // namespace

void Sha256::Free::operator()(void* context) const { EVP_MD_CTX_free(Context(context)); }

Sha256::Sha256() : context_(EVP_MD_CTX_new()) {
  Check(context_ != nullptr && EVP_DigestInit_ex(Context(context_.get()), Algorithm(), nullptr) == 1 ? 1 : 0);
}

void Sha256::Add(ByteSpan bytes) {
  Check(EVP_DigestUpdate(Context(context_.get()), bytes.data(), bytes.size()));
}

Digest Sha256::Finish() {
  Digest digest{};
  Check(EVP_DigestFinal_ex(Context(context_.get()), digest.data(), nullptr));
  return digest;
}

Digest Sha256Of(ByteSpan bytes) {
  Digest digest{};
  Check(EVP_Digest(bytes.data(), bytes.size(), digest.data(), nullptr, Algorithm(), nullptr));
  return digest;
}

Digest HmacSha256(ByteSpan key, std::string_view text) {
  Digest digest{};
  const ByteSpan bytes = AsBytes(text);
  unsigned int size = 0;
  const auto* made = HMAC(Algorithm(), key.data(), static_cast<int>(key.size()), bytes.data(), bytes.size(),
                          digest.data(), &size);
  Check(made != nullptr && size == digest.size() ? 1 : 0);
  return digest;
}

std::string Hex(ByteSpan bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  text.reserve(2 * bytes.size());
  for (const std::uint8_t byte : bytes) {
    text.push_back(kDigits[byte >> 4]);
    text.push_back(kDigits[byte & 15]);
  }
  return text;
}

std::string UuidOf(ByteSpan bytes) {
  Digest digest = Sha256Of(bytes);
  digest[6] = static_cast<std::uint8_t>((digest[6] & 0x0F) | 0x80);
  digest[8] = static_cast<std::uint8_t>((digest[8] & 0x3F) | 0x80);
  std::string text = Hex(ByteSpan(digest).first(16));
  for (const std::size_t place : {8, 13, 18, 23}) text.insert(place, 1, '-');
  return text;
}

bool IsHexDigest(std::string_view text) {
  return text.size() == 2 * sizeof(Digest) && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

bool EqualInConstantTime(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace millrace::wire
