#include <boost/json/array.hpp>
#include <chrono>
#include <cstdio>

#include "api/target.h"
#include "base/time.h"
#include "server/api_client.h"
#include "server/commands.h"
#include "server/console_output.h"
#include "server/exit_codes.h"

namespace millrace::server {
namespace {

std::string StreamPath(const std::string& name) { return "/v1/streams/" + api::PercentEncode(name); }

}  // namespace

int RunStreamList(const ClientOptions& client) {
  auto api = ApiClient::Make(client.endpoint);
  if (!api) return Complain(api.error());
  auto answer = api->Call("GET", "/v1/streams");
  if (!answer) return api->Fail(answer.error());
  if (client.json) {
    PrintJson(*answer);
    return kExitOk;
  }
  std::vector<std::vector<std::string>> rows{
      {"NAME", "LIVE", "CAMERA", "FRAGMENTS", "SIZE", "FIRST", "LAST", "KEPT"}};
  const auto* streams = answer->if_contains("streams");
  if (streams != nullptr && streams->is_array()) {
    for (const auto& item : streams->get_array()) {
      if (!item.is_object()) continue;
      const auto& stream = item.get_object();
      rows.push_back({Member(stream, "name"), Member(stream, "live") == "true" ? "yes" : "no",
                      Member(stream, "camera"), Member(stream, "fragments"),
                      HumanBytes(NumberMember(stream, "bytes")), Member(stream, "first"),
                      Member(stream, "last"), HumanHours(NumberMember(stream, "retention_hours"))});
    }
  }
  if (rows.size() == 1) {
    std::printf("No streams. A camera makes one: millrace camera add NAME rtsp://HOST/PATH\n");
  } else {
    PrintTable(rows);
  }
  return kExitOk;
}

int RunStreamShow(const ClientOptions& client, const std::string& name) {
  auto api = ApiClient::Make(client.endpoint);
  if (!api) return Complain(api.error());
  auto stream = api->Call("GET", StreamPath(name));
  if (!stream) return api->Fail(stream.error());
  if (client.json) {
    PrintJson(*stream);
    return kExitOk;
  }
  PrintFields({{"Stream", Member(*stream, "name")},
               {"Created", Member(*stream, "created")},
               {"Camera", Member(*stream, "camera")},
               {"Live", Member(*stream, "live") == "true" ? "yes" : "no"},
               {"Fragments", Member(*stream, "fragments")},
               {"Size", HumanBytes(NumberMember(*stream, "bytes"))},
               {"First", Member(*stream, "first")},
               {"Last", Member(*stream, "last")},
               {"Kept", HumanHours(NumberMember(*stream, "retention_hours"))}});
  return kExitOk;
}

int RunStreamCoverage(const ClientOptions& client, const CoverageOptions& options) {
  auto api = ApiClient::Make(client.endpoint);
  if (!api) return Complain(api.error());
  std::string path = StreamPath(options.stream) + "/coverage";
  char separator = '?';
  for (const auto& [name, value] : {std::pair{"start", &options.start}, std::pair{"end", &options.end}}) {
    if (!*value) continue;
    path += separator + std::string(name) + "=" + api::PercentEncode(**value);
    separator = '&';
  }
  auto answer = api->Call("GET", path);
  if (!answer) return api->Fail(answer.error());
  if (client.json) {
    PrintJson(*answer);
    return kExitOk;
  }
  std::vector<std::vector<std::string>> rows{{"START", "END", "LENGTH", "FOOTAGE", "WHY NOT", "DETAIL"}};
  const auto* intervals = answer->if_contains("intervals");
  if (intervals != nullptr && intervals->is_array()) {
    for (const auto& item : intervals->get_array()) {
      if (!item.is_object()) continue;
      const auto& interval = item.get_object();
      const auto start = ParseTime(Member(interval, "start"));
      const auto end = ParseTime(Member(interval, "end"));
      char length[32] = "-";
      if (start && end) {
        std::snprintf(length, sizeof(length), "%.3f s", std::chrono::duration<double>(*end - *start).count());
      }
      rows.push_back({Member(interval, "start"), Member(interval, "end"), length, Member(interval, "state"),
                      Member(interval, "cause"), Member(interval, "detail")});
    }
  }
  if (rows.size() == 1) {
    std::printf("That time has not come yet.\n");
  } else {
    PrintTable(rows);
  }
  return kExitOk;
}

int RunStreamDelete(const ClientOptions& client, const std::string& name) {
  auto api = ApiClient::Make(client.endpoint);
  if (!api) return Complain(api.error());
  auto answer = api->Call("DELETE", StreamPath(name));
  if (!answer) return api->Fail(answer.error());
  if (client.json) {
    PrintJson(*answer);
  } else {
    std::printf("Stream %s and its footage are gone.\n", name.c_str());
  }
  return kExitOk;
}

}  // namespace millrace::server
