// The analyzers that Millrace comes with. A camera can ask for each by its name; the configuration can give
// one other options under another name (docs/analyzers.md).
//
// Threads: any.
#pragma once

#include <span>
#include <string_view>

#include "consumers/analysis/frame_analyzer.h"

namespace millrace {

struct BuiltInAnalyzer {
  std::string_view name;
  MakeFrameAnalyzer make;
  std::string_view frames;       // which it is shown by default: ParseFrameSelection
  std::string_view description;  // one line, for people
};

// In the order in which they are listed to people.
std::span<const BuiltInAnalyzer> BuiltInAnalyzers();
// nullptr: there is none of this name.
const BuiltInAnalyzer* FindBuiltInAnalyzer(std::string_view name);

}  // namespace millrace
