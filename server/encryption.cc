#include "server/encryption.h"

#include <optional>
#include <utility>

#include "base/log.h"

namespace millrace::server {
namespace {

constexpr std::string_view kOwnPrefix = "millrace-";
// What the server's own streams say of their key: the one that is configured.
constexpr char kConfiguredKey[] = "alias/aws/kinesis";

bool IsOwn(std::string_view stream) { return stream.starts_with(kOwnPrefix); }

}  // namespace

Result<std::shared_ptr<const storage::MasterKeys>> LoadMasterKeys(const EncryptionConfig& config) {
  if (!config.HasMasterKey()) return std::shared_ptr<const storage::MasterKeys>();
  auto keys = config.master_key_file.empty() ? storage::MasterKeys::FromEnvironment(config.master_key_env)
                                             : storage::MasterKeys::FromFile(config.master_key_file);
  if (!keys) return std::move(keys).error();
  return std::make_shared<const storage::MasterKeys>(std::move(*keys));
}

bool IsEncryptedFromBeginning(const EncryptionConfig& config, const std::string& stream) {
  return config.HasMasterKey() && (IsOwn(stream) ? config.fragments : config.data_streams);
}

Result<void> SettleEncryption(const EncryptionConfig& config, storage::RecordLog& log) {
  if (!config.HasMasterKey()) return {};
  for (const std::string& name : log.ListStreams()) {
    if (!IsOwn(name)) continue;
    MILLRACE_ASSIGN_OR_RETURN(const auto stream, log.DescribeStream(name));
    if (stream.encryption.has_value() == config.fragments) continue;
    std::optional<std::string> key_name;
    if (config.fragments) key_name = kConfiguredKey;
    MILLRACE_RETURN_IF_ERROR(log.SetStreamEncryption(name, key_name));
    Log(LogLevel::kInfo,
        config.fragments ? "records are encrypted from now on" : "records are not encrypted any more",
        {{"stream", name}});
  }
  return {};
}

}  // namespace millrace::server
