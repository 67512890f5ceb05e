// The body of PUT /v1/cameras/{name}: docs/http-api.md, "Cameras".
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/v1/camera_url.h"
#include "base/result.h"
#include "base/time.h"

namespace millrace::api {

struct CameraPut {
  CameraUrl url;
  std::optional<std::string> stream;  // none: the camera's name
  bool udp = false;
  bool tls_verify = true;
  // From the members, or from the URL where those are left out. None: what the camera has may be kept.
  std::optional<std::string> username;
  std::optional<std::string> password;
  std::vector<std::string> analyzers;
  Duration retention = std::chrono::hours(168);
  std::map<std::string, std::string> labels;
  bool enabled = true;
};

// [a-zA-Z0-9_.-]{1,128}. Errors: kInvalidArgument, saying so of `what` ("camera name").
Result<void> CheckName(std::string_view name, std::string_view what, std::size_t length_max = 128);

// Errors: kInvalidArgument. No text quotes a secret.
Result<CameraPut> ParseCameraPut(std::string_view json);

}  // namespace millrace::api
