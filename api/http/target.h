// A request's target: the path in decoded segments, and the query's parameters.
//
// Segments are decoded one by one, so an escaped slash stays inside its segment. Dot segments are refused
// rather than resolved: no client of ours sends them, and so no path can climb out of anything.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace millrace::api {

// What a route's pattern took out of a path: (name, decoded value).
using PathParameters = std::vector<std::pair<std::string, std::string>>;

inline constexpr std::size_t kQueryParametersMax = 64;

struct Target {
  std::string path;                   // as received, without query; begins with '/'
  std::vector<std::string> segments;  // decoded; "/" has none; a slash at the end leaves an empty last one
  std::vector<std::pair<std::string, std::string>> query;  // decoded, in order
  std::string authority;  // of an absolute target ("http://host:port/path"), else empty

  // The parameter's value; none: it is not there.
  std::optional<std::string_view> Query(std::string_view name) const;
  // Likewise a number from 1 to `max`; `otherwise` without it. Errors: kInvalidArgument, naming the
  // parameter.
  Result<std::size_t> Count(std::string_view name, std::size_t otherwise, std::size_t max) const;

  // Refuses parameters that are not in `known`, and those that stand twice: a misspelt one does not pass
  // silently. Those of a presigned address (X-Amz-…) and SessionToken are known everywhere: with them any
  // path can be asked for. Errors: kInvalidArgument, naming the parameter and what is known.
  Result<void> CheckQuery(std::initializer_list<std::string_view> known) const;
};

// Errors: kInvalidArgument (not an origin-form or http absolute-form target, a bad percent escape, a control
// character, text that is not UTF-8, dot segments, too many parameters).
Result<Target> ParseTarget(std::string_view text);

// "%2F" -> "/". A '+' stays what it is, also in a query: people write times with a bare "+02:00", and nothing
// here takes text with spaces. Errors: kInvalidArgument (bad escape, control characters, not UTF-8).
Result<std::string> PercentDecode(std::string_view text);

// Escapes everything but unreserved characters (RFC 3986 section 2.3): for putting names into paths and
// queries.
std::string PercentEncode(std::string_view text);

}  // namespace millrace::api
