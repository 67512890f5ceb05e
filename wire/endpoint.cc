#include "wire/endpoint.h"

#include <charconv>
#include <cstdlib>
#include <utility>

namespace millrace::wire {

std::optional<AccessKey> AccessKeyFromEnvironment() {
  for (const auto& [id, secret] : {std::pair{"MILLRACE_ACCESS_KEY_ID", "MILLRACE_SECRET_ACCESS_KEY"},
                                   std::pair{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}}) {
    const char* id_value = std::getenv(id);
    const char* secret_value = std::getenv(secret);
    if (id_value != nullptr && secret_value != nullptr && *id_value != '\0' && *secret_value != '\0')
      return AccessKey{id_value, secret_value};
  }
  return std::nullopt;
}

std::filesystem::path CaFileFromEnvironment() {
  const char* value = std::getenv("MILLRACE_CA_FILE");
  return value != nullptr ? value : "";
}

Result<Endpoint> Endpoint::Parse(std::string_view url) {
  Error bad{ErrorCode::kInvalidArgument,
            "'" + std::string(url.substr(0, 100)) +
                "' is not an endpoint such as http://127.0.0.1:4567 or https://localhost:4568"};
  constexpr std::string_view kPlain = "http://";
  constexpr std::string_view kSecure = "https://";
  Endpoint endpoint;
  endpoint.tls = url.starts_with(kSecure);
  if (!endpoint.tls && !url.starts_with(kPlain)) return bad;
  if (endpoint.tls) endpoint.port = 443;
  url.remove_prefix(endpoint.tls ? kSecure.size() : kPlain.size());
  if (url.ends_with('/')) url.remove_suffix(1);
  std::string_view port;
  if (url.starts_with('[')) {
    auto end = url.find(']');
    if (end == std::string_view::npos) return bad;
    endpoint.host = std::string(url.substr(1, end - 1));
    url.remove_prefix(end + 1);
    if (!url.empty() && url.front() != ':') return bad;
    if (!url.empty()) port = url.substr(1);
    if (!url.empty() && port.empty()) return bad;
  } else {
    auto colon = url.find(':');
    endpoint.host = std::string(url.substr(0, colon));
    if (colon != std::string_view::npos) {
      port = url.substr(colon + 1);
      if (port.empty()) return bad;
    }
  }
  if (endpoint.host.empty() || endpoint.host.find_first_of("/?#@ \r\n") != std::string::npos) return bad;
  if (!port.empty()) {
    auto [end, ec] = std::from_chars(port.data(), port.data() + port.size(), endpoint.port);
    if (ec != std::errc() || end != port.data() + port.size() || endpoint.port == 0) return bad;
  }
  return endpoint;
}

std::string Endpoint::ToString() const { return (tls ? "https://" : "http://") + Authority(); }

std::string Endpoint::Authority() const {
  bool v6 = host.find(':') != std::string::npos;
  return (v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

}  // namespace millrace::wire
