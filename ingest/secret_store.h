// Where the server keeps small secrets by name, over a restart: the addresses of cameras that edge
// configurations name.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace millrace {

inline constexpr std::size_t kSecretBytesMax = 4096;
inline constexpr std::size_t kSecretsMax = 10'000;

// All there is to be told of one: what it holds is not.
struct SecretInfo {
  std::string name;  // [a-zA-Z0-9_.-]{1,128}
  Timestamp created;
  Timestamp updated;
};

// Kept sealed. A call that returns success is durable.
// Threads: any. May wait for the disk.
class SecretStore {
 public:
  virtual ~SecretStore() = default;
  virtual Result<std::vector<SecretInfo>> List() = 0;  // in name order
  // Makes or replaces one. Errors: kInvalidArgument (empty, more than kSecretBytesMax); kResourceExhausted.
  virtual Result<SecretInfo> Put(const std::string& name, const std::string& value) = 0;
  // Errors: kNotFound.
  virtual Result<void> Remove(const std::string& name) = 0;
  // For whoever in this server uses it, and never for an answer. Errors: kNotFound; kCorruption: it does not
  // open with the key of this data directory.
  virtual Result<std::string> Read(const std::string& name) = 0;
};

}  // namespace millrace
