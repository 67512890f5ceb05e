#include "wire/sealed_token.h"

#include <openssl/evp.h>
#include <openssl/rand.h>

#include <algorithm>
#include <memory>
#include <stdexcept>

#include "wire/base64.h"

namespace millrace::wire {
namespace {

constexpr std::array<std::uint8_t, 8> kPrefix{0, 0, 0, 0, 0, 0, 0, 1};
constexpr std::size_t kNonceBytes = 12;
constexpr std::size_t kTagBytes = 16;
constexpr std::size_t kBlockBytes = 16;
constexpr std::size_t kLengthBytes = 2;
constexpr std::size_t kOverheadBytes = kNonceBytes + kTagBytes;

using CipherContext = std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)>;

// A library that cannot encrypt, or a system without randomness, is nothing to go on with.
void Require(bool done) {
  if (!done) throw std::runtime_error("OpenSSL failed to make a token");
}

CipherContext NewContext() {
  CipherContext context(EVP_CIPHER_CTX_new(), &EVP_CIPHER_CTX_free);
  Require(context != nullptr);
  return context;
}

// The length that fills up whole blocks with nonce and tag.
std::size_t PaddedLength(std::size_t contents) {
  const std::size_t all = contents + kLengthBytes + kOverheadBytes;
  return (all + kBlockBytes - 1) / kBlockBytes * kBlockBytes - kOverheadBytes;
}

Error NotOurs() { return Error{ErrorCode::kInvalidArgument, "the token was not given by this server"}; }

}  // namespace

TokenSealer::Key TokenSealer::MakeKey() {
  Key key{};
  Require(RAND_bytes(key.data(), static_cast<int>(key.size())) == 1);
  return key;
}

std::string TokenSealer::Seal(std::string_view purpose, ByteSpan contents) const {
  if (contents.size() > kContentsBytesMax) throw std::runtime_error("a token's contents are too long");
  Bytes plain;
  AppendBigEndian(plain, static_cast<std::uint16_t>(contents.size()));
  plain.insert(plain.end(), contents.begin(), contents.end());
  plain.resize(PaddedLength(contents.size()));

  Bytes sealed(kPrefix.begin(), kPrefix.end());
  sealed.resize(kPrefix.size() + kOverheadBytes + plain.size());
  std::uint8_t* nonce = sealed.data() + kPrefix.size();
  std::uint8_t* cipher = nonce + kNonceBytes;
  std::uint8_t* tag = cipher + plain.size();
  Require(RAND_bytes(nonce, kNonceBytes) == 1);
  const CipherContext context = NewContext();
  int size = 0;
  Require(EVP_EncryptInit_ex(context.get(), EVP_aes_256_gcm(), nullptr, key_.data(), nonce) == 1);
  Require(EVP_EncryptUpdate(context.get(), nullptr, &size,
                            reinterpret_cast<const unsigned char*>(purpose.data()),
                            static_cast<int>(purpose.size())) == 1);
  Require(EVP_EncryptUpdate(context.get(), cipher, &size, plain.data(), static_cast<int>(plain.size())) == 1);
  Require(EVP_EncryptFinal_ex(context.get(), cipher + size, &size) == 1);
  Require(EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_GCM_GET_TAG, kTagBytes, tag) == 1);
  return EncodeBase64(sealed);
}

Result<Bytes> TokenSealer::Open(std::string_view purpose, std::string_view token) const {
  constexpr std::size_t kTokenBytesMax =
      kPrefix.size() + kOverheadBytes + kContentsBytesMax + kLengthBytes + kBlockBytes;
  if (token.size() > Base64Length(kTokenBytesMax)) return NotOurs();
  const auto decoded = DecodeBase64(token);
  if (!decoded) return NotOurs();
  const ByteSpan sealed = *decoded;
  if (sealed.size() < kPrefix.size() + kOverheadBytes + kLengthBytes ||
      !std::equal(kPrefix.begin(), kPrefix.end(), sealed.begin())) {
    return NotOurs();
  }
  const ByteSpan nonce = sealed.subspan(kPrefix.size(), kNonceBytes);
  const ByteSpan cipher =
      sealed.subspan(kPrefix.size() + kNonceBytes, sealed.size() - kPrefix.size() - kOverheadBytes);
  Bytes tag(sealed.end() - kTagBytes, sealed.end());
  Bytes plain(cipher.size());
  const CipherContext context = NewContext();
  int size = 0;
  Require(EVP_DecryptInit_ex(context.get(), EVP_aes_256_gcm(), nullptr, key_.data(), nonce.data()) == 1);
  Require(EVP_DecryptUpdate(context.get(), nullptr, &size,
                            reinterpret_cast<const unsigned char*>(purpose.data()),
                            static_cast<int>(purpose.size())) == 1);
  Require(EVP_DecryptUpdate(context.get(), plain.data(), &size, cipher.data(),
                            static_cast<int>(cipher.size())) == 1);
  Require(EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_GCM_SET_TAG, kTagBytes, tag.data()) == 1);
  if (EVP_DecryptFinal_ex(context.get(), plain.data() + size, &size) != 1) return NotOurs();
  const std::size_t length = ReadBigEndian<std::uint16_t>(plain);
  if (length > plain.size() - kLengthBytes) return NotOurs();
  return Bytes(plain.begin() + kLengthBytes,
               plain.begin() + kLengthBytes + static_cast<std::ptrdiff_t>(length));
}

}  // namespace millrace::wire
