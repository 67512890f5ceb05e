#include "server/options_variable.h"

#include <boost/json/serialize.hpp>
#include <cstdlib>
#include <utility>

#include "consumers/analysis/option_reader.h"

namespace millrace::server {

std::string OptionsVariable(const boost::json::object& options,
                            const std::map<std::string, boost::json::object>& streams) {
  boost::json::object by_stream;
  for (const auto& [stream, own] : streams) by_stream[stream] = own;
  const boost::json::object all{{"options", options}, {"streams", std::move(by_stream)}};
  return std::string(kOptionsVariable) + "=" + boost::json::serialize(all);
}

Result<void> TakeOptionsVariable(AnalysisSettings& settings) {
  const char* told = std::getenv(kOptionsVariable);
  if (told == nullptr) return {};
  MILLRACE_ASSIGN_OR_RETURN(const boost::json::object all, ParseOptions(told));
  OptionReader reader(all);
  auto object = [&](const boost::json::value& value) {
    if (!value.is_object()) reader.Fail(kOptionsVariable, "must hold objects");
    return value.is_object() ? value.get_object() : boost::json::object();
  };
  if (const auto* own = reader.Raw("options")) settings.options = object(*own);
  if (const auto* streams = reader.Raw("streams")) {
    const boost::json::object by_stream = object(*streams);
    for (const auto& stream : by_stream) settings.stream_options[stream.key()] = object(stream.value());
  }
  return reader.Finish();
}

}  // namespace millrace::server
