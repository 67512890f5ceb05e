#include "api/signaling/signaling_names.h"

#include <charconv>
#include <vector>

#include "api/aws/aws_names.h"

namespace millrace::api {
namespace {

constexpr std::size_t kArnMax = 1024;

bool IsChannelArn(std::string_view text) { return ParseChannelArn(text).has_value(); }
constexpr AwsPattern kChannelArnPattern{
    "arn:[a-z\\d-]+:kinesisvideo:[a-z0-9-]+:[0-9]+:[a-z]+/[a-zA-Z0-9_.-]+/[0-9]+", &IsChannelArn};

std::optional<ChannelName> NameIn(const boost::json::object& members, const char* member) {
  const auto* value = members.if_contains(member);
  if (value == nullptr || !value->is_string()) return std::nullopt;
  return ParseChannelArn(std::string_view(value->get_string().data(), value->get_string().size()));
}

}  // namespace

std::optional<ChannelName> ParseChannelArn(std::string_view arn) {
  const auto parts = ArnParts(arn);
  constexpr std::string_view kChannel = "channel/";
  if (parts.size() < 6 || parts[0] != "arn" || parts[2] != "kinesisvideo" ||
      !parts[5].starts_with(kChannel)) {
    return std::nullopt;
  }
  const std::string_view rest = parts[5].substr(kChannel.size());
  const auto slash = rest.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  const std::string_view name = rest.substr(0, slash);
  const std::string_view digits = rest.substr(slash + 1);
  std::int64_t created_ms = 0;
  const auto [end, failed] = std::from_chars(digits.data(), digits.data() + digits.size(), created_ms);
  constexpr std::int64_t kMillisMax = INT64_MAX / 1'000'000;
  if (failed != std::errc() || end != digits.data() + digits.size() || created_ms < 0 ||
      created_ms > kMillisMax || name.empty() || name.size() > 256 || !kAwsNamePattern.matches(name)) {
    return std::nullopt;
  }
  return ChannelName{std::string(name), Timestamp::FromMillis(created_ms)};
}

std::optional<ChannelName> ReadChannelArn(AwsInput& input, std::string_view arn_member) {
  const auto arn =
      input.String(arn_member, {.required = true, .min = 1, .max = kArnMax, .pattern = kChannelArnPattern});
  return arn ? ParseChannelArn(*arn) : std::nullopt;
}

std::optional<ChannelName> ReadChannelName(AwsInput& input) {
  const auto name = input.String("ChannelName", {.min = 1, .max = 256, .pattern = kAwsNamePattern});
  const auto arn = input.String("ChannelARN", {.min = 1, .max = kArnMax, .pattern = kChannelArnPattern});
  if (arn) return ParseChannelArn(*arn);
  if (name) return ChannelName{*name, std::nullopt};
  return std::nullopt;
}

AwsError NoChannel() {
  return {"ResourceNotFoundException", "The requested channel is not found or not active.", 404};
}

AwsError OfChannel(Error error) {
  switch (error.code) {
    case ErrorCode::kNotFound:
      return NoChannel();
    case ErrorCode::kAlreadyExists:
      return {"ResourceInUseException", std::move(error.message)};
    case ErrorCode::kFailedPrecondition:
      return {"VersionMismatchException", std::move(error.message)};
    default:
      return error;
  }
}

AwsResult<SignalingChannel> FindChannel(SignalingChannels& channels, const std::optional<ChannelName>& name) {
  if (!name) return AwsError("InvalidArgumentException", "Either ChannelName or ChannelARN is required.");
  auto found = channels.Get(name->name);
  if (!found) return OfChannel(std::move(found).error());
  if (name->created && *name->created != found->created) return NoChannel();
  return std::move(*found);
}

Result<void> AuthorizeChannel(Caller* caller, std::string_view action, SignalingChannels& channels,
                              const AwsIdentity& identity, const std::optional<ChannelName>& name) {
  if (caller == nullptr) return {};
  if (!name) return caller->Check(action, "*");
  const auto channel = channels.Get(name->name);
  return caller->Check(action, identity.ChannelArn(name->name, channel ? channel->created : Timestamp()));
}

Result<void> AuthorizeChannel(Caller* caller, SignalingChannels& channels, const AwsIdentity& identity,
                              const boost::json::object& members) {
  if (caller == nullptr) return {};
  bool named = false;
  for (const char* member : {"ChannelARN", "channelArn", "ResourceARN"}) {
    const auto name = NameIn(members, member);
    if (!name) continue;
    MILLRACE_RETURN_IF_ERROR(AuthorizeChannel(caller, caller->action(), channels, identity, name));
    named = true;
  }
  if (const auto* value = members.if_contains("ChannelName"); value != nullptr && value->is_string()) {
    const ChannelName name{std::string(value->get_string()), std::nullopt};
    MILLRACE_RETURN_IF_ERROR(AuthorizeChannel(caller, caller->action(), channels, identity, name));
    named = true;
  }
  return named ? Result<void>() : caller->Check("*");
}

}  // namespace millrace::api
