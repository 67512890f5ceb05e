// The URL of a camera, taken apart: where it is, and the user and password that people write into it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace millrace::api {

inline constexpr std::size_t kCameraUrlBytesMax = 2048;

struct CameraUrl {
  std::string url;                      // without user and password
  std::string host;                     // lower case; IPv6 in brackets
  std::uint16_t port = 0;               // 554 for rtsp, 322 for rtsps, where the URL has none
  std::optional<std::string> username;  // decoded; none: the URL has no user part
  std::optional<std::string> password;
};

// Errors: kInvalidArgument. No text ever quotes the URL: it may hold a password.
Result<CameraUrl> ParseCameraUrl(std::string_view text);

}  // namespace millrace::api
