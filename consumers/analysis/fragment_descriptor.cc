#include "consumers/analysis/fragment_descriptor.h"

#include <algorithm>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <cmath>

namespace millrace {
namespace {

constexpr double kSecondsMax = 253402300800.0;  // the year 10000
constexpr std::uint64_t kDurationMsMax = 24 * 3600 * 1000;

Result<Timestamp> Seconds(const boost::json::object& object, const char* name) {
  const auto* value = object.if_contains(name);
  boost::system::error_code ec;
  double seconds = value != nullptr && value->is_number() ? value->to_number<double>(ec) : -1;
  if (ec || !(seconds >= 0) || seconds > kSecondsMax) {
    return Error{ErrorCode::kCorruption, std::string("a fragment's descriptor without '") + name + "'"};
  }
  return Timestamp::FromMillis(std::llround(seconds * 1000));
}

Result<std::string> Text(const boost::json::object& object, const char* name) {
  const auto* value = object.if_contains(name);
  if (value == nullptr || !value->is_string() || value->get_string().empty()) {
    return Error{ErrorCode::kCorruption, std::string("a fragment's descriptor without '") + name + "'"};
  }
  return std::string(value->get_string());
}

// 0 where it is not given, or none.
std::uint64_t Count(const boost::json::object& object, const char* name) {
  const auto* value = object.if_contains(name);
  boost::system::error_code ec;
  const auto count = value != nullptr && value->is_number() ? value->to_number<std::uint64_t>(ec) : 0;
  return ec ? 0 : count;
}

bool Flag(const boost::json::object& object, const char* name) {
  const auto* value = object.if_contains(name);
  return value != nullptr && value->is_bool() && value->get_bool();
}

Result<Timestamp> Time(const boost::json::object& object, const char* name) {
  MILLRACE_ASSIGN_OR_RETURN(const std::string text, Text(object, name));
  auto time = ParseTime(text);
  if (!time) return Error{ErrorCode::kCorruption, std::string("a fragment's '") + name + "' is no time"};
  return *time;
}

}  // namespace

Result<FragmentDescriptor> ParseFragmentDescriptor(ByteSpan json) {
  boost::system::error_code ec;
  auto value = boost::json::parse({AsText(json).data(), json.size()}, ec);
  if (ec || !value.is_object())
    return Error{ErrorCode::kCorruption, "a fragment's descriptor that is no object"};
  const auto& object = value.get_object();
  FragmentDescriptor descriptor;
  MILLRACE_ASSIGN_OR_RETURN(descriptor.stream, Text(object, "stream"));
  MILLRACE_ASSIGN_OR_RETURN(descriptor.stream_arn, Text(object, "stream_arn"));
  MILLRACE_ASSIGN_OR_RETURN(descriptor.fragment_number, Text(object, "fragment_number"));
  MILLRACE_ASSIGN_OR_RETURN(descriptor.producer_time, Seconds(object, "producer_timestamp"));
  MILLRACE_ASSIGN_OR_RETURN(descriptor.server_time, Seconds(object, "server_timestamp"));
  descriptor.duration =
      std::chrono::milliseconds(std::min<std::uint64_t>(Count(object, "duration_ms"), kDurationMsMax));
  descriptor.run = Count(object, "run");
  descriptor.independent = Flag(object, "independent");
  return descriptor;
}

Result<FragmentDescriptor> ParseListedFragment(const boost::json::value& listed) {
  if (!listed.is_object()) return Error{ErrorCode::kCorruption, "a listed fragment that is no object"};
  const auto& object = listed.get_object();
  FragmentDescriptor fragment;
  MILLRACE_ASSIGN_OR_RETURN(fragment.fragment_number, Text(object, "number"));
  MILLRACE_ASSIGN_OR_RETURN(fragment.producer_time, Time(object, "start"));
  MILLRACE_ASSIGN_OR_RETURN(const Timestamp end, Time(object, "end"));
  MILLRACE_ASSIGN_OR_RETURN(fragment.server_time, Time(object, "server_time"));
  fragment.duration = std::max(end - fragment.producer_time, Duration{0});
  fragment.run = Count(object, "run");
  fragment.independent = Flag(object, "independent");
  return fragment;
}

}  // namespace millrace
