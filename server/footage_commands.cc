// `millrace stream delete-footage | hold | holds | release`: stretches of a video stream's footage.
#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <cstdio>

#include "api/http/target.h"
#include "server/api_client.h"
#include "server/commands.h"
#include "server/console_output.h"
#include "server/data_streams.h"
#include "server/exit_codes.h"

namespace millrace::server {
namespace {

std::string HoldPath(const std::string& stream, const std::string& id) {
  return VideoStreamPath(stream) + "/holds/" + api::PercentEncode(id);
}

std::string HumanEnd(const boost::json::object& hold) {
  const std::string end = Member(hold, "end");
  return end == "-" ? "open" : end;
}

void PrintHold(const boost::json::object& hold) {
  PrintFields({{"Hold", Member(hold, "id")},
               {"From", Member(hold, "start")},
               {"To", HumanEnd(hold)},
               {"Reason", Member(hold, "reason")},
               {"Placed", Member(hold, "placed")},
               {"Placed by", Member(hold, "placed_by")}});
}

}  // namespace

int RunDeleteFootage(const ClientOptions& client, const DeleteFootageOptions& options) {
  auto api = ApiClient::Make(client.endpoint);
  if (!api) return Complain(api.error());
  std::string path = VideoStreamPath(options.stream) + "/footage?start=" + api::PercentEncode(options.start) +
                     "&end=" + api::PercentEncode(options.end);
  if (options.server_clock) path += "&clock=server";
  auto answer = api->Call("DELETE", path);
  if (!answer) {
    return api->Fail(ExplainNoVideoStream(*api, options.stream, answer.error(),
                                          "millrace stream describe " + options.stream));
  }
  if (client.json) {
    PrintJson(*answer);
    return kExitOk;
  }
  std::printf("Deleted %s fragments, %s.\n", Member(*answer, "deleted_fragments").c_str(),
              HumanBytes(NumberMember(*answer, "deleted_bytes")).c_str());
  const auto* spans = answer->if_contains("spans");
  if (spans == nullptr || !spans->is_array()) return kExitOk;
  for (const auto& span : spans->get_array()) {
    if (!span.is_object()) continue;
    std::printf("  %s to %s\n", Member(span.get_object(), "start").c_str(),
                Member(span.get_object(), "end").c_str());
  }
  return kExitOk;
}

int RunPlaceHold(const ClientOptions& client, const PlaceHoldOptions& options) {
  auto api = ApiClient::Make(client.endpoint);
  if (!api) return Complain(api.error());
  boost::json::object body;
  body["start"] = options.start;
  if (options.end) body["end"] = *options.end;
  if (options.reason) body["reason"] = *options.reason;
  auto hold = api->Call("PUT", HoldPath(options.stream, options.id), boost::json::serialize(body));
  if (!hold) return api->Fail(hold.error());
  if (client.json) {
    PrintJson(*hold);
  } else {
    PrintHold(*hold);
  }
  return kExitOk;
}

int RunListHolds(const ClientOptions& client, const std::string& stream) {
  auto api = ApiClient::Make(client.endpoint);
  if (!api) return Complain(api.error());
  auto answer = api->Call("GET", VideoStreamPath(stream) + "/holds");
  if (!answer) return api->Fail(answer.error());
  if (client.json) {
    PrintJson(*answer);
    return kExitOk;
  }
  std::vector<std::vector<std::string>> rows{{"HOLD", "FROM", "TO", "PLACED", "BY", "REASON"}};
  const auto* holds = answer->if_contains("holds");
  if (holds != nullptr && holds->is_array()) {
    for (const auto& item : holds->get_array()) {
      if (!item.is_object()) continue;
      const auto& hold = item.get_object();
      rows.push_back({Member(hold, "id"), Member(hold, "start"), HumanEnd(hold), Member(hold, "placed"),
                      Member(hold, "placed_by"), Member(hold, "reason")});
    }
  }
  if (rows.size() == 1) {
    std::printf("Nothing of %s is held.\n", Printable(stream).c_str());
  } else {
    PrintTable(rows);
  }
  return kExitOk;
}

int RunReleaseHold(const ClientOptions& client, const std::string& stream, const std::string& id) {
  auto api = ApiClient::Make(client.endpoint);
  if (!api) return Complain(api.error());
  auto answer = api->Call("DELETE", HoldPath(stream, id));
  if (!answer) return api->Fail(answer.error());
  if (client.json) {
    PrintJson(*answer);
  } else {
    std::printf("Released %s. What it alone kept goes as its retention has it.\n", Printable(id).c_str());
  }
  return kExitOk;
}

}  // namespace millrace::server
