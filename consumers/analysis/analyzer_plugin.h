// Analyzers in shared libraries of their own.
//
//   MILLRACE_ANALYZER(MyAnalyzer)     in the library: MyAnalyzer has a constructor without arguments
//
// The library is built with the headers, the compiler and the Boost of the server that loads it;
// kAnalyzerInterface goes up when the interface changes, and another one is refused.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "consumers/analysis/frame_analyzer.h"

namespace millrace {

inline constexpr std::uint32_t kAnalyzerInterface = 1;

// The analyzer of the library at `path`, which stays loaded until the process ends.
// Errors: kNotFound, kInvalidArgument (no analyzer's library), kUnsupported (another interface), kInternal
// (it threw).
Result<std::unique_ptr<FrameAnalyzer>> LoadAnalyzer(const std::string& path);

#define MILLRACE_ANALYZER(Class)                                                                \
  extern "C" std::uint32_t MillraceAnalyzerInterface() { return millrace::kAnalyzerInterface; } \
  extern "C" millrace::FrameAnalyzer* MillraceMakeAnalyzer() { return new Class; }              \
  static_assert(true)

}  // namespace millrace
