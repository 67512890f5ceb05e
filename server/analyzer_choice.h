// Which analyzer a command line asks for, and which frames it is to be shown.
//
// Threads: any.
#pragma once

#include <optional>
#include <string>

namespace CLI {
class App;
}

namespace millrace::server {

struct AnalyzerChoice {
  std::string analyzer = "faces";      // one of those that Millrace comes with
  std::optional<std::string> plugin;   // instead: the path of a library
  std::optional<std::string> options;  // JSON, or @FILE
  std::optional<std::string> frames;   // none: the analyzer's own
};

// The options that ask for it; `choice` outlives the parsing.
void AddAnalyzerChoice(CLI::App& command, AnalyzerChoice& choice);

// For ParseFrameSelection; a library's own are key frames.
std::string FramesOf(const AnalyzerChoice& choice);

}  // namespace millrace::server
