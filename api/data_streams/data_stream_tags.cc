// Tags, of streams by their old operations, and of streams and registered consumers by the newer ones.
#include <algorithm>

#include "api/aws/aws_input.h"
#include "api/data_streams/data_stream_operations.h"
#include "api/data_streams/shard_limits.h"

namespace millrace::api {
namespace {

constexpr std::size_t kTagsMax = 50;  // of one stream or consumer
constexpr std::size_t kTagsInRequestMax = 200;
constexpr std::size_t kKeyCharactersMax = 128;
constexpr std::size_t kValueCharactersMax = 256;

// Letters beyond ASCII are taken to be letters, as the service does.
bool IsTagCharacter(char c) {
  const auto u = static_cast<unsigned char>(c);
  return u >= 0x80 || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         std::string_view(" \t\r\n_.,/:=+-@").find(c) != std::string_view::npos;
}

bool AllTagCharacters(std::string_view text) { return std::all_of(text.begin(), text.end(), IsTagCharacter); }

// '%' passes the first of the service's two checks, and not the second.
bool IsTagText(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c == '%' || IsTagCharacter(c); });
}

AwsError InvalidCharacters() {
  return InvalidArgument(
      "Some tags contain invalid characters. Valid characters: Unicode letters, digits, white space, _ . / = "
      "+ - % @.");
}

std::optional<AwsError> CheckKeys(const std::vector<std::string>& keys) {
  if (std::all_of(keys.begin(), keys.end(), IsTagText)) return std::nullopt;
  return InvalidCharacters();
}

TagMap ReadTags(AwsInput& input) {
  return input.StringMap("Tags", kTagsInRequestMax, kKeyCharactersMax, kValueCharactersMax, true);
}

std::vector<std::string> ReadTagKeys(AwsInput& input) {
  return input.Strings("TagKeys", {.required = true, .min = 1, .max = kTagsMax},
                       {.min = 1, .max = kKeyCharactersMax});
}

void WriteTags(AwsOutput& output, TagMap::const_iterator at, TagMap::const_iterator end) {
  output.Key("Tags").BeginArray();
  for (; at != end; ++at) {
    output.BeginObject().Key("Key").String(at->first).Key("Value").String(at->second).EndObject();
  }
  output.EndArray();
}

std::optional<AwsError> Add(const DataStreamServices& services, const DataResourceName& resource,
                            const TagMap& added) {
  return ChangeAttributes(services, resource, [&](ResourceAttributes& attributes) -> std::optional<AwsError> {
    const std::string& name = resource.consumer.empty() ? resource.stream.name : resource.consumer;
    if (auto bad = CheckTags(services, name, attributes.tags, added)) return bad;
    for (const auto& [key, value] : added) attributes.tags[key] = value;
    return std::nullopt;
  });
}

// Keys that are not there are no error.
std::optional<AwsError> Remove(const DataStreamServices& services, const DataResourceName& resource,
                               const std::vector<std::string>& keys) {
  if (auto bad = CheckKeys(keys)) return bad;
  return ChangeAttributes(services, resource, [&](ResourceAttributes& attributes) -> std::optional<AwsError> {
    for (const std::string& key : keys) attributes.tags.erase(key);
    return std::nullopt;
  });
}

AwsAnswer AnswerOf(std::optional<AwsError> error) {
  if (error) return std::move(*error);
  return std::string();
}

}  // namespace

