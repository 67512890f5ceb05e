#include "consumers/analysis/option_reader.h"

#include <algorithm>
#include <boost/json/parse.hpp>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <utility>

namespace millrace {
namespace {

constexpr std::size_t kOptionsBytesMax = 1 << 20;

std::string Plain(double number) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.10g", number);
  return text;
}

std::string Joined(const auto& names) {
  std::string joined;
  for (const auto& name : names) joined += (joined.empty() ? "" : ", ") + std::string(name);
  return joined;
}

// NaN where it is no number.
double AsNumber(const boost::json::value& value) {
  boost::system::error_code ec;
  const double number = value.is_number() ? value.to_number<double>(ec) : NAN;
  return ec ? NAN : number;
}

}  // namespace

OptionReader::OptionReader(const boost::json::object& options, std::string path)
    : options_(options), path_(std::move(path)) {}

const boost::json::value* OptionReader::Find(std::string_view name) {
  known_.emplace_back(name);
  return error_.empty() ? options_.if_contains(name) : nullptr;
}

const boost::json::value* OptionReader::Raw(std::string_view name) { return Find(name); }

void OptionReader::Fail(std::string_view name, std::string_view must) {
  if (error_.empty()) error_ = "option '" + path_ + std::string(name) + "' " + std::string(must);
}

void OptionReader::Number(std::string_view name, double& value, double min, double max) {
  const boost::json::value* found = Find(name);
  if (found == nullptr) return;
  const double number = AsNumber(*found);
  if (!(number >= min && number <= max)) {
    return Fail(name, "must be a number from " + Plain(min) + " to " + Plain(max));
  }
  value = number;
}

void OptionReader::Seconds(std::string_view name, Duration& value, Duration min, Duration max) {
  const auto seconds = [](Duration duration) { return std::chrono::duration<double>(duration).count(); };
  double number = seconds(value);
  Number(name, number, seconds(min), seconds(max));
  value = Duration(std::llround(number * 1e9));
}

void OptionReader::Integer(std::string_view name, int& value, int min, int max) {
  const boost::json::value* found = Find(name);
  if (found == nullptr) return;
  const double number = AsNumber(*found);
  if (!(number >= min && number <= max) || number != std::floor(number)) {
    return Fail(name, "must be a whole number from " + std::to_string(min) + " to " + std::to_string(max));
  }
  value = static_cast<int>(number);
}

void OptionReader::Boolean(std::string_view name, bool& value) {
  const boost::json::value* found = Find(name);
  if (found == nullptr) return;
  if (!found->is_bool()) return Fail(name, "must be true or false");
  value = found->get_bool();
}

void OptionReader::Text(std::string_view name, std::string& value, std::size_t bytes_max) {
  const boost::json::value* found = Find(name);
  if (found == nullptr) return;
  if (!found->is_string() || found->get_string().size() > bytes_max) {
    return Fail(name, "must be text of " + std::to_string(bytes_max) + " bytes at most");
  }
  value = std::string(found->get_string());
}

void OptionReader::OneOf(std::string_view name, std::string& value,
                         std::initializer_list<std::string_view> choices) {
  const boost::json::value* found = Find(name);
  if (found == nullptr) return;
  const std::string_view chosen = found->is_string() ? std::string_view(found->get_string()) : "";
  if (std::find(choices.begin(), choices.end(), chosen) == choices.end()) {
    return Fail(name, "must be one of: " + Joined(choices));
  }
  value = std::string(chosen);
}

void OptionReader::Texts(std::string_view name, std::vector<std::string>& values, std::size_t count_max) {
  const boost::json::value* found = Find(name);
  if (found == nullptr) return;
  const bool good = found->is_array() && found->get_array().size() <= count_max &&
                    std::all_of(found->get_array().begin(), found->get_array().end(),
                                [](const boost::json::value& text) { return text.is_string(); });
  if (!good) return Fail(name, "must be a list of " + std::to_string(count_max) + " texts at most");
  values.clear();
  for (const boost::json::value& text : found->get_array()) values.emplace_back(text.get_string());
}

void OptionReader::Numbers(std::string_view name, std::vector<double>& values, std::size_t count_max,
                           double min, double max) {
  const boost::json::value* found = Find(name);
  if (found == nullptr) return;
  const bool good =
      found->is_array() && found->get_array().size() <= count_max &&
      std::all_of(found->get_array().begin(), found->get_array().end(), [&](const boost::json::value& value) {
        const double number = AsNumber(value);
        return number >= min && number <= max;
      });
  if (!good) {
    return Fail(name, "must be a list of " + std::to_string(count_max) + " numbers at most, each from " +
                          Plain(min) + " to " + Plain(max));
  }
  values.clear();
  for (const boost::json::value& value : found->get_array()) values.push_back(AsNumber(value));
}

void OptionReader::Take(OptionReader& inner) {
  if (auto finished = inner.Finish(); !finished && error_.empty()) error_ = finished.error().message;
}

void OptionReader::Object(std::string_view name, const std::function<void(OptionReader&)>& read) {
  const boost::json::value* found = Find(name);
  if (found == nullptr) return;
  if (!found->is_object()) return Fail(name, "must be an object");
  OptionReader inner(found->get_object(), path_ + std::string(name) + ".");
  read(inner);
  Take(inner);
}

void OptionReader::Objects(std::string_view name, std::size_t count_max,
                           const std::function<void(OptionReader&)>& read) {
  const boost::json::value* found = Find(name);
  if (found == nullptr) return;
  const bool good = found->is_array() && found->get_array().size() <= count_max &&
                    std::all_of(found->get_array().begin(), found->get_array().end(),
                                [](const boost::json::value& value) { return value.is_object(); });
  if (!good) return Fail(name, "must be a list of " + std::to_string(count_max) + " objects at most");
  std::size_t index = 0;
  for (const boost::json::value& value : found->get_array()) {
    OptionReader inner(value.get_object(), path_ + std::string(name) + "[" + std::to_string(index++) + "].");
    read(inner);
    Take(inner);
  }
}

Result<void> OptionReader::Finish() {
  for (const auto& member : options_) {
    if (!error_.empty()) break;
    if (std::find(known_.begin(), known_.end(), member.key()) != known_.end()) continue;
    error_ = "option '" + path_ + std::string(member.key()).substr(0, 64) + "' is not known; " +
             (known_.empty() ? "there are none" : "there are: " + Joined(known_));
  }
  if (!error_.empty()) return Error{ErrorCode::kInvalidArgument, error_};
  return {};
}

Result<boost::json::object> ParseOptions(const std::string& text) {
  std::string json = text;
  if (text.starts_with("@")) {
    const std::string path = text.substr(1);
    std::ifstream file(path, std::ios::binary);
    if (!file) return Error{ErrorCode::kNotFound, "cannot read the options' file " + path};
    json.clear();
    char bytes[4096];
    while (json.size() <= kOptionsBytesMax && (file.read(bytes, sizeof(bytes)), file.gcount() > 0)) {
      json.append(bytes, static_cast<std::size_t>(file.gcount()));
    }
  }
  if (json.size() > kOptionsBytesMax) {
    return Error{ErrorCode::kInvalidArgument, "options take more than 1 MiB"};
  }
  boost::system::error_code ec;
  auto value = boost::json::parse(json, ec);
  if (ec || !value.is_object()) {
    return Error{ErrorCode::kInvalidArgument,
                 "options must be a JSON object, as in {\"sensitivity\":0.5}, or @FILE with one" +
                     (ec ? ": " + ec.message() : std::string())};
  }
  return std::move(value.get_object());
}

}  // namespace millrace
