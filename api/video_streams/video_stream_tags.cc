// Tags: of streams by their own operations, and of whatever an ARN names by the newer ones.
#include <functional>
#include <string>
#include <tuple>
#include <variant>
#include <vector>

#include "api/aws/aws_names.h"
#include "api/signaling/signaling_names.h"
#include "api/video_streams/video_stream_operations.h"
#include "api/video_streams/video_stream_patterns.h"
#include "wire/json_writer.h"

namespace millrace::api {
namespace {

constexpr std::size_t kKeyCharactersMax = 128;
constexpr std::size_t kValueCharactersMax = 256;
constexpr AwsListRule kTagList{.required = true, .min = 1, .max = kVideoTagsMax};

using Tags = std::map<std::string, std::string>;

AwsStringRule KeyRule() {
  return {.required = true, .min = 1, .max = kKeyCharactersMax, .pattern = kTagKeyPattern};
}

std::vector<std::string> ReadTagKeys(AwsInput& input) {
  return input.Strings("TagKeyList", kTagList, KeyRule());
}

// What ResourceARN names: a stream, or a signaling channel.
using Resource = std::variant<VideoStream, SignalingChannel>;

AwsResult<Resource> FindResource(const VideoStreamServices& services, AwsInput& input) {
  const auto resource = ReadVideoResource(input);
  if (auto bad = input.Finish()) return *bad;
  const AwsError none("ResourceNotFoundException", "There is no resource with this ARN.", 404);
  if (resource->type == "channel" && services.channels != nullptr) {
    auto channel = services.channels->Get(resource->name, resource->created);
    if (channel) return Resource(std::move(*channel));
    if (channel.error().code != ErrorCode::kNotFound) return std::move(channel).error();
    return none;
  }
  if (resource->type != "stream") return none;
  auto stream = services.store.GetStream(resource->name);
  if (!stream && stream.error().code != ErrorCode::kNotFound) return stream.error();
  if (!stream || stream->created != resource->created) return none;
  return Resource(std::move(*stream));
}

// What comes of a resource's tags when `added` are put to them; nothing: they would be too many.
bool AddTo(Tags& tags, const Tags& added) {
  for (const auto& [key, value] : added) tags[key] = value;
  return tags.size() <= kVideoTagsMax;
}
AwsError TooManyTags(const std::string& name) {
  return {"TagsPerResourceExceededLimitException",
          name + " cannot have more than " + std::to_string(kVideoTagsMax) + " tags."};
}

VideoStreamAnswer ChangeChannelTags(const VideoStreamServices& services, const SignalingChannel& channel,
                                    const std::function<bool(Tags&)>& change) {
  auto updated = services.channels->Update(channel.name, channel.created, std::nullopt,
                                           [&](SignalingChannel& changed) -> Result<void> {
                                             if (change(changed.tags)) return {};
                                             return Error{ErrorCode::kResourceExhausted, "too many tags"};
                                           });
  if (updated) return NothingToSay();
  if (updated.error().code == ErrorCode::kResourceExhausted)
    return TooManyTags("The channel " + channel.name);
  return OfChannel(std::move(updated).error());
}

VideoStreamAnswer Add(const VideoStreamServices& services, const VideoStream& stream, const Tags& added) {
  const auto change = [&](StreamSettings& settings) -> std::optional<AwsError> {
    if (AddTo(settings.tags, added)) return std::nullopt;
    return TooManyTags("The stream " + stream.name);
  };
  MILLRACE_ASSIGN_OR_RETURN(const auto updated,
                            ChangeVideoStream(services, stream, std::nullopt, change, /*keep_version=*/true));
  return NothingToSay();
}

// Keys that are not there are no error.
VideoStreamAnswer Remove(const VideoStreamServices& services, const VideoStream& stream,
                         const std::vector<std::string>& keys) {
  const auto change = [&](StreamSettings& settings) -> std::optional<AwsError> {
    for (const std::string& key : keys) settings.tags.erase(key);
    return std::nullopt;
  };
  MILLRACE_ASSIGN_OR_RETURN(const auto updated,
                            ChangeVideoStream(services, stream, std::nullopt, change, /*keep_version=*/true));
  return NothingToSay();
}

std::string TagsJson(const Tags& tags) {
  wire::JsonWriter json;
  json.BeginObject().Key("Tags").BeginObject();
  for (const auto& [key, value] : tags) json.Key(key).String(value);
  json.EndObject().EndObject();
  return std::move(json).Take();
}

// All of a stream's tags are one page, so that no token of this listing was ever given.
VideoStreamAnswer List(const VideoStreamServices& services, const VideoStream& stream,
                       const std::optional<std::string>& token) {
  if (token) return AwsError("InvalidArgumentException", "NextToken is invalid.");
  const auto described = services.store.DescribeStream(stream.name);
  if (!described) return OfVideoStream(described.error());
  return TagsJson((*described)->settings.tags);
}

}  // namespace

std::map<std::string, std::string> ReadVideoTagList(AwsInput& input, const AwsListRule& rule) {
  Tags tags;
  for (AwsInput& tag : input.Structures("Tags", rule)) {
    const auto key = tag.String("Key", KeyRule());
    const auto value =
        tag.String("Value", {.required = true, .max = kValueCharactersMax, .pattern = kTagValuePattern});
    if (key && value) tags[*key] = *value;
  }
  return tags;
}

std::map<std::string, std::string> ReadVideoTags(AwsInput& input, bool required) {
  Tags tags = input.StringMap("Tags", kVideoTagsMax, kKeyCharactersMax, kValueCharactersMax, required);
  for (const auto& [key, value] : tags) {
    for (const auto& [text, pattern, what] : {std::tuple(&key, &kTagKeyPattern, "Map keys"),
                                              std::tuple(&value, &kTagValuePattern, "Map value")}) {
      if (pattern->matches(*text)) continue;
      input.Fail("Tags", *text,
                 std::string(what) +
                     " must satisfy constraint: [Member must satisfy regular expression pattern: " +
                     std::string(pattern->text) + "]");
    }
  }
  return tags;
}

VideoStreamAnswer TagVideoStream(const VideoStreamServices& services, const boost::json::object& object,
                                 const std::string&) {
  AwsInput input(object);
  const Tags tags = ReadVideoTags(input, true);
  MILLRACE_ASSIGN_OR_RETURN(const VideoStream stream, FindVideoStream(services, input));
  return Add(services, stream, tags);
}

VideoStreamAnswer UntagVideoStream(const VideoStreamServices& services, const boost::json::object& object,
                                   const std::string&) {
  AwsInput input(object);
  const auto keys = ReadTagKeys(input);
  MILLRACE_ASSIGN_OR_RETURN(const VideoStream stream, FindVideoStream(services, input));
  return Remove(services, stream, keys);
}

VideoStreamAnswer ListTagsForVideoStream(const VideoStreamServices& services,
                                         const boost::json::object& object, const std::string&) {
  AwsInput input(object);
  const auto token = ReadVideoToken(input);
  MILLRACE_ASSIGN_OR_RETURN(const VideoStream stream, FindVideoStream(services, input));
  return List(services, stream, token);
}

VideoStreamAnswer TagVideoResource(const VideoStreamServices& services, const boost::json::object& object,
                                   const std::string&) {
  AwsInput input(object);
  const Tags tags = ReadVideoTagList(input, kTagList);
  MILLRACE_ASSIGN_OR_RETURN(const Resource resource, FindResource(services, input));
  if (const auto* stream = std::get_if<VideoStream>(&resource)) return Add(services, *stream, tags);
  return ChangeChannelTags(services, std::get<SignalingChannel>(resource),
                           [&](Tags& changed) { return AddTo(changed, tags); });
}

VideoStreamAnswer UntagVideoResource(const VideoStreamServices& services, const boost::json::object& object,
                                     const std::string&) {
  AwsInput input(object);
  const auto keys = ReadTagKeys(input);
  MILLRACE_ASSIGN_OR_RETURN(const Resource resource, FindResource(services, input));
  if (const auto* stream = std::get_if<VideoStream>(&resource)) return Remove(services, *stream, keys);
  return ChangeChannelTags(services, std::get<SignalingChannel>(resource), [&](Tags& changed) {
    for (const std::string& key : keys) changed.erase(key);
    return true;
  });
}

VideoStreamAnswer ListTagsForVideoResource(const VideoStreamServices& services,
                                           const boost::json::object& object, const std::string&) {
  AwsInput input(object);
  const auto token = ReadVideoToken(input);
  MILLRACE_ASSIGN_OR_RETURN(const Resource resource, FindResource(services, input));
  if (const auto* stream = std::get_if<VideoStream>(&resource)) return List(services, *stream, token);
  if (token) return AwsError("InvalidArgumentException", "NextToken is invalid.");
  return TagsJson(std::get<SignalingChannel>(resource).tags);
}

}  // namespace millrace::api
