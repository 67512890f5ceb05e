// The analyzer that a command line names: one that Millrace comes with, or a library's.
#pragma once

#include <boost/json/object.hpp>
#include <optional>
#include <string>

#include "consumers/analysis/analyzer_ref.h"

namespace millrace::server {

// `plugin`: the path of a library, in the place of `name`. Errors: kInvalidArgument: no such analyzer, with
// those that there are, or an option; those of the library.
Result<OwnedAnalyzer> MakeAnalyzer(const std::string& name, const std::optional<std::string>& plugin,
                                   const boost::json::object& options);

}  // namespace millrace::server
