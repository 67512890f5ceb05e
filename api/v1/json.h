// JSON in requests, strictly: sizes and nesting are bounded, types are checked, and members that nobody knows
// are refused with the nearest known name, so that a misspelt one does not pass silently.
//
// Errors: kInvalidArgument, with a text that names the member and says what it may be. Values are not quoted
// in texts:
//         they may be secrets.
#pragma once

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <cstdint>
#include <initializer_list>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace millrace::api {

inline constexpr std::size_t kJsonBodyBytesMax = 64 * 1024;
inline constexpr std::size_t kJsonDepthMax = 8;

// `text` must be one JSON object.
Result<boost::json::object> ParseJsonObject(std::string_view text, std::size_t bytes_max = kJsonBodyBytesMax);

// Takes members out of an object by name. The first error is kept, and Finish gives it; what is read after it
// counts for nothing. A member that is null counts as left out.
class ObjectReader {
 public:
  // `object` outlives the reader.
  ObjectReader(const boost::json::object& object, std::initializer_list<std::string_view> known);

  std::optional<std::string> String(std::string_view name, std::size_t bytes_max);
  std::optional<bool> Bool(std::string_view name);
  std::optional<double> Number(std::string_view name, double min, double max);
  // A whole number, exactly, from `min` to 2^63 - 1.
  std::optional<std::uint64_t> Count(std::string_view name, std::uint64_t min);
  std::optional<std::vector<std::string>> Strings(std::string_view name, std::size_t count_max,
                                                  std::size_t bytes_max);
  std::optional<std::map<std::string, std::string>> StringMap(std::string_view name, std::size_t count_max,
                                                              std::size_t bytes_max);

  void Fail(std::string message);
  Result<void> Finish() const;

 private:
  const boost::json::value* Find(std::string_view name) const;

  const boost::json::object& object_;
  std::optional<Error> error_;
};

// The name in `known` that `name` was probably meant to be.
std::optional<std::string_view> NearestName(std::string_view name,
                                            std::initializer_list<std::string_view> known);

// For answers.
std::string ToText(const boost::json::value& value);
boost::json::value Number(double value);  // 168 rather than 1.68E2, where it is whole
// An empty text as null.
inline boost::json::value TextOrNull(const std::string& text) {
  if (text.empty()) return nullptr;
  return boost::json::string(text);
}
boost::json::value TimeOrNull(const std::optional<Timestamp>& time);
inline boost::json::string_view JsonView(std::string_view text) { return {text.data(), text.size()}; }

}  // namespace millrace::api
