// Who may call while no credentials are configured: docs/http-api.md, "Who may call".
//
// The server then listens on loopback, and any web page in the user's browser can send requests there:
// directly (a foreign Origin) or under a name that it has resolved to 127.0.0.1 (DNS rebinding: a foreign
// Host). Both are refused.
#pragma once

#include <string_view>

#include "api/http/http.h"
#include "base/result.h"

namespace millrace::api {

// Errors: kInvalidArgument (no Host, several, or none that can be read), kPermissionDenied (somebody else's).
Result<void> CheckCaller(const Request& request);

// Whether no other page made the browser send this: for what a cookie authenticates. Errors:
// kPermissionDenied.
Result<void> CheckSameOrigin(const Request& request);

// "localhost", "127.0.0.1" or "[::1]", with or without a port.
bool IsLocalAuthority(std::string_view authority);

}  // namespace millrace::api
