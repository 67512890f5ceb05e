// What a video stream is: who it is, what is set for it, and the version of that.
//
// The settings are kept beside the stream's fragments (fragments/stored_stream.h) and are changed as a whole
// by FragmentStore::UpdateStream: whoever needs another setting adds a member here and there, and no method.
//
// Units:   retentions and intervals in their members' types; texts are UTF-8.
// Threads: plain values; a description that the store gave out never changes.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "base/time.h"

namespace millrace {

// As whoever made the stream asked for it: kept and told. All footage lies on the same disk here.
enum class StorageTier : std::uint8_t { kHot, kWarm };

// Whoever is told of the fragments that ask for it by a tag, once they are durable.
struct NotificationConfiguration {
  bool enabled = false;
  std::string destination_uri{};
  friend bool operator==(const NotificationConfiguration&, const NotificationConfiguration&) = default;
};

enum class ImageFormat : std::uint8_t { kJpeg, kPng };

// The pictures that are made of the fragments that ask for it by a tag.
struct ImageGenerationConfiguration {
  bool enabled = false;
  bool by_server_time = false;  // else by producer time
  std::string destination_uri{};
  std::string destination_region{};
  std::uint32_t sampling_interval_ms = 0;
  ImageFormat format = ImageFormat::kJpeg;
  std::map<std::string, std::string> format_config{};  // {"JPEGQuality": "80"}
  std::optional<std::uint32_t> width_px{};             // one of the two alone keeps the picture's form
  std::optional<std::uint32_t> height_px{};
  friend bool operator==(const ImageGenerationConfiguration&, const ImageGenerationConfiguration&) = default;
};

// When something is done: from each time of a Quartz cron expression on, for so long.
struct EdgeSchedule {
  std::string expression{};
  std::uint32_t duration_s = 0;
  friend bool operator==(const EdgeSchedule&, const EdgeSchedule&) = default;
};

enum class WhenFull : std::uint8_t { kDeleteOldest, kDenyNew };

// What is deleted when. Members that were left out are told as left out.
struct EdgeDeletion {
  std::optional<std::uint32_t> retention_hours{};
  struct LocalSize {
    std::optional<std::uint32_t> mb_max{};
    std::optional<WhenFull> when_full{};
    friend bool operator==(const LocalSize&, const LocalSize&) = default;
  };
  std::optional<LocalSize> local_size{};
  std::optional<bool> after_upload{};
  friend bool operator==(const EdgeDeletion&, const EdgeDeletion&) = default;
};

// The camera that the stream is recorded from, as the edge operations of Kinesis Video Streams name it.
struct EdgeConfiguration {
  std::string hub_device_arn{};
  std::string media_uri_secret_arn{};               // names the secret that holds the camera's URL
  bool from_file = false;                           // a FILE_URI; else an RTSP_URI
  std::optional<EdgeSchedule> recorder_schedule{};  // none: always
  std::optional<EdgeSchedule> uploader_schedule{};
  std::optional<EdgeDeletion> deletion{};
  Timestamp created{};
  Timestamp updated{};
  friend bool operator==(const EdgeConfiguration&, const EdgeConfiguration&) = default;
};

struct StreamSettings {
  Duration retention{0};  // 0 to 87600 h
  // Said by whoever made the stream; they change nothing in how it is kept.
  std::string device_name;
  std::string media_type;  // "video/h264,audio/aac"
  std::string kms_key_id;
  StorageTier storage_tier = StorageTier::kHot;
  std::map<std::string, std::string> tags;
  std::optional<NotificationConfiguration> notification;
  std::optional<ImageGenerationConfiguration> image_generation;
  std::optional<EdgeConfiguration> edge;
  friend bool operator==(const StreamSettings&, const StreamSettings&) = default;
};

struct StreamDescription {
  std::string name{};
  Timestamp created{};         // whole ms; with the name, the stream's identity
  std::uint64_t revision = 1;  // one more with each change of the settings but tags
  StreamSettings settings{};

  // Letters and digits: opaque to clients, and never the same for two states of a stream or of its namesakes.
  std::string Version() const;
};
using StreamDescriptionPtr = std::shared_ptr<const StreamDescription>;  // never null

}  // namespace millrace
