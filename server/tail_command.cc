#include <boost/json/array.hpp>
#include <chrono>
#include <cstdio>
#include <thread>

#include "api/target.h"
#include "base/time.h"
#include "server/api_client.h"
#include "server/commands.h"
#include "server/console_output.h"
#include "server/exit_codes.h"

namespace millrace::server {
namespace {

constexpr auto kPollInterval = std::chrono::milliseconds(500);
constexpr std::size_t kPage = 200;

void PrintFragment(const boost::json::object& fragment, bool json) {
  if (json) {
    PrintJson(fragment);
  } else {
    auto start = ParseTime(Member(fragment, "start"));
    auto end = ParseTime(Member(fragment, "end"));
    double seconds = start && end ? std::chrono::duration<double>(*end - *start).count() : 0;
    std::printf("%s  %6.3f s  %9s  run %s  %s%s\n", Member(fragment, "start").c_str(), seconds,
                HumanBytes(NumberMember(fragment, "bytes")).c_str(), Member(fragment, "run").c_str(),
                Member(fragment, "number").c_str(),
                Member(fragment, "independent") == "true" ? "" : "  (joined)");
  }
  std::fflush(stdout);
}

}  // namespace

int RunTail(const ClientOptions& client, const TailOptions& options) {
  auto api = ApiClient::Make(client.endpoint);
  if (!api) return Complain(api.error());
  std::string path = "/v1/streams/" + api::PercentEncode(options.stream) + "/fragments";
  // First the newest that are there, then whatever has a higher number.
  std::string query = "?last=" + std::to_string(std::max<std::size_t>(options.last, 1));
  bool first = true;
  std::size_t printed = 0;
  for (;;) {
    auto answer = api->Call("GET", path + query);
    if (!answer) return api->Fail(answer.error());
    const auto* fragments = answer->if_contains("fragments");
    std::size_t count = 0;
    if (fragments != nullptr && fragments->is_array()) {
      for (const auto& item : fragments->get_array()) {
        if (!item.is_object()) continue;
        query = "?limit=" + std::to_string(kPage) + "&after=" + Member(item.get_object(), "number");
        ++count;
        if (first && options.last == 0) continue;
        PrintFragment(item.get_object(), client.json);
        if (options.count && ++printed >= *options.count) return kExitOk;
      }
    }
    if (std::ferror(stdout) != 0) return kExitFailed;  // nobody reads on
    first = false;
    if (count < kPage) std::this_thread::sleep_for(kPollInterval);
  }
}

}  // namespace millrace::server
