// Joining the storage session of a channel: the server offers WebRTC to the client, by its signaling. A
// master's media are recorded into the channel's video stream, and a viewer is shown what is recorded there.
//
// The kinesis-video-webrtc-storage model has four errors: InvalidArgumentException,
// ResourceNotFoundException, ClientLimitExceededException, AccessDeniedException.
#include <algorithm>
#include <string>
#include <utility>

#include "api/signaling/channel_operations.h"
#include "api/signaling/signaling_names.h"
#include "api/signaling/storage_signaling.h"
#include "api/video_streams/video_stream_operations.h"
#include "api/video_streams/video_stream_requests.h"
#include "consumers/whep/whep_service.h"

namespace millrace::api {
namespace {

AwsError Invalid(std::string message) { return {"InvalidArgumentException", std::move(message)}; }

AwsError SwitchedOff() { return Invalid("WebRTC is switched off on this server (webrtc.enabled)."); }

// A channel that is recorded, and what it is recorded to.
struct Recorded {
  SignalingChannel channel;
  VideoStream stream;
};

AwsResult<Recorded> FindRecorded(const SignalingServices& services, const ChannelName& name) {
  MILLRACE_ASSIGN_OR_RETURN(SignalingChannel channel, FindChannel(services.channels, name));
  if (!channel.storage || !channel.storage->enabled) {
    return Invalid("Media storage is not enabled for the channel " + channel.name +
                   ": UpdateMediaStorageConfiguration enables it.");
  }
  auto stream = services.video.store.GetStream(channel.storage->stream);
  if (!stream) return OfVideoStream(std::move(stream).error());
  if (stream->created != channel.storage->stream_created) return NoVideoStream();
  if (stream->retention == Duration{0}) return Invalid(NoDataRetention(*stream).message);
  return Recorded{std::move(channel), std::move(*stream)};
}

// Joins the channel as the peer of this client. What was true of the channel before may not be any more once
// changes of it find the session: it is looked at again.
AwsResult<std::shared_ptr<StorageSignaling>> JoinAsPeer(const SignalingServices& services,
                                                        const Recorded& recorded, const ChannelName& name,
                                                        const std::string& client_id,
                                                        WebrtcSessions& sessions) {
  const SignalingChannel& channel = recorded.channel;
  auto member =
      services.hub.JoinStorage({channel.name, channel.created}, client_id,
                               std::chrono::seconds(channel.message_ttl_s), [&sessions] { sessions.Wake(); });
  if (!member) return std::move(member).error();
  MILLRACE_ASSIGN_OR_RETURN(const Recorded now, FindRecorded(services, name));
  if (now.channel.created != channel.created || now.stream.created != recorded.stream.created ||
      now.stream.name != recorded.stream.name) {
    return AwsError("ClientLimitExceededException", "The channel changed just now: join again.");
  }
  return std::make_shared<StorageSignaling>(services.hub, std::move(*member));
}

}  // namespace

SignalingAnswer JoinStorageSession(const SignalingServices& services, const boost::json::object& object,
                                   const std::string&) {
  AwsInput input(object);
  const auto name = ReadChannelArn(input, "channelArn");
  if (auto bad = input.Finish()) return *bad;
  MILLRACE_ASSIGN_OR_RETURN(const Recorded recorded, FindRecorded(services, *name));
  if (services.storage == nullptr) return SwitchedOff();
  const StorageSessionServices& storage = *services.storage;
  const std::string& stream = recorded.stream.name;
  if (const auto camera = storage.options.camera_of ? storage.options.camera_of(stream) : std::nullopt) {
    return Invalid("The camera '" + *camera + "' records the stream " + stream +
                   ": map the channel to another one.");
  }
  MILLRACE_ASSIGN_OR_RETURN(auto signaling, JoinAsPeer(services, recorded, *name, "", storage.publishers));
  auto session =
      std::make_shared<WebrtcPublisher>(storage.settings, storage.options, storage.streams, recorded.stream,
                                        [sessions = &storage.publishers] { sessions->Wake(); });
  MILLRACE_RETURN_IF_ERROR(
      storage.publishers.Offer(std::move(session), PublisherProposal(), std::move(signaling)));
  return NothingToSay();
}

SignalingAnswer JoinStorageSessionAsViewer(const SignalingServices& services,
                                           const boost::json::object& object, const std::string&) {
  AwsInput input(object);
  const auto name = ReadChannelArn(input, "channelArn");
  const auto client_id =
      input.String("clientId", {.required = true, .min = 1, .max = 256, .pattern = kAwsNamePattern});
  if (auto bad = input.Finish()) return *bad;
  MILLRACE_ASSIGN_OR_RETURN(const Recorded recorded, FindRecorded(services, *name));
  if (services.storage == nullptr) return SwitchedOff();
  WhepService& whep = services.storage->viewers;
  MILLRACE_ASSIGN_OR_RETURN(auto signaling,
                            JoinAsPeer(services, recorded, *name, *client_id, whep.sessions()));
  auto joined = whep.Offer(recorded.stream.name, std::move(signaling));
  if (!joined && joined.error().code == ErrorCode::kFailedPrecondition)
    return Invalid(std::move(joined).error().message);
  if (!joined) return std::move(joined).error();
  return NothingToSay();
}

}  // namespace millrace::api
