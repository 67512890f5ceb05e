#include "server/analyzer_choice.h"

#include <CLI/CLI.hpp>

#include "consumers/analyzers/built_in_analyzers.h"

namespace millrace::server {

void AddAnalyzerChoice(CLI::App& command, AnalyzerChoice& choice) {
  std::string built_in = "One that Millrace has (default faces):";
  for (const BuiltInAnalyzer& each : BuiltInAnalyzers()) {
    built_in += "\n" + std::string(each.name) + ": " + std::string(each.description);
  }
  auto* named = command.add_option("--analyzer", choice.analyzer, built_in)->type_name("NAME");
  command.add_option("--plugin", choice.plugin, "Instead: the path of an analyzer's library")
      ->excludes(named)
      ->type_name("FILE");
  command.add_option("--options", choice.options, "The analyzer's options: a JSON object, or @FILE with one")
      ->type_name("JSON");
  command
      .add_option("--frames", choice.frames,
                  "key-frames, all, every:N (each Nth) or per-second:N (default: the analyzer's)")
      ->type_name("WHICH");
}

std::string FramesOf(const AnalyzerChoice& choice) {
  if (choice.frames) return *choice.frames;
  const BuiltInAnalyzer* built_in = choice.plugin ? nullptr : FindBuiltInAnalyzer(choice.analyzer);
  return built_in != nullptr ? std::string(built_in->frames) : "key-frames";
}

}  // namespace millrace::server
