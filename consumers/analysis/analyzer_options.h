// An analyzer's options, and what single streams have of their own.
//
// Threads: values.
#pragma once

#include <boost/json/object.hpp>
#include <map>
#include <string>

namespace millrace {

struct AnalyzerOptions {
  boost::json::object all;
  std::map<std::string, boost::json::object> by_stream;

  // The stream's own laid over those of all: a member replaces that of the same name, as a whole.
  boost::json::object Of(const std::string& stream) const {
    boost::json::object options = all;
    if (const auto own = by_stream.find(stream); own != by_stream.end()) {
      for (const auto& member : own->second) options[member.key()] = member.value();
    }
    return options;
  }
};

}  // namespace millrace
