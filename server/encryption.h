// Encryption at rest, as it is configured: which master keys there are, and which streams are encrypted. What
// it protects, and against whom, stands in docs/configuration.md.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "base/result.h"
#include "base/time.h"
#include "storage/master_keys.h"
#include "storage/record_log.h"

namespace millrace::server {

struct EncryptionConfig {
  // At most one of the two; neither: there is no encryption.
  std::string master_key_file;
  std::string master_key_env;  // the name of a variable
  bool fragments = true;       // what the server itself records, where there is a master key
  bool data_streams = false;   // data streams that are made from now on, without being asked
  Duration data_key_age_max = std::chrono::hours(24 * 90);

  bool HasMasterKey() const { return !master_key_file.empty() || !master_key_env.empty(); }
};

// Null where none is configured. Takes the variable out of the environment, so before other threads are
// there, and once. Errors: those of MasterKeys.
Result<std::shared_ptr<const storage::MasterKeys>> LoadMasterKeys(const EncryptionConfig& config);

// Whether a stream of this name is encrypted from its beginning. The server's own ones are the fragment log
// and what analyzers write; their names begin with "millrace-".
bool IsEncryptedFromBeginning(const EncryptionConfig& config, const std::string& stream);

// Switches encryption of the server's own streams that are there already on or off, as configured: what is
// recorded from now on is as it should be. Others stay as somebody has asked for. Without a master key there
// is nothing to do. Errors: those of the log.
Result<void> SettleEncryption(const EncryptionConfig& config, storage::RecordLog& log);

}  // namespace millrace::server
