#include "server/api_client.h"
#include "server/commands.h"
#include "server/console_output.h"
#include "server/exit_codes.h"

namespace millrace::server {

int RunStorage(const ClientOptions& client) {
  auto api = ApiClient::Make(client.endpoint);
  if (!api) return Complain(api.error());
  auto status = api->Call("GET", "/v1/storage");
  if (!status) return api->Fail(status.error());
  if (client.json) {
    PrintJson(*status);
    return kExitOk;
  }
  auto bytes = [&](const char* name) {
    return Member(*status, name) == "-" ? std::string("-") : HumanBytes(NumberMember(*status, name));
  };
  const std::string reach = Member(*status, "reach_hours");
  PrintFields({{"State", Member(*status, "state")},
               {"Message", Member(*status, "message")},
               {"Used", bytes("used_bytes")},
               {"Budget", bytes("budget_bytes")},
               {"Kept by holds", bytes("held_bytes")},
               {"Free on the disk", bytes("free_bytes") + " of " + bytes("total_bytes")},
               {"Written", bytes("write_bytes_per_second") + "/s"},
               {"Waiting for the disk", bytes("queued_bytes")},
               {"Footage since", Member(*status, "oldest")},
               {"Budget reached", Member(*status, "budget_reached_at")},
               {"Footage will reach back",
                reach == "-" ? "as retention says" : HumanHours(NumberMember(*status, "reach_hours"))},
               {"Made room by deleting", bytes("evicted_bytes")},
               {"Deleted for room, before", Member(*status, "evicted_before")},
               {"Last error", Member(*status, "last_error")},
               {"Last error at", Member(*status, "last_error_at")}});
  return kExitOk;
}

}  // namespace millrace::server
