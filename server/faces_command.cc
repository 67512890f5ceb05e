#include <boost/json/array.hpp>
#include <cstdio>

#include "api/http/target.h"
#include "base/time.h"
#include "server/api_client.h"
#include "server/commands.h"
#include "server/console_output.h"
#include "server/exit_codes.h"
#include "server/face_lines.h"

namespace millrace::server {

int RunFacesList(const ClientOptions& client, const FacesListOptions& options) {
  auto api = ApiClient::Make(client.endpoint);
  if (!api) return Complain(api.error());
  const std::string path = "/v1/streams/" + api::PercentEncode(options.stream) + "/faces?limit=1000";
  std::string range;
  if (options.start) range += "&start=" + api::PercentEncode(*options.start);
  if (options.end) range += "&end=" + api::PercentEncode(*options.end);
  std::optional<std::string> next = "";
  while (next) {
    auto answer =
        api->Call("GET", path + range + (next->empty() ? "" : "&next=" + api::PercentEncode(*next)));
    if (!answer) return api->Fail(answer.error());
    PrintFaceRecords(*answer, client.json);
    next = NextPage(*answer);
    if (std::ferror(stdout) != 0) return kExitFailed;  // nobody reads on
  }
  return kExitOk;
}

}  // namespace millrace::server
