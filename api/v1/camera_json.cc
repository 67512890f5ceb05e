#include "api/v1/camera_json.h"

#include <algorithm>

#include "api/v1/json.h"

namespace millrace::api {

Result<void> CheckName(std::string_view name, std::string_view what, std::size_t length_max) {
  bool good = !name.empty() && name.size() <= length_max && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '.' || c == '-';
  });
  if (good) return {};
  return Error{ErrorCode::kInvalidArgument, "a " + std::string(what) + " has 1 to " +
                                                std::to_string(length_max) +
                                                " letters, digits, '_', '.' or '-'"};
}

Result<CameraPut> ParseCameraPut(std::string_view json) {
  MILLRACE_ASSIGN_OR_RETURN(boost::json::object object, ParseJsonObject(json));
  ObjectReader reader(object, {"url", "stream", "transport", "tls_verify", "username", "password",
                               "analyzers", "retention_hours", "labels", "enabled"});
  CameraPut put;
  auto url = reader.String("url", kCameraUrlBytesMax);
  put.stream = reader.String("stream", 128);
  auto transport = reader.String("transport", 16);
  put.username = reader.String("username", 256);
  put.password = reader.String("password", 1024);
  put.analyzers = reader.Strings("analyzers", 16, 64).value_or(std::vector<std::string>());
  auto hours = reader.Number("retention_hours", 0, 87600);
  put.labels = reader.StringMap("labels", 64, 256).value_or(std::map<std::string, std::string>());
  put.tls_verify = reader.Bool("tls_verify").value_or(true);
  put.enabled = reader.Bool("enabled").value_or(true);
  if (transport && *transport != "tcp" && *transport != "udp")
    reader.Fail("'transport' must be \"tcp\" or \"udp\"");
  if (put.password && !put.username) reader.Fail("'password' needs a 'username' beside it");
  MILLRACE_RETURN_IF_ERROR(reader.Finish());
  if (!url)
    return Error{ErrorCode::kInvalidArgument, "'url' is required: {\"url\":\"rtsp://camera/stream\"}"};
  MILLRACE_ASSIGN_OR_RETURN(put.url, ParseCameraUrl(*url));
  if (put.stream) MILLRACE_RETURN_IF_ERROR(CheckName(*put.stream, "stream name"));
  put.udp = transport == "udp";
  if (hours)
    put.retention =
        std::chrono::duration_cast<Duration>(std::chrono::duration<double, std::ratio<3600>>(*hours));
  if (!put.username && put.url.username) {
    put.username = put.url.username;
    put.password = put.url.password;
  }
  return put;
}

}  // namespace millrace::api
