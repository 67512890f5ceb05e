#include "api/v1/json.h"

#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <cmath>
#include <cstdio>
#include <limits>

#include "base/text.h"

namespace millrace::api {
namespace {

// How many letters have to be put in, taken out or changed to make one of the other (Levenshtein).
std::size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      std::size_t change = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, change});
    }
  }
  return row[b.size()];
}

std::string_view View(const boost::json::string& text) { return {text.data(), text.size()}; }

std::string Quoted(std::string_view name) { return "'" + Excerpt(name) + "'"; }

}  // namespace

std::optional<std::string_view> NearestName(std::string_view name,
                                            std::initializer_list<std::string_view> known) {
  std::optional<std::string_view> nearest;
  std::size_t least = std::min<std::size_t>(4, name.size());  // further away it is another word
  if (name.size() > 64) return nearest;
  for (std::string_view candidate : known) {
    std::size_t distance = EditDistance(name, candidate);
    if (distance < least) {
      least = distance;
      nearest = candidate;
    }
  }
  return nearest;
}

Result<boost::json::object> ParseJsonObject(std::string_view text, std::size_t bytes_max) {
  if (text.size() > bytes_max) {
    return Error{ErrorCode::kInvalidArgument,
                 "the JSON is larger than " + std::to_string(bytes_max) + " bytes"};
  }
  if (text.find_first_not_of(" \t\r\n") == std::string_view::npos) {
    return Error{ErrorCode::kInvalidArgument,
                 "the body is empty: send a JSON object such as {\"url\":\"rtsp://…\"}"};
  }
  boost::json::parse_options options;
  options.max_depth = kJsonDepthMax;
  boost::system::error_code ec;
  boost::json::value value = boost::json::parse(JsonView(text), ec, {}, options);
  if (ec) return Error{ErrorCode::kInvalidArgument, "the body is not JSON: " + ec.message()};
  if (!value.is_object()) {
    return Error{ErrorCode::kInvalidArgument, "the body must be a JSON object: {\"name\": value, …}"};
  }
  return std::move(value.get_object());
}

ObjectReader::ObjectReader(const boost::json::object& object, std::initializer_list<std::string_view> known)
    : object_(object) {
  for (const auto& member : object) {
    std::string_view name{member.key().data(), member.key().size()};
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    auto nearest = NearestName(name, known);
    std::string text = "member " + Quoted(name) + " is not known";
    if (nearest) {
      text += "; did you mean " + Quoted(*nearest) + "?";
    } else {
      text += "; known:";
      for (std::string_view one : known) text += " " + std::string(one);
    }
    Fail(std::move(text));
    return;
  }
}

void ObjectReader::Fail(std::string message) {
  if (!error_) error_ = Error{ErrorCode::kInvalidArgument, std::move(message)};
}

Result<void> ObjectReader::Finish() const {
  if (error_) return *error_;
  return {};
}

const boost::json::value* ObjectReader::Find(std::string_view name) const {
  const boost::json::value* value = object_.if_contains(JsonView(name));
  return value != nullptr && value->is_null() ? nullptr : value;
}

std::optional<std::string> ObjectReader::String(std::string_view name, std::size_t bytes_max) {
  const auto* value = Find(name);
  if (value == nullptr) return std::nullopt;
  if (!value->is_string()) {
    Fail(Quoted(name) + " must be a string");
  } else if (value->get_string().size() > bytes_max) {
    Fail(Quoted(name) + " is longer than " + std::to_string(bytes_max) + " bytes");
  } else {
    return std::string(View(value->get_string()));
  }
  return std::nullopt;
}

std::optional<bool> ObjectReader::Bool(std::string_view name) {
  const auto* value = Find(name);
  if (value == nullptr) return std::nullopt;
  if (value->is_bool()) return value->get_bool();
  Fail(Quoted(name) + " must be true or false");
  return std::nullopt;
}

std::optional<double> ObjectReader::Number(std::string_view name, double min, double max) {
  const auto* value = Find(name);
  if (value == nullptr) return std::nullopt;
  if (value->is_number()) {
    auto number = value->to_number<double>();
    if (std::isfinite(number) && number >= min && number <= max) return number;
  }
  char text[96];
  std::snprintf(text, sizeof(text), " must be a number from %g to %g", min, max);
  Fail(Quoted(name) + text);
  return std::nullopt;
}

std::optional<std::uint64_t> ObjectReader::Count(std::string_view name, std::uint64_t min) {
  const auto* value = Find(name);
  if (value == nullptr) return std::nullopt;
  constexpr std::uint64_t kMax =
      std::numeric_limits<std::int64_t>::max();  // what boost::json reads back as int64
  boost::system::error_code ec;
  const auto number = value->is_number() ? value->to_number<std::uint64_t>(ec) : 0;
  if (value->is_number() && !ec && number >= min && number <= kMax) return number;
  Fail(Quoted(name) + " must be a whole number, " + std::to_string(min) + " at least");
  return std::nullopt;
}

std::optional<std::vector<std::string>> ObjectReader::Strings(std::string_view name, std::size_t count_max,
                                                              std::size_t bytes_max) {
  const auto* value = Find(name);
  if (value == nullptr) return std::nullopt;
  if (!value->is_array() || value->get_array().size() > count_max) {
    Fail(Quoted(name) + " must be a list of at most " + std::to_string(count_max) + " strings");
    return std::nullopt;
  }
  std::vector<std::string> strings;
  for (const auto& item : value->get_array()) {
    if (!item.is_string() || item.get_string().empty() || item.get_string().size() > bytes_max) {
      Fail(Quoted(name) + " must hold strings of 1 to " + std::to_string(bytes_max) + " bytes");
      return std::nullopt;
    }
    strings.emplace_back(View(item.get_string()));
  }
  return strings;
}

std::optional<std::map<std::string, std::string>> ObjectReader::StringMap(std::string_view name,
                                                                          std::size_t count_max,
                                                                          std::size_t bytes_max) {
  const auto* value = Find(name);
  if (value == nullptr) return std::nullopt;
  if (!value->is_object() || value->get_object().size() > count_max) {
    Fail(Quoted(name) + " must be an object of at most " + std::to_string(count_max) + " strings");
    return std::nullopt;
  }
  std::map<std::string, std::string> map;
  for (const auto& member : value->get_object()) {
    if (member.key().empty() || member.key().size() > bytes_max || !member.value().is_string() ||
        member.value().get_string().size() > bytes_max) {
      Fail(Quoted(name) + " must hold strings of at most " + std::to_string(bytes_max) +
           " bytes under names of 1 to " + std::to_string(bytes_max) + " bytes");
      return std::nullopt;
    }
    map.emplace(std::string(member.key().data(), member.key().size()), View(member.value().get_string()));
  }
  return map;
}

std::string ToText(const boost::json::value& value) { return boost::json::serialize(value); }

boost::json::value Number(double value) {
  if (std::abs(value) < 1e15 && value == std::trunc(value)) return static_cast<std::int64_t>(value);
  return value;
}

boost::json::value TimeOrNull(const std::optional<Timestamp>& time) {
  if (!time) return nullptr;
  return boost::json::string(FormatRfc3339(*time));
}

}  // namespace millrace::api
