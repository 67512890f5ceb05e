// What is set for a video stream beside itself: notifications, image generation, storage, its source.
#include <array>
#include <charconv>
#include <string>

#include "api/signaling/signaling_channels.h"
#include "api/video_streams/video_stream_operations.h"
#include "api/video_streams/video_stream_patterns.h"
#include "wire/json_writer.h"

namespace millrace::api {
namespace {

constexpr std::array<std::string_view, 2> kStatuses{"ENABLED", "DISABLED"};
constexpr char kQuality[] = "JPEGQuality";
constexpr std::int64_t kSamplingMsMax = 20'000;

bool ReadEnabled(AwsInput& input) {
  return input.String("Status", {.required = true, .values = kStatuses}) == kStatuses[0];
}
std::string ReadUri(AwsInput& destination) {
  return destination
      .String("Uri", {.required = true, .min = 1, .max = 255, .pattern = kDestinationUriPattern})
      .value_or("");
}

NotificationConfiguration ReadNotification(AwsInput& input) {
  NotificationConfiguration notification;
  notification.enabled = ReadEnabled(input);
  if (auto destination = input.Structure("DestinationConfig", true)) {
    notification.destination_uri = ReadUri(*destination);
  }
  return notification;
}

bool IsQuality(const std::string& text) {
  int quality = 0;
  const char* end = text.data() + text.size();
  const auto [at, ec] = std::from_chars(text.data(), end, quality);
  return ec == std::errc() && at == end && quality >= 1 && quality <= 100;
}

std::map<std::string, std::string> ReadFormatConfig(AwsInput& input) {
  auto config = input.StringMap("FormatConfig", 1, 256, 256);
  for (const auto& [key, value] : config) {
    if (key != kQuality) {
      input.Fail("FormatConfig", key,
                 "Map keys must satisfy constraint: [Member must satisfy enum value set: [JPEGQuality]]");
    } else if (!kFormatConfigValuePattern.matches(value)) {
      input.Fail("FormatConfig", value,
                 "Map value must satisfy constraint: [Member must satisfy regular expression pattern: " +
                     std::string(kFormatConfigValuePattern.text) + "]");
    } else if (!IsQuality(value)) {
      input.Fail("FormatConfig", value, "JPEGQuality is a number from 1 to 100");
    }
  }
  return config;
}

std::optional<std::uint32_t> ReadPixels(AwsInput& input, const char* name, std::int64_t max) {
  const auto pixels = input.Integer(name, {.min = 1, .max = max});
  if (!pixels) return std::nullopt;
  return static_cast<std::uint32_t>(*pixels);
}

ImageGenerationConfiguration ReadImageGeneration(AwsInput& input) {
  ImageGenerationConfiguration images;
  images.enabled = ReadEnabled(input);
  images.by_server_time = input.String("ImageSelectorType",
                                       {.required = true, .values = kTimestampSelectors}) == kServerTimestamp;
  if (auto destination = input.Structure("DestinationConfig", true)) {
    images.destination_uri = ReadUri(*destination);
    images.destination_region =
        destination
            ->String("DestinationRegion",
                     {.required = true, .min = 9, .max = 14, .pattern = kDestinationRegionPattern})
            .value_or("");
  }
  images.sampling_interval_ms = static_cast<std::uint32_t>(
      input.Integer("SamplingInterval", {.required = true, .min = kSamplingMsMin, .max = kSamplingMsMax})
          .value_or(kSamplingMsMin));
  images.format = input.String("Format", {.required = true, .values = kImageFormats}) == kPngFormat
                      ? ImageFormat::kPng
                      : ImageFormat::kJpeg;
  images.format_config = ReadFormatConfig(input);
  images.width_px = ReadPixels(input, "WidthPixels", 3840);
  images.height_px = ReadPixels(input, "HeightPixels", 2160);
  return images;
}

void WriteStatus(wire::JsonWriter& json, bool enabled) {
  json.Key("Status").String(kStatuses[enabled ? 0 : 1]);
}

void WriteNotification(wire::JsonWriter& json, const NotificationConfiguration& notification) {
  json.Key("NotificationConfiguration").BeginObject();
  WriteStatus(json, notification.enabled);
  json.Key("DestinationConfig").BeginObject().Key("Uri").String(notification.destination_uri).EndObject();
  json.EndObject();
}

void WriteImageGeneration(wire::JsonWriter& json, const ImageGenerationConfiguration& images) {
  json.Key("ImageGenerationConfiguration").BeginObject();
  WriteStatus(json, images.enabled);
  json.Key("ImageSelectorType").String(images.by_server_time ? kServerTimestamp : kProducerTimestamp);
  json.Key("DestinationConfig").BeginObject();
  json.Key("Uri").String(images.destination_uri);
  json.Key("DestinationRegion").String(images.destination_region);
  json.EndObject();
  json.Key("SamplingInterval").Unsigned(images.sampling_interval_ms);
  json.Key("Format").String(images.format == ImageFormat::kPng ? kPngFormat : kJpegFormat);
  if (!images.format_config.empty()) {
    json.Key("FormatConfig").BeginObject();
    for (const auto& [key, value] : images.format_config) json.Key(key).String(value);
    json.EndObject();
  }
  if (images.width_px) json.Key("WidthPixels").Unsigned(*images.width_px);
  if (images.height_px) json.Key("HeightPixels").Unsigned(*images.height_px);
  json.EndObject();
}

// Sets one of the two, or removes it where the request has none.
template <typename Configuration>
VideoStreamAnswer Configure(const VideoStreamServices& services, AwsInput& input,
                            std::optional<Configuration> wanted,
                            std::optional<Configuration> StreamSettings::*member) {
  MILLRACE_ASSIGN_OR_RETURN(const VideoStream stream, FindVideoStream(services, input));
  const auto change = [&](StreamSettings& settings) -> std::optional<AwsError> {
    if (wanted && settings.retention == Duration{0}) return NoDataRetention(stream);
    settings.*member = std::move(wanted);
    return std::nullopt;
  };
  MILLRACE_ASSIGN_OR_RETURN(const auto updated, ChangeVideoStream(services, stream, std::nullopt, change));
  return NothingToSay();
}

template <typename Configuration, typename Write>
VideoStreamAnswer Describe(const VideoStreamServices& services, const boost::json::object& object,
                           std::optional<Configuration> StreamSettings::*member, Write write) {
  AwsInput input(object);
  MILLRACE_ASSIGN_OR_RETURN(const StreamDescriptionPtr stream, DescribeNamedStream(services, input));
  wire::JsonWriter json;
  json.BeginObject();
  if (stream->settings.*member) write(json, *(stream->settings.*member));
  json.EndObject();
  return std::move(json).Take();
}

}  // namespace

VideoStreamAnswer DescribeNotificationConfiguration(const VideoStreamServices& services,
                                                    const boost::json::object& object, const std::string&) {
  return Describe(services, object, &StreamSettings::notification, WriteNotification);
}

VideoStreamAnswer UpdateNotificationConfiguration(const VideoStreamServices& services,
                                                  const boost::json::object& object, const std::string&) {
  AwsInput input(object);
  std::optional<NotificationConfiguration> wanted;
  if (auto configuration = input.Structure("NotificationConfiguration")) {
    wanted = ReadNotification(*configuration);
  }
  return Configure(services, input, std::move(wanted), &StreamSettings::notification);
}

VideoStreamAnswer DescribeImageGenerationConfiguration(const VideoStreamServices& services,
                                                       const boost::json::object& object,
                                                       const std::string&) {
  return Describe(services, object, &StreamSettings::image_generation, WriteImageGeneration);
}

VideoStreamAnswer UpdateImageGenerationConfiguration(const VideoStreamServices& services,
                                                     const boost::json::object& object, const std::string&) {
  AwsInput input(object);
  std::optional<ImageGenerationConfiguration> wanted;
  if (auto configuration = input.Structure("ImageGenerationConfiguration")) {
    wanted = ReadImageGeneration(*configuration);
  }
  return Configure(services, input, std::move(wanted), &StreamSettings::image_generation);
}

VideoStreamAnswer DescribeStreamStorageConfiguration(const VideoStreamServices& services,
                                                     const boost::json::object& object, const std::string&) {
  AwsInput input(object);
  MILLRACE_ASSIGN_OR_RETURN(const StreamDescriptionPtr stream, DescribeNamedStream(services, input));
  wire::JsonWriter json;
  json.BeginObject();
  json.Key("StreamName").String(stream->name);
  json.Key("StreamARN").String(services.identity.VideoStreamArn(stream->name, stream->created));
  json.Key("StreamStorageConfiguration").BeginObject();
  json.Key("DefaultStorageTier").String(stream->settings.storage_tier == StorageTier::kWarm ? "WARM" : "HOT");
  json.EndObject().EndObject();
  return std::move(json).Take();
}

VideoStreamAnswer UpdateStreamStorageConfiguration(const VideoStreamServices& services,
                                                   const boost::json::object& object, const std::string&) {
  AwsInput input(object);
  const auto version = ReadCurrentVersion(input, true);
  const auto tier = ReadStorageTier(input, true);
  MILLRACE_ASSIGN_OR_RETURN(const VideoStream stream, FindVideoStream(services, input));
  const auto change = [&](StreamSettings& settings) -> std::optional<AwsError> {
    settings.storage_tier = *tier;
    return std::nullopt;
  };
  MILLRACE_ASSIGN_OR_RETURN(const auto updated, ChangeVideoStream(services, stream, version, change));
  return NothingToSay();
}

// No signalling channel feeds a stream here.
VideoStreamAnswer DescribeMappedResourceConfiguration(const VideoStreamServices& services,
                                                      const boost::json::object& object, const std::string&) {
  AwsInput input(object);
  (void)input.Integer("MaxResults", {.min = 1, .max = 1});
  const auto token = ReadVideoToken(input);
  MILLRACE_ASSIGN_OR_RETURN(const VideoStream stream, FindVideoStream(services, input));
  if (token) return AwsError("InvalidArgumentException", "NextToken is invalid.");
  std::optional<SignalingChannel> channel;
  if (services.channels != nullptr) {
    MILLRACE_ASSIGN_OR_RETURN(channel, services.channels->FindByStream(stream.name, stream.created));
  }
  wire::JsonWriter json;
  json.BeginObject().Key("MappedResourceConfigurationList").BeginArray();
  if (channel) {
    json.BeginObject().Key("Type").String("KINESIS_VIDEO_SIGNALING_CHANNEL");
    json.Key("ARN").String(services.identity.ChannelArn(channel->name, channel->created)).EndObject();
  }
  json.EndArray().EndObject();
  return std::move(json).Take();
}

}  // namespace millrace::api
