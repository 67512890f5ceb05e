#include "api/v1/camera_url.h"

#include <algorithm>

#include "api/http/http.h"
#include "api/http/target.h"
#include "base/text.h"

namespace millrace::api {
namespace {

Error InvalidUrl(std::string message) {
  return Error{ErrorCode::kInvalidArgument, "'url' " + std::move(message)};
}

bool IsHost(std::string_view host) {
  if (host.empty() || host.size() > 255) return false;
  if (host.front() == '[') {
    return host.size() > 3 && host.back() == ']' &&
           host.substr(1, host.size() - 2).find_first_not_of("0123456789abcdef:.%") == std::string_view::npos;
  }
  return host.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-._") == std::string_view::npos;
}

}  // namespace

Result<CameraUrl> ParseCameraUrl(std::string_view text) {
  if (text.size() > kCameraUrlBytesMax) {
    return InvalidUrl("is longer than " + std::to_string(kCameraUrlBytesMax) + " bytes");
  }
  if (std::any_of(text.begin(), text.end(),
                  [](char c) { return static_cast<unsigned char>(c) <= ' ' || c == '\x7f'; })) {
    return InvalidUrl("must not have spaces or control characters; a space is written %20");
  }
  auto scheme_end = text.find("://");
  std::string_view scheme = text.substr(0, scheme_end == std::string_view::npos ? 0 : scheme_end);
  CameraUrl result;
  std::string prefix = "rtsp://";
  if (EqualsIgnoreCase(scheme, "rtsp")) {
    result.port = 554;
  } else if (EqualsIgnoreCase(scheme, "rtsps")) {
    result.port = 322;
    prefix = "rtsps://";
  } else {
    return InvalidUrl("must begin with rtsp:// or rtsps://");
  }
  std::string_view rest = text.substr(scheme_end + 3);
  auto authority_end = rest.find_first_of("/?#");
  std::string_view authority = rest.substr(0, authority_end);
  std::string_view path =
      authority_end == std::string_view::npos ? std::string_view() : rest.substr(authority_end);
  if (path.find('#') != std::string_view::npos)
    return InvalidUrl("must not have a '#'; a plain '#' is written %23");
  // A slash or a question mark in a password ends the authority too early, and what stands before it looks
  // like a host.
  constexpr std::string_view kEscape =
      "has a user or password with special characters: write them escaped ('/' is %2F, '?' is %3F, '#' is "
      "%23, '@' is "
      "%40, '%' is %25), or give 'username' and 'password' on their own";
  // Behind an '@' of its own too: of "user:p@a/b@host" the rest of the password would be kept as the path.
  if (path.substr(0, path.find('?')).find('@') != std::string_view::npos &&
      authority.find_first_of("@:") != std::string_view::npos) {
    return InvalidUrl(std::string(kEscape));
  }
  auto at = authority.rfind('@');
  if (at != std::string_view::npos) {
    std::string_view user = authority.substr(0, at);
    auto colon = user.find(':');
    auto username = PercentDecode(user.substr(0, colon));
    auto password =
        PercentDecode(colon == std::string_view::npos ? std::string_view() : user.substr(colon + 1));
    if (!username || !password) return InvalidUrl(std::string(kEscape));
    result.username = std::move(*username);
    result.password = std::move(*password);
    authority.remove_prefix(at + 1);
  }
  std::string host = ToAsciiLower(authority);
  auto colon = host.rfind(':');
  if (colon != std::string::npos && host.find(']', colon) == std::string::npos) {
    std::string port = host.substr(colon + 1);
    host.resize(colon);
    bool digits =
        !port.empty() && port.size() <= 5 && port.find_first_not_of("0123456789") == std::string::npos;
    int number = digits ? std::stoi(port) : 0;
    if (number < 1 || number > 65535) return InvalidUrl("has a port that is not a number from 1 to 65535");
    result.port = static_cast<std::uint16_t>(number);
  }
  if (!IsHost(host)) return InvalidUrl("has no valid host: write it as rtsp://host:port/path");
  result.host = std::move(host);
  result.url = prefix + std::string(authority) + std::string(path);
  return result;
}

}  // namespace millrace::api
