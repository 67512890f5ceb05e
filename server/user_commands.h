// `millrace user …`: users and their access keys, in the credentials' file (server/user_file.h). A server
// that uses the file takes a change within two seconds.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "server/commands.h"

namespace CLI {
class App;
}

namespace millrace::server {

struct UserOptions {
  std::filesystem::path file;
  std::string name;
  std::vector<std::string> policies;  // of a new user
  std::string key_id;                 // to remove
};
int RunUserList(const UserOptions& options, bool json);  // shows no secrets
int RunUserAdd(const UserOptions& options, bool json);
int RunUserRemove(const UserOptions& options, bool json);
int RunUserAddKey(const UserOptions& options, bool json);
int RunUserRemoveKey(const UserOptions& options, bool json);

// Adds `user` and its subcommands. A command that was chosen is put into `run`; `client` and `run` outlive
// the parsing and the running.
void AddUserCommands(CLI::App& app, ClientOptions& client, std::function<int()>& run);

}  // namespace millrace::server
