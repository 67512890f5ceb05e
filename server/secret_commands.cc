// `millrace secret`: named secrets of a running server. A value comes by standard input, and is never shown.
#include <cstdio>
#include <iostream>
#include <string>

#include "api/http/target.h"
#include "api/v1/json.h"
#include "ingest/secret_store.h"
#include "server/api_client.h"
#include "server/commands.h"
#include "server/console_output.h"
#include "server/exit_codes.h"

namespace millrace::server {
namespace {

std::string SecretPath(const std::string& name) { return "/v1/secrets/" + api::PercentEncode(name); }

// Standard input to its end, without the line end that an editor or `echo` puts there.
Result<std::string> ReadValue() {
  std::string value;
  char buffer[512];
  while (value.size() <= kSecretBytesMax + 2) {
    std::cin.read(buffer, sizeof(buffer));
    value.append(buffer, static_cast<std::size_t>(std::cin.gcount()));
    if (!std::cin) break;
  }
  if (value.ends_with('\n')) value.pop_back();
  if (value.ends_with('\r')) value.pop_back();
  if (value.empty() || value.size() > kSecretBytesMax) {
    return Error{ErrorCode::kInvalidArgument, "the secret is read from standard input, 1 to " +
                                                  std::to_string(kSecretBytesMax) + " bytes"};
  }
  return value;
}

}  // namespace

int RunSecretSet(const ClientOptions& client, const std::string& name) {
  auto api = ApiClient::Make(client.endpoint);
  if (!api) return Complain(api.error());
  auto value = ReadValue();
  if (!value) return Complain(value.error());
  boost::json::object body;
  body["value"] = *value;
  auto secret = api->Call("PUT", SecretPath(name), api::ToText(body));
  if (!secret) return api->Fail(secret.error());
  if (client.json) {
    PrintJson(*secret);
  } else {
    std::printf("Secret %s is kept: %s\n", name.c_str(), Member(*secret, "arn").c_str());
  }
  return kExitOk;
}

int RunSecretList(const ClientOptions& client) {
  auto api = ApiClient::Make(client.endpoint);
  if (!api) return Complain(api.error());
  auto answer = api->Call("GET", "/v1/secrets");
  if (!answer) return api->Fail(answer.error());
  if (client.json) {
    PrintJson(*answer);
    return kExitOk;
  }
  std::vector<std::vector<std::string>> rows{{"NAME", "ARN", "UPDATED"}};
  AddRows(*answer, "secrets", rows, [](const boost::json::object& secret) {
    return std::vector<std::string>{Member(secret, "name"), Member(secret, "arn"), Member(secret, "updated")};
  });
  if (rows.size() == 1) {
    std::printf("No secrets. Set one: millrace secret set NAME < FILE\n");
  } else {
    PrintTable(rows);
  }
  return kExitOk;
}

int RunSecretRemove(const ClientOptions& client, const std::string& name) {
  auto api = ApiClient::Make(client.endpoint);
  if (!api) return Complain(api.error());
  auto answer = api->Call("DELETE", SecretPath(name));
  if (!answer) return api->Fail(answer.error());
  client.json ? PrintJson(*answer) : static_cast<void>(std::printf("Secret %s is removed.\n", name.c_str()));
  return kExitOk;
}

}  // namespace millrace::server
