// GetHLSStreamingSessionURL and GetDASHStreamingSessionURL.
#include <array>
#include <boost/json/object.hpp>
#include <limits>
#include <utility>

#include "api/aws/aws_http.h"
#include "api/video_streams/playback_services.h"
#include "api/video_streams/playback_token.h"
#include "api/video_streams/video_stream_access.h"
#include "api/video_streams/video_stream_patterns.h"
#include "api/video_streams/video_stream_requests.h"
#include "consumers/playback/playback_service.h"
#include "wire/json_writer.h"

namespace millrace::api {
namespace {

using SessionAnswer = AwsResult<std::string>;

constexpr std::int64_t kExpiresMin = 300, kExpiresMax = 43'200;  // seconds
constexpr std::int64_t kFragmentsMax = 5000;
constexpr std::uint32_t kFragmentsLive = 5, kFragmentsOnDemand = 1000;
constexpr std::array<std::string_view, 3> kModes{"LIVE", "LIVE_REPLAY", "ON_DEMAND"};
constexpr std::array<std::string_view, 2> kContainers{"FRAGMENTED_MP4", "MPEG_TS"};
constexpr std::array<std::string_view, 3> kDiscontinuities{"ALWAYS", "NEVER", "ON_DISCONTINUITY"};
constexpr std::array<std::string_view, 2> kDisplays{"ALWAYS", "NEVER"};

// What differs between the two operations.
struct Dialect {
  PlaybackProtocol protocol;
  const char* selector;
  const char* fragments_max;
  const char* url;   // the output's member
  const char* path;  // of what it leads to
};
constexpr Dialect kHls{PlaybackProtocol::kHls, "HLSFragmentSelector", "MaxMediaPlaylistFragmentResults",
                       "HLSStreamingSessionURL", "/hls/v1/getHLSMasterPlaylist.m3u8?SessionToken="};
constexpr Dialect kDash{PlaybackProtocol::kDash, "DASHFragmentSelector", "MaxManifestFragmentResults",
                        "DASHStreamingSessionURL", "/dash/v1/getDASHManifest.mpd?SessionToken="};

// The members' values; what they mean together is checked by CheckRange.
PlaybackSession ReadSession(AwsInput& input, const Dialect& dialect, Timestamp now) {
  PlaybackSession session;
  session.protocol = dialect.protocol;
  const std::string mode = input.String("PlaybackMode", {.values = kModes}).value_or("LIVE");
  session.mode = mode == "ON_DEMAND"     ? PlaybackMode::kOnDemand
                 : mode == "LIVE_REPLAY" ? PlaybackMode::kLiveReplay
                                         : PlaybackMode::kLive;
  if (auto selector = input.Structure(dialect.selector)) {
    session.by_server_time =
        selector->String("FragmentSelectorType", {.values = kTimestampSelectors}).value_or("") !=
        kProducerTimestamp;
    if (auto range = selector->Structure("TimestampRange")) {
      session.start = range->Time("StartTimestamp");
      session.end = range->Time("EndTimestamp");
      // Times on the wire are whole milliseconds: the last one counts to its end.
      if (session.end) session.end = *session.end + Duration{999'999};
    }
  }
  session.show_timestamps =
      input.String("DisplayFragmentTimestamp", {.values = kDisplays}).value_or("") == "ALWAYS";
  session.discontinuities = session.by_server_time ? DiscontinuityMode::kAlways : DiscontinuityMode::kNever;
  if (dialect.protocol == PlaybackProtocol::kHls) {
    if (input.String("ContainerFormat", {.values = kContainers}).value_or("") == "MPEG_TS") {
      session.container = SegmentContainer::kMpegTs;
    }
    const std::string where = input.String("DiscontinuityMode", {.values = kDiscontinuities}).value_or("");
    if (where == "ALWAYS") session.discontinuities = DiscontinuityMode::kAlways;
    if (where == "NEVER") session.discontinuities = DiscontinuityMode::kNever;
    if (where == "ON_DISCONTINUITY") session.discontinuities = DiscontinuityMode::kOnDiscontinuity;
  } else {
    session.discontinuities = DiscontinuityMode::kOnDiscontinuity;
    session.show_numbers =
        input.String("DisplayFragmentNumber", {.values = kDisplays}).value_or("") == "ALWAYS";
  }
  const auto fragments = input.Integer(dialect.fragments_max, {.min = 1, .max = kFragmentsMax});
  const bool on_demand = session.mode == PlaybackMode::kOnDemand;
  session.fragments_max =
      fragments ? static_cast<std::uint32_t>(*fragments) : (on_demand ? kFragmentsOnDemand : kFragmentsLive);
  const auto expires = input.Integer("Expires", {.min = kExpiresMin, .max = kExpiresMax});
  session.created = now;
  session.expires = now + std::chrono::seconds(expires.value_or(kExpiresMin));
  return session;
}

AwsResult<bool> CheckRange(const PlaybackSession& session, const Dialect& dialect, Timestamp now) {
  const std::string range = std::string(dialect.selector) + ".TimestampRange";
  const auto bad = [](std::string text) { return AwsError("InvalidArgumentException", std::move(text)); };
  if (session.mode == PlaybackMode::kLive) {
    if (session.start || session.end) return bad(range + " must not be given with PlaybackMode LIVE.");
    return true;
  }
  if (!session.start) {
    return bad(range + " with a StartTimestamp is required with PlaybackMode " +
               (session.mode == PlaybackMode::kOnDemand ? "ON_DEMAND." : "LIVE_REPLAY."));
  }
  if (!session.end) {
    if (session.mode == PlaybackMode::kLiveReplay) return true;
    return bad(range + " with an EndTimestamp is required with PlaybackMode ON_DEMAND.");
  }
  if (*session.end <= *session.start + Duration{999'999}) {
    return bad("EndTimestamp must be later than StartTimestamp.");
  }
  if (session.by_server_time && session.end->millis() > now.millis()) {
    return bad("EndTimestamp must be in the past where FragmentSelectorType is SERVER_TIMESTAMP.");
  }
  return true;
}

AwsError InModelsWords(PlaybackRefusal refusal) {
  const char* const type =
      refusal.kind == PlaybackRefusal::Kind::kMissingCodecPrivate   ? "MissingCodecPrivateDataException"
      : refusal.kind == PlaybackRefusal::Kind::kInvalidCodecPrivate ? "InvalidCodecPrivateDataException"
                                                                    : "UnsupportedStreamMediaTypeException";
  return {type, std::move(refusal.message)};
}

SessionAnswer BeginSession(const PlaybackServices& services, const Dialect& dialect,
                           const boost::json::object& object, const std::string& endpoint) {
  const Timestamp now = services.video.clock.Now();
  AwsInput input(object);
  PlaybackSession session = ReadSession(input, dialect, now);
  MILLRACE_ASSIGN_OR_RETURN(const VideoStream stream, FindVideoStream(services.video, input));
  if (auto range = CheckRange(session, dialect, now); !range) return std::move(range).error();
  if (stream.retention == Duration{0}) return NoDataRetention(stream);
  session.stream = stream.name;
  session.stream_created = stream.created;
  MILLRACE_ASSIGN_OR_RETURN(auto refusal, services.playback.Begin(session));
  if (refusal) return InModelsWords(std::move(*refusal));
  wire::JsonWriter json;
  json.BeginObject();
  json.Key(dialect.url).String(endpoint + dialect.path + SealPlaybackToken(services.video.sealer, session));
  json.EndObject();
  return std::move(json).Take();
}

net::awaitable<void> Serve(const PlaybackServices& services, const Dialect& dialect, Request& request,
                           ResponseWriter& writer) {
  const std::string endpoint = EndpointOf(services.video.identity, request);
  auto begin = [&](const boost::json::object& members) {
    return BeginSession(services, dialect, members, endpoint);
  };
  SessionAnswer answer = co_await ReadVideoRequest(services.video, request, begin);
  co_await RespondVideo(writer, std::move(answer));
}

}  // namespace

void AddPlaybackSessionRoutes(Router& router, PlaybackServices services) {
  router.Add("POST", "/getHLSStreamingSessionURL",
             [services](Request& request, ResponseWriter& writer) -> net::awaitable<void> {
               co_await Serve(services, kHls, request, writer);
             });
  router.Add("POST", "/getDASHStreamingSessionURL",
             [services](Request& request, ResponseWriter& writer) -> net::awaitable<void> {
               co_await Serve(services, kDash, request, writer);
             });
}

void AddPlaybackRoutes(Router& router, PlaybackServices services) {
  AddPlaybackSessionRoutes(router, services);
  AddPlaybackResourceRoutes(router, services);
}

}  // namespace millrace::api
