// Where a camera's password comes from: never from the command line, which every user of the machine can
// read.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "base/result.h"

namespace millrace::server {

// From the file's first line; or asked for on the terminal, unseen; or from the environment,
// MILLRACE_CAMERA_PASSWORD. None of these: no password. Errors: kInvalidArgument, kNotFound,
// kFailedPrecondition (no terminal to ask on).
Result<std::optional<std::string>> ReadPassword(const std::optional<std::filesystem::path>& file, bool ask);

}  // namespace millrace::server
