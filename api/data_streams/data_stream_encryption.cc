// Encryption at rest, as the service has it: StartStreamEncryption and StopStreamEncryption.
//
// There is one key service here, the server's own: the master keys that it was started with. A KeyId names
// one of them by its id, where AWS has a key's GUID or an alias; alias/aws/kinesis is the one that is
// current. All that is sealed is sealed with the current key, so an older one can be named no more
// (KMSDisabledException) and one that is not there cannot (KMSNotFoundException). The change is made when the
// answer comes: no stream is ever UPDATING for it.
#include <algorithm>
#include <array>

#include "api/aws/aws_input.h"
#include "api/data_streams/data_stream_operations.h"

namespace millrace::api {
namespace {

constexpr std::array<std::string_view, 1> kEncryptionTypes{"KMS"};
constexpr std::string_view kAliasPrefix = "alias/";
constexpr std::string_view kKeyPrefix = "key/";
constexpr std::string_view kOwnAlias = "aws/kinesis";

// The name in a KeyId: "alias/NAME", "NAME", and the ARNs of both, of this account and region. Empty: it is
// none of these.
std::string_view NameInKeyId(const AwsIdentity& identity, std::string_view key_id) {
  if (key_id.starts_with("arn:")) {
    const std::string ours =
        "arn:" + identity.Partition() + ":kms:" + identity.region + ":" + identity.account + ":";
    if (!key_id.starts_with(ours)) return {};
    key_id.remove_prefix(ours.size());
    if (key_id.starts_with(kKeyPrefix)) return key_id.substr(kKeyPrefix.size());
    if (!key_id.starts_with(kAliasPrefix)) return {};
  }
  if (key_id.starts_with(kAliasPrefix)) key_id.remove_prefix(kAliasPrefix.size());
  return key_id;
}

// Whether the key is there and in use.
std::optional<AwsError> CheckKey(const DataStreamServices& services, const std::string& key_id) {
  const auto ids = services.catalog.log().MasterKeyIds();
  const std::string_view name = NameInKeyId(services.identity, key_id);
  if (!ids.empty() && name == kOwnAlias) return std::nullopt;
  const auto found = std::find(ids.begin(), ids.end(), name);
  if (name.empty() || found == ids.end()) {
    return AwsError("KMSNotFoundException", "Key '" + key_id + "' does not exist" +
                                                (ids.empty() ? ": this server has no master key." : "."));
  }
  if (found == ids.begin()) return std::nullopt;
  return AwsError(
      "KMSDisabledException",
      "Key '" + key_id + "' only opens what it has sealed; the current key is '" + ids.front() + "'.");
}

AwsAnswer ChangeEncryption(const DataStreamServices& services, const DataStreamRequest& request, bool on) {
  AwsInput input(request.members);
  const auto named = ReadDataStreamName(input);
  (void)input.String("EncryptionType", {.required = true, .values = kEncryptionTypes});
  const auto key_id = input.String("KeyId", {.required = true, .min = 1, .max = storage::kKeyNameBytesMax});
  if (auto bad = input.Finish()) return *bad;
  const auto change = [&](DataStream& stream) -> std::optional<AwsError> {
    const std::string& name = stream.description.name;
    std::optional<std::string> key_name;
    if (on) {
      if (auto bad = CheckKey(services, *key_id)) return bad;
      key_name = *key_id;
    } else if (NameInKeyId(services.identity, *key_id).empty()) {
      return InvalidArgument("KeyId '" + *key_id + "' is no key of this account and region.");
    }
    auto set = services.catalog.log().SetStreamEncryption(name, key_name);
    if (set) return std::nullopt;
    if (set.error().code == ErrorCode::kResourceExhausted) {
      return AwsError("LimitExceededException",
                      "Stream " + name + " under account " + services.identity.account +
                          " can be given a new key at most " + std::to_string(storage::kDataKeysPerDayMax) +
                          " times in 24 hours.");
    }
    return AwsError(std::move(set).error());
  };
  MILLRACE_ASSIGN_OR_RETURN(const DataStream changed, ChangeDataStream(services, named, change));
  return std::string();
}

}  // namespace

AwsAnswer StartStreamEncryption(const DataStreamServices& services, const DataStreamRequest& request) {
  return ChangeEncryption(services, request, true);
}

AwsAnswer StopStreamEncryption(const DataStreamServices& services, const DataStreamRequest& request) {
  return ChangeEncryption(services, request, false);
}

void WriteEncryption(AwsOutput& output, const storage::StreamDescription& stream) {
  output.Key("EncryptionType").String(stream.encryption ? "KMS" : "NONE");
  if (!stream.encryption) return;
  // One that is encrypted because the server is configured so was given no name by anybody.
  const std::string& name = stream.encryption->key_name;
  output.Key("KeyId").String(name.empty() ? "alias/aws/kinesis" : name);
}

}  // namespace millrace::api
