// Reads one mapping of the configuration's file, strictly: a key that nobody knows is an error that names the
// line and the nearest known one, and so is a value of another type or out of its bounds. The first error is
// kept.
//
// Threads: one owner.
#pragma once

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <charconv>
#include <functional>
#include <initializer_list>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/v1/json.h"
#include "base/result.h"
#include "base/time.h"

namespace millrace::server {

class Section {
 public:
  Section(const YAML::Node& node, std::string file, std::string path,
          std::initializer_list<std::string_view> known)
      : node_(node), file_(std::move(file)), path_(std::move(path)) {
    if (!node_.IsDefined() || node_.IsNull()) return;
    if (!node_.IsMap()) {
      Fail(node_, (path_.empty() ? "the file" : "'" + path_ + "'") + " must be a mapping of settings");
      return;
    }
    std::set<std::string> seen;
    for (const auto& entry : node_) {
      if (!entry.first.IsScalar()) {
        Fail(entry.first, "a setting's name must be a word");
        return;
      }
      const std::string& key = entry.first.Scalar();
      if (std::find(known.begin(), known.end(), key) == known.end()) {
        auto nearest = api::NearestName(key, known);
        std::string text = "'" + Full(key) + "' is not known";
        text += nearest ? "; did you mean '" + Full(std::string(*nearest)) + "'?"
                        : "; docs/configuration.md lists all";
        Fail(entry.first, text);
      } else if (!seen.insert(key).second) {
        Fail(entry.first, "'" + Full(key) + "' is set twice");
      }
    }
  }

  void Text(const char* key, std::string& value) {
    YAML::Node node = Find(key);
    if (!node.IsDefined()) return;
    if (!node.IsScalar() || node.Scalar().empty()) return Fail(node, "'" + Full(key) + "' must be text");
    value = node.Scalar();
  }

  template <typename T>
  void Number(const char* key, T& value, std::uint64_t min, std::uint64_t max, std::uint64_t factor = 1) {
    YAML::Node node = Find(key);
    if (!node.IsDefined()) return;
    std::uint64_t number = 0;
    bool good = node.IsScalar();
    if (good) {
      const std::string& text = node.Scalar();
      auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), number);
      good = ec == std::errc() && end == text.data() + text.size() && number >= min && number <= max;
    }
    if (!good) {
      return Fail(node, "'" + Full(key) + "' must be a whole number from " + std::to_string(min) + " to " +
                            std::to_string(max));
    }
    value = static_cast<T>(number * factor);
  }

  void Seconds(const char* key, Duration& value, double min, double max) {
    YAML::Node node = Find(key);
    if (!node.IsDefined()) return;
    double seconds = 0;
    bool good = node.IsScalar();
    if (good) {
      const std::string& text = node.Scalar();
      auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), seconds);
      good = ec == std::errc() && end == text.data() + text.size() && seconds >= min && seconds <= max;
    }
    if (!good) {
      std::ostringstream text;
      text << "'" << Full(key) << "' must be a number of seconds from " << min << " to " << max;
      return Fail(node, text.str());
    }
    value = std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds));
  }

  template <typename T>
  void OneOf(const char* key, T& value, std::initializer_list<std::pair<const char*, T>> choices) {
    YAML::Node node = Find(key);
    if (!node.IsDefined()) return;
    std::string names;
    for (const auto& [name, choice] : choices) {
      if (node.IsScalar() && node.Scalar() == name) {
        value = choice;
        return;
      }
      names += (names.empty() ? "" : ", ") + std::string(name);
    }
    Fail(node, "'" + Full(key) + "' must be one of: " + names);
  }

  // A list, each of which `is_good`.
  void Texts(const char* key, std::vector<std::string>& values, const char* wanted,
             const std::function<bool(const std::string&)>& is_good) {
    YAML::Node node = Find(key);
    if (!node.IsDefined()) return;
    const bool list = node.IsSequence() && node.size() <= 16;
    if (!list) return Fail(node, "'" + Full(key) + "' must be a list of at most 16, each " + wanted);
    for (const YAML::Node& each : node) {
      if (!each.IsScalar() || !is_good(each.Scalar()))
        return Fail(each, "each of '" + Full(key) + "' must be " + wanted);
      values.push_back(each.Scalar());
    }
  }

  void Bool(const char* key, bool& value) { OneOf(key, value, {{"true", true}, {"false", false}}); }

  YAML::Node Child(const char* key) const { return Find(key); }
  void Fail(const YAML::Node& node, const std::string& text) {
    if (error_) return;
    std::string line = node.Mark().is_null() ? "" : ":" + std::to_string(node.Mark().line + 1);
    error_ = Error{ErrorCode::kInvalidArgument, file_ + line + ": " + text};
  }
  Result<void> Finish() const {
    if (error_) return *error_;
    return {};
  }

 private:
  std::string Full(const std::string& key) const { return path_.empty() ? key : path_ + "." + key; }
  YAML::Node Find(const char* key) const {
    if (!node_.IsDefined() || !node_.IsMap()) return YAML::Node(YAML::NodeType::Undefined);
    return node_[key];
  }

  const YAML::Node node_;
  const std::string file_;
  const std::string path_;
  std::optional<Error> error_;
};

}  // namespace millrace::server
