#include "server/user_commands.h"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <cstdio>

#include "server/console_output.h"
#include "server/credentials_file.h"
#include "server/exit_codes.h"
#include "server/user_file.h"

namespace millrace::server {
namespace {

constexpr char kTaken[] = "a server that uses the file takes it within two seconds";

// The key is not shown again.
int PrintKey(const std::string& user, const wire::AccessKey& key) {
  boost::json::object object;
  object["name"] = user;
  object["access_key_id"] = key.id;
  object["secret_access_key"] = key.secret;
  PrintJson(object);
  return kExitOk;
}
void SayKey(const wire::AccessKey& key) {
  std::printf("\nexport AWS_ACCESS_KEY_ID=%s\nexport AWS_SECRET_ACCESS_KEY=%s\n", key.id.c_str(),
              key.secret.c_str());
}

int SayRemoved(const UserOptions& options, const std::string& what, bool json) {
  if (json) {
    PrintJson({});
  } else {
    std::printf("Removed %s from %s; %s.\n", what.c_str(), options.file.c_str(), kTaken);
  }
  return kExitOk;
}

std::string Joined(const std::vector<std::string>& parts) {
  std::string text;
  for (const std::string& part : parts) text += (text.empty() ? "" : ", ") + part;
  return text.empty() ? "-" : text;
}

}  // namespace

int RunUserList(const UserOptions& options, bool json) {
  auto users = LoadCredentials(options.file);
  if (!users) return Complain(users.error());
  boost::json::array listed;
  std::vector<std::vector<std::string>> rows{{"NAME", "KEYS", "POLICIES"}};
  for (const api::User& user : *users) {
    std::vector<std::string> keys, policies;
    for (const auto& key : user.keys) keys.push_back(key.id);
    for (const auto& policy : user.policies) policies.push_back(policy->name);
    rows.push_back({user.name, Joined(keys), Joined(policies)});
    boost::json::object object;
    object["name"] = user.name;
    object["access_key_ids"] = boost::json::array(keys.begin(), keys.end());
    object["policies"] = boost::json::array(policies.begin(), policies.end());
    listed.push_back(std::move(object));
  }
  if (!json) {
    PrintTable(rows);
    return kExitOk;
  }
  boost::json::object object;
  object["users"] = std::move(listed);
  PrintJson(object);
  return kExitOk;
}

int RunUserAdd(const UserOptions& options, bool json) {
  auto key = AddUser(options.file, options.name, options.policies);
  if (!key) return Complain(key.error());
  if (json) return PrintKey(options.name, *key);
  std::printf("Added %s to %s; %s.\n", options.name.c_str(), options.file.c_str(), kTaken);
  SayKey(*key);
  if (options.policies.empty()) {
    std::printf("\nIt has no policy, so it may do nothing: give it some in the file, or --policy.\n");
  }
  return kExitOk;
}

int RunUserRemove(const UserOptions& options, bool json) {
  if (auto removed = RemoveUser(options.file, options.name); !removed) return Complain(removed.error());
  return SayRemoved(options, options.name, json);
}

int RunUserAddKey(const UserOptions& options, bool json) {
  auto key = AddKey(options.file, options.name);
  if (!key) return Complain(key.error());
  if (json) return PrintKey(options.name, *key);
  std::printf("Added a key of %s to %s; %s.\n", options.name.c_str(), options.file.c_str(), kTaken);
  SayKey(*key);
  return kExitOk;
}

int RunUserRemoveKey(const UserOptions& options, bool json) {
  auto removed = RemoveKey(options.file, options.name, options.key_id);
  if (!removed) return Complain(removed.error());
  return SayRemoved(options, "key " + options.key_id + " of " + options.name, json);
}

}  // namespace millrace::server
