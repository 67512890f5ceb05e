#include "consumers/analysis/fragment_descriptor.h"

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <cmath>

namespace millrace {
namespace {

constexpr double kSecondsMax = 253402300800.0;  // the year 10000

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
  const auto* independent = object.if_contains("independent");
  descriptor.independent = independent != nullptr && independent->is_bool() && independent->get_bool();
  return descriptor;
}

}  // namespace millrace
