#include "api/http/error_response.h"

#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include "base/log.h"
#include "base/text.h"

namespace millrace::api {

int HttpStatus(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidArgument:
      return 400;
    case ErrorCode::kNotFound:
      return 404;
    case ErrorCode::kAlreadyExists:
      return 409;
    case ErrorCode::kFailedPrecondition:
      return 409;
    case ErrorCode::kOutOfRange:
      return 416;
    case ErrorCode::kUnauthenticated:
      return 401;
    case ErrorCode::kPermissionDenied:
      return 403;
    case ErrorCode::kResourceExhausted:
      return 503;
    case ErrorCode::kNoSpace:
      return 507;
    case ErrorCode::kUnavailable:
      return 503;
    case ErrorCode::kDeadlineExceeded:
      return 504;
    case ErrorCode::kCancelled:
      return 503;
    case ErrorCode::kUnsupported:
      return 501;
    case ErrorCode::kCorruption:
      return 500;
    case ErrorCode::kIo:
      return 500;
    case ErrorCode::kInternal:
      return 500;
  }
  return 500;
}

std::string ErrorJson(const Error& error) {
  // A message may quote bytes that somebody sent or a disk gave: JSON text is UTF-8 all the same.
  std::string message = error.message;
  if (!IsUtf8(message)) {
    for (char& c : message) {
      if (static_cast<unsigned char>(c) >= 0x80) c = '?';
    }
  }
  boost::json::object inner;
  inner["code"] = boost::json::string_view(ToString(error.code).data(), ToString(error.code).size());
  inner["message"] = message;
  boost::json::object outer;
  outer["error"] = std::move(inner);
  return boost::json::serialize(outer);
}

net::awaitable<void> RespondError(ResponseWriter& writer, Error error, int status) {
  if (status == 0) status = HttpStatus(error.code);
  if (writer.head_written()) co_return;
  if (status == 500) {
    Log(LogLevel::kError, "request failed", {{"code", ToString(error.code)}, {"error", error.message}});
    if (error.code == ErrorCode::kInternal) error.message = "internal error; the server's log says more";
  }
  ResponseHead head{status, {}};
  head.headers.Add("Content-Type", "application/json");
  head.headers.Add("Cache-Control", "no-store");
  if (status == 503) head.headers.Add("Retry-After", "1");
  std::string json = ErrorJson(error) + "\n";
  Bytes bytes(json.begin(), json.end());
  SharedBytes body(std::move(bytes));
  (void)co_await writer.Respond(std::move(head), std::move(body));
}

}  // namespace millrace::api
