#include "api/data_streams/data_stream_settings.h"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

namespace millrace::api {
namespace {

constexpr std::int64_t kSettingsVersion = 2;  // 1 had nothing behind `tags`

boost::json::array EncodeTimes(const std::vector<Timestamp>& times) {
  boost::json::array array;
  for (const Timestamp time : times) array.emplace_back(time.ns);
  return array;
}

std::string Text(const boost::json::string& text) { return {text.data(), text.size()}; }

std::vector<Timestamp> DecodeTimes(const boost::json::object& object, const char* name) {
  std::vector<Timestamp> times;
  if (const auto* value = object.if_contains(name)) {
    for (const auto& time : value->as_array()) times.push_back(Timestamp{time.as_int64()});
  }
  return times;
}

DataStreamSettings Decode(const boost::json::object& object) {
  DataStreamSettings settings;
  settings.on_demand = object.at("on_demand").as_bool();
  settings.record_kib_max = object.at("record_kib_max").to_number<std::uint32_t>();
  settings.warm_mibps = object.at("warm_mibps").to_number<std::uint32_t>();
  settings.spread = object.at("spread").as_bool();
  for (const auto& tag : object.at("tags").as_object()) {
    settings.tags.emplace(std::string(tag.key().data(), tag.key().size()), Text(tag.value().as_string()));
  }
  if (const auto* metrics = object.if_contains("shard_metrics")) {
    for (const auto& metric : metrics->as_array()) settings.shard_metrics.insert(Text(metric.as_string()));
  }
  if (const auto* policy = object.if_contains("policy")) settings.policy = Text(policy->as_string());
  settings.mode_changes = DecodeTimes(object, "mode_changes");
  settings.count_changes = DecodeTimes(object, "count_changes");
  return settings;
}

}  // namespace

std::string EncodeDataStreamSettings(const DataStreamSettings& settings) {
  boost::json::object tags;
  for (const auto& [key, value] : settings.tags) tags[key] = value;
  boost::json::array metrics;
  for (const std::string& metric : settings.shard_metrics) metrics.emplace_back(metric);
  boost::json::object object;
  object["version"] = kSettingsVersion;
  object["on_demand"] = settings.on_demand;
  object["record_kib_max"] = settings.record_kib_max;
  object["warm_mibps"] = settings.warm_mibps;
  object["spread"] = settings.spread;
  object["tags"] = std::move(tags);
  object["shard_metrics"] = std::move(metrics);
  object["policy"] = settings.policy;
  object["mode_changes"] = EncodeTimes(settings.mode_changes);
  object["count_changes"] = EncodeTimes(settings.count_changes);
  return boost::json::serialize(object);
}

Result<DataStreamSettings> DecodeDataStreamSettings(std::string_view json) {
  boost::system::error_code ec;
  const boost::json::value value = boost::json::parse(boost::json::string_view(json.data(), json.size()), ec);
  try {
    if (ec) return Error{ErrorCode::kCorruption, "a data stream's settings are not JSON: " + ec.message()};
    const boost::json::object& object = value.as_object();
    if (object.at("version").to_number<std::int64_t>() > kSettingsVersion) {
      return Error{ErrorCode::kUnsupported, "a data stream's settings were written by a newer version"};
    }
    return Decode(object);
  } catch (const std::exception& e) {
    return Error{ErrorCode::kCorruption, std::string("a data stream's settings are damaged: ") + e.what()};
  }
}

}  // namespace millrace::api
