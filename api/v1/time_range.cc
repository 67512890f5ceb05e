#include "api/v1/time_range.h"

namespace millrace::api {

Result<TimeRange> ParseTimeRange(const Target& target) {
  TimeRange range;
  for (auto [name, place] : {std::pair{"start", &range.start}, std::pair{"end", &range.end}}) {
    auto text = target.Query(name);
    if (!text) continue;
    auto time = ParseTime(*text);
    if (!time) return WithContext(std::move(time).error(), std::string("'") + name + "'");
    *place = *time;
  }
  if (range.start && range.end && *range.end <= *range.start) {
    return Error{ErrorCode::kInvalidArgument, "'end' must be after 'start'"};
  }
  return range;
}

}  // namespace millrace::api
