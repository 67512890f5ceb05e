// The keys that data keys are wrapped with. They come from outside (a file, the environment), are never
// written by millrace, and are all that has to be kept apart from the data directory.
//
//   # the newest key stands first: it wraps; the others only open what they wrapped
//   2026 cGxlYXNlIHRha2UgcmFuZG9tIG9uZXMsIG5vdCB0aGVzZSE=
//   2025 3f0c…                                              64 hex digits are a key, too
//   aGVyZSBpcyBvbmUgd2l0aG91dCBhbnkgbmFtZSBhdCBhbGwhISE=    without an id: it gets one that is made of it
//
// One key a line, or separated by ';' where a variable holds them: an id of [a-zA-Z0-9_-]{1,64}, and 32 bytes
// as base64 or hex. `openssl rand -base64 32` makes one.
//
// Wrapping is AES-256-GCM with a random nonce (a data key is wrapped once, and once more for each new master
// key: some thousands of times, of the 2^32 that random nonces allow). The id of the master key and `context`
// are bound in, so that a wrapped key cannot be put in another's place.
//
// Threads: any, once made.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "storage/secret_key.h"

namespace millrace::storage {

// nonce (12), the data key's ciphertext (32), tag (16).
inline constexpr std::size_t kWrappedKeyBytes = 60;

struct WrappedKey {
  std::string master_id;  // of the master key that opens it
  Bytes bytes;            // kWrappedKeyBytes
  friend bool operator==(const WrappedKey&, const WrappedKey&) = default;
};

class MasterKeys {
 public:
  static constexpr std::size_t kKeysMax = 64;

  // `source` stands for where the text is from in errors. Errors: kInvalidArgument, naming the line, never
  // the key.
  static Result<MasterKeys> Parse(std::string_view text, std::string source);
  // Errors: kNotFound; kFailedPrecondition: others than its owner can read it, or it belongs to somebody
  // else; kInvalidArgument, kIo.
  static Result<MasterKeys> FromFile(const std::string& path);
  // Takes the variable out of the environment, so that children do not inherit it. Before other threads look
  // at the environment. Errors: kNotFound (not set), kInvalidArgument.
  static Result<MasterKeys> FromEnvironment(const std::string& variable);

  const std::string& current() const { return keys_.front().id; }
  bool Has(std::string_view id) const { return Find(id) != nullptr; }
  std::vector<std::string> Ids() const;  // the current one first
  const std::string& source() const { return source_; }

  // With the current key. Errors: kUnavailable (no random numbers), kInternal.
  Result<WrappedKey> Wrap(const SecretKey& data_key, ByteSpan context) const;
  // Errors: kFailedPrecondition: no key of this id is here; kPermissionDenied: there is one, but it is not
  // the one that wrapped this, or the wrapped key was changed.
  Result<SecretKey> Unwrap(const WrappedKey& wrapped, ByteSpan context) const;

 private:
  struct Named {
    std::string id;
    SecretKey key;
  };
  MasterKeys(std::vector<Named> keys, std::string source)
      : keys_(std::move(keys)), source_(std::move(source)) {}
  const Named* Find(std::string_view id) const;

  std::vector<Named> keys_;  // never empty; set in the constructor, never changes
  std::string source_;
};

}  // namespace millrace::storage
