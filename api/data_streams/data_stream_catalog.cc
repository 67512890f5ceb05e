#include "api/data_streams/data_stream_catalog.h"

#include <algorithm>

namespace millrace::api {
namespace {

constexpr char kSettingsPrefix[] = "api/data-streams/";

}  // namespace

Result<std::unique_ptr<DataStreamCatalog>> DataStreamCatalog::Open(storage::RecordLog& log,
                                                                   std::string fragment_log) {
  std::unique_ptr<DataStreamCatalog> catalog(new DataStreamCatalog(log, std::move(fragment_log)));
  MILLRACE_ASSIGN_OR_RETURN(catalog->consumers_, StreamConsumers::Open(log));
  MILLRACE_ASSIGN_OR_RETURN(const auto entries, log.ListMetadata(kSettingsPrefix));
  for (const storage::MetadataEntry& entry : entries) {
    const std::string name = entry.key.substr(sizeof(kSettingsPrefix) - 1);
    auto settings = DecodeDataStreamSettings(AsText(entry.value));
    if (!settings) return WithContext(std::move(settings).error(), "stream '" + name + "'");
    catalog->settings_.emplace(name, std::make_shared<const DataStreamSettings>(std::move(*settings)));
  }
  return catalog;
}

Result<void> DataStreamCatalog::Create(const std::string& name, std::uint32_t shards, Duration retention,
                                       const DataStreamSettings& settings) {
  const std::lock_guard control(control_mutex_);
  const auto described = log_.DescribeStream(name);
  if (described) return Error{ErrorCode::kAlreadyExists, "stream '" + name + "' exists already"};
  if (described.error().code != ErrorCode::kNotFound) return described.error();
  const std::uint32_t open = OpenShards();
  if (shards > kOpenShardsMax || open > kOpenShardsMax - shards) {
    return Error{ErrorCode::kResourceExhausted, "there would be more open shards than there may be"};
  }
  // The settings first: a stream never exists without them. What a failure leaves is written over by the next
  // stream of this name.
  MILLRACE_RETURN_IF_ERROR(Save(name, settings));
  MILLRACE_RETURN_IF_ERROR(log_.CreateStream(name, shards, retention));
  return {};
}

Result<void> DataStreamCatalog::Delete(const std::string& name) {
  const std::lock_guard control(control_mutex_);
  MILLRACE_RETURN_IF_ERROR(log_.DeleteStream(name));
  {
    const std::lock_guard lock(mutex_);
    settings_.erase(name);
  }
  const auto removed = log_.DeleteMetadata(kSettingsPrefix + name);
  if (!removed && removed.error().code != ErrorCode::kNotFound) return removed.error();
  return {};
}

Result<void> DataStreamCatalog::Save(const std::string& name, const DataStreamSettings& settings) {
  const std::string encoded = EncodeDataStreamSettings(settings);
  MILLRACE_RETURN_IF_ERROR(log_.PutMetadata(kSettingsPrefix + name, Bytes(encoded.begin(), encoded.end())));
  const std::lock_guard lock(mutex_);
  settings_[name] = std::make_shared<const DataStreamSettings>(settings);
  return {};
}

AwsResult<DataStream> DataStreamCatalog::Change(const std::string& name, const StreamChange& change) {
  const std::lock_guard control(control_mutex_);
  MILLRACE_ASSIGN_OR_RETURN(DataStream stream, Describe(name));
  const DataStreamSettings before = stream.settings;
  if (auto refused = change(stream)) return *refused;
  if (stream.settings != before) MILLRACE_RETURN_IF_ERROR(Save(name, stream.settings));
  return stream;
}

Result<DataStream> DataStreamCatalog::Describe(const std::string& name) {
  MILLRACE_ASSIGN_OR_RETURN(storage::StreamDescription description, log_.DescribeStream(name));
  return DataStream{std::move(description), *SettingsOf(name), IsInternal(name)};
}

std::vector<std::string> DataStreamCatalog::List() { return log_.ListStreams(); }

std::shared_ptr<const DataStreamSettings> DataStreamCatalog::SettingsOf(const std::string& name) const {
  static const auto kDefaults = std::make_shared<const DataStreamSettings>();
  const std::lock_guard lock(mutex_);
  const auto found = settings_.find(name);
  return found == settings_.end() ? kDefaults : found->second;
}

std::uint32_t DataStreamCatalog::OpenShards() {
  std::uint32_t open = 0;
  for (const std::string& name : log_.ListStreams()) {
    if (IsInternal(name)) continue;
    const auto described = log_.DescribeStream(name);
    if (!described) continue;  // deleted meanwhile
    open += static_cast<std::uint32_t>(
        std::count_if(described->shards.begin(), described->shards.end(),
                      [](const storage::ShardDescription& shard) { return !shard.closed; }));
  }
  return open;
}

}  // namespace millrace::api
