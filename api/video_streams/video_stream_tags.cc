// Tags: of streams by their own operations, and of whatever an ARN names by the newer ones.
#include <string>
#include <tuple>
#include <vector>

#include "api/aws/aws_names.h"
#include "api/video_streams/video_stream_operations.h"
#include "api/video_streams/video_stream_patterns.h"
#include "wire/json_writer.h"

namespace millrace::api {
namespace {

constexpr std::size_t kTagsMax = 50;  // of one resource, and of one request
constexpr std::size_t kKeyCharactersMax = 128;
constexpr std::size_t kValueCharactersMax = 256;
constexpr AwsListRule kTagList{.required = true, .min = 1, .max = kTagsMax};

using Tags = std::map<std::string, std::string>;

AwsStringRule KeyRule() {
  return {.required = true, .min = 1, .max = kKeyCharactersMax, .pattern = kTagKeyPattern};
}

// A list of keys and values; of one key that comes twice, the last value counts.
Tags ReadTagList(AwsInput& input) {
  Tags tags;
  for (AwsInput& tag : input.Structures("Tags", kTagList)) {
    const auto key = tag.String("Key", KeyRule());
    const auto value =
        tag.String("Value", {.required = true, .max = kValueCharactersMax, .pattern = kTagValuePattern});
    if (key && value) tags[*key] = *value;
  }
  return tags;
}

std::vector<std::string> ReadTagKeys(AwsInput& input) {
  return input.Strings("TagKeyList", kTagList, KeyRule());
}

// The stream that ResourceARN names; nothing else has tags here, and so nothing else is found.
AwsResult<VideoStream> FindResource(const VideoStreamServices& services, AwsInput& input) {
  const auto resource = ReadVideoResource(input);
  if (auto bad = input.Finish()) return *bad;
  const AwsError none("ResourceNotFoundException", "There is no resource with this ARN.", 404);
  if (resource->type != "stream") return none;
  auto stream = services.store.GetStream(resource->name);
  if (!stream && stream.error().code != ErrorCode::kNotFound) return stream.error();
  if (!stream || stream->created != resource->created) return none;
  return std::move(*stream);
}

VideoStreamAnswer Add(const VideoStreamServices& services, const VideoStream& stream, const Tags& added) {
  const auto change = [&](StreamSettings& settings) -> std::optional<AwsError> {
    for (const auto& [key, value] : added) settings.tags[key] = value;
    if (settings.tags.size() <= kTagsMax) return std::nullopt;
    return AwsError(
        "TagsPerResourceExceededLimitException",
        "The stream " + stream.name + " cannot have more than " + std::to_string(kTagsMax) + " tags.");
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

// All of a stream's tags are one page, so that no token of this listing was ever given.
VideoStreamAnswer List(const VideoStreamServices& services, const VideoStream& stream,
                       const std::optional<std::string>& token) {
  if (token) return AwsError("InvalidArgumentException", "NextToken is invalid.");
  const auto described = services.store.DescribeStream(stream.name);
  if (!described) return OfVideoStream(described.error());
  wire::JsonWriter json;
  json.BeginObject().Key("Tags").BeginObject();
  for (const auto& [key, value] : (*described)->settings.tags) json.Key(key).String(value);
  json.EndObject().EndObject();
  return std::move(json).Take();
}

}  // namespace

std::map<std::string, std::string> ReadVideoTags(AwsInput& input, bool required) {
  Tags tags = input.StringMap("Tags", kTagsMax, kKeyCharactersMax, kValueCharactersMax, required);
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
  const Tags tags = ReadTagList(input);
  MILLRACE_ASSIGN_OR_RETURN(const VideoStream stream, FindResource(services, input));
  return Add(services, stream, tags);
}

VideoStreamAnswer UntagVideoResource(const VideoStreamServices& services, const boost::json::object& object,
                                     const std::string&) {
  AwsInput input(object);
  const auto keys = ReadTagKeys(input);
  MILLRACE_ASSIGN_OR_RETURN(const VideoStream stream, FindResource(services, input));
  return Remove(services, stream, keys);
}

VideoStreamAnswer ListTagsForVideoResource(const VideoStreamServices& services,
                                           const boost::json::object& object, const std::string&) {
  AwsInput input(object);
  const auto token = ReadVideoToken(input);
  MILLRACE_ASSIGN_OR_RETURN(const VideoStream stream, FindResource(services, input));
  return List(services, stream, token);
}

}  // namespace millrace::api
