// Loads analyzers' shared libraries (consumers/analysis/analyzer_plugin.h).
#pragma once

#include <boost/json/object.hpp>
#include <memory>
#include <string>

#include "consumers/analysis/analyzer_plugin.h"
#include "consumers/analysis/analyzer_ref.h"

namespace millrace {

class PluginLibrary {
 public:
  // The library at `path`, which stays loaded until the process ends.
  // Errors: kNotFound; kInvalidArgument: no analyzer's library; kUnsupported: built for another interface, or
  // with another C++ library, OpenCV or Boost: both are named.
  static Result<PluginLibrary> Load(const std::string& path);

  // An analyzer of these options. Errors: its own, with the library's path; kInternal: it threw, or made
  // none.
  Result<OwnedAnalyzer> Make(const boost::json::object& options) const;

  const AnalyzerEntry& entry() const { return *entry_; }

 private:
  PluginLibrary(std::string path, const AnalyzerEntry* entry) : path_(std::move(path)), entry_(entry) {}

  std::string path_;
  const AnalyzerEntry* entry_;
};

}  // namespace millrace
