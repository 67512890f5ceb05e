// Reads the members of an AWS request as the service models lay them down: types first, then constraints, in
// the services' own words, which clients' tests compare.
//
//   AwsInput input(object);
//   auto name = input.String("StreamName", {.required = true, .max = 128, .pattern = kAwsNamePattern});
//   if (auto bad = input.Finish()) return *bad;
//
// The document is JSON, or what DecodeCbor makes of CBOR: blobs are base64 there and bytes here.
//
// A member that is null counts as left out; members that are not asked for are ignored, as new clients send
// some that old servers do not know.
//
// Errors:  Finish gives SerializationException for the first member of a wrong type; else one
//          ValidationException that tells up to ten broken constraints.
// Threads: one owner at a time. The document outlives the reader.
#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "api/aws/aws_error.h"
#include "base/bytes.h"
#include "base/time.h"

namespace millrace::api {

// A regular expression of the models, and the function that says whether a text is one: std::regex recurses
// once a character, and its input here is anybody's.
struct AwsPattern {
  std::string_view text;
  bool (*matches)(std::string_view) = nullptr;  // none: everything
};
extern const AwsPattern kAwsNamePattern;            // [a-zA-Z0-9_.-]+
extern const AwsPattern kAwsHashKeyPattern;         // 0|([1-9]\d{0,38})
extern const AwsPattern kAwsSequenceNumberPattern;  // 0|([1-9]\d{0,128})
extern const AwsPattern kAwsDigitsPattern;          // ^[0-9]+$
extern const AwsPattern kAwsTokenPattern;           // [a-zA-Z0-9+/]+={0,2}
extern const AwsPattern kAwsStreamIdPattern;        // [a-z0-9]{20}-[a-z0-9]{3}

struct AwsStringRule {
  bool required = false;
  std::size_t min = 0;  // in characters
  std::size_t max = std::numeric_limits<std::size_t>::max();
  AwsPattern pattern{};
  std::span<const std::string_view> values{};  // of an enum
};

struct AwsIntegerRule {
  bool required = false;
  std::int64_t min = std::numeric_limits<std::int64_t>::min();
  std::int64_t max = std::numeric_limits<std::int64_t>::max();
};

struct AwsListRule {
  bool required = false;
  std::size_t min = 0;
  std::size_t max = std::numeric_limits<std::size_t>::max();
};

class AwsInput {
 public:
  explicit AwsInput(const boost::json::object& object);

  // What breaks a constraint is not given.
  std::optional<std::string> String(std::string_view name, const AwsStringRule& rule = {});
  // 32 or 64 bits: what lies outside is the nearest value, what has a fraction loses it.
  std::optional<std::int64_t> Integer(std::string_view name, const AwsIntegerRule& rule = {});
  std::optional<bool> Bool(std::string_view name);
  // Rounded to milliseconds.
  std::optional<Timestamp> Time(std::string_view name, bool required = false);
  std::optional<Bytes> Blob(std::string_view name, bool required, std::size_t bytes_max);
  std::optional<AwsInput> Structure(std::string_view name, bool required = false);
  // A list of structures; more than rule.max are not looked at.
  std::vector<AwsInput> Structures(std::string_view name, const AwsListRule& rule);
  std::vector<std::string> Strings(std::string_view name, const AwsListRule& rule, const AwsStringRule& item);
  std::vector<std::int64_t> Integers(std::string_view name, const AwsListRule& rule,
                                     const AwsIntegerRule& item);
  // Of strings, at most `count_max`.
  std::map<std::string, std::string> StringMap(std::string_view name, std::size_t count_max,
                                               std::size_t key_max, std::size_t value_max,
                                               bool required = false);

  // Adds a broken constraint of this member: `rule` is what follows "failed to satisfy constraint: ".
  void Fail(std::string_view name, std::string_view value, std::string_view rule);

  // The error, of this reader and of all that came out of it.
  std::optional<AwsError> Finish() const;

 private:
  struct Problems {
    std::optional<std::string> type_error;
    std::vector<std::string> constraints;
    std::size_t count = 0;  // of constraints, those that are not kept included
  };
  AwsInput(const boost::json::object& object, std::shared_ptr<Problems> problems, std::string path);

  const boost::json::value* Find(std::string_view name) const;
  // As Find; one that is required and not there is told.
  const boost::json::value* Find(std::string_view name, bool required);
  std::string PathOf(std::string_view name) const;
  void TypeError(std::string text);
  void FailAt(const std::string& path, std::string_view value, std::string_view rule);
  std::optional<std::string> CheckedString(const boost::json::value& value, const std::string& path,
                                           const AwsStringRule& rule);
  std::optional<std::int64_t> CheckedInteger(const boost::json::value& value, const std::string& path,
                                             const AwsIntegerRule& rule);
  const boost::json::array* CheckedList(std::string_view name, const AwsListRule& rule);

  const boost::json::object* object_;
  std::shared_ptr<Problems> problems_;
  std::string path_;  // "records.1.member."
};

}  // namespace millrace::api
