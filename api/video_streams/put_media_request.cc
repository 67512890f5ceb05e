#include "api/video_streams/put_media_request.h"

#include <boost/json/object.hpp>
#include <charconv>
#include <string>

#include "api/video_streams/video_stream_access.h"
#include "api/video_streams/video_stream_requests.h"

namespace millrace::api {
namespace {

constexpr std::int64_t kSecondsMax = 7'258'118'400;  // 2200-01-01

AwsError InvalidHeader(std::string message) { return {"InvalidArgumentException", std::move(message)}; }

// As FindVideoStream, of the two headers.
AwsResult<VideoStream> FindStream(const PutMediaServices& services, const Request& request) {
  const auto name = request.headers.Find("x-amzn-stream-name");
  const auto arn = request.headers.Find("x-amzn-stream-arn");
  if (name && arn) return InvalidHeader("Only one of StreamName and StreamARN can be provided.");
  boost::json::object named;
  if (name) named["StreamName"] = std::string(*name);
  if (arn) named["StreamARN"] = std::string(*arn);
  MILLRACE_RETURN_IF_ERROR(
      AuthorizeVideoStream(request.caller.get(), services.store, services.identity, named));
  AwsInput input(named);
  return FindVideoStream(services.store, input);
}

}  // namespace

std::optional<Timestamp> ParseProducerStart(std::string_view text, bool unpadded) {
  std::int64_t seconds = 0;
  const char* end = text.data() + text.size();
  const auto [point, failed] = std::from_chars(text.data(), end, seconds);
  if (failed != std::errc{} || seconds < 0 || seconds > kSecondsMax) return std::nullopt;
  std::string_view digits(point, static_cast<std::size_t>(end - point));
  if (digits.empty()) return Timestamp::FromSeconds(seconds);
  if (digits.front() != '.' || digits.size() > 20) return std::nullopt;
  digits.remove_prefix(1);
  if (digits.find_first_not_of("0123456789") != std::string_view::npos) return std::nullopt;
  std::string padded(digits.substr(0, 3));
  padded.insert(unpadded ? padded.begin() : padded.end(), 3 - padded.size(), '0');
  return Timestamp::FromMillis(seconds * 1000 + std::stoi(padded));
}

AwsResult<PutMediaRequest> ReadPutMediaRequest(const PutMediaServices& services, const Request& request) {
  PutMediaRequest asked;
  const auto type = request.headers.Find("x-amzn-fragment-timecode-type");
  if (!type || (*type != "ABSOLUTE" && *type != "RELATIVE")) {
    return InvalidHeader("x-amzn-fragment-timecode-type must be ABSOLUTE or RELATIVE.");
  }
  // The C producer alone sends this header, and writes its milliseconds without leading zeros.
  const auto required = request.headers.Find("x-amzn-fragment-acknowledgment-required");
  asked.acknowledge = !required || *required != "0";
  const auto start = request.headers.Find("x-amzn-producer-start-timestamp");
  std::optional<Timestamp> start_time;
  if (start) {
    start_time = ParseProducerStart(*start, required.has_value());
    if (!start_time) return InvalidHeader("x-amzn-producer-start-timestamp must be a number of seconds.");
  }
  if (*type == "RELATIVE") {
    if (!start_time)
      return InvalidHeader("x-amzn-producer-start-timestamp is required for RELATIVE timecodes.");
    asked.options.relative_to = *start_time;
  }
  const auto sparse = request.headers.Find("x-millrace-sparse-tracks");
  asked.options.limits.frames_of_every_track = !sparse || *sparse != "1";
  MILLRACE_ASSIGN_OR_RETURN(asked.stream, FindStream(services, request));
  if (const auto camera = services.camera_of ? services.camera_of(asked.stream.name) : std::nullopt) {
    return AwsError("ConnectionLimitExceededException",
                    "The stream is fed by camera '" + *camera + "' of this server.");
  }
  return asked;
}

}  // namespace millrace::api
