#include "storage/master_keys.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <utility>

#include "storage/aes_gcm.h"

namespace millrace::storage {
namespace {

constexpr std::size_t kFileBytesMax = 64 * 1024;
constexpr std::size_t kIdBytesMax = 64;
constexpr std::string_view kWrapPurpose = "millrace data key 1";
constexpr std::string_view kIdPurpose = "millrace master key id 1";

// Text that held keys is overwritten before its memory goes back.
class SecretText {
 public:
  ~SecretText() { OPENSSL_cleanse(text.data(), text.size()); }
  std::string text;
};

bool IsIdCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

std::optional<SecretKey> FromHex(std::string_view text) {
  if (text.size() != 2 * SecretKey::kBytes) return std::nullopt;
  auto digit = [](char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
  };
  std::array<std::uint8_t, SecretKey::kBytes> bytes{};
  std::optional<SecretKey> key;
  bool good = true;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const int high = digit(text[2 * i]);
    const int low = digit(text[2 * i + 1]);
    good = good && high >= 0 && low >= 0;
    bytes[i] = static_cast<std::uint8_t>((high << 4 | low) & 0xff);
  }
  if (good) key.emplace(bytes);
  OPENSSL_cleanse(bytes.data(), bytes.size());
  return key;
}

std::optional<SecretKey> FromBase64(std::string_view text) {
  constexpr std::size_t kTextBytes = 44;  // 32 bytes, with the one '=' that they need
  if (text.size() != kTextBytes || text[kTextBytes - 1] != '=' || text[kTextBytes - 2] == '=')
    return std::nullopt;
  std::array<std::uint8_t, kTextBytes / 4 * 3> bytes{};
  const int size =
      EVP_DecodeBlock(bytes.data(), reinterpret_cast<const unsigned char*>(text.data()), kTextBytes);
  std::optional<SecretKey> key;
  if (size == static_cast<int>(bytes.size())) key.emplace(ByteSpan(bytes).first(SecretKey::kBytes));
  OPENSSL_cleanse(bytes.data(), bytes.size());
  return key;
}

// An id for a key without one, in the form of a GUID. It says nothing of the key: a hash of 256 random bits.
std::string IdOf(const SecretKey& key) {
  Bytes input(AsBytes(kIdPurpose).begin(), AsBytes(kIdPurpose).end());
  input.insert(input.end(), key.span().begin(), key.span().end());
  std::array<std::uint8_t, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  EVP_Digest(input.data(), input.size(), digest.data(), &size, EVP_sha256(), nullptr);
  OPENSSL_cleanse(input.data(), input.size());
  std::string id;
  for (std::size_t i = 0; i < 16; ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) id.push_back('-');
    id.push_back("0123456789abcdef"[digest[i] >> 4]);
    id.push_back("0123456789abcdef"[digest[i] & 15]);
  }
  return id;
}

std::string_view Trimmed(std::string_view text) {
  const std::size_t from = text.find_first_not_of(" \t\r");
  if (from == std::string_view::npos) return {};
  return text.substr(from, text.find_last_not_of(" \t\r") - from + 1);
}

Bytes BoundTo(std::string_view master_id, ByteSpan context) {
  Bytes bound(AsBytes(kWrapPurpose).begin(), AsBytes(kWrapPurpose).end());
  bound.push_back(static_cast<std::uint8_t>(master_id.size()));
  bound.insert(bound.end(), master_id.begin(), master_id.end());
  bound.insert(bound.end(), context.begin(), context.end());
  return bound;
}

class OpenFile {
 public:
  explicit OpenFile(const std::string& path) : fd_(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {}
  ~OpenFile() {
    if (fd_ >= 0) ::close(fd_);
  }
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;
  int fd() const { return fd_; }

 private:
  const int fd_;
};

}  // namespace

Result<MasterKeys> MasterKeys::Parse(std::string_view text, std::string source) {
  std::vector<Named> keys;
  std::size_t line_number = 0;
  auto wrong = [&](const std::string& what) {
    return Error{ErrorCode::kInvalidArgument, source + ", key " + std::to_string(line_number) + ": " + what};
  };
  while (!text.empty()) {
    ++line_number;
    const std::size_t end = std::min(text.find_first_of(";\n"), text.size());
    const std::string_view line = Trimmed(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.empty() || line.front() == '#') continue;
    const std::size_t space = line.find_first_of(" \t");
    const std::string_view secret = space == std::string_view::npos ? line : Trimmed(line.substr(space));
    auto key = FromBase64(secret);
    if (!key) key = FromHex(secret);
    if (!key)
      return wrong(
          "a key is 32 bytes as base64 (44 characters) or as 64 hex digits, with an id before it or none");
    std::string id = space == std::string_view::npos ? IdOf(*key) : std::string(line.substr(0, space));
    if (id.size() > kIdBytesMax || !std::all_of(id.begin(), id.end(), IsIdCharacter)) {
      return wrong("an id has 1 to 64 of a-z A-Z 0-9 _ -");
    }
    if (std::any_of(keys.begin(), keys.end(), [&](const Named& known) { return known.id == id; })) {
      return wrong("the id " + id + " comes twice");
    }
    if (keys.size() == kKeysMax) return wrong("there are more than " + std::to_string(kKeysMax) + " keys");
    keys.push_back({std::move(id), *key});
  }
  if (keys.empty()) return Error{ErrorCode::kInvalidArgument, source + " holds no master key"};
  return MasterKeys(std::move(keys), std::move(source));
}

