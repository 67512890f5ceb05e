#include "api/video_streams/video_stream_requests.h"

#include <array>

#include "api/aws/aws_names.h"

namespace millrace::api {
namespace {

constexpr std::array<std::string_view, 2> kKinds{"VIDEO", "AUDIO"};
constexpr std::size_t kFilterTracksMax = 64;

}  // namespace

net::awaitable<AwsResult<GatheredBody>> GatherVideoBody(const VideoStreamServices& services,
                                                        Request& request) {
  auto body = co_await GatherAwsBody(request, services.budget, kVideoBodyBytesMax);
  if (body || body.error().code != ErrorCode::kResourceExhausted) co_return std::move(body);
  co_return AwsError("InvalidArgumentException", body.error().message, 413);
}

net::awaitable<void> RespondVideo(ResponseWriter& writer, AwsResult<std::string> answer) {
  if (answer) {
    co_await RespondAws(writer, AwsService::kVideoStreams, std::move(*answer));
  } else {
    co_await RespondAws(writer, AwsService::kVideoStreams, std::move(answer).error());
  }
}

AwsError InWordsOfAccessDenied(AwsError error, int status) {
  if (error.code != ErrorCode::kPermissionDenied) return error;
  return {"AccessDeniedException", std::move(error.message), status};
}

std::string EndpointOf(const AwsIdentity& identity, const Request& request) {
  if (!identity.endpoint.empty()) return identity.endpoint;
  const std::string& authority = request.target.authority;
  return (request.secure ? "https://" : "http://") +
         (authority.empty() ? std::string(request.headers.Find("Host").value_or("")) : authority);
}

AwsError NoVideoStream() {
  return {"ResourceNotFoundException", "The requested stream is not found or not active.", 404};
}

AwsError NoDataRetention(const VideoStream& stream) {
  return {
      "NoDataRetentionException",
      "The stream " + stream.name +
          " keeps no footage: its DataRetentionInHours is 0. UpdateDataRetention makes it keep what comes "
          "from then on."};
}

AwsError OfVideoStream(Error error) {
  if (error.code == ErrorCode::kNotFound) return NoVideoStream();
  return error;
}

AwsResult<VideoStream> FindVideoStream(FragmentStore& store, AwsInput& input) {
  const auto named = ReadVideoStreamName(input);
  if (auto bad = input.Finish()) return *bad;
  if (!named) {
    return AwsError("InvalidArgumentException", "Either StreamName or StreamARN should be provided.");
  }
  auto stream = store.GetStream(named->name);
  if (!stream) return OfVideoStream(std::move(stream).error());
  if (named->created && *named->created != stream->created) return NoVideoStream();
  return std::move(*stream);
}

MediaFilter ReadMediaFilter(AwsInput& input) {
  MediaFilter filter;
  auto asked = input.Structure("MillraceFilter");
  if (!asked) return filter;
  const AwsIntegerRule track{.min = 1, .max = std::numeric_limits<std::uint32_t>::max()};
  for (const std::int64_t number : asked->Integers("Tracks", {.max = kFilterTracksMax}, track)) {
    filter.tracks.push_back(static_cast<std::uint32_t>(number));
  }
  if (const auto kind = asked->String("TrackKind", {.values = kKinds})) {
    filter.kind = *kind == "VIDEO" ? TrackKind::kVideo : TrackKind::kAudio;
  }
  filter.key_frames_only = asked->Bool("KeyFramesOnly").value_or(false);
  return filter;
}

}  // namespace millrace::api
