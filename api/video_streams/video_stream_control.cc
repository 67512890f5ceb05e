// Making, describing, listing, changing and deleting video streams.
#include <algorithm>
#include <array>
#include <chrono>
#include <string>

#include "api/aws/listing_token.h"
#include "api/video_streams/video_stream_operations.h"
#include "api/video_streams/video_stream_patterns.h"
#include "wire/json_writer.h"

namespace millrace::api {
namespace {

constexpr std::int64_t kRetentionHoursMax = 87'600;
constexpr std::size_t kStreamsMax = 10'000;
constexpr std::int64_t kPageMax = 10'000;
constexpr ListingKind kStreamListing{"list-video-streams-1", {}};
constexpr std::array<std::string_view, 1> kComparisons{"BEGINS_WITH"};
constexpr std::array<std::string_view, 2> kTiers{"HOT", "WARM"};
constexpr std::array<std::string_view, 2> kRetentionOperations{"INCREASE_DATA_RETENTION",
                                                               "DECREASE_DATA_RETENTION"};
constexpr std::string_view kIncrease = kRetentionOperations[0];

std::optional<std::string> ReadDeviceName(AwsInput& input) {
  return input.String("DeviceName", {.min = 1, .max = 128, .pattern = kAwsNamePattern});
}
std::optional<std::string> ReadMediaType(AwsInput& input) {
  return input.String("MediaType", {.min = 1, .max = 128, .pattern = kMediaTypePattern});
}

std::int64_t Hours(Duration retention) {
  return std::chrono::duration_cast<std::chrono::hours>(retention).count();
}

void WriteText(wire::JsonWriter& json, const char* name, const std::string& text) {
  if (!text.empty()) json.Key(name).String(text);
}

void WriteStream(wire::JsonWriter& json, const AwsIdentity& identity, const StreamDescription& stream) {
  json.BeginObject();
  WriteText(json, "DeviceName", stream.settings.device_name);
  json.Key("StreamName").String(stream.name);
  json.Key("StreamARN").String(identity.VideoStreamArn(stream.name, stream.created));
  WriteText(json, "MediaType", stream.settings.media_type);
  WriteText(json, "KmsKeyId", stream.settings.kms_key_id);
  json.Key("Version").String(stream.Version());
  json.Key("Status").String("ACTIVE");
  json.Key("CreationTime").Seconds(stream.created);
  json.Key("DataRetentionInHours").Integer(Hours(stream.settings.retention));
  json.EndObject();
}

}  // namespace

AwsResult<StreamDescriptionPtr> ChangeVideoStream(const VideoStreamServices& services,
                                                  const VideoStream& stream,
                                                  const std::optional<std::string>& version,
                                                  const SettingsChange& change, bool keep_version) {
  std::optional<AwsError> refused;
  StreamUpdate update;
  update.condition = {.created = stream.created, .version = version};
  update.keep_version = keep_version;
  update.change = [&](StreamSettings& settings) -> Result<void> {
    refused = change(settings);
    if (refused) return Error{ErrorCode::kCancelled, refused->message};
    return {};
  };
  auto updated = services.store.UpdateStream(stream.name, update);
  if (updated) return std::move(*updated);
  if (refused) return std::move(*refused);
  if (updated.error().code == ErrorCode::kFailedPrecondition) {
    return AwsError("VersionMismatchException", std::move(updated).error().message);
  }
  return OfVideoStream(std::move(updated).error());
}

AwsResult<StreamDescriptionPtr> DescribeNamedStream(const VideoStreamServices& services, AwsInput& input) {
  MILLRACE_ASSIGN_OR_RETURN(const VideoStream stream, FindVideoStream(services, input));
  auto described = services.store.DescribeStream(stream.name);
  if (!described) return OfVideoStream(std::move(described).error());
  if ((*described)->created != stream.created) return NoVideoStream();
  return std::move(*described);
}

std::optional<std::string> ReadCurrentVersion(AwsInput& input, bool required) {
  return input.String("CurrentVersion",
                      {.required = required, .min = 1, .max = 64, .pattern = kVideoVersionPattern});
}

std::optional<StorageTier> ReadStorageTier(AwsInput& input, bool required) {
  auto configuration = input.Structure("StreamStorageConfiguration", required);
  if (!configuration) return std::nullopt;
  const auto tier = configuration->String("DefaultStorageTier", {.required = true, .values = kTiers});
  return tier == "WARM" ? StorageTier::kWarm : StorageTier::kHot;
}

std::optional<std::string> ReadVideoToken(AwsInput& input) {
  auto token = input.String("NextToken", {.max = 1024, .pattern = kVideoTokenPattern});
  if (token && token->empty()) token.reset();
  return token;
}

VideoStreamAnswer CreateVideoStream(const VideoStreamServices& services, const boost::json::object& object,
                                    const std::string&) {
  AwsInput input(object);
  const auto name =
      input.String("StreamName", {.required = true, .min = 1, .max = 256, .pattern = kAwsNamePattern});
  const auto hours = input.Integer("DataRetentionInHours", {.min = 0, .max = kRetentionHoursMax});
  StreamSettings settings;
  settings.retention = std::chrono::hours(hours.value_or(0));
  settings.device_name = ReadDeviceName(input).value_or("");
  settings.media_type = ReadMediaType(input).value_or("");
  settings.kms_key_id =
      input.String("KmsKeyId", {.min = 1, .max = 2048, .pattern = kKmsKeyIdPattern}).value_or("");
  settings.tags = ReadVideoTags(input, false);
  settings.storage_tier = ReadStorageTier(input, false).value_or(StorageTier::kHot);
  if (auto bad = input.Finish()) return *bad;
  if (services.store.FindStreams({.limit = kStreamsMax}).size() == kStreamsMax) {
    return AwsError("AccountStreamLimitExceededException",
                    "There are " + std::to_string(kStreamsMax) + " streams already.");
  }
  const auto stream = services.store.CreateStream(*name, std::move(settings));
  if (!stream && stream.error().code == ErrorCode::kAlreadyExists) {
    return AwsError("ResourceInUseException", "The stream " + *name + " already exists.");
  }
  if (!stream) return stream.error();
  wire::JsonWriter json;
  json.BeginObject();
  json.Key("StreamARN").String(services.identity.VideoStreamArn(stream->name, stream->created));
  json.EndObject();
  return std::move(json).Take();
}

VideoStreamAnswer DescribeVideoStream(const VideoStreamServices& services, const boost::json::object& object,
                                      const std::string&) {
  AwsInput input(object);
  MILLRACE_ASSIGN_OR_RETURN(const StreamDescriptionPtr stream, DescribeNamedStream(services, input));
  wire::JsonWriter json;
  json.BeginObject().Key("StreamInfo");
  WriteStream(json, services.identity, *stream);
  json.EndObject();
  return std::move(json).Take();
}

VideoStreamAnswer ListVideoStreams(const VideoStreamServices& services, const boost::json::object& object,
                                   const std::string&) {
  AwsInput input(object);
  const auto limit = input.Integer("MaxResults", {.min = 1, .max = kPageMax});
  const auto token = ReadVideoToken(input);
  StreamQuery query;
  if (auto condition = input.Structure("StreamNameCondition")) {
    (void)condition->String("ComparisonOperator", {.values = kComparisons});
    query.prefix =
        condition->String("ComparisonValue", {.min = 1, .max = 256, .pattern = kAwsNamePattern}).value_or("");
  }
  if (auto bad = input.Finish()) return *bad;
  if (token) {
    MILLRACE_ASSIGN_OR_RETURN(const auto place,
                              OpenNextToken(services.sealer, kStreamListing, *token, services.clock.Now()));
    query.prefix = std::string(place.at("prefix").as_string());
    query.after = std::string(place.at("after").as_string());
  }
  const auto count = static_cast<std::size_t>(limit.value_or(kPageMax));
  query.limit = count + 1;
  auto found = services.store.FindStreams(query);
  const bool more = found.size() > count;
  if (more) found.resize(count);
  wire::JsonWriter json(64 + found.size() * 320);
  json.BeginObject().Key("StreamInfoList").BeginArray();
  for (const StreamDescriptionPtr& stream : found) WriteStream(json, services.identity, *stream);
  json.EndArray();
  if (more) {
    boost::json::object place;
    place["prefix"] = query.prefix;
    place["after"] = found.back()->name;
    json.Key("NextToken")
        .String(SealNextToken(services.sealer, kStreamListing, std::move(place), services.clock.Now()));
  }
  json.EndObject();
  return std::move(json).Take();
}

VideoStreamAnswer UpdateVideoStream(const VideoStreamServices& services, const boost::json::object& object,
                                    const std::string&) {
  AwsInput input(object);
  const auto version = ReadCurrentVersion(input, true);
  const auto device_name = ReadDeviceName(input);
  const auto media_type = ReadMediaType(input);
  MILLRACE_ASSIGN_OR_RETURN(const VideoStream stream, FindVideoStream(services, input));
  const auto change = [&](StreamSettings& settings) -> std::optional<AwsError> {
    if (device_name) settings.device_name = *device_name;
    if (media_type) settings.media_type = *media_type;
    return std::nullopt;
  };
  MILLRACE_ASSIGN_OR_RETURN(const auto updated, ChangeVideoStream(services, stream, version, change));
  return NothingToSay();
}

VideoStreamAnswer UpdateDataRetention(const VideoStreamServices& services, const boost::json::object& object,
                                      const std::string&) {
  AwsInput input(object);
  const auto version = ReadCurrentVersion(input, true);
  const auto operation = input.String("Operation", {.required = true, .values = kRetentionOperations});
  const auto by = input.Integer("DataRetentionChangeInHours", {.required = true, .min = 1});
  MILLRACE_ASSIGN_OR_RETURN(const VideoStream stream, FindVideoStream(services, input));
  const auto change = [&](StreamSettings& settings) -> std::optional<AwsError> {
    const std::int64_t before = Hours(settings.retention);
    const std::int64_t step = std::min(*by, kRetentionHoursMax + 1);
    const std::int64_t after = *operation == kIncrease ? before + step : before - step;
    if (after < 0 || after > kRetentionHoursMax) {
      return AwsError("InvalidArgumentException", "The data retention is " + std::to_string(before) +
                                                      " hours; it must stay between 0 and " +
                                                      std::to_string(kRetentionHoursMax) + " hours.");
    }
    settings.retention = std::chrono::hours(after);
    return std::nullopt;
  };
  MILLRACE_ASSIGN_OR_RETURN(const auto updated, ChangeVideoStream(services, stream, version, change));
  return NothingToSay();
}

VideoStreamAnswer DeleteVideoStream(const VideoStreamServices& services, const boost::json::object& object,
                                    const std::string&) {
  AwsInput input(object);
  if (!object.contains("StreamARN")) (void)input.String("StreamARN", {.required = true});
  const auto version = ReadCurrentVersion(input, false);
  MILLRACE_ASSIGN_OR_RETURN(const VideoStream stream, FindVideoStream(services, input));
  if (const auto described = services.store.DescribeStream(stream.name);
      described && (*described)->settings.edge) {
    return AwsError(
        "ResourceInUseException",
        "The stream " + stream.name + " has an edge configuration: DeleteEdgeConfiguration first.");
  }
  if (const auto camera = services.camera_of ? services.camera_of(stream.name) : std::nullopt) {
    return AwsError("ResourceInUseException", "The stream " + stream.name + " is fed by the camera " +
                                                  *camera + ": remove the camera first.");
  }
  auto deleted = services.store.DeleteStream(stream.name, {.created = stream.created, .version = version});
  if (deleted) return NothingToSay();
  // The store says the same of a stream of which footage is held: that one is in use.
  if (const auto now = services.store.DescribeStream(stream.name);
      deleted.error().code == ErrorCode::kFailedPrecondition && version && now &&
      (*now)->Version() != *version) {
    return AwsError("VersionMismatchException", std::move(deleted).error().message);
  }
  return OfVideoStream(std::move(deleted).error());
}

}  // namespace millrace::api