Result<MasterKeys> MasterKeys::FromFile(const std::string& path) {
  auto refused = [&](const std::string& what) {
    return Error{ErrorCode::kFailedPrecondition, path + " " + what};
  };
  OpenFile file(path);
  if (file.fd() < 0) {
    return Error{errno == ENOENT ? ErrorCode::kNotFound : ErrorCode::kIo,
                 "opening the master key file " + path + ": " + std::strerror(errno)};
  }
  struct stat info {};
  if (::fstat(file.fd(), &info) != 0) {
    return Error{ErrorCode::kIo, "reading " + path + ": " + std::strerror(errno)};
  }
  if (!S_ISREG(info.st_mode)) return refused("is not a file, and no master key");
  if ((info.st_mode & 077) != 0) {
    return refused("can be read or written by others: run chmod 600 on it, and think of the key as known");
  }
  if (info.st_uid != ::geteuid() && info.st_uid != 0) return refused("belongs to another user");
  SecretText held;
  held.text.resize(kFileBytesMax + 1);
  std::size_t got = 0;
  while (got < held.text.size()) {
    const ssize_t n = ::read(file.fd(), held.text.data() + got, held.text.size() - got);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return Error{ErrorCode::kIo, "reading " + path + ": " + std::strerror(errno)};
    if (n == 0) break;
    got += static_cast<std::size_t>(n);
  }
  if (got > kFileBytesMax)
    return Error{ErrorCode::kInvalidArgument, path + " is too large to be a master key"};
  return Parse(std::string_view(held.text).substr(0, got), path);
}

Result<MasterKeys> MasterKeys::FromEnvironment(const std::string& variable) {
  const char* value = std::getenv(variable.c_str());
  if (value == nullptr || *value == '\0') {
    return Error{ErrorCode::kNotFound, "the environment has no master key: " + variable + " is not set"};
  }
  SecretText held;
  held.text = value;
  ::unsetenv(variable.c_str());
  return Parse(held.text, "the variable " + variable);
}

std::vector<std::string> MasterKeys::Ids() const {
  std::vector<std::string> ids;
  for (const Named& key : keys_) ids.push_back(key.id);
  return ids;
}

const MasterKeys::Named* MasterKeys::Find(std::string_view id) const {
  auto found = std::find_if(keys_.begin(), keys_.end(), [&](const Named& key) { return key.id == id; });
  return found == keys_.end() ? nullptr : &*found;
}

Result<WrappedKey> MasterKeys::Wrap(const SecretKey& data_key, ByteSpan context) const {
  const Named& master = keys_.front();
  GcmNonce nonce{};
  if (RAND_bytes(nonce.data(), static_cast<int>(nonce.size())) != 1) {
    return Error{ErrorCode::kUnavailable, "the system has no random numbers for a key"};
  }
  AesGcm cipher;
  MILLRACE_RETURN_IF_ERROR(cipher.SetKey(master.key));
  WrappedKey wrapped;
  wrapped.master_id = master.id;
  wrapped.bytes.resize(kWrappedKeyBytes);
  std::uint8_t* out = std::copy(nonce.begin(), nonce.end(), wrapped.bytes.data());
  const Bytes bound = BoundTo(master.id, context);
  const ByteSpan part(bound);
  MILLRACE_ASSIGN_OR_RETURN(const GcmTag tag, cipher.Seal(nonce, std::span(&part, 1), data_key.span(), out));
  std::copy(tag.begin(), tag.end(), out + SecretKey::kBytes);
  return wrapped;
}

Result<SecretKey> MasterKeys::Unwrap(const WrappedKey& wrapped, ByteSpan context) const {
  const Named* master = Find(wrapped.master_id);
  if (master == nullptr) {
    return Error{ErrorCode::kFailedPrecondition, "the data key is wrapped with the master key '" +
                                                     wrapped.master_id + "', which " + source_ +
                                                     " does not hold"};
  }
  const Error wrong{ErrorCode::kPermissionDenied,
                    "the master key '" + wrapped.master_id + "' of " + source_ +
                        " is not the one that wrapped the data key, or the wrapped key was changed"};
  if (wrapped.bytes.size() != kWrappedKeyBytes) return wrong;
  GcmNonce nonce{};
  GcmTag tag{};
  std::copy_n(wrapped.bytes.begin(), nonce.size(), nonce.begin());
  std::copy(wrapped.bytes.end() - static_cast<std::ptrdiff_t>(tag.size()), wrapped.bytes.end(), tag.begin());
  AesGcm cipher;
  MILLRACE_RETURN_IF_ERROR(cipher.SetKey(master->key));
  const Bytes bound = BoundTo(wrapped.master_id, context);
  const ByteSpan part(bound);
  std::array<std::uint8_t, SecretKey::kBytes> plain{};
  MILLRACE_ASSIGN_OR_RETURN(
      const bool right,
      cipher.Open(nonce, std::span(&part, 1),
                  ByteSpan(wrapped.bytes).subspan(kGcmNonceBytes, SecretKey::kBytes), tag, plain.data()));
  if (!right) return wrong;
  SecretKey key(plain);
  OPENSSL_cleanse(plain.data(), plain.size());
  return key;
}

}  // namespace millrace::storage
