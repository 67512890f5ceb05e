// The analyzers that the server runs for cameras: docs/configuration.md, docs/analyzers.md.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "consumers/analysis/analyzer_options.h"

namespace YAML {
class Node;
}

namespace millrace::server {

// One that cameras may ask for by its name; its results go to the data stream `millrace-NAME`.
struct AnalyzerInstance {
  std::string name;                      // [a-z0-9-]{1,64}
  std::string analyzer;                  // one that Millrace comes with; or
  std::string plugin;                    // the absolute path of a library
  std::string frames;                    // ParseFrameSelection
  std::string when_behind = "catch-up";  // or "skip"
  AnalyzerOptions options;
};

struct AnalyzersConfig {
  // By name; what Millrace comes with among them, where the configuration gives the name to nothing else.
  std::map<std::string, AnalyzerInstance> instances = BuiltInInstances();
  Duration restart_min = std::chrono::seconds(1);
  Duration restart_max = std::chrono::seconds(60);
  Duration frame_max = std::chrono::seconds(60);
  Duration silence_max = std::chrono::seconds(30);
  std::uint64_t memory_bytes_max = 2048ull << 20;

  std::set<std::string> names() const;  // what a camera may ask for
  static std::map<std::string, AnalyzerInstance> BuiltInInstances();
};

// Of the mapping `analyzers`, which may be left out; `file` stands in errors. Options are read, and not
// judged: CheckOptions. Errors: kInvalidArgument.
Result<AnalyzersConfig> ReadAnalyzers(const YAML::Node& node, const std::string& file);

// Whether the analyzers that Millrace comes with take their options, those of single streams among them;
// those of libraries are checked when their process begins. Errors: the analyzer's, with the name of the
// instance.
Result<void> CheckOptions(const AnalyzerInstance& instance);

}  // namespace millrace::server
