#include "server/exit_codes.h"

#include <cstdio>

namespace millrace::server {

ExitCode ExitCodeOf(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidArgument:
    case ErrorCode::kPermissionDenied:
    case ErrorCode::kUnauthenticated:
    case ErrorCode::kUnsupported:
      return kExitUsage;
    case ErrorCode::kNotFound:
    case ErrorCode::kOutOfRange:
      return kExitNotFound;
    case ErrorCode::kAlreadyExists:
    case ErrorCode::kFailedPrecondition:
      return kExitConflict;
    default:
      return kExitFailed;
  }
}

std::optional<ErrorCode> FinalErrorOf(int exit_code) {
  switch (exit_code) {
    case kExitUsage:
      return ErrorCode::kInvalidArgument;
    case kExitNotFound:
      return ErrorCode::kNotFound;
    case kExitConflict:
      return ErrorCode::kFailedPrecondition;
    default:
      return std::nullopt;
  }
}

int Complain(const Error& error) {
  std::fprintf(stderr, "millrace: %s\n", error.message.c_str());
  return ExitCodeOf(error.code);
}

}  // namespace millrace::server
