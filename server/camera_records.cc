#include "server/camera_records.h"

#include <boost/json/array.hpp>

#include "api/v1/json.h"
#include "base/log.h"
#include "ingest/edge_cameras.h"

namespace millrace::server {
namespace {

const std::string kSettingsPrefix = "ingest/camera/";
const std::string kCredentialsPrefix = "ingest/credentials/";

constexpr std::size_t kStoredBytesMax = 1024 * 1024;  // never less than what a request may set

Bytes ToBytes(std::string_view text) { return Bytes(text.begin(), text.end()); }

Error Damaged(const std::string& name, const Error& cause) {
  return Error{ErrorCode::kCorruption, "stored camera '" + name + "': " + cause.message};
}

// Records without "edge" are from when a label alone said so.
bool WasEdge(const CameraSettings& settings) {
  const auto label = settings.labels.find(kEdgeLabel);
  return label != settings.labels.end() && label->second.starts_with("arn:") &&
         settings.stream == settings.name;
}

}  // namespace

std::string CameraSettingsToJson(const CameraSettings& settings) {
  boost::json::object object;
  object["version"] = 1;
  object["url"] = settings.url;
  object["stream"] = settings.stream;
  object["transport"] = settings.transport == CameraTransport::kUdp ? "udp" : "tcp";
  object["tls_verify"] = settings.tls_verify;
  boost::json::array analyzers;
  for (const std::string& analyzer : settings.analyzers) analyzers.push_back(boost::json::string(analyzer));
  object["analyzers"] = std::move(analyzers);
  object["retention_s"] = std::chrono::duration<double>(settings.retention).count();
  boost::json::object labels;
  for (const auto& [key, value] : settings.labels) labels[key] = value;
  object["labels"] = std::move(labels);
  object["enabled"] = settings.enabled;
  object["edge"] = settings.edge;
  return api::ToText(object);
}

Result<CameraSettings> CameraSettingsFromJson(const std::string& name, std::string_view json) {
  auto object = api::ParseJsonObject(json, kStoredBytesMax);
  if (!object) return Damaged(name, object.error());
  if (auto* version = object->if_contains("version"); version == nullptr || *version != 1) {
    return Error{ErrorCode::kUnsupported, "stored camera '" + name + "' is of a newer version of millrace"};
  }
  api::ObjectReader reader(*object, {"version", "url", "stream", "transport", "tls_verify", "analyzers",
                                     "retention_s", "labels", "enabled", "edge"});
  CameraSettings settings;
  settings.name = name;
  settings.url = reader.String("url", 4096).value_or("");
  settings.stream = reader.String("stream", 256).value_or(name);
  settings.transport = reader.String("transport", 8) == "udp" ? CameraTransport::kUdp : CameraTransport::kTcp;
  settings.tls_verify = reader.Bool("tls_verify").value_or(true);
  settings.analyzers = reader.Strings("analyzers", 64, 256).value_or(std::vector<std::string>());
  auto retention = reader.Number("retention_s", 0, 87600.0 * 3600);
  if (retention)
    settings.retention = std::chrono::duration_cast<Duration>(std::chrono::duration<double>(*retention));
  settings.labels = reader.StringMap("labels", 256, 4096).value_or(std::map<std::string, std::string>());
  settings.enabled = reader.Bool("enabled").value_or(true);
  settings.edge = reader.Bool("edge").value_or(WasEdge(settings));
  if (auto read = reader.Finish(); !read) return Damaged(name, read.error());
  return settings;
}

Result<std::vector<StoredCamera>> CameraRecords::Load() {
  MILLRACE_ASSIGN_OR_RETURN(auto entries, log_.ListMetadata(kSettingsPrefix));
  std::vector<StoredCamera> cameras;
  for (const storage::MetadataEntry& entry : entries) {
    StoredCamera camera;
    std::string name = entry.key.substr(kSettingsPrefix.size());
    MILLRACE_ASSIGN_OR_RETURN(camera.settings, CameraSettingsFromJson(name, AsText(entry.value)));
    auto sealed = log_.GetMetadata(kCredentialsPrefix + name);
    if (sealed) {
      auto json = box_.Unseal(sealed->value, name);
      auto object = json ? api::ParseJsonObject(*json, kStoredBytesMax)
                         : Result<boost::json::object>(std::move(json).error());
      if (!object) {
        Log(LogLevel::kError, "a camera's credentials cannot be opened: set them again",
            {{"camera", name}, {"error", object.error().message}});
      } else {
        api::ObjectReader reader(*object, {"host", "username", "password"});
        CameraCredentials credentials{reader.String("username", 4096).value_or(""),
                                      reader.String("password", 4096).value_or("")};
        if (reader.Finish() && reader.String("host", 4096) == CameraHost(camera.settings.url)) {
          camera.credentials = std::move(credentials);
        }
      }
    } else if (sealed.error().code != ErrorCode::kNotFound) {
      return std::move(sealed).error();
    }
    cameras.push_back(std::move(camera));
  }
  return cameras;
}

Result<void> CameraRecords::Save(const StoredCamera& camera) {
  const std::string& name = camera.settings.name;
  // Forgetting comes first and remembering last: what is in between has no credentials rather than wrong
  // ones.
  if (!camera.credentials) MILLRACE_RETURN_IF_ERROR(DeleteKey(kCredentialsPrefix + name));
  MILLRACE_RETURN_IF_ERROR(
      log_.PutMetadata(kSettingsPrefix + name, ToBytes(CameraSettingsToJson(camera.settings))));
  if (!camera.credentials) return {};
  boost::json::object object;
  object["host"] = CameraHost(camera.settings.url);
  object["username"] = camera.credentials->username;
  object["password"] = camera.credentials->password;
  MILLRACE_RETURN_IF_ERROR(log_.PutMetadata(kCredentialsPrefix + name, box_.Seal(api::ToText(object), name)));
  return {};
}

Result<void> CameraRecords::Remove(const std::string& name) {
  MILLRACE_RETURN_IF_ERROR(DeleteKey(kCredentialsPrefix + name));
  return DeleteKey(kSettingsPrefix + name);
}

Result<void> CameraRecords::DeleteKey(const std::string& key) {
  auto removed = log_.DeleteMetadata(key);
  if (!removed && removed.error().code != ErrorCode::kNotFound) return removed;
  return {};
}

}  // namespace millrace::server
