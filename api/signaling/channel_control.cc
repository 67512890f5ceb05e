// Signaling channels: making, describing, listing, changing and deleting them, their endpoints, and the
// stream that one is recorded to.
#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "api/aws/aws_names.h"
#include "api/aws/listing_token.h"
#include "api/signaling/channel_operations.h"
#include "api/signaling/signaling_names.h"
#include "api/video_streams/video_stream_operations.h"
#include "wire/json_writer.h"

namespace millrace::api {
namespace {

constexpr std::int64_t kPageMax = 10'000;
constexpr std::int64_t kPageDefault = 500;
constexpr ListingKind kListing{"list-signaling-channels-1", {}};
constexpr std::array<std::string_view, 2> kTypes{"SINGLE_MASTER", "FULL_MESH"};
constexpr std::array<std::string_view, 1> kComparisons{"BEGINS_WITH"};
constexpr std::array<std::string_view, 3> kProtocols{"WSS", "HTTPS", "WEBRTC"};
constexpr std::array<std::string_view, 2> kRoles{"MASTER", "VIEWER"};
constexpr std::array<std::string_view, 2> kStates{"ENABLED", "DISABLED"};

std::optional<std::uint32_t> ReadMessageTtl(AwsInput& input) {
  auto configuration = input.Structure("SingleMasterConfiguration");
  if (!configuration) return std::nullopt;
  const auto ttl = configuration->Integer("MessageTtlSeconds", {.min = 5, .max = 120});
  return ttl ? std::optional(static_cast<std::uint32_t>(*ttl)) : std::nullopt;
}

void WriteChannel(wire::JsonWriter& json, const AwsIdentity& identity, const SignalingChannel& channel) {
  json.BeginObject();
  json.Key("ChannelName").String(channel.name);
  json.Key("ChannelARN").String(identity.ChannelArn(channel.name, channel.created));
  json.Key("ChannelType").String(kTypes[channel.full_mesh ? 1 : 0]);
  json.Key("ChannelStatus").String("ACTIVE");
  json.Key("CreationTime").Seconds(channel.created);
  json.Key("SingleMasterConfiguration").BeginObject();
  json.Key("MessageTtlSeconds").Unsigned(channel.message_ttl_s).EndObject();
  json.Key("Version").String(channel.Version());
  json.EndObject();
}

// The channel that the request names by its ARN; and nothing else in it may be wrong.
AwsResult<SignalingChannel> FindByArn(const SignalingServices& services, AwsInput& input) {
  const auto name = ReadChannelArn(input);
  if (auto bad = input.Finish()) return *bad;
  return FindChannel(services.channels, name);
}
AwsResult<SignalingChannel> FindByName(const SignalingServices& services, AwsInput& input) {
  const auto name = ReadChannelName(input);
  if (auto bad = input.Finish()) return *bad;
  return FindChannel(services.channels, name);
}

// Where a browser opens its WebSocket: over TLS wherever the server has it, since the public clients take no
// other. An endpoint that is configured stays as it is: what is in front of the server decides.
std::string WebSocketEndpoint(const SignalingServices& services, const std::string& endpoint) {
  constexpr std::string_view kSecure = "https://";
  constexpr std::string_view kPlain = "http://";
  if (endpoint.starts_with(kSecure)) return "wss://" + endpoint.substr(kSecure.size());
  std::string host = endpoint.substr(kPlain.size());
  const std::uint16_t tls_port = services.tls_port ? services.tls_port() : std::uint16_t{0};
  if (tls_port == 0 || !services.video.identity.endpoint.empty()) return "ws://" + host;
  const auto colon = host.rfind(':');
  if (colon != std::string::npos && host.find(']', colon) == std::string::npos) host.resize(colon);
  return "wss://" + host + ":" + std::to_string(tls_port);
}

}  // namespace

SignalingAnswer CreateSignalingChannel(const SignalingServices& services, const boost::json::object& object,
                                       const std::string&) {
  AwsInput input(object);
  SignalingChannel channel;
  channel.name =
      input.String("ChannelName", {.required = true, .min = 1, .max = 256, .pattern = kAwsNamePattern})
          .value_or("");
  channel.full_mesh = input.String("ChannelType", {.values = kTypes}) == kTypes[1];
  channel.message_ttl_s = ReadMessageTtl(input).value_or(kMessageTtlDefault_s);
  channel.tags = ReadVideoTagList(input, {.max = kVideoTagsMax});
  if (auto bad = input.Finish()) return *bad;
  auto created = services.channels.Create(std::move(channel));
  if (!created && created.error().code == ErrorCode::kResourceExhausted) {
    return AwsError("AccountChannelLimitExceededException", std::move(created).error().message);
  }
  if (!created) return OfChannel(std::move(created).error());
  wire::JsonWriter json;
  json.BeginObject()
      .Key("ChannelARN")
      .String(services.video.identity.ChannelArn(created->name, created->created));
  json.EndObject();
  return std::move(json).Take();
}

SignalingAnswer DescribeSignalingChannel(const SignalingServices& services, const boost::json::object& object,
                                         const std::string&) {
  AwsInput input(object);
  MILLRACE_ASSIGN_OR_RETURN(const SignalingChannel channel, FindByName(services, input));
  wire::JsonWriter json;
  json.BeginObject().Key("ChannelInfo");
  WriteChannel(json, services.video.identity, channel);
  json.EndObject();
  return std::move(json).Take();
}

SignalingAnswer ListSignalingChannels(const SignalingServices& services, const boost::json::object& object,
                                      const std::string&) {
  AwsInput input(object);
  const auto limit = static_cast<std::size_t>(
      input.Integer("MaxResults", {.min = 1, .max = kPageMax}).value_or(kPageDefault));
  const auto token = ReadVideoToken(input);
  std::string prefix;
  if (auto condition = input.Structure("ChannelNameCondition")) {
    (void)condition->String("ComparisonOperator", {.values = kComparisons});
    prefix =
        condition->String("ComparisonValue", {.min = 1, .max = 256, .pattern = kAwsNamePattern}).value_or("");
  }
  if (auto bad = input.Finish()) return *bad;
  std::string after;
  if (token) {
    MILLRACE_ASSIGN_OR_RETURN(
        const auto place, OpenNextToken(services.video.sealer, kListing, *token, services.video.clock.Now()));
    prefix = std::string(place.at("prefix").as_string());
    after = std::string(place.at("after").as_string());
  }
  MILLRACE_ASSIGN_OR_RETURN(auto channels, services.channels.List(prefix, after, limit + 1));
  const bool more = channels.size() > limit;
  if (more) channels.pop_back();
  wire::JsonWriter json(64 + channels.size() * 256);
  json.BeginObject().Key("ChannelInfoList").BeginArray();
  for (const SignalingChannel& channel : channels) WriteChannel(json, services.video.identity, channel);
  json.EndArray();
  if (more) {
    boost::json::object place{{"prefix", prefix}, {"after", channels.back().name}};
    json.Key("NextToken")
        .String(SealNextToken(services.video.sealer, kListing, std::move(place), services.video.clock.Now()));
  }
  json.EndObject();
  return std::move(json).Take();
}

SignalingAnswer UpdateSignalingChannel(const SignalingServices& services, const boost::json::object& object,
                                       const std::string&) {
  AwsInput input(object);
  const auto version = ReadCurrentVersion(input, true);
  const auto ttl_s = ReadMessageTtl(input);
  MILLRACE_ASSIGN_OR_RETURN(const SignalingChannel channel, FindByArn(services, input));
  const auto change = [&](SignalingChannel& changed) -> Result<void> {
    if (ttl_s) changed.message_ttl_s = *ttl_s;
    return {};
  };
  auto updated = services.channels.Update(channel.name, channel.created, version, change);
  if (!updated) return OfChannel(std::move(updated).error());
  return NothingToSay();
}

SignalingAnswer DeleteSignalingChannel(const SignalingServices& services, const boost::json::object& object,
                                       const std::string&) {
  AwsInput input(object);
  const auto version = ReadCurrentVersion(input, false);
  MILLRACE_ASSIGN_OR_RETURN(const SignalingChannel channel, FindByArn(services, input));
  auto deleted = services.channels.Delete(channel.name, channel.created, version);
  if (!deleted) return OfChannel(std::move(deleted).error());
  services.hub.EndChannel({channel.name, channel.created});
  return NothingToSay();
}

SignalingAnswer GetSignalingChannelEndpoint(const SignalingServices& services,
                                            const boost::json::object& object, const std::string& endpoint) {
  AwsInput input(object);
  std::vector<std::string> protocols{"WSS", "HTTPS"};
  if (auto configuration = input.Structure("SingleMasterChannelEndpointConfiguration")) {
    auto asked = configuration->Strings("Protocols", {.min = 1, .max = 5}, {.values = kProtocols});
    if (!asked.empty()) protocols = std::move(asked);
    (void)configuration->String("Role", {.values = kRoles});
  }
  MILLRACE_ASSIGN_OR_RETURN(const SignalingChannel channel, FindByArn(services, input));
  wire::JsonWriter json;
  json.BeginObject().Key("ResourceEndpointList").BeginArray();
  for (const std::string& protocol : protocols) {
    if (protocol == "WEBRTC" && !(channel.storage && channel.storage->enabled)) {
      return AwsError(
          "InvalidArgumentException",
          "WEBRTC needs media storage, which is not enabled for the channel " + channel.name + ".");
    }
    json.BeginObject().Key("Protocol").String(protocol);
    json.Key("ResourceEndpoint").String(protocol == "WSS" ? WebSocketEndpoint(services, endpoint) : endpoint);
    json.EndObject();
  }
  json.EndArray().EndObject();
  return std::move(json).Take();
}

SignalingAnswer DescribeMediaStorageConfiguration(const SignalingServices& services,
                                                  const boost::json::object& object, const std::string&) {
  AwsInput input(object);
  MILLRACE_ASSIGN_OR_RETURN(const SignalingChannel channel, FindByName(services, input));
  wire::JsonWriter json;
  json.BeginObject().Key("MediaStorageConfiguration").BeginObject();
  if (channel.storage) {
    json.Key("StreamARN")
        .String(
            services.video.identity.VideoStreamArn(channel.storage->stream, channel.storage->stream_created));
  }
  json.Key("Status").String(kStates[channel.storage && channel.storage->enabled ? 0 : 1]);
  json.EndObject().EndObject();
  return std::move(json).Take();
}

SignalingAnswer UpdateMediaStorageConfiguration(const SignalingServices& services,
                                                const boost::json::object& object, const std::string&) {
  AwsInput input(object);
  bool enabled = false;
  std::optional<VideoStreamName> named;
  if (auto configuration = input.Structure("MediaStorageConfiguration", true)) {
    enabled = configuration->String("Status", {.required = true, .values = kStates}) == kStates[0];
    // By its ARN alone, as the model has it: that is what the caller was authorized for.
    named = ReadVideoStreamArn(*configuration);
  }
  MILLRACE_ASSIGN_OR_RETURN(const SignalingChannel channel, FindByArn(services, input));
  std::optional<ChannelStorage> mapped;
  if (named) {
    auto stream = services.video.store.GetStream(named->name);
    if (!stream) return OfVideoStream(std::move(stream).error());
    if (named->created && *named->created != stream->created) return NoVideoStream();
    if (enabled && stream->retention == Duration{0}) return NoDataRetention(*stream);
    MILLRACE_ASSIGN_OR_RETURN(const auto other,
                              services.channels.FindByStream(stream->name, stream->created));
    if (other && other->name != channel.name) {
      return AwsError("InvalidArgumentException",
                      "The stream " + stream->name + " is the channel " + other->name + "'s already.");
    }
    mapped = ChannelStorage{stream->name, stream->created, enabled};
  } else if (enabled) {
    return AwsError("InvalidArgumentException", "StreamARN is required where Status is ENABLED.");
  }
  // What it was mapped to just before: another change may have come since it was looked up.
  std::optional<ChannelStorage> former;
  const auto change = [&](SignalingChannel& changed) -> Result<void> {
    former = changed.storage;
    if (mapped) {
      changed.storage = mapped;
    } else if (changed.storage) {
      changed.storage->enabled = false;
    }
    return {};
  };
  auto updated = services.channels.Update(channel.name, channel.created, std::nullopt, change);
  if (!updated) return OfChannel(std::move(updated).error());
  // Who is recorded to somewhere else joins again.
  if (updated->storage != former) services.hub.EndStorage({channel.name, channel.created});
  return NothingToSay();
}

}  // namespace millrace::api
