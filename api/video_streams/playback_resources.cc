// What players ask for with a session's token: playlists, manifests, fragments.
#include <charconv>
#include <limits>
#include <optional>
#include <string>
#include <utility>

#include "api/aws/aws_http.h"
#include "api/aws/cors_writer.h"
#include "api/video_streams/playback_services.h"
#include "api/video_streams/playback_token.h"
#include "api/video_streams/resource_response.h"
#include "consumers/playback/playback_service.h"

namespace millrace::api {
namespace {

// A number in a query, in digits alone. Errors: kInvalidArgument.
template <typename Number>
Result<Number> NumberOf(const Request& request, std::string_view name, std::optional<Number> otherwise) {
  const auto text = request.target.Query(name);
  if (!text && otherwise) return *otherwise;
  Number number = 0;
  if (text && !text->empty()) {
    const auto [end, failure] = std::from_chars(text->data(), text->data() + text->size(), number);
    if (failure == std::errc() && end == text->data() + text->size()) return number;
  }
  return Error{ErrorCode::kInvalidArgument,
               std::string(name) + (text ? " is not a number that can stand here" : " is missing")};
}

using ResourceAnswer = Result<HlsResource>;
using ReadResource = ResourceAnswer (*)(PlaybackService&, const PlaybackSession&, const std::string& token,
                                        const Request&);

ResourceAnswer Master(PlaybackService& playback, const PlaybackSession& session, const std::string& token,
                      const Request&) {
  return playback.Master(session, token);
}

ResourceAnswer Media(PlaybackService& playback, const PlaybackSession& session, const std::string& token,
                     const Request& request) {
  MILLRACE_ASSIGN_OR_RETURN(const auto track, NumberOf<std::uint32_t>(request, "TrackNumber", 0));
  return playback.Media(session, token, track);
}

ResourceAnswer Manifest(PlaybackService& playback, const PlaybackSession& session, const std::string& token,
                        const Request&) {
  return playback.Manifest(session, token);
}

ResourceAnswer Init(PlaybackService& playback, const PlaybackSession& session, const std::string&,
                    const Request& request) {
  MILLRACE_ASSIGN_OR_RETURN(const auto track, NumberOf<std::uint32_t>(request, "TrackNumber", 1));
  MILLRACE_ASSIGN_OR_RETURN(const auto tracks_id,
                            NumberOf<std::uint64_t>(request, "SequenceNumber", std::nullopt));
  return playback.Init(session, track, tracks_id);
}

ResourceAnswer FragmentOf(PlaybackService& playback, const PlaybackSession& session, const Request& request,
                          std::uint32_t track) {
  const auto number = request.target.Query("FragmentNumber");
  if (!number) return Error{ErrorCode::kInvalidArgument, "FragmentNumber is missing"};
  MILLRACE_ASSIGN_OR_RETURN(const FragmentNumber parsed, FragmentNumber::Parse(*number));
  PlaybackPiece piece;
  MILLRACE_ASSIGN_OR_RETURN(piece.piece, NumberOf<std::uint32_t>(request, "Piece", 0));
  MILLRACE_ASSIGN_OR_RETURN(piece.pieces, NumberOf<std::uint32_t>(request, "Pieces", 1));
  return playback.Fragment(session, track, parsed, piece);
}

ResourceAnswer Mp4Fragment(PlaybackService& playback, const PlaybackSession& session, const std::string&,
                           const Request& request) {
  MILLRACE_ASSIGN_OR_RETURN(const auto track, NumberOf<std::uint32_t>(request, "TrackNumber", 1));
  if (!request.target.Query("Time")) return FragmentOf(playback, session, request, track);
  MILLRACE_ASSIGN_OR_RETURN(const auto from, NumberOf<std::uint64_t>(request, "From", 0));
  MILLRACE_ASSIGN_OR_RETURN(const auto ms, NumberOf<std::int64_t>(request, "Time", std::nullopt));
  if (ms < 0 || ms > std::numeric_limits<std::int64_t>::max() / 1'000'000) {
    return Error{ErrorCode::kInvalidArgument, "Time is not one that a fragment can have"};
  }
  return playback.FragmentAt(session, track, from, Timestamp::FromMillis(ms));
}

ResourceAnswer TsFragment(PlaybackService& playback, const PlaybackSession& session, const std::string&,
                          const Request& request) {
  return FragmentOf(playback, session, request, 0);
}

AwsError InServicesWords(Error error) {
  if (error.code == ErrorCode::kPermissionDenied) {
    return {"NotAuthorizedException", std::move(error.message), 403};
  }
  if (error.code == ErrorCode::kUnsupported) {
    return {"UnsupportedStreamMediaTypeException", std::move(error.message)};
  }
  return error;
}

net::awaitable<void> Serve(const PlaybackServices& services, PlaybackProtocol protocol, ReadResource resource,
                           Request& request, ResponseWriter& beneath) {
  CorsWriter writer(request, beneath);
  auto work = [&]() -> ResourceAnswer {
    const std::string token(request.target.Query("SessionToken").value_or(""));
    MILLRACE_ASSIGN_OR_RETURN(
        const PlaybackSession session,
        OpenPlaybackToken(services.video.sealer, token, protocol, services.video.clock.Now()));
    return resource(services.playback, session, token, request);
  };
  auto answer = co_await services.video.pool.Run(work);
  if (answer) {
    co_await RespondResource(request, writer, *answer);
  } else {
    AwsError error = InServicesWords(std::move(answer).error());
    co_await RespondAws(writer, AwsService::kVideoStreams, std::move(error));
  }
}

net::awaitable<void> Preflight(Request& request, ResponseWriter& writer) {
  ResponseHead head;
  co_await RespondPreflight(request, std::move(head), writer);
}

}  // namespace

void AddPlaybackResourceRoutes(Router& router, PlaybackServices services) {
  const auto handler = [&](PlaybackProtocol protocol, ReadResource resource) -> Handler {
    return [services, protocol, resource](Request& request, ResponseWriter& writer) -> net::awaitable<void> {
      co_await Serve(services, protocol, resource, request, writer);
    };
  };
  const auto hls = [&](ReadResource resource) { return handler(PlaybackProtocol::kHls, resource); };
  const auto dash = [&](ReadResource resource) { return handler(PlaybackProtocol::kDash, resource); };
  router.Add("GET", "/hls/v1/getHLSMasterPlaylist.m3u8", hls(Master));
  router.Add("GET", "/hls/v1/getHLSMediaPlaylist.m3u8", hls(Media));
  router.Add("GET", "/hls/v1/getMP4InitFragment.mp4", hls(Init));
  router.Add("GET", "/hls/v1/getMP4MediaFragment.mp4", hls(Mp4Fragment));
  router.Add("GET", "/hls/v1/getTSFragment.ts", hls(TsFragment));
  router.Add("GET", "/hls/v1/getTSFragment", hls(TsFragment));
  router.Add("GET", "/dash/v1/getDASHManifest.mpd", dash(Manifest));
  router.Add("GET", "/dash/v1/getMP4InitFragment.mp4", dash(Init));
  router.Add("GET", "/dash/v1/getMP4MediaFragment.mp4", dash(Mp4Fragment));
  for (const char* path :
       {"/hls/v1/getHLSMasterPlaylist.m3u8", "/hls/v1/getHLSMediaPlaylist.m3u8",
        "/hls/v1/getMP4InitFragment.mp4", "/hls/v1/getMP4MediaFragment.mp4", "/hls/v1/getTSFragment.ts",
        "/hls/v1/getTSFragment", "/dash/v1/getDASHManifest.mpd", "/dash/v1/getMP4InitFragment.mp4",
        "/dash/v1/getMP4MediaFragment.mp4"}) {
    router.Add("OPTIONS", path, Preflight);
  }
}

}  // namespace millrace::api
