// Seals small secrets (camera passwords) so that they do not lie readable among the settings.
//
// AES-256-GCM; the key is a file of mode 0600 in the data directory, made at the first use. What this
// protects: copies of the log, the index, backups without the key file, and eyes on the settings. What it
// does not: somebody who can read the whole data directory as this user has key and secrets
// (docs/configuration.md says so).
//
// Sealed form: 1 version | 12 nonce | ciphertext | 16 tag. The context is bound in: a secret that is moved to
// another camera does not open.
//
// Threads: any, once opened.
#pragma once

#include <array>
#include <filesystem>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"

namespace millrace::server {

class SecretBox {
 public:
  // Reads the key, or makes it where there is none (durably, before anything is sealed with it).
  // Errors: kIo, kNoSpace; kFailedPrecondition: the file is readable by others; kCorruption: it is no key.
  static Result<SecretBox> Open(const std::filesystem::path& key_file);

  Bytes Seal(std::string_view secret, std::string_view context) const;
  // Errors: kCorruption: damaged, of another context, or sealed with another key.
  Result<std::string> Unseal(ByteSpan sealed, std::string_view context) const;

 private:
  using Key = std::array<std::uint8_t, 32>;
  explicit SecretBox(const Key& key) : key_(key) {}
  Key key_;
};

}  // namespace millrace::server
