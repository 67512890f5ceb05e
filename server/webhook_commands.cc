// `millrace webhook`: the webhooks of a running server.
#include <cstdio>
#include <string>
#include <vector>

#include "api/http/target.h"
#include "server/api_client.h"
#include "server/commands.h"
#include "server/console_output.h"
#include "server/exit_codes.h"

namespace millrace::server {
namespace {

std::string CountOf(const boost::json::object& webhook, const char* name) {
  const auto* value = webhook.if_contains(name);
  return value != nullptr && value->is_number() ? std::to_string(value->to_number<std::int64_t>()) : "";
}

}  // namespace

int RunWebhookList(const ClientOptions& client) {
  auto api = ApiClient::Make(client.endpoint);
  if (!api) return Complain(api.error());
  auto answer = api->Call("GET", "/v1/webhooks");
  if (!answer) return api->Fail(answer.error());
  if (client.json) {
    PrintJson(*answer);
    return kExitOk;
  }
  std::vector<std::vector<std::string>> rows{
      {"NAME", "STATE", "DELIVERED", "FAILED", "DROPPED", "LAST DELIVERY", "URL", "LAST ERROR"}};
  AddRows(*answer, "webhooks", rows, [](const boost::json::object& webhook) {
    return std::vector<std::string>{Member(webhook, "name"),       Member(webhook, "state"),
                                    CountOf(webhook, "delivered"), CountOf(webhook, "failed"),
                                    CountOf(webhook, "dropped"),   Member(webhook, "last_delivery"),
                                    Member(webhook, "url"),        Member(webhook, "last_error")};
  });
  if (rows.size() == 1) {
    std::printf("No webhooks are configured: docs/webhooks.md says how.\n");
    return kExitOk;
  }
  PrintTable(rows);
  return kExitOk;
}

int RunWebhookTest(const ClientOptions& client, const std::string& name) {
  auto api = ApiClient::Make(client.endpoint);
  if (!api) return Complain(api.error());
  auto answer = api->Call("POST", "/v1/webhooks/" + api::PercentEncode(name) + "/test");
  if (!answer) return api->Fail(answer.error());
  const auto* delivered = answer->if_contains("delivered");
  const bool taken = delivered != nullptr && delivered->is_bool() && delivered->get_bool();
  if (client.json) {
    PrintJson(*answer);
  } else if (taken) {
    std::printf("Webhook %s has taken the message.\n", name.c_str());
  } else {
    std::fprintf(stderr, "Webhook %s has not taken the message: %s\n", name.c_str(),
                 Member(*answer, "error").c_str());
  }
  return taken ? kExitOk : kExitFailed;
}

}  // namespace millrace::server