std::optional<AwsError> CheckTags(const DataStreamServices& services, const std::string& name,
                                  const TagMap& tags, const TagMap& added) {
  std::size_t count = tags.size();
  bool all = true;
  for (const auto& [key, value] : added) {
    if (!IsTagText(key) || !IsTagText(value)) return InvalidCharacters();
    if (key == kLimitsTag) {
      const auto limits = ParseShardLimits(value, ShardLimits());
      if (!limits) return InvalidArgument("Tag " + key + ": " + limits.error().message + ".");
    }
    all = all && AllTagCharacters(key) && AllTagCharacters(value);
    if (!tags.contains(key)) ++count;
  }
  const std::string failed =
      "Failed to add tags to stream " + name + " under account " + services.identity.account + " because ";
  if (!all) {
    return InvalidArgument(failed +
                           "some tags contained illegal characters. The allowed characters are Unicode "
                           "letters, white-spaces, '_',',','/','=','+','-','@'.");
  }
  if (count > kTagsMax) {
    return InvalidArgument(failed + "a given stream cannot have more than " + std::to_string(kTagsMax) +
                           " tags associated with it.");
  }
  return std::nullopt;
}

AwsAnswer AddTagsToStream(const DataStreamServices& services, const DataStreamRequest& request) {
  AwsInput input(request.members);
  const auto named = ReadDataStreamName(input);
  const TagMap tags = ReadTags(input);
  if (auto bad = input.Finish()) return *bad;
  if (!named) return NoDataStreamNamed();
  return AnswerOf(Add(services, {*named, {}, 0}, tags));
}

AwsAnswer RemoveTagsFromStream(const DataStreamServices& services, const DataStreamRequest& request) {
  AwsInput input(request.members);
  const auto named = ReadDataStreamName(input);
  const auto keys = ReadTagKeys(input);
  if (auto bad = input.Finish()) return *bad;
  if (!named) return NoDataStreamNamed();
  return AnswerOf(Remove(services, {*named, {}, 0}, keys));
}

AwsAnswer ListTagsForStream(const DataStreamServices& services, const DataStreamRequest& request) {
  AwsInput input(request.members);
  const auto named = ReadDataStreamName(input);
  const auto after = input.String("ExclusiveStartTagKey", {.min = 1, .max = kKeyCharactersMax});
  const auto limit = input.Integer("Limit", {.min = 1, .max = kTagsMax});
  if (auto bad = input.Finish()) return *bad;
  if (!named) return NoDataStreamNamed();
  MILLRACE_ASSIGN_OR_RETURN(const ResourceAttributes attributes, AttributesOf(services, {*named, {}, 0}));
  const TagMap& tags = attributes.tags;
  const auto begin = after ? tags.upper_bound(*after) : tags.begin();
  const auto count = std::min<std::ptrdiff_t>(std::distance(begin, tags.end()),
                                              static_cast<std::ptrdiff_t>(limit.value_or(kTagsMax)));
  const auto end = std::next(begin, count);
  AwsOutput output(request.encoding, 1024);
  output.BeginObject();
  WriteTags(output, begin, end);
  output.Key("HasMoreTags").Bool(end != tags.end()).EndObject();
  return std::move(output).Take();
}

AwsAnswer TagResource(const DataStreamServices& services, const DataStreamRequest& request) {
  AwsInput input(request.members);
  const auto resource = ReadDataResource(input);
  const TagMap tags = ReadTags(input);
  if (auto bad = input.Finish()) return *bad;
  return AnswerOf(Add(services, *resource, tags));
}

AwsAnswer UntagResource(const DataStreamServices& services, const DataStreamRequest& request) {
  AwsInput input(request.members);
  const auto resource = ReadDataResource(input);
  const auto keys = ReadTagKeys(input);
  if (auto bad = input.Finish()) return *bad;
  return AnswerOf(Remove(services, *resource, keys));
}

AwsAnswer ListTagsForResource(const DataStreamServices& services, const DataStreamRequest& request) {
  AwsInput input(request.members);
  const auto resource = ReadDataResource(input);
  if (auto bad = input.Finish()) return *bad;
  MILLRACE_ASSIGN_OR_RETURN(const ResourceAttributes attributes, AttributesOf(services, *resource));
  AwsOutput output(request.encoding, 1024);
  output.BeginObject();
  WriteTags(output, attributes.tags.begin(), attributes.tags.end());
  output.EndObject();
  return std::move(output).Take();
}

}  // namespace millrace::api
