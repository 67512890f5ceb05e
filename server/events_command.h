// `millrace events STREAM`: what analyzers told of a stream, and what they tell from now on.
#pragma once

#include <boost/json/object.hpp>
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

// The same for the same event, and for no other of its stream.
std::string KeyOfEvent(const boost::json::object& event);

// Adds the command. When it is chosen it is put into `run`; `client` and `run` outlive the parsing and the
// running.
void AddEventsCommand(CLI::App& app, ClientOptions& client, std::function<int()>& run);

}  // namespace millrace::server
