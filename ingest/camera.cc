#include "ingest/camera.h"

#include <algorithm>
#include <cctype>

namespace millrace {
namespace {

constexpr std::size_t kUrlBytesMax = 2048;

bool IsName(std::string_view text) {
  return !text.empty() && text.size() <= 128 && std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '_' || c == '.' || c == '-';
  });
}

// What stands between "://" and the path; empty for what is no RTSP URL.
std::string_view Authority(std::string_view url) {
  for (std::string_view scheme : {"rtsp://", "rtsps://"}) {
    if (url.starts_with(scheme)) {
      const std::string_view rest = url.substr(scheme.size());
      return rest.substr(0, rest.find_first_of("/?#"));
    }
  }
  return {};
}

}  // namespace

std::string_view ToString(CameraState state) {
  switch (state) {
    case CameraState::kConnecting:
      return "connecting";
    case CameraState::kRecording:
      return "recording";
    case CameraState::kWaiting:
      return "waiting";
    case CameraState::kUnauthorized:
      return "unauthorized";
    case CameraState::kFailed:
      return "failed";
    case CameraState::kDisabled:
      return "disabled";
  }
  return "unknown";
}

std::string CameraHost(std::string_view url) {
  std::string_view authority = Authority(url);
  if (const std::size_t at = authority.rfind('@'); at != std::string_view::npos)
    authority.remove_prefix(at + 1);
  if (authority.empty()) return {};
  std::string host(authority);
  std::transform(host.begin(), host.end(), host.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  const std::size_t colon = host.rfind(':');
  if (colon == std::string::npos || host.find(']', colon) != std::string::npos) {
    host += url.starts_with("rtsps") ? ":322" : ":554";
  }
  return host;
}

Result<void> CheckCameraSettings(const CameraSettings& settings) {
  const auto bad = [](std::string text) { return Error{ErrorCode::kInvalidArgument, std::move(text)}; };
  if (!IsName(settings.name)) return bad("a camera's name is 1 to 128 letters, digits, '_', '.' or '-'");
  if (!IsName(settings.stream)) return bad("a stream's name is 1 to 128 letters, digits, '_', '.' or '-'");
  if (settings.url.size() > kUrlBytesMax) return bad("the URL is too long");
  const bool clean = std::all_of(settings.url.begin(), settings.url.end(),
                                 [](unsigned char c) { return c > 0x20 && c < 0x7F; });
  const std::string_view authority = Authority(settings.url);
  if (!clean || authority.empty())
    return bad("the URL must be rtsp://host[:port]/path or rtsps://host[:port]/path");
  if (authority.find('@') != std::string_view::npos) return bad("user and password do not belong in the URL");
  if (settings.retention < Duration{0} || settings.retention > std::chrono::hours(87600)) {
    return bad("the retention must be 0 to 87600 hours");
  }
  return {};
}

}  // namespace millrace
