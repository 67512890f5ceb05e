// WHIP: a browser, OBS or a phone publishes into a video stream.
#include <memory>
#include <utility>

#include "api/webrtc/services.h"
#include "api/webrtc/webrtc_http.h"

namespace millrace::api {
namespace {

// The stream to publish to, made where it does not exist.
Result<VideoStream> StreamOf(const WhipServices& services, const std::string& name) {
  if (const auto camera = services.camera_of ? services.camera_of(name) : std::nullopt) {
    return Error{ErrorCode::kAlreadyExists,
                 "the camera '" + *camera + "' records this stream: publish to one with another name"};
  }
  auto stream = services.store.GetStream(name);
  if (stream || stream.error().code != ErrorCode::kNotFound) return stream;
  stream = services.store.CreateStream(name, services.retention);
  // Somebody else made it just now.
  if (!stream && stream.error().code == ErrorCode::kAlreadyExists) return services.store.GetStream(name);
  return stream;
}

}  // namespace

void AddWhipRoutes(Router& router, WhipServices services) {
  services.options.camera_of = services.camera_of;
  auto open = [services](const std::string& name, std::string_view text,
                         WebrtcSession::OnAnswer answered) -> Result<std::string> {
    MILLRACE_ASSIGN_OR_RETURN(SdpOffer offer, SdpOffer::Read(text, PublisherAcceptance()));
    MILLRACE_ASSIGN_OR_RETURN(const VideoStream stream, StreamOf(services, name));
    auto session =
        std::make_shared<WebrtcPublisher>(services.settings, services.options, services.streams, stream,
                                          [sessions = &services.publishers] { sessions->Wake(); });
    return services.publishers.Open(std::move(session), std::move(offer), std::move(answered));
  };
  AddWebrtcDoor(router, {"/whip", services.publishers, services.settings, services.pool, std::move(open)});
}

}  // namespace millrace::api
