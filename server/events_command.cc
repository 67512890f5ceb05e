#include "server/events_command.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <chrono>
#include <cstdio>
#include <memory>
#include <thread>

#include "api/http/target.h"
#include "base/time.h"
#include "server/api_client.h"
#include "server/console_output.h"
#include "server/exit_codes.h"
#include "server/unseen.h"

namespace millrace::server {
namespace {

constexpr auto kEventsPollInterval = std::chrono::seconds(1);
// Analysis comes some time after the footage, that of older footage perhaps after that of newer.
constexpr Duration kLate = std::chrono::minutes(2);

// "2026-11-21T14:00:03.200Z  motion  MotionStarted  Zone door  EventId motion-door-1795270803200"
void PrintEvent(const boost::json::object& event) {
  std::printf("%s  %s  %s", Printable(Member(event, "Time")).c_str(),
              Printable(Member(event, "Analyzer")).c_str(), Printable(Member(event, "Type")).c_str());
  for (const auto& member : event) {
    const std::string_view name{member.key().data(), member.key().size()};
    if (name == "Time" || name == "Analyzer" || name == "Type" || name == "FragmentNumber") continue;
    std::printf("  %s %s", Printable(name).c_str(), Printable(Member(event, name)).c_str());
  }
  std::printf("\n");
}

class EventsReader {
 public:
  EventsReader(ApiClient& api, const EventsOptions& options, bool json)
      : api_(api),
        path_("/v1/streams/" + api::PercentEncode(options.stream) + "/events?limit=1000"),
        json_(json) {
    std::string types;
    for (const std::string& type : options.types) types += (types.empty() ? "" : ",") + type;
    if (!types.empty()) path_ += "&types=" + api::PercentEncode(types);
    if (options.end) path_ += "&end=" + api::PercentEncode(*options.end);
  }

  // All pages; what was printed before is left out.
  Result<void> PrintFrom(const std::optional<std::string>& start) {
    const std::string path = path_ + (start ? "&start=" + api::PercentEncode(*start) : "");
    std::optional<std::string> next = "";
    while (next && std::ferror(stdout) == 0) {
      MILLRACE_ASSIGN_OR_RETURN(
          const boost::json::object answer,
          api_.Call("GET", path + (next->empty() ? "" : "&next=" + api::PercentEncode(*next))));
      Print(answer);
      next = NextPage(answer);
    }
    return {};
  }

 private:
  void Print(const boost::json::object& answer) {
    const auto* events = answer.if_contains("events");
    if (events == nullptr || !events->is_array()) return;
    for (const boost::json::value& item : events->get_array()) {
      if (!item.is_object()) continue;
      const boost::json::object& event = item.get_object();
      if (!printed_.Add(KeyOfEvent(event))) continue;
      if (json_) {
        PrintJson(event);
      } else {
        PrintEvent(event);
      }
    }
    std::fflush(stdout);
  }

  ApiClient& api_;
  std::string path_;
  const bool json_;
  Unseen printed_;
};

}  // namespace

std::string KeyOfEvent(const boost::json::object& event) {
  // Without one nothing but all of it, its fragment's number among it, tells it from others.
  if (!event.contains("EventId")) return boost::json::serialize(event);
  return Member(event, "Analyzer") + " " + Member(event, "Type") + " " + Member(event, "EventId");
}

int RunEvents(const ClientOptions& client, const EventsOptions& options) {
  auto api = ApiClient::Make(client.endpoint);
  if (!api) return Complain(api.error());
  EventsReader reader(*api, options, client.json);
  std::optional<std::string> start = options.start;
  if (!start && options.follow) start = FormatRfc3339(SystemClock().Now());
  for (;;) {
    if (auto printed = reader.PrintFrom(start); !printed) return api->Fail(printed.error());
    if (std::ferror(stdout) != 0) return kExitFailed;  // nobody reads on
    if (!options.follow) return kExitOk;
    // From the beginning again only until that lies far enough back.
    auto from = ParseTime(*start);
    const Timestamp recent = SystemClock().Now() - kLate;
    if (from && *from < recent) start = FormatRfc3339(recent);
    std::this_thread::sleep_for(kEventsPollInterval);
  }
}

void AddEventsCommand(CLI::App& app, ClientOptions& client, std::function<int()>& run) {
  auto options = std::make_shared<EventsOptions>();
  auto* command = app.add_subcommand("events", "What analyzers told of a stream: motion, tampering, …");
  command->add_option("STREAM", options->stream, "The stream's name")->required();
  command->add_option("--start", options->start, "RFC 3339 or epoch seconds (default: the oldest)");
  auto* end = command->add_option("--end", options->end, "RFC 3339 or epoch seconds (default: now)");
  command->add_option("--type", options->types, "Only these: MotionStarted, …; may be given several times")
      ->delimiter(',');
  command->add_flag("--follow", options->follow, "Go on with what comes (from now on, without --start)")
      ->excludes(end);
  command->add_flag("--json", client.json, "Print JSON, for machines");
  command->footer(
      "\nExamples:\n  millrace events gate --start 2026-11-21T14:00:00Z\n"
      "  millrace events gate --follow --type MotionStarted,TamperStarted\n");
  command->callback(
      [&run, &client, options] { run = [&client, options] { return RunEvents(client, *options); }; });
}

}  // namespace millrace::server
