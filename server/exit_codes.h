// What the command line's exit codes mean; `millrace --help` and docs/configuration.md show them.
#pragma once

#include <optional>

#include "base/result.h"

namespace millrace::server {

enum ExitCode : int {
  kExitOk = 0,
  kExitFailed = 1,       // it was tried, and failed
  kExitUsage = 2,        // wrong command line, configuration or request: the same will always fail
  kExitNotFound = 3,     // the named thing does not exist
  kExitUnreachable = 4,  // no server answers at the endpoint
  kExitConflict = 5,     // not in this state: the stream is fed by a camera, the data directory is in use
};

ExitCode ExitCodeOf(ErrorCode code);
// What another `millrace` says by its exit code, where trying it again is no use; none: it may be of use.
std::optional<ErrorCode> FinalErrorOf(int exit_code);

// "millrace: <text>" on standard error, and the code to exit with.
int Complain(const Error& error);

}  // namespace millrace::server
