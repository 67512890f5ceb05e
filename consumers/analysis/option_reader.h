// Reads an analyzer's options, a JSON object, with every member checked: an unknown one, one of another type
// and one out of its bounds are errors that name it and say what it may be.
//
//   OptionReader reader(options);
//   reader.Number("sensitivity", sensitivity, 0, 1);     // stays as it is where it is not given
//   reader.OneOf("method", method, {"mog2", "knn"});
//   reader.Objects("zones", 16, [&](OptionReader& zone) { zone.Text("name", zones.emplace_back().name); });
//   MILLRACE_RETURN_IF_ERROR(reader.Finish());
//
// The first error is kept, and later calls change nothing.
// Threads: one owner. `options` outlives the reader.
#pragma once

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace millrace {

class OptionReader {
 public:
  // `path` stands before the members' names in errors: "zones[2]."
  explicit OptionReader(const boost::json::object& options, std::string path = "");

  // Numbers are finite, and from `min` to `max`, both included.
  void Number(std::string_view name, double& value, double min, double max);
  // A number of seconds; a name of this kind ends with "_s".
  void Seconds(std::string_view name, Duration& value, Duration min, Duration max);
  void Integer(std::string_view name, int& value, int min, int max);
  void Boolean(std::string_view name, bool& value);
  void Text(std::string_view name, std::string& value, std::size_t bytes_max = 4096);
  void OneOf(std::string_view name, std::string& value, std::initializer_list<std::string_view> choices);
  void Texts(std::string_view name, std::vector<std::string>& values, std::size_t count_max);
  void Numbers(std::string_view name, std::vector<double>& values, std::size_t count_max, double min,
               double max);
  // A member that is an object; `read` is not called where it is not given.
  void Object(std::string_view name, const std::function<void(OptionReader&)>& read);
  // A list of objects.
  void Objects(std::string_view name, std::size_t count_max, const std::function<void(OptionReader&)>& read);
  // Any other shape: nullptr where the member is not given.
  const boost::json::value* Raw(std::string_view name);
  // An error of the caller's, about this member.
  void Fail(std::string_view name, std::string_view must);

  bool Has(std::string_view name) const { return options_.contains(name); }
  // The first error: kInvalidArgument. Members that nothing has asked for are unknown.
  Result<void> Finish();

 private:
  // The member, where it is given and nothing has failed yet.
  const boost::json::value* Find(std::string_view name);
  void Take(OptionReader& inner);

  const boost::json::object& options_;
  const std::string path_;
  std::vector<std::string> known_;
  std::string error_;
};

// Options as people write them: a JSON object, or @FILE with one. Errors: kInvalidArgument, kNotFound, kIo.
Result<boost::json::object> ParseOptions(const std::string& text);

}  // namespace millrace
