// How an analyzing process tells the one that started it how it is: a line of JSON on standard output.
//
// Threads: any.
#pragma once

#include <boost/json/object.hpp>
#include <optional>
#include <string>

#include "consumers/analysis/analysis_meter.h"
#include "consumers/analysis/stream_analysis.h"

namespace millrace::server {

// The variable that such a process has its options in: {"options":{…},"streams":{"door":{…}}}. Not on the
// command line, which every user of the machine can read.
inline constexpr const char* kOptionsVariable = "MILLRACE_ANALYZER_OPTIONS";
// "MILLRACE_ANALYZER_OPTIONS=…".
std::string OptionsVariable(const boost::json::object& options,
                            const std::map<std::string, boost::json::object>& streams);
// What the variable says, where it is set. Errors: kInvalidArgument.
Result<void> TakeOptionsVariable(AnalysisSettings& settings);

void Report(const AnalysisProgress& progress);
// None: the line is no report.
std::optional<AnalysisProgress> ParseReport(const std::string& line);

// The process ends here and now: nothing is released, so that whoever comes next knows that it did not end
// well.
[[noreturn]] void EndNow(const std::string& why, const AnalysisProgress& progress);

}  // namespace millrace::server
