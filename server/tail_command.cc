#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <chrono>
#include <cstdio>
#include <thread>

#include "api/http/target.h"
#include "base/time.h"
#include "server/api_client.h"
#include "server/commands.h"
#include "server/console_output.h"
#include "server/data_streams.h"
#include "server/exit_codes.h"
#include "server/face_lines.h"
#include "server/unseen.h"

namespace millrace::server {
namespace {

constexpr auto kTailPollInterval = std::chrono::milliseconds(500);
constexpr std::size_t kPage = 200;

// The stream's face records by time, a page a call: from the newest that are there when it begins.
class FacesTail {
 public:
  FacesTail(ApiClient& api, const std::string& stream)
      : api_(api), path_("/v1/streams/" + api::PercentEncode(stream) + "/faces?limit=1000") {}

  // Results of footage that was stored before come later than those of newer footage: some time back is asked
  // for again, and what was printed is left out.
  Result<void> PrintNew(bool json) {
    auto answer = api_.Call("GET", path_ + "&start=" + api::PercentEncode(FormatRfc3339(from_)));
    if (!answer) return std::move(answer).error();
    auto* records = answer->if_contains("records");
    if (records == nullptr || !records->is_array()) return {};
    boost::json::array fresh;
    for (const auto& record : records->get_array()) {
      if (printed_.Add(boost::json::serialize(record))) fresh.push_back(record);
    }
    *records = std::move(fresh);
    PrintFaceRecords(*answer, json);
    from_ = std::max(from_, SystemClock().Now() - kLate);
    return {};
  }

 private:
  static constexpr Duration kLate = std::chrono::minutes(2);

  ApiClient& api_;
  const std::string path_;
  Timestamp from_ = SystemClock().Now();
  Unseen printed_;
};

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
  std::string path = VideoStreamPath(options.stream) + "/fragments";
  // First the newest that are there, then whatever has a higher number.
  std::string query = "?last=" + std::to_string(std::max<std::size_t>(options.last, 1));
  FacesTail faces(*api, options.stream);
  bool first = true;
  std::size_t printed = 0;
  for (;;) {
    auto answer = api->Call("GET", path + query);
    if (!answer) {
      return api->Fail(ExplainNoVideoStream(*api, options.stream, answer.error(),
                                            "millrace stream get " + options.stream + " --follow"));
    }
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
    if (options.faces) {
      if (auto shown = faces.PrintNew(client.json); !shown) return api->Fail(shown.error());
    }
    if (std::ferror(stdout) != 0) return kExitFailed;  // nobody reads on
    first = false;
    if (count < kPage) std::this_thread::sleep_for(kTailPollInterval);
  }
}

}  // namespace millrace::server
