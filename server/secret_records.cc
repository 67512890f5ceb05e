#include "server/secret_records.h"

namespace millrace::server {
namespace {

const std::string kPrefix = "ingest/secret/";
constexpr std::uint8_t kRecordVersion = 1;
constexpr std::size_t kHeadBytes = 1 + 8 + 8;

std::string ContextOf(const std::string& name) { return "secret/" + name; }

Result<SecretInfo> ParseHead(const std::string& name, ByteSpan value) {
  if (!value.empty() && value[0] > kRecordVersion) {
    return Error{ErrorCode::kUnsupported, "secret '" + name + "' is of a newer version of millrace"};
  }
  if (value.size() < kHeadBytes || value[0] != kRecordVersion) {
    return Error{ErrorCode::kCorruption, "secret '" + name + "' is damaged"};
  }
  const auto time = [&](std::size_t at) {
    return Timestamp{static_cast<std::int64_t>(ReadBigEndian<std::uint64_t>(value.subspan(at, 8)))};
  };
  return SecretInfo{.name = name, .created = time(1), .updated = time(9)};
}

Error NoSecret(const std::string& name) {
  return {ErrorCode::kNotFound, "secret '" + name + "' does not exist"};
}

}  // namespace

Result<std::vector<SecretInfo>> SecretRecords::List() {
  MILLRACE_ASSIGN_OR_RETURN(const auto entries, log_.ListMetadata(kPrefix));
  std::vector<SecretInfo> secrets;
  secrets.reserve(entries.size());
  for (const storage::MetadataEntry& entry : entries) {
    MILLRACE_ASSIGN_OR_RETURN(SecretInfo secret, ParseHead(entry.key.substr(kPrefix.size()), entry.value));
    secrets.push_back(std::move(secret));
  }
  return secrets;
}

Result<SecretInfo> SecretRecords::Put(const std::string& name, const std::string& value) {
  if (value.empty() || value.size() > kSecretBytesMax) {
    return Error{ErrorCode::kInvalidArgument,
                 "a secret has 1 to " + std::to_string(kSecretBytesMax) + " bytes"};
  }
  const std::lock_guard writing(writing_);
  SecretInfo secret{.name = name, .created = clock_.Now(), .updated = clock_.Now()};
  if (const auto there = log_.GetMetadata(kPrefix + name)) {
    // What is damaged is replaced as if it were not there.
    if (const auto head = ParseHead(name, there->value)) secret.created = head->created;
  } else if (there.error().code != ErrorCode::kNotFound) {
    return there.error();
  } else {
    MILLRACE_ASSIGN_OR_RETURN(const auto all, log_.ListMetadata(kPrefix));
    if (all.size() >= kSecretsMax) {
      return Error{ErrorCode::kResourceExhausted,
                   "there are " + std::to_string(kSecretsMax) + " secrets already: remove one first"};
    }
  }
  Bytes bytes{kRecordVersion};
  AppendBigEndian(bytes, static_cast<std::uint64_t>(secret.created.ns));
  AppendBigEndian(bytes, static_cast<std::uint64_t>(secret.updated.ns));
  const Bytes sealed = box_.Seal(value, ContextOf(name));
  bytes.insert(bytes.end(), sealed.begin(), sealed.end());
  MILLRACE_RETURN_IF_ERROR(log_.PutMetadata(kPrefix + name, std::move(bytes)));
  return secret;
}

Result<void> SecretRecords::Remove(const std::string& name) {
  const std::lock_guard writing(writing_);
  const auto there = log_.GetMetadata(kPrefix + name);
  if (!there) return there.error().code == ErrorCode::kNotFound ? NoSecret(name) : there.error();
  return log_.DeleteMetadata(kPrefix + name);
}

Result<std::string> SecretRecords::Read(const std::string& name) {
  const auto there = log_.GetMetadata(kPrefix + name);
  if (!there) return there.error().code == ErrorCode::kNotFound ? NoSecret(name) : there.error();
  MILLRACE_RETURN_IF_ERROR(ParseHead(name, there->value));
  return box_.Unseal(ByteSpan(there->value).subspan(kHeadBytes), ContextOf(name));
}

}  // namespace millrace::server
