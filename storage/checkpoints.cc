#include "storage/checkpoints.h"

#include <algorithm>
#include <utility>

namespace millrace::storage {
namespace {

Result<Checkpoint> FromEntry(const MetadataEntry& entry) {
  if (entry.value.size() != 24) {
    return Error{ErrorCode::kCorruption, "metadata '" + entry.key + "' is no checkpoint"};
  }
  return Checkpoint{SequenceNumber::FromBytes(entry.value), entry.version};
}

}  // namespace

Checkpoints::Checkpoints(RecordLog& log, std::string application)
    : log_(log), application_(std::move(application)) {}

Result<std::string> Checkpoints::Prefix(const std::string& stream) const {
  auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '.' || c == '-';
  };
  if (application_.empty() || application_.size() > 128 ||
      !std::all_of(application_.begin(), application_.end(), allowed)) {
    return Error{ErrorCode::kInvalidArgument,
                 "an application's name has 1 to 128 characters of a-z A-Z 0-9 _ . -"};
  }
  return "checkpoints/" + application_ + "/" + stream + "/";
}

Result<std::optional<Checkpoint>> Checkpoints::Get(const std::string& stream, ShardId shard) {
  MILLRACE_ASSIGN_OR_RETURN(auto prefix, Prefix(stream));
  auto entry = log_.GetMetadata(prefix + shard.ToString());
  if (!entry && entry.error().code == ErrorCode::kNotFound) return std::optional<Checkpoint>{};
  if (!entry) return std::move(entry).error();
  MILLRACE_ASSIGN_OR_RETURN(auto checkpoint, FromEntry(*entry));
  return std::optional<Checkpoint>(checkpoint);
}

Result<std::map<ShardId, Checkpoint>> Checkpoints::List(const std::string& stream) {
  MILLRACE_ASSIGN_OR_RETURN(auto prefix, Prefix(stream));
  MILLRACE_ASSIGN_OR_RETURN(auto entries, log_.ListMetadata(prefix));
  std::map<ShardId, Checkpoint> checkpoints;
  for (const MetadataEntry& entry : entries) {
    MILLRACE_ASSIGN_OR_RETURN(auto shard, ShardId::Parse(entry.key.substr(prefix.size())));
    MILLRACE_ASSIGN_OR_RETURN(auto checkpoint, FromEntry(entry));
    checkpoints[shard] = checkpoint;
  }
  return checkpoints;
}

Result<std::uint64_t> Checkpoints::Set(const std::string& stream, ShardId shard,
                                       const SequenceNumber& sequence_number,
                                       std::optional<std::uint64_t> expected_version) {
  MILLRACE_ASSIGN_OR_RETURN(auto prefix, Prefix(stream));
  const auto& bytes = sequence_number.bytes();
  return log_.PutMetadata(prefix + shard.ToString(), Bytes(bytes.begin(), bytes.end()), expected_version);
}

Result<void> Checkpoints::Remove(const std::string& stream, ShardId shard) {
  MILLRACE_ASSIGN_OR_RETURN(auto prefix, Prefix(stream));
  return log_.DeleteMetadata(prefix + shard.ToString());
}

}  // namespace millrace::storage
