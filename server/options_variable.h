// How an analyzing process is given its options: in its environment, and not on the command line, which every
// user of the machine can read.
//
// Threads: any, while nobody changes the environment.
#pragma once

#include <cstddef>
#include <string>

#include "base/result.h"
#include "consumers/analysis/analyzer_options.h"

namespace millrace::server {

// {"options":{…},"streams":{"door":{…}}}
inline constexpr const char* kOptionsVariable = "MILLRACE_ANALYZER_OPTIONS";
// "MILLRACE_ANALYZER_OPTIONS=…". Linux takes no variable of more than 128 KiB (MAX_ARG_STRLEN).
inline constexpr std::size_t kOptionsVariableMax = 128 * 1024 - 1;
std::string OptionsVariable(const AnalyzerOptions& options);
// What the variable says, where it is set. Errors: kInvalidArgument.
Result<void> TakeOptionsVariable(AnalyzerOptions& options);

}  // namespace millrace::server
