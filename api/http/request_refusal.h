// Requests that are refused before any handler sees them, and what HTTP/1.1 and HTTP/2 refuse alike.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "api/http/connection.h"
#include "api/http/http.h"
#include "base/result.h"

namespace millrace::api {

// What is wrong with a request's head: the status to answer with.
struct Refusal {
  int status = 400;
  Error error;
};

Refusal Malformed(std::string message);
Refusal TargetTooLong(const ConnectionLimits& limits);
Refusal HeadersTooLarge(const ConnectionLimits& limits);

// Reads the target and the headers that every protocol has (Expect) into `request`, whose headers are there.
std::optional<Refusal> TakeTarget(std::string_view target, const ConnectionLimits& limits, Request& request);

}  // namespace millrace::api
