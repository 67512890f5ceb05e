// `start` and `end` of a query: docs/http-api.md says which forms a time may have.
#pragma once

#include <optional>

#include "api/http/target.h"
#include "base/result.h"
#include "base/time.h"

namespace millrace::api {

struct TimeRange {
  std::optional<Timestamp> start;
  std::optional<Timestamp> end;  // exclusive
};

// Errors: kInvalidArgument (not a time; an end that is not after the start).
Result<TimeRange> ParseTimeRange(const Target& target);

}  // namespace millrace::api
