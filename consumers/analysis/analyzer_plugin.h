// Analyzers in shared libraries of their own.
//
//   class PlateReader final : public millrace::FrameAnalyzer {
//    public:
//     static millrace::Result<std::unique_ptr<millrace::FrameAnalyzer>> Make(const boost::json::object&
//     options);
//     ...
//   };
//   MILLRACE_ANALYZER(PlateReader);     at file scope, once in the library
//
// A FragmentConsumer likewise (consumers/analysis/fragment_consumer.h).
// The library says for which interface, and with which Millrace, C++ library, OpenCV and Boost it was built;
// another one than the loading program's is refused, with both named. Build it with the headers of the
// Millrace that loads it: the CMake package's component `analyzer` (samples/analyzer is such a project).
#pragma once

#include <boost/json/object.hpp>
#include <boost/version.hpp>
#include <cstdint>
#include <memory>
#include <opencv2/core/version.hpp>
#include <type_traits>

#include "consumers/analysis/fragment_consumer.h"
#include "consumers/analysis/frame_analyzer.h"

#ifndef MILLRACE_VERSION
#define MILLRACE_VERSION "of an unknown version"  // the CMake package sets it
#endif

namespace millrace {

// Goes up when AnalyzerEntry or AnalyzerAbi changes. What else crosses the border (pictures, parsed
// fragments, results) may change with each version of Millrace: library_version must be the loading
// program's, too.
inline constexpr std::uint32_t kAnalyzerInterface = 2;

// What the objects that cross the border are laid out by. Clang and GCC agree on the rest.
struct AnalyzerAbi {
  std::uint32_t libstdcxx = _GLIBCXX_RELEASE;
  std::uint32_t new_strings = _GLIBCXX_USE_CXX11_ABI;
#ifdef _GLIBCXX_DEBUG
  std::uint32_t debug_containers = 1;
#else
  std::uint32_t debug_containers = 0;
#endif
  std::uint32_t opencv = CV_VERSION_MAJOR * 100 + CV_VERSION_MINOR;
  std::uint32_t boost = BOOST_VERSION;
  friend bool operator==(const AnalyzerAbi&, const AnalyzerAbi&) = default;
};

// What a library gives of itself. The first two members stay where they are in every interface; the rest is
// looked at only where the interface is this one.
struct AnalyzerEntry {
  std::uint32_t interface_version;
  const char* library_version;  // of Millrace, which it was built with
  const char* name;             // of the class
  AnalyzerAbi abi;
  MakeFrameAnalyzer make_frames;        // one of the two
  MakeFragmentConsumer make_fragments;  // is there
};

template <typename Class>
constexpr AnalyzerEntry MakeAnalyzerEntry(const char* name) {
  AnalyzerEntry entry{kAnalyzerInterface, MILLRACE_VERSION, name, AnalyzerAbi{}, nullptr, nullptr};
  if constexpr (std::is_base_of_v<FrameAnalyzer, Class>) {
    entry.make_frames = &Class::Make;
  } else {
    static_assert(std::is_base_of_v<FragmentConsumer, Class>, "a FrameAnalyzer or a FragmentConsumer");
    entry.make_fragments = &Class::Make;
  }
  return entry;
}

}  // namespace millrace

#define MILLRACE_ANALYZER(Class)                                                                        \
  extern "C" __attribute__((visibility("default"))) const millrace::AnalyzerEntry* MillraceAnalyzer() { \
    static const millrace::AnalyzerEntry entry = millrace::MakeAnalyzerEntry<Class>(#Class);            \
    return &entry;                                                                                      \
  }                                                                                                     \
  static_assert(true)
