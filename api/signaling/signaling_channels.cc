#include "api/signaling/signaling_channels.h"

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <cinttypes>
#include <cstdio>
#include <exception>

namespace millrace::api {
namespace {

namespace json = boost::json;

constexpr char kPrefix[] = "signaling/channel/";
constexpr std::uint8_t kFormat = 1;
constexpr int kAttempts = 100;  // of a change over others that come in between

std::string KeyOf(const std::string& name) { return kPrefix + name; }

Bytes Encode(const SignalingChannel& channel) {
  json::object object;
  object["created"] = channel.created.ns;
  object["revision"] = channel.revision;
  object["full_mesh"] = channel.full_mesh;
  object["message_ttl_s"] = channel.message_ttl_s;
  json::object tags;
  for (const auto& [key, value] : channel.tags) tags[key] = value;
  object["tags"] = std::move(tags);
  if (channel.storage) {
    object["storage"] = {{"stream", channel.storage->stream},
                         {"stream_created", channel.storage->stream_created.ns},
                         {"enabled", channel.storage->enabled}};
  }
  const std::string text = json::serialize(object);
  Bytes bytes{kFormat};
  bytes.insert(bytes.end(), text.begin(), text.end());
  return bytes;
}

Result<SignalingChannel> Decode(const std::string& name, ByteSpan bytes) {
  if (bytes.empty() || bytes[0] > kFormat) {
    return Error{ErrorCode::kUnsupported,
                 "the signaling channel " + name + " was written by a newer version"};
  }
  try {
    const std::string_view text = AsText(bytes.subspan(1));
    const json::value value = json::parse(json::string_view(text.data(), text.size()));
    const json::object& object = value.as_object();
    SignalingChannel channel;
    channel.name = name;
    channel.created = Timestamp{object.at("created").as_int64()};
    channel.revision = object.at("revision").to_number<std::uint64_t>();
    channel.full_mesh = object.at("full_mesh").as_bool();
    channel.message_ttl_s = object.at("message_ttl_s").to_number<std::uint32_t>();
    for (const auto& tag : object.at("tags").as_object()) {
      channel.tags[std::string(tag.key())] = std::string(tag.value().as_string());
    }
    if (const auto* storage = object.if_contains("storage")) {
      const json::object& members = storage->as_object();
      channel.storage =
          ChannelStorage{std::string(members.at("stream").as_string()),
                         Timestamp{members.at("stream_created").as_int64()}, members.at("enabled").as_bool()};
    }
    return channel;
  } catch (const std::exception& e) {
    return Error{ErrorCode::kCorruption, "what is kept of the signaling channel " + name + ": " + e.what()};
  }
}

Error NoChannel(const std::string& name) {
  return {ErrorCode::kNotFound, "there is no signaling channel " + name};
}

}  // namespace

std::string SignalingChannel::Version() const {
  char text[40];
  std::snprintf(text, sizeof(text), "%" PRIx64 "x%" PRIx64, static_cast<std::uint64_t>(created.millis()),
                revision);
  return text;
}

Result<SignalingChannel> SignalingChannels::Create(SignalingChannel channel) {
  MILLRACE_ASSIGN_OR_RETURN(const auto all, log_.ListMetadata(kPrefix));
  if (all.size() >= kChannelsMax) {
    return Error{ErrorCode::kResourceExhausted,
                 "there are " + std::to_string(kChannelsMax) + " signaling channels already"};
  }
  channel.created = Timestamp::FromMillis(clock_.Now().millis());
  channel.revision = 1;
  auto put = log_.PutMetadata(KeyOf(channel.name), Encode(channel), 0);
  if (!put && put.error().code == ErrorCode::kFailedPrecondition) {
    return Error{ErrorCode::kAlreadyExists, "the signaling channel " + channel.name + " already exists"};
  }
  if (!put) return std::move(put).error();
  return channel;
}

Result<SignalingChannel> SignalingChannels::Get(const std::string& name) {
  auto entry = log_.GetMetadata(KeyOf(name));
  if (!entry && entry.error().code == ErrorCode::kNotFound) return NoChannel(name);
  if (!entry) return std::move(entry).error();
  return Decode(name, entry->value);
}

Result<SignalingChannel> SignalingChannels::Get(const std::string& name, Timestamp created) {
  MILLRACE_ASSIGN_OR_RETURN(SignalingChannel channel, Get(name));
  if (channel.created != created) return NoChannel(name);
  return channel;
}

Result<std::vector<SignalingChannel>> SignalingChannels::List(const std::string& prefix,
                                                              const std::string& after, std::size_t limit) {
  MILLRACE_ASSIGN_OR_RETURN(const auto entries, log_.ListMetadata(KeyOf(prefix)));
  std::vector<SignalingChannel> channels;
  for (const storage::MetadataEntry& entry : entries) {
    if (channels.size() == limit) break;
    const std::string name = entry.key.substr(sizeof(kPrefix) - 1);
    if (name <= after) continue;
    MILLRACE_ASSIGN_OR_RETURN(SignalingChannel channel, Decode(name, entry.value));
    channels.push_back(std::move(channel));
  }
  return channels;
}

Result<std::optional<SignalingChannel>> SignalingChannels::FindByStream(const std::string& stream,
                                                                        Timestamp stream_created) {
  MILLRACE_ASSIGN_OR_RETURN(auto channels, List("", "", kChannelsMax));
  for (SignalingChannel& channel : channels) {
    if (channel.storage && channel.storage->stream == stream &&
        channel.storage->stream_created == stream_created) {
      return std::optional(std::move(channel));
    }
  }
  return std::optional<SignalingChannel>();
}

Result<SignalingChannels::Stored> SignalingChannels::Load(const std::string& name, Timestamp created,
                                                          const std::optional<std::string>& version) {
  auto entry = log_.GetMetadata(KeyOf(name));
  if (!entry && entry.error().code == ErrorCode::kNotFound) return NoChannel(name);
  if (!entry) return std::move(entry).error();
  MILLRACE_ASSIGN_OR_RETURN(SignalingChannel channel, Decode(name, entry->value));
  if (channel.created != created) return NoChannel(name);
  if (version && *version != channel.Version()) {
    return Error{ErrorCode::kFailedPrecondition,
                 "the signaling channel " + name + " has version " + channel.Version() + ", not " + *version};
  }
  return Stored{std::move(channel), entry->version};
}

Result<SignalingChannel> SignalingChannels::Update(const std::string& name, Timestamp created,
                                                   const std::optional<std::string>& version,
                                                   const Change& change) {
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    MILLRACE_ASSIGN_OR_RETURN(Stored stored, Load(name, created, version));
    const SignalingChannel before = stored.channel;
    MILLRACE_RETURN_IF_ERROR(change(stored.channel));
    SignalingChannel with_old_tags = stored.channel;
    with_old_tags.tags = before.tags;
    if (with_old_tags != before) ++stored.channel.revision;
    auto put = log_.PutMetadata(KeyOf(name), Encode(stored.channel), stored.entry_version);
    if (put) return std::move(stored.channel);
    if (put.error().code != ErrorCode::kFailedPrecondition) return std::move(put).error();
  }
  return Error{ErrorCode::kUnavailable, "the signaling channel " + name + " is changed too often at once"};
}

Result<void> SignalingChannels::Delete(const std::string& name, Timestamp created,
                                       const std::optional<std::string>& version) {
  MILLRACE_ASSIGN_OR_RETURN(const Stored stored, Load(name, created, version));
  storage::CommitBatch batch;
  batch.metadata.push_back({KeyOf(name), std::nullopt, stored.entry_version});
  auto done = log_.Commit(batch);
  if (!done) return std::move(done).error();
  return {};
}

}  // namespace millrace::api
