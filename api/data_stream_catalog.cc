#include "api/data_stream_catalog.h"

#include <algorithm>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

namespace millrace::api {
namespace {

constexpr char kPrefix[] = "api/data-streams/";
constexpr std::int64_t kVersion = 1;

}  // namespace

std::string EncodeDataStreamSettings(const DataStreamSettings& settings) {
  boost::json::object tags;
  for (const auto& [key, value] : settings.tags) tags[key] = value;
  boost::json::object object;
  object["version"] = kVersion;
  object["on_demand"] = settings.on_demand;
  object["record_kib_max"] = settings.record_kib_max;
  object["warm_mibps"] = settings.warm_mibps;
  object["spread"] = settings.spread;
  object["tags"] = std::move(tags);
  return boost::json::serialize(object);
}

Result<DataStreamSettings> DecodeDataStreamSettings(std::string_view json) {
  boost::system::error_code ec;
  const boost::json::value value = boost::json::parse(boost::json::string_view(json.data(), json.size()), ec);
  try {
    if (ec) return Error{ErrorCode::kCorruption, "a data stream's settings are not JSON: " + ec.message()};
    const boost::json::object& object = value.as_object();
    if (object.at("version").to_number<std::int64_t>() > kVersion) {
      return Error{ErrorCode::kUnsupported, "a data stream's settings were written by a newer version"};
    }
    DataStreamSettings settings;
    settings.on_demand = object.at("on_demand").as_bool();
    settings.record_kib_max = object.at("record_kib_max").to_number<std::uint32_t>();
    settings.warm_mibps = object.at("warm_mibps").to_number<std::uint32_t>();
    settings.spread = object.at("spread").as_bool();
    for (const auto& tag : object.at("tags").as_object()) {
      settings.tags.emplace(std::string(tag.key().data(), tag.key().size()),
                            std::string(tag.value().as_string().data(), tag.value().as_string().size()));
    }
    return settings;
  } catch (const std::exception& e) {
    return Error{ErrorCode::kCorruption, std::string("a data stream's settings are damaged: ") + e.what()};
  }
}

Result<std::unique_ptr<DataStreamCatalog>> DataStreamCatalog::Open(storage::RecordLog& log,
                                                                   std::string fragment_log) {
  std::unique_ptr<DataStreamCatalog> catalog(new DataStreamCatalog(log, std::move(fragment_log)));
  MILLRACE_ASSIGN_OR_RETURN(const auto entries, log.ListMetadata(kPrefix));
  for (const storage::MetadataEntry& entry : entries) {
    const std::string name = entry.key.substr(sizeof(kPrefix) - 1);
    auto settings = DecodeDataStreamSettings(AsText(entry.value));
    if (!settings) return WithContext(std::move(settings).error(), "stream '" + name + "'");
    catalog->settings_.emplace(name, std::move(*settings));
  }
  return catalog;
}

Result<void> DataStreamCatalog::Create(const std::string& name, std::uint32_t shards, Duration retention,
                                       const DataStreamSettings& settings) {
  const std::lock_guard control(control_mutex_);
  if (log_.DescribeStream(name)) {
    return Error{ErrorCode::kAlreadyExists, "stream '" + name + "' exists already"};
  }
  const std::uint32_t open = OpenShards();
  if (shards > kOpenShardsMax || open > kOpenShardsMax - shards) {
    return Error{ErrorCode::kResourceExhausted, "there would be more open shards than there may be"};
  }
  // The settings first: a stream never exists without them. What a failure leaves is written over by the next
  // stream of this name.
  const std::string encoded = EncodeDataStreamSettings(settings);
  MILLRACE_RETURN_IF_ERROR(log_.PutMetadata(kPrefix + name, Bytes(encoded.begin(), encoded.end())));
  {
    const std::lock_guard lock(mutex_);
    settings_[name] = settings;
  }
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
  const auto removed = log_.DeleteMetadata(kPrefix + name);
  if (!removed && removed.error().code != ErrorCode::kNotFound) return removed.error();
  return {};
}

Result<DataStream> DataStreamCatalog::Describe(const std::string& name) {
  MILLRACE_ASSIGN_OR_RETURN(storage::StreamDescription description, log_.DescribeStream(name));
  return DataStream{std::move(description), SettingsOf(name), IsInternal(name)};
}

std::vector<std::string> DataStreamCatalog::List() { return log_.ListStreams(); }

DataStreamSettings DataStreamCatalog::SettingsOf(const std::string& name) const {
  const std::lock_guard lock(mutex_);
  const auto found = settings_.find(name);
  return found == settings_.end() ? DataStreamSettings() : found->second;
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
