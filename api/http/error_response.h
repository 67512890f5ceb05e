// The one place that maps our errors to HTTP.
#pragma once

#include <string>

#include "api/http/http.h"
#include "base/result.h"

namespace millrace::api {

int HttpStatus(ErrorCode code);

// {"error":{"code":"not_found","message":"…"}}
std::string ErrorJson(const Error& error);

// Answers with the error; `status` 0: what HttpStatus says. Internal errors are logged, and their text is
// kept from the peer. Does nothing when the head was written already: an answer that is not finished is cut
// off.
net::awaitable<void> RespondError(ResponseWriter& writer, Error error, int status = 0);

}  // namespace millrace::api
