#include "api/webrtc/webrtc_http.h"

#include <boost/asio/this_coro.hpp>
#include <mutex>
#include <utility>

#include "api/aws/async_event.h"
#include "api/aws/cors_writer.h"
#include "api/http/error_response.h"
#include "api/http/handlers.h"
#include "base/text.h"

namespace millrace::api {
namespace {

constexpr auto kAnswerWaitMax = std::chrono::seconds(5);
constexpr std::string_view kSdpType = "application/sdp";
constexpr std::string_view kFragmentType = "application/trickle-ice-sdpfrag";
constexpr char kRetryAfterSeconds[] = "5";

bool HasContentType(const Request& request, std::string_view wanted) {
  const auto type = request.headers.Find("Content-Type");
  if (!type) return false;
  std::string_view name = type->substr(0, type->find(';'));
  while (name.ends_with(' ')) name.remove_suffix(1);
  return EqualsIgnoreCase(name, wanted);
}

// The tag of the session's ICE, which is the same for as long as it lasts.
std::string TagOf(const std::string& session) { return '"' + session.substr(0, 8) + '"'; }

// The error with a header, which RespondError has not. (Arguments are no aggregates: GCC 12 destroys those of
// a co_await twice.)
net::awaitable<void> Refuse(ResponseWriter& writer, int status, ErrorCode code, std::string message,
                            const char* header = nullptr, std::string_view value = {}) {
  const Error error{code, std::move(message)};
  ResponseHead head{status, {}};
  head.headers.Add("Content-Type", "application/json");
  head.headers.Add("X-Content-Type-Options", "nosniff");
  if (header != nullptr) head.headers.Add(header, std::string(value));
  const std::string json = ErrorJson(error);
  SharedBytes body(Bytes(json.begin(), json.end()));
  (void)co_await writer.Respond(std::move(head), std::move(body));
}

net::awaitable<void> RefuseOffer(ResponseWriter& writer, Error error) {
  switch (error.code) {
    case ErrorCode::kUnsupported:
      co_return co_await Refuse(writer, 406, error.code, std::move(error.message));
    case ErrorCode::kResourceExhausted:
    case ErrorCode::kUnavailable:
      co_return co_await Refuse(writer, 503, error.code, std::move(error.message), "Retry-After",
                                kRetryAfterSeconds);
    case ErrorCode::kFailedPrecondition:
      co_return co_await Refuse(writer, 409, error.code, std::move(error.message), "Retry-After",
                                kRetryAfterSeconds);
    default:
      co_return co_await RespondError(writer, std::move(error));
  }
}

// RFC 9725 section 4.6: where the peer finds STUN and TURN servers.
void AddStunServers(Headers& headers, const WebrtcSettings& settings) {
  for (const std::string& stun : settings.stun_servers)
    headers.Add("Link", "<" + stun + ">; rel=\"ice-server\"");
}
void AddIceServers(Headers& headers, const WebrtcSettings& settings) {
  AddStunServers(headers, settings);
  for (const auto& turn : settings.turn_servers) {
    headers.Add("Link", "<" + turn.url + ">; rel=\"ice-server\"; username=\"" + turn.username +
                            "\"; credential=\"" + turn.password + "\"; credential-type=\"password\"");
  }
}

// Written by webrtcbin's thread, read on the connection's strand.
struct Pending {
  std::mutex mutex;
  std::optional<Result<std::string>> answer;
};

net::awaitable<void> Post(const WebrtcDoor& door, Request& request, ResponseWriter& writer) {
  if (!HasContentType(request, kSdpType)) {
    co_return co_await Refuse(writer, 415, ErrorCode::kInvalidArgument, "an offer comes as application/sdp",
                              "Accept-Post", kSdpType);
  }
  auto offer = co_await ReadBody(request, kSdpBytesMax);
  if (!offer) co_return co_await RespondBodyError(writer, std::move(offer).error());

  AsyncEvent ready(co_await net::this_coro::executor);
  auto pending = std::make_shared<Pending>();
  auto answered = [pending, set = ready.Setter()](Result<std::string> answer) {
    {
      const std::lock_guard lock(pending->mutex);
      pending->answer = std::move(answer);
    }
    set();
  };
  const std::string& stream = request.Parameter("stream");
  auto work = [&]() -> Result<std::string> { return door.open(stream, *offer, answered); };
  auto session = co_await door.pool.Run(work);
  if (!session) co_return co_await RefuseOffer(writer, std::move(session).error());
  (void)co_await ready.Wait(std::chrono::steady_clock::now() + kAnswerWaitMax);
  Result<std::string> answer = Error{ErrorCode::kUnavailable, "the answer is not there in time"};
  {
    const std::lock_guard lock(pending->mutex);
    if (pending->answer) answer = *pending->answer;
  }
  if (!answer) {
    (void)door.sessions.Remove(stream, *session);
    co_return co_await RefuseOffer(writer, std::move(answer).error());
  }
  ResponseHead head{201, {}};
  head.headers.Add("Content-Type", std::string(kSdpType));
  head.headers.Add("Location", door.prefix + "/" + stream + "/" + *session);
  head.headers.Add("ETag", TagOf(*session));
  head.headers.Add("Accept-Patch", std::string(kFragmentType));
  head.headers.Add("Cache-Control", "no-store");
  AddIceServers(head.headers, door.settings);
  SharedBytes body(Bytes(answer->begin(), answer->end()));
  auto told = co_await writer.Respond(std::move(head), std::move(body));
  if (!told) (void)door.sessions.Remove(stream, *session);
}

// RFC 9725 section 4.3.
net::awaitable<void> Patch(const WebrtcDoor& door, Request& request, ResponseWriter& writer) {
  const std::string& stream = request.Parameter("stream");
  const std::string& session = request.Parameter("session");
  auto known = door.sessions.Find(stream, session);
  if (!known) co_return co_await RespondError(writer, std::move(known).error());
  if (!HasContentType(request, kFragmentType)) {
    co_return co_await Refuse(writer, 415, ErrorCode::kInvalidArgument,
                              "candidates come as application/trickle-ice-sdpfrag", "Accept-Patch",
                              kFragmentType);
  }
  auto text = co_await ReadBody(request, kSdpBytesMax);
  if (!text) co_return co_await RespondBodyError(writer, std::move(text).error());
  const auto tag = request.headers.Find("If-Match");
  if (!tag) {
    co_return co_await Refuse(writer, 428, ErrorCode::kFailedPrecondition,
                              "If-Match must name the session's ETag");
  }
  auto fragment = ReadIceFragment(*text);
  if (!fragment) co_return co_await RespondError(writer, std::move(fragment).error());
  const bool other_ufrag = !fragment->ufrag.empty() && fragment->ufrag != known->ice_ufrag;
  const bool other_pwd = !fragment->pwd.empty() && fragment->pwd != known->ice_pwd;
  if (*tag == "*" || (*tag == TagOf(session) && (other_ufrag || other_pwd))) {
    co_return co_await Refuse(writer, 422, ErrorCode::kUnsupported,
                              "ICE is not restarted here: send a new offer to the stream");
  }
  if (*tag != TagOf(session)) {
    co_return co_await Refuse(writer, 412, ErrorCode::kFailedPrecondition, "that is not the session's ETag");
  }
  if (auto added = door.sessions.AddCandidates(stream, session, fragment->candidates); !added)
    co_return co_await RespondError(writer, std::move(added).error());
  co_await RespondEmpty(writer, 204);
}

net::awaitable<void> Delete(const WebrtcDoor& door, Request& request, ResponseWriter& writer) {
  auto removed = door.sessions.Remove(request.Parameter("stream"), request.Parameter("session"));
  if (!removed) co_return co_await RespondError(writer, std::move(removed).error());
  co_await RespondEmpty(writer, 200);
}

net::awaitable<void> Options(const WebrtcDoor& door, std::string allow, Request& request,
                             ResponseWriter& writer) {
  ResponseHead head{204, {}};
  head.headers.Add("Allow", allow);
  head.headers.Add("Accept-Post", std::string(kSdpType));
  // Nobody has shown who he is: a TURN server's password is not told.
  AddStunServers(head.headers, door.settings);
  co_await RespondPreflight(request, std::move(head), writer);
}

}  // namespace

void AddWebrtcDoor(Router& router, WebrtcDoor made) {
  const auto door = std::make_shared<const WebrtcDoor>(std::move(made));
  const auto add = [&](const char* method, const std::string& pattern, auto handle) {
    router.Add(method, pattern,
               [door, handle](Request& request, ResponseWriter& writer) -> net::awaitable<void> {
                 CorsWriter cors(request, writer, "Location,ETag,Link,Accept-Post,Accept-Patch,Retry-After");
                 co_await handle(*door, request, cors);
               });
  };
  const std::string endpoint = door->prefix + "/{stream}";
  const std::string session = endpoint + "/{session}";
  add("POST", endpoint, &Post);
  add("PATCH", session, &Patch);
  add("DELETE", session, &Delete);
  for (const auto& [pattern, allow] :
       {std::pair{endpoint, "POST, OPTIONS"}, std::pair{session, "PATCH, DELETE, OPTIONS"}}) {
    router.Add(
        "OPTIONS", pattern,
        [door, allow = std::string(allow)](Request& request, ResponseWriter& writer) -> net::awaitable<void> {
          co_await Options(*door, allow, request, writer);
        });
  }
}

}  // namespace millrace::api
