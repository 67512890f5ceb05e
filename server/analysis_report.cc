#include "server/analysis_report.h"

#include <unistd.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <cstdio>
#include <cstdlib>

#include "base/log.h"
#include "consumers/analysis/option_reader.h"
#include "server/exit_codes.h"

namespace millrace::server {
namespace {

struct Count {
  const char* name;
  std::uint64_t AnalysisProgress::*value;
};
constexpr Count kCounts[] = {
    {"fragments", &AnalysisProgress::fragments}, {"frames", &AnalysisProgress::frames},
    {"results", &AnalysisProgress::results},     {"skipped", &AnalysisProgress::skipped},
    {"set_aside", &AnalysisProgress::set_aside}, {"unreadable", &AnalysisProgress::unreadable}};

struct Milliseconds {
  const char* name;
  Duration AnalysisProgress::*value;
};
constexpr Milliseconds kTimes[] = {
    {"decoding_ms", &AnalysisProgress::decoding}, {"analyzing_ms", &AnalysisProgress::analyzing},
    {"footage_ms", &AnalysisProgress::footage},   {"passed_ms", &AnalysisProgress::passed},
    {"behind_ms", &AnalysisProgress::behind},     {"busy_ms", &AnalysisProgress::busy}};

}  // namespace

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

void Report(const AnalysisProgress& progress) {
  boost::json::object object;
  for (const Count& count : kCounts) object[count.name] = progress.*count.value;
  for (const Milliseconds& time : kTimes)
    object[time.name] = progress.*time.value / std::chrono::milliseconds(1);
  object["fragment"] = progress.fragment;
  object["trouble"] = progress.trouble;
  std::printf("%s\n", boost::json::serialize(object).c_str());
  std::fflush(stdout);
}

std::optional<AnalysisProgress> ParseReport(const std::string& line) {
  boost::system::error_code ec;
  const auto value = boost::json::parse(line, ec);
  const auto* object = ec ? nullptr : value.if_object();
  if (object == nullptr) return std::nullopt;
  auto number = [&](const char* name) -> std::int64_t {
    const auto* found = object->if_contains(name);
    return found != nullptr && found->is_int64() ? std::max<std::int64_t>(found->get_int64(), 0) : 0;
  };
  auto text = [&](const char* name) {
    const auto* found = object->if_contains(name);
    return found != nullptr && found->is_string() ? std::string(found->get_string()) : std::string();
  };
  AnalysisProgress progress;
  for (const Count& count : kCounts) progress.*count.value = static_cast<std::uint64_t>(number(count.name));
  for (const Milliseconds& time : kTimes) progress.*time.value = std::chrono::milliseconds(number(time.name));
  progress.fragment = text("fragment");
  progress.trouble = text("trouble");
  return progress;
}

void EndNow(const std::string& why, const AnalysisProgress& progress) {
  Log(LogLevel::kError, "the analyzer ends", {{"why", why}, {"fragment", progress.fragment}});
  ::_exit(kExitFailed);
}

}  // namespace millrace::server
