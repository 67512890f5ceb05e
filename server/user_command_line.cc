// The options and the help of `millrace user …`.
#include <CLI/CLI.hpp>
#include <memory>

#include "server/user_commands.h"

namespace millrace::server {
namespace {

using Run = int (*)(const UserOptions&, bool json);

struct UserCommands {
  CLI::App* user;
  ClientOptions& client;
  std::function<int()>& run;
  std::shared_ptr<UserOptions> options;  // lives as long as the command line

  CLI::App* Add(const std::string& verb, const std::string& help, const std::string& footer, Run run_it,
                bool named = true) const {
    auto* command = user->add_subcommand(verb, help);
    if (named) command->add_option("NAME", options->name, "The user's name")->required();
    command->add_option("--file", options->file, "The file: auth.file of the configuration")
        ->required()
        ->type_name("FILE");
    command->add_flag("--json", client.json, "Print JSON, for machines");
    command->footer("\n" + footer);
    command->callback([chosen = &run, client = &client, options = options, run_it] {
      *chosen = [=] { return run_it(*options, client->json); };
    });
    return command;
  }
};

}  // namespace

void AddUserCommands(CLI::App& app, ClientOptions& client, std::function<int()>& run) {
  auto* user = app.add_subcommand("user", "Users and their access keys");
  user->require_subcommand(1);
  const UserCommands commands{user, client, run, std::make_shared<UserOptions>()};
  commands.Add("list", "The users of a credentials file, with their keys' ids and their policies",
               "Example:\n  millrace user list --file /etc/millrace/users.yaml\n", RunUserList, false);
  commands
      .Add("add", "Add a user with a new access key; makes the file where it is not there",
           "The key is shown once. A running server takes the changed file within two seconds.\n"
           "\nExamples:\n  millrace user add ann --file /etc/millrace/users.yaml --policy administrator\n"
           "  millrace user add lobby-screen --file /etc/millrace/users.yaml --policy viewer\n",
           RunUserAdd)
      ->add_option("--policy", commands.options->policies,
                   "What the user may do: administrator, viewer, or a policy of the file; repeatable")
      ->type_name("NAME");
  commands.Add("remove", "Remove a user with all keys",
               "Sessions of the user end.\n"
               "\nExample:\n  millrace user remove lobby-screen --file /etc/millrace/users.yaml\n",
               RunUserRemove);
  commands.Add("add-key", "Give a user one more access key",
               "With two keys a client changes from one to the other without a gap: add one, give it to the\n"
               "client, remove the old one. The key is shown once.\n"
               "\nExample:\n  millrace user add-key ann --file /etc/millrace/users.yaml\n",
               RunUserAddKey);
  commands
      .Add(
          "remove-key", "Take an access key away from a user",
          "Requests that it signed are refused, and sessions that it began end.\n"
          "\nExample:\n  millrace user remove-key ann MRANNEXAMPLEEXAMPLE2 --file /etc/millrace/users.yaml\n",
          RunUserRemoveKey)
      ->add_option("KEY", commands.options->key_id, "The key's id")
      ->required();
}

}  // namespace millrace::server
