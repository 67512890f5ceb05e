// The analyzer that a command line asks for: one that Millrace comes with, or a library's.
#pragma once

#include <boost/json/object.hpp>

#include "consumers/analysis/analyzer_ref.h"
#include "server/analyzer_choice.h"

namespace millrace::server {

// `options`: of all streams; those of the choice among them, where there are any. Errors: kInvalidArgument:
// no such analyzer, with those that there are, or an option; those of the library.
Result<OwnedAnalyzer> MakeAnalyzer(const AnalyzerChoice& choice, const boost::json::object& options);

}  // namespace millrace::server
