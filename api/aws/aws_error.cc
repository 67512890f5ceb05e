#include "api/aws/aws_error.h"

#include "base/log.h"

namespace millrace::api {
namespace {

AwsError Named(AwsError error, const char* type, int status) {
  error.type = type;
  error.status = status;
  return error;
}

// The request may succeed when it is sent again: clients do so by themselves after a 500.
AwsError Fault(AwsError error) {
  Log(LogLevel::kError, "request failed", {{"code", ToString(*error.code)}, {"error", error.message}});
  const bool full = *error.code == ErrorCode::kNoSpace;
  error.message = full ? "The server's disk is full." : "Internal Service Failure";
  return Named(std::move(error), "InternalFailure", 500);
}

}  // namespace

AwsError ToAws(AwsError error, AwsService service) {
  const bool video = service == AwsService::kVideoStreams;
  // The video service has other names for members that break their constraints, and for too much at a time.
  if (video && error.type == "ValidationException") error.type = "InvalidArgumentException";
  if (video && error.type == "ProvisionedThroughputExceededException")
    error.type = "ClientLimitExceededException";
  if (!error.type.empty() || !error.code) return error;
  switch (*error.code) {
    case ErrorCode::kInvalidArgument:
    case ErrorCode::kOutOfRange:
    case ErrorCode::kUnsupported:
      return Named(std::move(error), "InvalidArgumentException", 400);
    case ErrorCode::kNotFound:
      return Named(std::move(error), "ResourceNotFoundException", video ? 404 : 400);
    case ErrorCode::kAlreadyExists:
    case ErrorCode::kFailedPrecondition:
      return Named(std::move(error), "ResourceInUseException", 400);
    case ErrorCode::kUnauthenticated:
      return Named(std::move(error), "InvalidSignatureException", video ? 403 : 400);
    case ErrorCode::kPermissionDenied:
      return video ? Named(std::move(error), "NotAuthorizedException", 401)
                   : Named(std::move(error), "AccessDeniedException", 400);
    case ErrorCode::kResourceExhausted:
      return Named(std::move(error), video ? "ClientLimitExceededException" : "LimitExceededException", 400);
    case ErrorCode::kDeadlineExceeded:
      return Named(std::move(error), "RequestTimeoutException", 408);
    case ErrorCode::kNoSpace:
    case ErrorCode::kUnavailable:
    case ErrorCode::kCancelled:
    case ErrorCode::kCorruption:
    case ErrorCode::kIo:
    case ErrorCode::kInternal:
      break;
  }
  return Fault(std::move(error));
}

}  // namespace millrace::api
