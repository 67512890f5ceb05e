#include "fragments/stored_stream.h"

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <exception>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace millrace {
namespace {

namespace json = boost::json;

constexpr std::uint8_t kBinaryVersion = 1;
constexpr std::uint8_t kStreamVersion = 2;
constexpr std::size_t kBinaryBytes = 1 + 8 + 8 + 1;

std::string Text(const json::value& value) {
  const json::string& text = value.as_string();
  return {text.data(), text.size()};
}

// Members that are not there leave `to` as it is.
void Get(const json::object& from, const char* name, std::string& to) {
  if (const auto* value = from.if_contains(name)) to = Text(*value);
}
void Get(const json::object& from, const char* name, bool& to) {
  if (const auto* value = from.if_contains(name)) to = value->as_bool();
}
void Get(const json::object& from, const char* name, Timestamp& to) {
  if (const auto* value = from.if_contains(name)) to = Timestamp{value->as_int64()};
}
template <typename Integer>
requires std::is_integral_v<Integer>
void Get(const json::object& from, const char* name, Integer& to) {
  if (const auto* value = from.if_contains(name)) to = value->to_number<Integer>();
}
void Get(const json::object& from, const char* name, std::map<std::string, std::string>& to) {
  const auto* value = from.if_contains(name);
  if (value == nullptr) return;
  for (const auto& member : value->as_object()) {
    to.emplace(std::string(member.key().data(), member.key().size()), Text(member.value()));
  }
}
template <typename T>
void Get(const json::object& from, const char* name, std::optional<T>& to) {
  if (!from.contains(name)) return;
  Get(from, name, to.emplace());
}

void Put(json::object& to, const char* name, const std::string& value) {
  if (!value.empty()) to[name] = value;
}
void Put(json::object& to, const char* name, const std::map<std::string, std::string>& map) {
  if (map.empty()) return;
  json::object object;
  for (const auto& [key, value] : map) object[key] = value;
  to[name] = std::move(object);
}
template <typename T>
void Put(json::object& to, const char* name, const std::optional<T>& value) {
  if (value) to[name] = *value;
}

json::object Encode(const NotificationConfiguration&);
json::object Encode(const ImageGenerationConfiguration&);
json::object Encode(const EdgeSchedule&);
json::object Encode(const EdgeDeletion::LocalSize&);
json::object Encode(const EdgeDeletion&);
json::object Encode(const EdgeConfiguration&);
void Decode(const json::object&, NotificationConfiguration&);
void Decode(const json::object&, ImageGenerationConfiguration&);
void Decode(const json::object&, EdgeSchedule&);
void Decode(const json::object&, EdgeDeletion::LocalSize&);
void Decode(const json::object&, EdgeDeletion&);
void Decode(const json::object&, EdgeConfiguration&);

template <typename T>
void PutStructure(json::object& to, const char* name, const std::optional<T>& value) {
  if (value) to[name] = Encode(*value);
}
template <typename T>
void GetStructure(const json::object& from, const char* name, std::optional<T>& to) {
  if (const auto* value = from.if_contains(name)) Decode(value->as_object(), to.emplace(T{}));
}

json::object Encode(const NotificationConfiguration& notification) {
  return {{"enabled", notification.enabled}, {"uri", notification.destination_uri}};
}
void Decode(const json::object& from, NotificationConfiguration& to) {
  Get(from, "enabled", to.enabled);
  Get(from, "uri", to.destination_uri);
}

json::object Encode(const ImageGenerationConfiguration& images) {
  json::object to{{"enabled", images.enabled},
                  {"by_server_time", images.by_server_time},
                  {"uri", images.destination_uri},
                  {"region", images.destination_region},
                  {"interval_ms", images.sampling_interval_ms},
                  {"png", images.format == ImageFormat::kPng}};
  Put(to, "format_config", images.format_config);
  Put(to, "width_px", images.width_px);
  Put(to, "height_px", images.height_px);
  return to;
}
void Decode(const json::object& from, ImageGenerationConfiguration& to) {
  Get(from, "enabled", to.enabled);
  Get(from, "by_server_time", to.by_server_time);
  Get(from, "uri", to.destination_uri);
  Get(from, "region", to.destination_region);
  Get(from, "interval_ms", to.sampling_interval_ms);
  bool png = false;
  Get(from, "png", png);
  to.format = png ? ImageFormat::kPng : ImageFormat::kJpeg;
  Get(from, "format_config", to.format_config);
  Get(from, "width_px", to.width_px);
  Get(from, "height_px", to.height_px);
}

json::object Encode(const EdgeSchedule& schedule) {
  return {{"expression", schedule.expression}, {"duration_s", schedule.duration_s}};
}
void Decode(const json::object& from, EdgeSchedule& to) {
  Get(from, "expression", to.expression);
  Get(from, "duration_s", to.duration_s);
}

json::object Encode(const EdgeDeletion::LocalSize& size) {
  json::object to;
  Put(to, "mb_max", size.mb_max);
  if (size.when_full) to["deny_new"] = *size.when_full == WhenFull::kDenyNew;
  return to;
}
void Decode(const json::object& from, EdgeDeletion::LocalSize& to) {
  Get(from, "mb_max", to.mb_max);
  std::optional<bool> deny_new;
  Get(from, "deny_new", deny_new);
  if (deny_new) to.when_full = *deny_new ? WhenFull::kDenyNew : WhenFull::kDeleteOldest;
}

json::object Encode(const EdgeDeletion& deletion) {
  json::object to;
  Put(to, "retention_hours", deletion.retention_hours);
  PutStructure(to, "local_size", deletion.local_size);
  Put(to, "after_upload", deletion.after_upload);
  return to;
}
void Decode(const json::object& from, EdgeDeletion& to) {
  Get(from, "retention_hours", to.retention_hours);
  GetStructure(from, "local_size", to.local_size);
  Get(from, "after_upload", to.after_upload);
}

json::object Encode(const EdgeConfiguration& edge) {
  json::object to{{"hub_device_arn", edge.hub_device_arn},
                  {"secret_arn", edge.media_uri_secret_arn},
                  {"from_file", edge.from_file},
                  {"created_ns", edge.created.ns},
                  {"updated_ns", edge.updated.ns}};
  PutStructure(to, "recorder_schedule", edge.recorder_schedule);
  PutStructure(to, "uploader_schedule", edge.uploader_schedule);
  PutStructure(to, "deletion", edge.deletion);
  return to;
}
void Decode(const json::object& from, EdgeConfiguration& to) {
  Get(from, "hub_device_arn", to.hub_device_arn);
  Get(from, "secret_arn", to.media_uri_secret_arn);
  Get(from, "from_file", to.from_file);
  Get(from, "created_ns", to.created);
  Get(from, "updated_ns", to.updated);
  GetStructure(from, "recorder_schedule", to.recorder_schedule);
  GetStructure(from, "uploader_schedule", to.uploader_schedule);
  GetStructure(from, "deletion", to.deletion);
}

StoredStream DecodeBinary(ByteSpan bytes) {
  StoredStream stream;
  stream.created = Timestamp{static_cast<std::int64_t>(ReadBigEndian<std::uint64_t>(bytes.subspan(1, 8)))};
  stream.settings.retention =
      Duration{static_cast<std::int64_t>(ReadBigEndian<std::uint64_t>(bytes.subspan(9, 8)))};
  stream.deleted = bytes[17] != 0;
  return stream;
}

StoredStream DecodeJson(const json::object& from) {
  StoredStream stream;
  stream.created = Timestamp{from.at("created_ns").as_int64()};
  stream.revision = from.at("revision").to_number<std::uint64_t>();
  Get(from, "deleted", stream.deleted);
  StreamSettings& settings = stream.settings;
  settings.retention = Duration{from.at("retention_ns").as_int64()};
  Get(from, "device_name", settings.device_name);
  Get(from, "media_type", settings.media_type);
  Get(from, "kms_key_id", settings.kms_key_id);
  bool warm = false;
  Get(from, "warm", warm);
  settings.storage_tier = warm ? StorageTier::kWarm : StorageTier::kHot;
  Get(from, "tags", settings.tags);
  GetStructure(from, "notification", settings.notification);
  GetStructure(from, "image_generation", settings.image_generation);
  GetStructure(from, "edge", settings.edge);
  return stream;
}

}  // namespace

Bytes EncodeStoredStream(const StoredStream& stream) {
  const StreamSettings& settings = stream.settings;
  json::object to{{"created_ns", stream.created.ns},
                  {"revision", stream.revision},
                  {"retention_ns", settings.retention.count()}};
  if (stream.deleted) to["deleted"] = true;
  Put(to, "device_name", settings.device_name);
  Put(to, "media_type", settings.media_type);
  Put(to, "kms_key_id", settings.kms_key_id);
  if (settings.storage_tier == StorageTier::kWarm) to["warm"] = true;
  Put(to, "tags", settings.tags);
  PutStructure(to, "notification", settings.notification);
  PutStructure(to, "image_generation", settings.image_generation);
  PutStructure(to, "edge", settings.edge);
  const std::string text = json::serialize(to);
  Bytes bytes{kStreamVersion};
  bytes.insert(bytes.end(), text.begin(), text.end());
  return bytes;
}

Result<StoredStream> DecodeStoredStream(ByteSpan bytes) {
  if (!bytes.empty() && bytes[0] > kStreamVersion) {
    return Error{ErrorCode::kUnsupported, "stream settings of version " + std::to_string(bytes[0])};
  }
  if (!bytes.empty() && bytes[0] == kBinaryVersion) {
    if (bytes.size() == kBinaryBytes && bytes[17] <= 1) return DecodeBinary(bytes);
  } else if (!bytes.empty() && bytes[0] == kStreamVersion) {
    boost::system::error_code ec;
    const std::string_view text = AsText(bytes.subspan(1));
    const json::value value = json::parse(json::string_view(text.data(), text.size()), ec);
    try {
      if (!ec) return DecodeJson(value.as_object());
    } catch (const std::exception& e) {
      return Error{ErrorCode::kCorruption, std::string("stream settings are damaged: ") + e.what()};
    }
  }
  return Error{ErrorCode::kCorruption,
               "stream settings of " + std::to_string(bytes.size()) + " bytes are damaged"};
}

}  // namespace millrace
