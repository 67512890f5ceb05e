#include "storage/commit_batch.h"

#include <set>
#include <utility>

namespace millrace::storage {
namespace {

constexpr std::size_t kMetadataKeyBytesMax = 1024;
constexpr std::size_t kMetadataValueBytesMax = 1 << 20;

Error InvalidBatch(std::string text) { return {ErrorCode::kInvalidArgument, std::move(text)}; }

}  // namespace

Result<void> CheckMetadata(const std::string& key, const Bytes& value) {
  if (!key.empty() && key.size() <= kMetadataKeyBytesMax && value.size() <= kMetadataValueBytesMax) return {};
  return InvalidBatch("metadata has a key of 1 to " + std::to_string(kMetadataKeyBytesMax) +
                      " bytes and a value of up to " + std::to_string(kMetadataValueBytesMax));
}

Result<void> CheckBatch(const CommitBatch& batch) {
  if (batch.records.size() > kBatchRecordsMax || batch.metadata.size() > kBatchMetadataMax) {
    return InvalidBatch("a batch has at most " + std::to_string(kBatchRecordsMax) + " records and " +
                        std::to_string(kBatchMetadataMax) + " metadata changes");
  }
  std::uint64_t bytes = 0;
  for (const StreamRecord& record : batch.records) bytes += record.record.data.size();
  if (bytes > kRecordBytesMax) {
    return InvalidBatch("a batch has at most " + std::to_string(kRecordBytesMax) + " bytes of data, not " +
                        std::to_string(bytes));
  }
  std::set<std::string_view> keys;
  for (const MetadataChange& change : batch.metadata) {
    MILLRACE_RETURN_IF_ERROR(CheckMetadata(change.key, change.value ? *change.value : Bytes()));
    if (!keys.insert(change.key).second) return InvalidBatch("metadata '" + change.key + "' comes twice");
  }
  return {};
}

MetadataPlan::MetadataPlan(const ControlState& state, std::uint64_t bytes_max)
    : state_(state), bytes_max_(bytes_max), bytes_(state.metadata_bytes()) {}

std::uint64_t MetadataPlan::VersionOf(const std::string& key) const {
  if (auto changed = versions_.find(key); changed != versions_.end()) return changed->second;
  auto found = state_.metadata().find(key);
  return found == state_.metadata().end() ? 0 : found->second.version;
}

Result<std::vector<std::uint64_t>> MetadataPlan::Add(std::vector<MetadataChange> changes,
                                                     ControlChange& rows) {
  std::uint64_t bytes = bytes_;
  for (const MetadataChange& change : changes) {
    std::uint64_t known = VersionOf(change.key);
    if (change.expected_version && *change.expected_version != known) {
      return Error{ErrorCode::kFailedPrecondition, "metadata '" + change.key + "' has version " +
                                                       std::to_string(known) + ", not " +
                                                       std::to_string(*change.expected_version)};
    }
    if (change.value) bytes += change.key.size() + change.value->size();
  }
  if (bytes > bytes_max_ && bytes > bytes_) {
    return Error{ErrorCode::kResourceExhausted,
                 "the metadata take more than " + std::to_string(bytes_max_) + " bytes"};
  }
  bytes_ = bytes;
  std::vector<std::uint64_t> versions;
  for (MetadataChange& change : changes) {
    std::uint64_t known = VersionOf(change.key);
    std::uint64_t version = change.value ? known + 1 : 0;
    if (change.value) {
      rows.push_back(MetadataSetRow(change.key, {std::move(*change.value), version}));
    } else if (known != 0) {
      rows.push_back(MetadataRemovedRow(change.key));
    }
    versions_[change.key] = version;
    versions.push_back(version);
  }
  return versions;
}

}  // namespace millrace::storage
