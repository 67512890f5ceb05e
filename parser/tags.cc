#include "parser/tags.h"

#include <charconv>
#include <utility>

namespace millrace {
namespace {

std::optional<std::int64_t> ParseInteger(const std::string& text) {
  std::int64_t value = 0;
  const char* end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc{} || stopped != end) return std::nullopt;
  return value;
}

std::optional<Timestamp> ParseTimestamp(const std::string& text) {
  Result<Timestamp> time = ParseTime(text);
  if (!time) return std::nullopt;
  return *time;
}

std::optional<std::string> NotEmpty(const std::string& text) {
  if (text.empty()) return std::nullopt;
  return text;
}

template <typename T>
bool Assign(std::optional<T>& field, std::optional<T> value) {
  if (!value) return false;
  field = std::move(value);
  return true;
}

}  // namespace

bool ServiceTags::Take(const MkvTag& tag) {
  if (!tag.name.starts_with("AWS_KINESISVIDEO_")) return false;
  if (tag.name == kFragmentNumberTag) return Assign(fragment_number, NotEmpty(tag.value));
  if (tag.name == kServerTimestampTag) return Assign(server_timestamp, ParseTimestamp(tag.value));
  if (tag.name == kProducerTimestampTag) return Assign(producer_timestamp, ParseTimestamp(tag.value));
  if (tag.name == kMillisBehindNowTag) return Assign(millis_behind_now, ParseInteger(tag.value));
  if (tag.name == kContinuationTokenTag) return Assign(continuation_token, NotEmpty(tag.value));
  if (tag.name == kErrorIdTag) return Assign(error_id, ParseInteger(tag.value));
  if (tag.name == kErrorCodeTag) return Assign(error_code, NotEmpty(tag.value));
  return false;
}

Error ServiceError(const ServiceTags& service) {
  return Error{ErrorCode::kUnavailable, "the service stopped at fragment " +
                                            service.fragment_number.value_or("-") + ": " +
                                            service.error_code.value_or("no reason given") + " (" +
                                            std::to_string(service.error_id.value_or(0)) + ")"};
}

}  // namespace millrace
