#include "server/options_variable.h"

#include <boost/json/serialize.hpp>
#include <cstdlib>
#include <utility>

#include "consumers/analysis/option_reader.h"

namespace millrace::server {

std::string OptionsVariable(const AnalyzerOptions& options) {
  boost::json::object by_stream;
  for (const auto& [stream, own] : options.by_stream) by_stream[stream] = own;
  const boost::json::object all{{"options", options.all}, {"streams", std::move(by_stream)}};
  return std::string(kOptionsVariable) + "=" + boost::json::serialize(all);
}

Result<void> TakeOptionsVariable(AnalyzerOptions& options) {
  const char* told = std::getenv(kOptionsVariable);
  if (told == nullptr) return {};
  MILLRACE_ASSIGN_OR_RETURN(const boost::json::object all, ParseOptions(told));
  OptionReader reader(all);
  auto object = [&](const boost::json::value& value) {
    if (!value.is_object()) reader.Fail(kOptionsVariable, "must hold objects");
    return value.is_object() ? value.get_object() : boost::json::object();
  };
  if (const auto* own = reader.Raw("options")) options.all = object(*own);
  if (const auto* streams = reader.Raw("streams")) {
    const boost::json::object by_stream = object(*streams);
    for (const auto& stream : by_stream) options.by_stream[stream.key()] = object(stream.value());
  }
  return reader.Finish();
}

}  // namespace millrace::server
