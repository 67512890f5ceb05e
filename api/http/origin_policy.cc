#include "api/http/origin_policy.h"

#include <algorithm>

#include "base/text.h"

namespace millrace::api {
namespace {

bool IsPort(std::string_view text) {
  return text.size() <= 5 &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

std::string Quoted(std::string_view text) { return "'" + Excerpt(text, 100) + "'"; }

Error Denied(std::string message) { return Error{ErrorCode::kPermissionDenied, std::move(message)}; }

bool IsLocalOrigin(std::string_view origin) {
  for (std::string_view scheme : {"http://", "https://"}) {
    if (EqualsIgnoreCase(origin.substr(0, scheme.size()), scheme)) {
      return IsLocalAuthority(origin.substr(scheme.size()));
    }
  }
  return false;  // "null", and pages of other schemes
}

}  // namespace

bool IsLocalAuthority(std::string_view authority) {
  for (std::string_view host : {"localhost", "127.0.0.1", "[::1]"}) {
    if (!EqualsIgnoreCase(authority.substr(0, host.size()), host)) continue;
    std::string_view rest = authority.substr(host.size());
    if (rest.empty() || (rest.front() == ':' && IsPort(rest.substr(1)))) return true;
  }
  return false;
}

Result<void> CheckCaller(const Request& request) {
  auto host = request.headers.Find("Host");
  if (!host || request.headers.Count("Host") > 1) {
    return Error{ErrorCode::kInvalidArgument, "the request must have exactly one Host header"};
  }
  const std::string& authority = request.target.authority;  // counts as well, where the target has one
  for (std::string_view name : {*host, authority.empty() ? *host : std::string_view(authority)}) {
    if (!IsLocalAuthority(name)) {
      return Denied("host " + Quoted(name) +
                    " is not this machine: call the server as localhost, 127.0.0.1 or [::1]");
    }
  }
  if (auto origin = request.headers.Find("Origin"); origin && !IsLocalOrigin(*origin)) {
    return Denied("a page of " + Quoted(*origin) +
                  " may not call this server: use its own console, or a program");
  }
  if (auto site = request.headers.Find("Sec-Fetch-Site"); site && EqualsIgnoreCase(*site, "cross-site")) {
    return Denied(
        "a page of another site may not call this server: open the address in the browser's address bar "
        "instead");
  }
  return {};
}

Result<void> CheckSameOrigin(const Request& request) {
  if (auto site = request.headers.Find("Sec-Fetch-Site");
      site && !EqualsIgnoreCase(*site, "same-origin") && !EqualsIgnoreCase(*site, "none")) {
    return Denied("a page of another origin may not use this session");
  }
  if (auto origin = request.headers.Find("Origin")) {
    const auto scheme = origin->find("://");
    const std::string_view authority = scheme == std::string_view::npos ? "" : origin->substr(scheme + 3);
    if (authority.empty() || !EqualsIgnoreCase(authority, request.headers.Find("Host").value_or(""))) {
      return Denied("a page of " + Quoted(*origin) + " may not use this session");
    }
  }
  return {};
}

}  // namespace millrace::api
