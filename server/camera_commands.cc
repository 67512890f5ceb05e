#include <boost/json/array.hpp>
#include <cstdio>

#include "api/http/target.h"
#include "api/v1/camera_url.h"
#include "api/v1/json.h"
#include "server/api_client.h"
#include "server/commands.h"
#include "server/console_output.h"
#include "server/exit_codes.h"
#include "server/password.h"

namespace millrace::server {
namespace {

std::string CameraPath(const std::string& name) { return "/v1/cameras/" + api::PercentEncode(name); }

std::string Rate(const boost::json::object& camera) {
  char text[64];
  std::snprintf(text, sizeof(text), "%.1f fps %.1f Mbit/s", NumberMember(camera, "frame_rate"),
                NumberMember(camera, "bitrate_bps") / 1e6);
  return text;
}

std::string Tracks(const boost::json::object& camera) {
  std::string text;
  const auto* tracks = camera.if_contains("tracks");
  if (tracks == nullptr || !tracks->is_array()) return "-";
  for (const auto& track : tracks->get_array()) {
    if (!track.is_object()) continue;
    const auto& object = track.get_object();
    if (!text.empty()) text += ", ";
    text += Member(object, "codec");
    text += object.contains("width") ? " " + Member(object, "width") + "x" + Member(object, "height")
                                     : " " + Member(object, "sample_rate") + " Hz";
  }
  return text.empty() ? "-" : text;
}

std::string Analyzers(const boost::json::object& camera) {
  std::string text;
  const auto* analyzers = camera.if_contains("analyzers");
  if (analyzers == nullptr || !analyzers->is_array()) return "none";
  for (const auto& name : analyzers->get_array()) {
    if (!name.is_string()) continue;
    if (!text.empty()) text += ", ";
    text += std::string_view(name.get_string());
  }
  return text.empty() ? "none" : text;
}

void PrintCamera(const boost::json::object& camera) {
  PrintFields({{"Camera", Member(camera, "name")},
               {"URL", Member(camera, "url")},
               {"Stream", Member(camera, "stream")},
               {"Transport", Member(camera, "transport")},
               {"Credentials", Member(camera, "has_credentials") == "true" ? "set" : "none"},
               {"Analyzers", Analyzers(camera)},
               {"Retention", HumanHours(NumberMember(camera, "retention_hours"))},
               {"State", Member(camera, "state") + " since " + Member(camera, "state_since")},
               {"Last error", Member(camera, "last_error")},
               {"Next retry", Member(camera, "next_retry")},
               {"Tracks", Tracks(camera)},
               {"Rate", Rate(camera)},
               {"Last frame", Member(camera, "last_frame")},
               {"Clock", Member(camera, "clock")}});
}

}  // namespace

int RunCameraAdd(const ClientOptions& client, const CameraAddOptions& options) {
  auto api = ApiClient::Make(client.endpoint);
  if (!api) return Complain(api.error());
  auto password = ReadPassword(options.password_file, options.ask_password);
  if (!password) return Complain(password.error());
  bool asked = options.password_file || options.ask_password;
  if (asked && !options.username) {
    return Complain(Error{ErrorCode::kInvalidArgument, "a password needs a --username"});
  }
  if (auto url = api::ParseCameraUrl(options.url); url && url->password && !url->password->empty()) {
    std::fprintf(stderr,
                 "millrace: every user of this machine can see a password on a command line: better give "
                 "--username with --ask-password or --password-file\n");
  }
  boost::json::object body;
  body["url"] = options.url;
  if (options.stream) body["stream"] = *options.stream;
  if (options.udp) body["transport"] = "udp";
  if (options.no_tls_verify) body["tls_verify"] = false;
  if (options.username) body["username"] = *options.username;
  // The environment's password belongs to a user that is named; one that is in the URL is complete already.
  if (*password && options.username) body["password"] = **password;
  if (options.retention_hours) body["retention_hours"] = *options.retention_hours;
  if (options.disabled) body["enabled"] = false;
  if (!options.analyzers.empty()) {
    body["analyzers"] = boost::json::array(options.analyzers.begin(), options.analyzers.end());
  }
  boost::json::object labels;
  for (const std::string& label : options.labels) {
    auto equals = label.find('=');
    if (equals == std::string::npos || equals == 0) {
      return Complain(Error{ErrorCode::kInvalidArgument, "--label must be KEY=VALUE"});
    }
    labels[label.substr(0, equals)] = label.substr(equals + 1);
  }
  if (!labels.empty()) body["labels"] = std::move(labels);
  auto camera = api->Call("PUT", CameraPath(options.name), api::ToText(body));
  if (!camera) return api->Fail(camera.error());
  if (client.json) {
    PrintJson(*camera);
  } else {
    std::printf("Camera %s records %s into stream %s.\n", Member(*camera, "name").c_str(),
                Member(*camera, "url").c_str(), Member(*camera, "stream").c_str());
  }
  return kExitOk;
}

int RunCameraList(const ClientOptions& client) {
  auto api = ApiClient::Make(client.endpoint);
  if (!api) return Complain(api.error());
  auto answer = api->Call("GET", "/v1/cameras");
  if (!answer) return api->Fail(answer.error());
  if (client.json) {
    PrintJson(*answer);
    return kExitOk;
  }
  std::vector<std::vector<std::string>> rows{{"NAME", "STATE", "RATE", "TRACKS", "URL", "LAST ERROR"}};
  const auto* cameras = answer->if_contains("cameras");
  if (cameras != nullptr && cameras->is_array()) {
    for (const auto& item : cameras->get_array()) {
      if (!item.is_object()) continue;
      const auto& camera = item.get_object();
      rows.push_back({Member(camera, "name"), Member(camera, "state"), Rate(camera), Tracks(camera),
                      Member(camera, "url"), Member(camera, "last_error")});
    }
  }
  if (rows.size() == 1) {
    std::printf("No cameras. Add one: millrace camera add NAME rtsp://HOST/PATH\n");
  } else {
    PrintTable(rows);
  }
  return kExitOk;
}

int RunCameraShow(const ClientOptions& client, const std::string& name) {
  auto api = ApiClient::Make(client.endpoint);
  if (!api) return Complain(api.error());
  auto camera = api->Call("GET", CameraPath(name));
  if (!camera) return api->Fail(camera.error());
  client.json ? PrintJson(*camera) : PrintCamera(*camera);
  return kExitOk;
}

int RunCameraRemove(const ClientOptions& client, const std::string& name, bool purge) {
  auto api = ApiClient::Make(client.endpoint);
  if (!api) return Complain(api.error());
  auto answer = api->Call("DELETE", CameraPath(name) + (purge ? "?footage=purge" : "?footage=keep"));
  if (!answer) return api->Fail(answer.error());
  if (client.json) {
    PrintJson(*answer);
  } else if (purge) {
    std::printf("Camera %s is removed, and its footage is gone.\n", name.c_str());
  } else {
    std::string until = Member(*answer, "kept_until");
    std::printf("Camera %s is removed; %s.\n", name.c_str(),
                until == "-" ? "it had no footage" : ("its footage is kept until " + until).c_str());
  }
  return kExitOk;
}

int RunCameraEnable(const ClientOptions& client, const std::string& name, bool enabled) {
  auto api = ApiClient::Make(client.endpoint);
  if (!api) return Complain(api.error());
  auto camera = api->Call("GET", CameraPath(name));
  if (!camera) return api->Fail(camera.error());
  // A put replaces the settings: all of them go back as they were, but for this one. Credentials are kept.
  boost::json::object body;
  for (const char* setting :
       {"url", "stream", "transport", "tls_verify", "analyzers", "retention_hours", "labels"}) {
    if (const auto* value = camera->if_contains(setting)) body[setting] = *value;
  }
  body["enabled"] = enabled;
  auto changed = api->Call("PUT", CameraPath(name), api::ToText(body));
  if (!changed) return api->Fail(changed.error());
  if (client.json) {
    PrintJson(*changed);
  } else {
    std::printf("Camera %s is %s.\n", name.c_str(), enabled ? "enabled" : "disabled");
  }
  return kExitOk;
}

}  // namespace millrace::server
