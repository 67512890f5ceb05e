#include "server/analysis_report.h"

#include <unistd.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <cstdio>

#include "base/log.h"
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
