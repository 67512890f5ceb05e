#include "api/video_streams/playback_token.h"

#include <algorithm>

namespace millrace::api {
namespace {

constexpr std::size_t kTokenBytesMax = 4096;
constexpr std::string_view kBase64 = "+/=";
constexpr std::string_view kInQueries = "-_~";

constexpr const char* PurposeOf(PlaybackProtocol protocol) {
  return protocol == PlaybackProtocol::kHls ? "hls-session-1" : "dash-session-1";
}

void Respell(std::string& text, std::string_view from, std::string_view to) {
  for (char& c : text) {
    if (const auto at = from.find(c); at != std::string_view::npos) c = to[at];
  }
}

}  // namespace

std::string SealPlaybackToken(const wire::TokenSealer& sealer, const PlaybackSession& session) {
  const Bytes contents = EncodeSession(session);
  std::string token = sealer.Seal(PurposeOf(session.protocol), contents);
  Respell(token, kBase64, kInQueries);
  return token;
}

Result<PlaybackSession> OpenPlaybackToken(const wire::TokenSealer& sealer, std::string_view token,
                                          PlaybackProtocol protocol, Timestamp now) {
  if (token.empty()) {
    return Error{ErrorCode::kPermissionDenied,
                 "SessionToken is missing: GetHLSStreamingSessionURL and GetDASHStreamingSessionURL give an "
                 "address that has one"};
  }
  const Error foreign{ErrorCode::kPermissionDenied,
                      "SessionToken is not one of a session of this server and this protocol"};
  if (token.size() > kTokenBytesMax || token.find_first_of(kBase64) != std::string_view::npos) return foreign;
  std::string spelled(token);
  Respell(spelled, kInQueries, kBase64);
  const auto opened = sealer.Open(PurposeOf(protocol), spelled);
  if (!opened) return foreign;
  auto session = DecodeSession(*opened);
  if (!session || session->protocol != protocol) return foreign;
  if (now >= session->expires) {
    return Error{ErrorCode::kPermissionDenied,
                 "the streaming session has expired, at " + FormatRfc3339(session->expires) +
                     ": ask for another one (Expires makes it last longer, up to 43200 seconds)"};
  }
  return session;
}

}  // namespace millrace::api
