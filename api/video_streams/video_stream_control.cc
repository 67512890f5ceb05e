// CreateStream and DescribeStream of video streams: what a producer asks before it puts media.
#include <algorithm>
#include <boost/json/object.hpp>
#include <string>

#include "api/video_streams/video_stream_requests.h"
#include "wire/json_writer.h"

namespace millrace::api {
namespace {

constexpr std::int64_t kRetentionHoursMax = 87'600;

}  // namespace

// What is said of a device, a media type or a key is taken and not kept: all footage is kept alike.
AwsResult<std::string> CreateVideoStream(const VideoStreamServices& services,
                                         const boost::json::object& object, const std::string&) {
  AwsInput input(object);
  const auto name =
      input.String("StreamName", {.required = true, .min = 1, .max = 256, .pattern = kAwsNamePattern});
  const auto hours = input.Integer("DataRetentionInHours", {.min = 0, .max = kRetentionHoursMax});
  if (auto bad = input.Finish()) return *bad;
  const auto stream = services.store.CreateStream(*name, std::chrono::hours(hours.value_or(0)));
  if (!stream && stream.error().code == ErrorCode::kAlreadyExists) {
    return AwsError("ResourceInUseException", "The stream " + *name + " already exists.");
  }
  if (!stream) return stream.error();
  wire::JsonWriter json;
  json.BeginObject();
  json.Key("StreamARN").String(services.identity.VideoStreamArn(stream->name, stream->created));
  json.EndObject();
  return std::move(json).Take();
}

AwsResult<std::string> DescribeVideoStream(const VideoStreamServices& services,
                                           const boost::json::object& object, const std::string&) {
  AwsInput input(object);
  MILLRACE_ASSIGN_OR_RETURN(const VideoStream stream, FindVideoStream(services, input));
  const auto hours = std::chrono::duration_cast<std::chrono::hours>(stream.retention).count();
  wire::JsonWriter json;
  json.BeginObject().Key("StreamInfo").BeginObject();
  json.Key("StreamName").String(stream.name);
  json.Key("StreamARN").String(services.identity.VideoStreamArn(stream.name, stream.created));
  json.Key("Version").String("r" + std::to_string(stream.retention / std::chrono::minutes(1)));
  json.Key("Status").String("ACTIVE");
  json.Key("CreationTime").Seconds(stream.created);
  json.Key("DataRetentionInHours").Integer(hours);
  json.EndObject().EndObject();
  return std::move(json).Take();
}

}  // namespace millrace::api
