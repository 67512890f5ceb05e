#include <boost/json/array.hpp>
#include <chrono>
#include <cstdio>

#include "api/http/target.h"
#include "base/time.h"
#include "server/api_client.h"
#include "server/commands.h"
#include "server/console_output.h"
#include "server/data_streams.h"
#include "server/exit_codes.h"

namespace millrace::server {
int RunStreamCoverage(const ClientOptions& client, const CoverageOptions& options) {
  auto api = ApiClient::Make(client.endpoint);
  if (!api) return Complain(api.error());
  std::string path = VideoStreamPath(options.stream) + "/coverage";
  char separator = '?';
  for (const auto& [name, value] : {std::pair{"start", &options.start}, std::pair{"end", &options.end}}) {
    if (!*value) continue;
    path += separator + std::string(name) + "=" + api::PercentEncode(**value);
    separator = '&';
  }
  auto answer = api->Call("GET", path);
  if (!answer) {
    return api->Fail(ExplainNoVideoStream(*api, options.stream, answer.error(),
                                          "millrace stream describe " + options.stream));
  }
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

}  // namespace millrace::server
