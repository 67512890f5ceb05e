// How an analyzing process tells the one that started it how it is: a line of JSON on standard output.
//
// Threads: any.
#pragma once

#include <boost/json/object.hpp>
#include <optional>
#include <string>

#include "consumers/analysis/analysis_meter.h"

namespace millrace::server {

void Report(const AnalysisProgress& progress);
// None: the line is no report.
std::optional<AnalysisProgress> ParseReport(const std::string& line);

// The process ends here and now: nothing is released, so that whoever comes next knows that it did not end
// well.
[[noreturn]] void EndNow(const std::string& why, const AnalysisProgress& progress);

}  // namespace millrace::server
