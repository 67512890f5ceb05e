// `millrace replay`: analyses the past at full speed, side by side in processes.
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

struct ReplayCommandOptions {
  std::vector<std::string> streams;
  bool all = false;  // streams that there are
  AnalyzerChoice choice;
  std::string from;
  std::optional<std::string> to;      // none: now
  std::optional<std::string> output;  // none: millrace-replay-ANALYZER
  std::size_t jobs = 0;               // 0: one a core
  double frame_max_s = 60;
  // Of a process that the command starts itself.
  std::optional<std::size_t> lane;
  std::size_t lanes = 0;
  std::string run;
  std::string application;
};
int RunReplay(const ClientOptions& client, const ReplayCommandOptions& options);

// Adds `replay`. Where it is chosen it is put into `run`; `client` and `run` outlive the parsing and the
// running.
void AddReplayCommand(CLI::App& app, ClientOptions& client, std::function<int()>& run);

}  // namespace millrace::server
