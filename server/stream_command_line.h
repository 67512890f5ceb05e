// `millrace stream …` on the command line: names, options, help.
#pragma once

#include <functional>

#include "server/commands.h"

namespace CLI {
class App;
}

namespace millrace::server {

// Adds `stream` and its subcommands. A command that was chosen is put into `run`; `client` and `run` outlive
// the parsing and the running.
void AddStreamCommands(CLI::App& app, ClientOptions& client, std::function<int()>& run);

}  // namespace millrace::server
