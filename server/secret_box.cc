#include "server/secret_box.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <stdexcept>

#include "base/private_file.h"

namespace millrace::server {
namespace {

constexpr std::uint8_t kBoxVersion = 1;
constexpr std::size_t kNonceBytes = 12;
constexpr std::size_t kTagBytes = 16;

struct CipherFree {
  void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
};
using CipherPtr = std::unique_ptr<EVP_CIPHER_CTX, CipherFree>;

int Length(std::size_t size) { return static_cast<int>(size); }

}  // namespace

Result<SecretBox> SecretBox::Open(const std::filesystem::path& key_file) {
  Key key{};
  const FileDescriptor file(::open(key_file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!file) {
    if (errno != ENOENT) return OsError("opening " + key_file.string());
    if (RAND_bytes(key.data(), Length(key.size())) != 1) {
      return Error{ErrorCode::kUnavailable, "the system has no random numbers for a key"};
    }
    MILLRACE_RETURN_IF_ERROR(WritePrivateFile(key_file, key));
    return SecretBox(key);
  }
  struct stat info {};
  if (::fstat(file.get(), &info) != 0) return OsError("reading " + key_file.string());
  if ((info.st_mode & 077) != 0) {
    return Error{
        ErrorCode::kFailedPrecondition,
        key_file.string() + " can be read by others: run chmod 600 on it, and change the cameras' passwords"};
  }
  std::uint8_t surplus = 0;
  if (::read(file.get(), key.data(), key.size()) != static_cast<ssize_t>(key.size()) ||
      ::read(file.get(), &surplus, 1) != 0) {
    return Error{ErrorCode::kCorruption, key_file.string() + " is not a key of 32 bytes"};
  }
  return SecretBox(key);
}

Bytes SecretBox::Seal(std::string_view secret, std::string_view context) const {
  Bytes sealed(1 + kNonceBytes + secret.size() + kTagBytes);
  sealed[0] = kBoxVersion;
  std::uint8_t* nonce = sealed.data() + 1;
  std::uint8_t* text = nonce + kNonceBytes;
  ByteSpan bytes = AsBytes(secret);
  ByteSpan bound = AsBytes(context);
  CipherPtr cipher(EVP_CIPHER_CTX_new());
  int written = 0;
  bool good =
      cipher && RAND_bytes(nonce, Length(kNonceBytes)) == 1 &&
      EVP_EncryptInit_ex(cipher.get(), EVP_aes_256_gcm(), nullptr, key_.data(), nonce) == 1 &&
      EVP_EncryptUpdate(cipher.get(), nullptr, &written, bound.data(), Length(bound.size())) == 1 &&
      EVP_EncryptUpdate(cipher.get(), text, &written, bytes.data(), Length(bytes.size())) == 1 &&
      EVP_EncryptFinal_ex(cipher.get(), text + written, &written) == 1 &&
      EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_GCM_GET_TAG, Length(kTagBytes), text + secret.size()) == 1;
  if (!good) throw std::runtime_error("sealing a secret failed");  // no memory, or no random numbers
  return sealed;
}

Result<std::string> SecretBox::Unseal(ByteSpan sealed, std::string_view context) const {
  Error damaged{ErrorCode::kCorruption, "a sealed secret does not open with the key of this data directory"};
  if (sealed.size() < 1 + kNonceBytes + kTagBytes || sealed[0] != kBoxVersion) return damaged;
  const std::uint8_t* nonce = sealed.data() + 1;
  const std::uint8_t* text = nonce + kNonceBytes;
  std::size_t size = sealed.size() - 1 - kNonceBytes - kTagBytes;
  Bytes tag(text + size, text + size + kTagBytes);
  std::string secret(size, '\0');
  auto* out = reinterpret_cast<std::uint8_t*>(secret.data());
  ByteSpan bound = AsBytes(context);
  CipherPtr cipher(EVP_CIPHER_CTX_new());
  int written = 0;
  bool good = cipher &&
              EVP_DecryptInit_ex(cipher.get(), EVP_aes_256_gcm(), nullptr, key_.data(), nonce) == 1 &&
              EVP_DecryptUpdate(cipher.get(), nullptr, &written, bound.data(), Length(bound.size())) == 1 &&
              EVP_DecryptUpdate(cipher.get(), out, &written, text, Length(size)) == 1 &&
              EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_GCM_SET_TAG, Length(kTagBytes), tag.data()) == 1 &&
              EVP_DecryptFinal_ex(cipher.get(), out + written, &written) == 1;
  if (!good) return damaged;
  return secret;
}

}  // namespace millrace::server
