#include "storage/aes_gcm.h"

#include <openssl/evp.h>

#include <cassert>
#include <limits>

namespace millrace::storage {
namespace {

// Looked up once: EVP_aes_256_gcm() would look it up with every key.
const EVP_CIPHER* Cipher() {
  static const EVP_CIPHER* cipher = EVP_CIPHER_fetch(nullptr, "AES-256-GCM", nullptr);
  return cipher;
}

Error Refused() { return {ErrorCode::kInternal, "AES-256-GCM is not to be had of the crypto library"}; }

int Length(std::size_t size) {
  assert(size <= static_cast<std::size_t>(std::numeric_limits<int>::max()));
  return static_cast<int>(size);
}

}  // namespace

void AesGcm::Free::operator()(evp_cipher_ctx_st* context) const { EVP_CIPHER_CTX_free(context); }

AesGcm::AesGcm() = default;
AesGcm::~AesGcm() = default;
AesGcm::AesGcm(AesGcm&&) noexcept = default;
AesGcm& AesGcm::operator=(AesGcm&&) noexcept = default;

Result<void> AesGcm::SetKey(const SecretKey& key) {
  key_ = key;
  seal_keyed_ = open_keyed_ = false;
  if (Cipher() == nullptr) return Refused();
  return {};
}

Result<void> AesGcm::Begin(Context& context, bool encrypt, const GcmNonce& nonce,
                           std::span<const ByteSpan> bound) {
  bool& keyed = encrypt ? seal_keyed_ : open_keyed_;
  if (!context) context.reset(EVP_CIPHER_CTX_new());
  if (!context) return Refused();
  const int way = encrypt ? 1 : 0;
  const bool good =
      keyed
          ? EVP_CipherInit_ex2(context.get(), nullptr, nullptr, nonce.data(), way, nullptr) == 1
          : EVP_CipherInit_ex2(context.get(), Cipher(), key_.span().data(), nonce.data(), way, nullptr) == 1;
  if (!good) return Refused();
  keyed = true;
  for (ByteSpan part : bound) {
    int done = 0;
    if (!part.empty() &&
        EVP_CipherUpdate(context.get(), nullptr, &done, part.data(), Length(part.size())) != 1) {
      return Refused();
    }
  }
  return {};
}

Result<GcmTag> AesGcm::Seal(const GcmNonce& nonce, std::span<const ByteSpan> bound, ByteSpan plain,
                            std::uint8_t* out) {
  MILLRACE_RETURN_IF_ERROR(Begin(seal_, true, nonce, bound));
  GcmTag tag{};
  std::uint8_t none[kGcmTagBytes];  // the end of a stream cipher gives no bytes
  int done = 0;
  const bool good =
      (plain.empty() ||
       EVP_EncryptUpdate(seal_.get(), out, &done, plain.data(), Length(plain.size())) == 1) &&
      EVP_EncryptFinal_ex(seal_.get(), none, &done) == 1 &&
      EVP_CIPHER_CTX_ctrl(seal_.get(), EVP_CTRL_AEAD_GET_TAG, Length(tag.size()), tag.data()) == 1;
  if (!good) return Refused();
  return tag;
}

Result<bool> AesGcm::Open(const GcmNonce& nonce, std::span<const ByteSpan> bound, ByteSpan sealed,
                          const GcmTag& tag, std::uint8_t* out) {
  MILLRACE_RETURN_IF_ERROR(Begin(open_, false, nonce, bound));
  GcmTag expected = tag;  // the library wants to be able to write there
  std::uint8_t none[kGcmTagBytes];
  int done = 0;
  const bool ready =
      (sealed.empty() ||
       EVP_DecryptUpdate(open_.get(), out, &done, sealed.data(), Length(sealed.size())) == 1) &&
      EVP_CIPHER_CTX_ctrl(open_.get(), EVP_CTRL_AEAD_SET_TAG, Length(expected.size()), expected.data()) == 1;
  if (!ready) return Refused();
  if (EVP_DecryptFinal_ex(open_.get(), none, &done) == 1) return true;
  OPENSSL_cleanse(out, sealed.size());
  return false;
}

}  // namespace millrace::storage
