#include <boost/json/object.hpp>
#include <cstdio>

#include "api/v1/json.h"
#include "server/commands.h"
#include "server/credentials_file.h"
#include "server/exit_codes.h"

namespace millrace::server {

int RunUserAdd(const UserAddOptions& options, bool json) {
  auto key = AddUser(options.file, options.name, options.policies);
  if (!key) return Complain(key.error());
  if (json) {
    boost::json::object object;
    object["name"] = options.name;
    object["access_key_id"] = key->id;
    object["secret_access_key"] = key->secret;
    std::printf("%s\n", api::ToText(object).c_str());
    return kExitOk;
  }
  std::printf(
      "Added %s to %s; a server that uses the file takes it within a second.\n\n"
      "export AWS_ACCESS_KEY_ID=%s\nexport AWS_SECRET_ACCESS_KEY=%s\n",
      options.name.c_str(), options.file.c_str(), key->id.c_str(), key->secret.c_str());
  if (options.policies.empty()) {
    std::printf("\nIt has no policy, so it may do nothing: give it some in the file, or --policy.\n");
  }
  return kExitOk;
}

}  // namespace millrace::server
