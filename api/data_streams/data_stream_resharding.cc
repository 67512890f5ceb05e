// SplitShard, MergeShards and UpdateShardCount.
#include <algorithm>
#include <array>

#include "api/aws/aws_input.h"
#include "api/data_streams/data_stream_operations.h"
#include "api/data_streams/shard_scaling.h"

namespace millrace::api {
namespace {

using storage::ShardDescription;

constexpr Duration kCountChangesWindow = std::chrono::hours(24);
constexpr std::size_t kCountChangesMax = 10;  // in that time

constexpr std::array<std::string_view, 1> kScalingTypes{"UNIFORM_SCALING"};

// The fragment log scales as other streams do.
constexpr bool kInternalToo = true;

AwsStringRule ShardRule() { return {.required = true, .min = 1, .max = 128, .pattern = kAwsNamePattern}; }

// "in stream s under account 000000000000"
std::string Where(const DataStreamServices& services, const DataStream& stream) {
  return "in stream " + stream.description.name + " under account " + services.identity.account;
}

// Shards of a stream that scales by itself are not for anybody to change.
std::optional<AwsError> CheckProvisioned(const DataStreamServices& services, const DataStream& stream) {
  if (!stream.settings.on_demand) return std::nullopt;
  return AwsError("ValidationException", "Request is invalid. Stream " + stream.description.name +
                                             " under account " + services.identity.account +
                                             " is in On-Demand mode.");
}

std::optional<AwsError> CheckLimit(const DataStreamServices& services, std::uint32_t more) {
  if (services.catalog.OpenShards() + more <= kOpenShardsMax) return std::nullopt;
  return TooManyShards(services, more);
}

// The shard that the text names; it is open.
AwsResult<ShardDescription> FindOpenShard(const DataStreamServices& services, const DataStream& stream,
                                          const std::string& text) {
  const auto id = storage::ShardId::Parse(text);
  const auto& shards = stream.description.shards;
  const auto found = std::find_if(shards.begin(), shards.end(),
                                  [&](const ShardDescription& shard) { return id && shard.id == *id; });
  if (found == shards.end()) {
    return AwsError("ResourceNotFoundException",
                    "Could not find shard " + text + " " + Where(services, stream) + ".");
  }
  if (found->closed) {
    return InvalidArgument("Shard " + found->id.ToString() + " " + Where(services, stream) +
                           " has already been merged or split, and thus is not eligible for merging or "
                           "splitting.");
  }
  return *found;
}

template <typename T>
std::optional<AwsError> ErrorOf(T result) {
  if (result) return std::nullopt;
  return AwsError(std::move(result).error());
}

std::optional<AwsError> Split(const DataStreamServices& services, const DataStream& stream,
                              const std::string& shard_text, const std::string& key_text) {
  if (auto bad = CheckProvisioned(services, stream)) return bad;
  auto shard = FindOpenShard(services, stream, shard_text);
  if (!shard) return std::move(shard).error();
  const auto key = storage::HashKey::Parse(key_text);
  const auto& range = shard->hash_keys;
  const bool inside = key && range.Contains(*key) && *key<range.ending&& * key> range.starting &&
                      *key > range.starting.Next();
  if (!inside) {
    return InvalidArgument("NewStartingHashKey " + key_text + " used in SplitShard() on shard " +
                           shard->id.ToString() + " " + Where(services, stream) +
                           " is not both greater than one plus the shard's StartingHashKey " +
                           range.starting.ToString() + " and less than the shard's EndingHashKey " +
                           range.ending.ToString() + ".");
  }
  if (auto bad = CheckLimit(services, 1)) return bad;
  return ErrorOf(services.catalog.log().SplitShard(stream.description.name, shard->id, *key));
}

std::optional<AwsError> Merge(const DataStreamServices& services, const DataStream& stream,
                              const std::string& lower_text, const std::string& upper_text) {
  if (auto bad = CheckProvisioned(services, stream)) return bad;
  auto lower = FindOpenShard(services, stream, lower_text);
  if (!lower) return std::move(lower).error();
  auto upper = FindOpenShard(services, stream, upper_text);
  if (!upper) return std::move(upper).error();
  const auto& end = lower->hash_keys.ending;
  if (end == storage::HashKey::Max() || end.Next() != upper->hash_keys.starting) {
    return InvalidArgument("Shards " + lower->id.ToString() + " and " + upper->id.ToString() + " " +
                           Where(services, stream) +
                           " are not an adjacent pair of shards eligible for merging");
  }
  return ErrorOf(services.catalog.log().MergeShards(stream.description.name, lower->id, upper->id));
}

AwsError TooFar(const char* what, std::uint32_t open, std::uint32_t target) {
  return {"LimitExceededException",
          std::string("UpdateShardCount cannot scale ") + what +
              " your current open shard count. Current open shard count: " + std::to_string(open) +
              " Target shard count: " + std::to_string(target)};
}

std::optional<AwsError> Scale(const DataStreamServices& services, DataStream& stream, std::uint32_t target) {
  if (auto bad = CheckProvisioned(services, stream)) return bad;
  const std::uint32_t open = CountOpenShards(stream.description);
  const Timestamp now = services.clock.Now();
  auto& changes = stream.settings.count_changes;
  std::erase_if(changes, [&](Timestamp time) { return now - time >= kCountChangesWindow; });
  if (changes.size() >= kCountChangesMax) {
    return AwsError("LimitExceededException",
                    "UpdateShardCount can be called at most " + std::to_string(kCountChangesMax) +
                        " times in 24 hours for stream " + stream.description.name + ".");
  }
  if (target > 2 * open) return TooFar("up over double", open, target);
  if (2 * target < open) return TooFar("down below half", open, target);
  if (target > open) {
    if (auto bad = CheckLimit(services, target - open)) return bad;
  }
  if (auto failed = ErrorOf(ScaleShards(services.catalog.log(), stream.description, target))) return failed;
  if (target != open) changes.push_back(now);
  return std::nullopt;
}

}  // namespace

AwsAnswer SplitShard(const DataStreamServices& services, const DataStreamRequest& request) {
  AwsInput input(request.members);
  const auto named = ReadDataStreamName(input);
  const auto shard = input.String("ShardToSplit", ShardRule());
  const auto key = input.String("NewStartingHashKey", {.required = true, .pattern = kAwsHashKeyPattern});
  if (auto bad = input.Finish()) return *bad;
  MILLRACE_ASSIGN_OR_RETURN(
      const DataStream changed,
      ChangeDataStream(
          services, named, [&](DataStream& stream) { return Split(services, stream, *shard, *key); },
          kInternalToo));
  return std::string();
}

AwsAnswer MergeShards(const DataStreamServices& services, const DataStreamRequest& request) {
  AwsInput input(request.members);
  const auto named = ReadDataStreamName(input);
  const auto lower = input.String("ShardToMerge", ShardRule());
  const auto upper = input.String("AdjacentShardToMerge", ShardRule());
  if (auto bad = input.Finish()) return *bad;
  MILLRACE_ASSIGN_OR_RETURN(
      const DataStream changed,
      ChangeDataStream(
          services, named, [&](DataStream& stream) { return Merge(services, stream, *lower, *upper); },
          kInternalToo));
  return std::string();
}

AwsAnswer UpdateShardCount(const DataStreamServices& services, const DataStreamRequest& request) {
  AwsInput input(request.members);
  const auto named = ReadDataStreamName(input);
  const auto target = input.Integer("TargetShardCount", {.required = true, .min = 1});
  (void)input.String("ScalingType", {.required = true, .values = kScalingTypes});
  if (auto bad = input.Finish()) return *bad;
  const auto count = static_cast<std::uint32_t>(std::min<std::int64_t>(*target, kOpenShardsMax * 10));
  MILLRACE_ASSIGN_OR_RETURN(
      const DataStream before,
      ChangeDataStream(
          services, named, [&](DataStream& stream) { return Scale(services, stream, count); }, kInternalToo));
  AwsOutput output(request.encoding);
  output.BeginObject();
  output.Key("StreamName").String(before.description.name);
  output.Key("CurrentShardCount").Unsigned(CountOpenShards(before.description));
  output.Key("TargetShardCount").Unsigned(count);
  output.Key("StreamARN").String(services.identity.DataStreamArn(before.description.name));
  output.EndObject();
  return std::move(output).Take();
}

}  // namespace millrace::api
