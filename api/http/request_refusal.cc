#include "api/http/request_refusal.h"

#include "base/text.h"

namespace millrace::api {

Refusal Malformed(std::string message) {
  return {400, Error{ErrorCode::kInvalidArgument, std::move(message)}};
}

Refusal TargetTooLong(const ConnectionLimits& limits) {
  return {414, Error{ErrorCode::kResourceExhausted, "the request target is longer than " +
                                                        std::to_string(limits.target_bytes_max) + " bytes"}};
}

Refusal HeadersTooLarge(const ConnectionLimits& limits) {
  return {431, Error{ErrorCode::kResourceExhausted, "the request's headers are larger than " +
                                                        std::to_string(limits.header_bytes_max) + " bytes"}};
}

std::optional<Refusal> TakeTarget(std::string_view target, const ConnectionLimits& limits, Request& request) {
  if (target.size() > limits.target_bytes_max) return TargetTooLong(limits);
  auto parsed = ParseTarget(target);
  if (!parsed) return Refusal{400, std::move(parsed).error()};
  request.target = std::move(*parsed);
  if (auto expect = request.headers.Find("Expect"); expect && !EqualsIgnoreCase(*expect, "100-continue")) {
    return Refusal{417, Error{ErrorCode::kUnsupported, "of Expect only '100-continue' is known"}};
  }
  return std::nullopt;
}

}  // namespace millrace::api
