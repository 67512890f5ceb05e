// The routes of signaling channels: the WebSocket, and the operations; GetIceServerConfig.
#include <algorithm>
#include <array>
#include <string>

#include "api/aws/aws_http.h"
#include "api/aws/byte_budget.h"
#include "api/signaling/channel_operations.h"
#include "api/signaling/signaling_names.h"
#include "api/signaling/signaling_socket.h"
#include "api/video_streams/video_stream_access.h"
#include "api/video_streams/video_stream_requests.h"
#include "wire/json_writer.h"

namespace millrace::api {
namespace {

constexpr int kTtl_s = 300;
constexpr std::array<std::string_view, 1> kIceServices{"TURN"};

struct Connecting {
  SignalingChannel channel;
  std::string client_id;  // "" for the master
};

// The query: X-Amz-ChannelARN, and of a viewer X-Amz-ClientId.
AwsResult<Connecting> ReadConnecting(const SignalingServices& services, const Request& request) {
  const auto arn = request.target.Query("X-Amz-ChannelARN");
  const auto client = request.target.Query("X-Amz-ClientId");
  const auto name = arn ? ParseChannelArn(*arn) : std::nullopt;
  if (!name) {
    return AwsError("InvalidArgumentException",
                    "X-Amz-ChannelARN in the query must be a signaling channel's ARN.");
  }
  if (client && (client->empty() || client->size() > 256 || !kAwsNamePattern.matches(*client))) {
    return AwsError("InvalidArgumentException",
                    "X-Amz-ClientId must be 1 to 256 letters, digits, '_', '.' or '-'.");
  }
  const char* action = client ? "kinesisvideo:ConnectAsViewer" : "kinesisvideo:ConnectAsMaster";
  MILLRACE_RETURN_IF_ERROR(
      AuthorizeChannel(request.caller.get(), action, services.channels, services.video.identity, name));
  MILLRACE_ASSIGN_OR_RETURN(SignalingChannel channel, FindChannel(services.channels, name));
  return Connecting{std::move(channel), std::string(client.value_or(""))};
}

net::awaitable<void> Connect(const SignalingServices& services, Request& request, ResponseWriter& writer) {
  auto work = [&]() -> AwsResult<Connecting> { return ReadConnecting(services, request); };
  auto connecting = co_await services.video.pool.Run(work);
  auto place = services.connections.Take(1);
  if (connecting && place) {
    if (request.caller) {
      request.caller->SetAction(connecting->client_id.empty() ? "kinesisvideo:ConnectAsMaster"
                                                              : "kinesisvideo:ConnectAsViewer");
    }
    co_return co_await ServeSignaling(services, connecting->channel, connecting->client_id, request, writer);
  }
  AwsError refused = connecting
                         ? AwsError("ClientLimitExceededException", "Too many clients are connected already.")
                         : std::move(connecting).error();
  co_await RespondAws(writer, AwsService::kVideoStreams, std::move(refused));
}

std::string IceServersJson(const WebrtcSettings& settings) {
  wire::JsonWriter json;
  json.BeginObject().Key("IceServerList").BeginArray();
  for (const std::string& url : settings.stun_servers) {
    json.BeginObject().Key("Uris").BeginArray().String(url).EndArray();
    json.Key("Ttl").Integer(kTtl_s).EndObject();
  }
  for (const WebrtcSettings::TurnServer& server : settings.turn_servers) {
    json.BeginObject().Key("Uris").BeginArray().String(server.url).EndArray();
    json.Key("Username").String(server.username).Key("Password").String(server.password);
    json.Key("Ttl").Integer(kTtl_s).EndObject();
  }
  json.EndArray().EndObject();
  return std::move(json).Take();
}

// The configured servers, whoever asks: their credentials are the configuration's.
SignalingAnswer GetIceServerConfig(const SignalingServices& services, const boost::json::object& object,
                                   const std::string&) {
  AwsInput input(object);
  const auto name = ReadChannelArn(input);
  const AwsStringRule id{.min = 1, .max = 256, .pattern = kAwsNamePattern};
  (void)input.String("ClientId", id);
  (void)input.String("Service", {.values = kIceServices});
  (void)input.String("Username", id);
  if (auto bad = input.Finish()) return *bad;
  MILLRACE_ASSIGN_OR_RETURN(const SignalingChannel channel, FindChannel(services.channels, name));
  return IceServersJson(services.webrtc);
}

// Of the channel that is named, and of the stream that one is to be recorded to.
Result<void> Authorize(const SignalingServices& services, Caller* caller,
                       const boost::json::object& members) {
  const AwsIdentity& identity = services.video.identity;
  MILLRACE_RETURN_IF_ERROR(AuthorizeChannel(caller, services.channels, identity, members));
  const auto* storage = members.if_contains("MediaStorageConfiguration");
  if (storage == nullptr || !storage->is_object()) return {};
  const auto* arn = storage->get_object().if_contains("StreamARN");
  if (arn == nullptr || !arn->is_string()) return {};
  const auto& text = arn->get_string();
  return AuthorizeVideoStream(caller, services.video.store, identity, "", {text.data(), text.size()});
}

net::awaitable<void> Serve(const SignalingServices& services, SignalingOperation operation, int denied,
                           Request& request, ResponseWriter& writer) {
  const std::string endpoint = EndpointOf(services.video.identity, request);
  auto authorize = [&](const boost::json::object& members) {
    return Authorize(services, request.caller.get(), members);
  };
  auto run = [&](const boost::json::object& members) { return operation(services, members, endpoint); };
  SignalingAnswer answer = co_await ReadVideoRequest(services.video, request, authorize, run);
  if (!answer) answer = InWordsOfAccessDenied(std::move(answer).error(), denied);
  co_await RespondVideo(writer, std::move(answer));
}

}  // namespace

void AddSignalingRoutes(Router& router, SignalingServices services) {
  router.Add(std::string(kWebSocketMethod), "/",
             [services](Request& request, ResponseWriter& writer) -> net::awaitable<void> {
               co_await Connect(services, request, writer);
             });
  // `denied`: the status of AccessDeniedException, which the models give differently.
  const auto add = [&](const char* path, SignalingOperation operation, int denied = 401) {
    router.Add(
        "POST", path,
        [services, operation, denied](Request& request, ResponseWriter& writer) -> net::awaitable<void> {
          co_await Serve(services, operation, denied, request, writer);
        });
  };
  add("/createSignalingChannel", CreateSignalingChannel);
  add("/describeSignalingChannel", DescribeSignalingChannel);
  add("/listSignalingChannels", ListSignalingChannels);
  add("/updateSignalingChannel", UpdateSignalingChannel);
  add("/deleteSignalingChannel", DeleteSignalingChannel);
  add("/getSignalingChannelEndpoint", GetSignalingChannelEndpoint);
  add("/describeMediaStorageConfiguration", DescribeMediaStorageConfiguration);
  add("/updateMediaStorageConfiguration", UpdateMediaStorageConfiguration);
  add("/joinStorageSession", JoinStorageSession, 403);
  add("/joinStorageSessionAsViewer", JoinStorageSessionAsViewer, 403);
  add("/v1/get-ice-server-config", GetIceServerConfig);
}

}  // namespace millrace::api
