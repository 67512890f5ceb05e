// `millrace events STREAM`: what analyzers told of a stream, and what they tell from now on.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "server/commands.h"

namespace CLI {
class App;
}

namespace millrace::server {

struct EventsOptions {
  std::string stream;
  std::optional<std::string> start;
  std::optional<std::string> end;
  std::vector<std::string> types;  // empty: all
  bool follow = false;             // go on with what comes
};
int RunEvents(const ClientOptions& client, const EventsOptions& options);

// Adds the command. When it is chosen it is put into `run`; `client` and `run` outlive the parsing and the
// running.
void AddEventsCommand(CLI::App& app, ClientOptions& client, std::function<int()>& run);

}  // namespace millrace::server
