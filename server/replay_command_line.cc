#include <CLI/CLI.hpp>
#include <memory>

#include "server/replay_command.h"

namespace millrace::server {

void AddReplayCommand(CLI::App& app, ClientOptions& client, std::function<int()>& run) {
  auto shared = std::make_shared<ReplayCommandOptions>();
  ReplayCommandOptions& options = *shared;
  auto* command = app.add_subcommand("replay", "Analyse the past at full speed");
  command->add_option("STREAM", options.streams, "The streams");
  command->add_flag("--all", options.all, "All streams that there are");
  AddAnalyzerChoice(*command, options.choice);
  command->add_option("--from", options.from, "RFC 3339 or epoch seconds, by the cameras' clocks")
      ->required();
  command->add_option("--to", options.to, "Likewise (default: now)");
  command
      ->add_option(
          "--output", options.output,
          "The data stream of the results, made where it is not there (default millrace-replay-ANALYZER)")
      ->type_name("STREAM");
  command->add_option("--jobs", options.jobs, "Processes side by side (default: one a core)")
      ->check(CLI::Range(1, 64));
  command->add_option("--frame-max", options.frame_max_s, "Longer with one frame is a hang (default 60)")
      ->check(CLI::Range(0.1, 3600.0))
      ->type_name("SECONDS");
  command->add_option("--lane", options.lane)->group("");
  command->add_option("--lanes", options.lanes)->group("");
  command->add_option("--run", options.run)->group("");
  command->add_option("--application", options.application)->group("");
  command->add_flag("--json", client.json, "Print JSON, for machines");
  command->footer(
      "\nResults are those of live analysis. What was interrupted goes on where it was when the same command "
      "is\n"
      "given again, with the same --to. With several jobs the results of a camera come out of order; they "
      "carry\n"
      "their times. --jobs 1 keeps the order.\n"
      "\nExamples:\n"
      "  millrace replay door --analyzer faces --from 2026-11-20T00:00:00Z --to 2026-11-21T00:00:00Z\n"
      "  millrace replay --all --plugin ./libplates.so --options @plates.json --from 2026-11-21T08:00:00Z\n");
  command->callback(
      [&client, &run, shared] { run = [&client, shared] { return RunReplay(client, *shared); }; });
}

}  // namespace millrace::server
