#include <boost/json/array.hpp>

#include "api/http/handlers.h"
#include "api/v1/analyzer_status.h"
#include "api/v1/json.h"

namespace millrace::api {
namespace {

boost::json::object ToJson(const AnalyzerStatus& status) {
  boost::json::object object;
  object["name"] = status.name;
  object["state"] = status.state;
  object["state_since"] = FormatRfc3339(status.state_since);
  boost::json::array streams;
  for (const std::string& stream : status.streams) streams.push_back(boost::json::string(stream));
  object["streams"] = std::move(streams);
  object["pid"] = nullptr;
  if (status.pid) object["pid"] = *status.pid;
  object["last_error"] = TextOrNull(status.last_error);
  object["next_start"] = TimeOrNull(status.next_start);
  object["starts"] = status.starts;
  object["ends"] = status.ends;
  object["fragments"] = status.fragments;
  object["frames"] = status.frames;
  object["results"] = status.results;
  object["skipped"] = status.skipped;
  object["set_aside"] = status.set_aside;
  object["unreadable"] = status.unreadable;
  object["decoding_ms"] = status.decoding_ms;
  object["analyzing_ms"] = status.analyzing_ms;
  object["memory_bytes"] = status.memory_bytes;
  object["behind_ms"] = status.behind / std::chrono::milliseconds(1);
  object["fragment"] = TextOrNull(status.fragment);
  object["trouble"] = TextOrNull(status.trouble);
  return object;
}

}  // namespace

void AddAnalyzerRoutes(Router& router, WorkerPool& pool,
                       std::function<std::vector<AnalyzerStatus>()> statuses) {
  router.Add("GET", "/v1/analyzers",
             [&pool, statuses = std::move(statuses)](Request& request,
                                                     ResponseWriter& writer) -> net::awaitable<void> {
               auto work = [&]() -> Result<std::string> {
                 MILLRACE_RETURN_IF_ERROR(request.target.CheckQuery({}));
                 boost::json::array list;
                 for (const AnalyzerStatus& status : statuses()) list.push_back(ToJson(status));
                 boost::json::object answer;
                 answer["analyzers"] = std::move(list);
                 return ToText(answer);
               };
               co_await RespondWith(pool, writer, work);
             });
}

}  // namespace millrace::api
