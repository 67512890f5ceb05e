#include <algorithm>
#include <array>
#include <boost/json/object.hpp>

#include "api/aws/aws_input.h"
#include "api/aws/aws_names.h"
#include "api/aws/listing_token.h"
#include "api/data_streams/data_stream_catalog.h"
#include "api/data_streams/data_stream_consumers.h"
#include "api/data_streams/data_stream_operations.h"
#include "api/data_streams/stream_throughput.h"

namespace millrace::api {
namespace {

constexpr ListingKind kStreamListing{"list-streams-2", {}};
constexpr std::uint32_t kOnDemandShards = 4;  // what such a stream begins with
constexpr std::int64_t kDescribedShardsMax = 100;
constexpr std::int64_t kListedStreamsDefault = 100;
constexpr Duration kRetentionDefault = std::chrono::hours(24);

constexpr std::array<std::string_view, 2> kCreationModes{"PROVISIONED", "ON_DEMAND"};
constexpr std::array<std::string_view, 2> kSummaryStrategies{"AUTO", "USER_PARTITION_KEY"};

std::int64_t Hours(Duration duration) { return duration / std::chrono::hours(1); }

std::string_view ModeName(const DataStreamSettings& settings) {
  return settings.on_demand ? "ON_DEMAND" : "PROVISIONED";
}

void WriteMode(AwsOutput& output, const DataStreamSettings& settings) {
  output.Key("StreamModeDetails").BeginObject().Key("StreamMode").String(ModeName(settings)).EndObject();
}

// What both descriptions begin with.
void WriteHead(AwsOutput& output, const DataStreamServices& services, const DataStream& stream) {
  const auto& description = stream.description;
  output.Key("StreamName").String(description.name);
  output.Key("StreamARN").String(services.identity.DataStreamArn(description.name));
  output.Key("StreamStatus").String("ACTIVE");
  WriteMode(output, stream.settings);
  output.Key("RetentionPeriodHours").Integer(Hours(description.retention));
  output.Key("StreamCreationTimestamp").Time(description.created);
  output.Key("EnhancedMonitoring").BeginArray().BeginObject().Key("ShardLevelMetrics");
  WriteShardMetrics(output, stream.settings.shard_metrics);
  output.EndObject().EndArray();
  WriteEncryption(output, description);
}

// The stream that the request names, and nothing else in it is wrong.
AwsResult<DataStream> DescribeNamed(const DataStreamServices& services, AwsInput& input) {
  const auto named = ReadDataStreamName(input);
  if (auto bad = input.Finish()) return *bad;
  MILLRACE_ASSIGN_OR_RETURN(const std::string name, OurDataStream(services, named));
  auto stream = services.catalog.Describe(name);
  if (!stream) return OfDataStream(services, name, std::move(stream).error());
  return std::move(*stream);
}

}  // namespace

AwsAnswer CreateDataStream(const DataStreamServices& services, const DataStreamRequest& request) {
  AwsInput input(request.members);
  const auto name =
      input.String("StreamName", {.required = true, .min = 1, .max = 128, .pattern = kAwsNamePattern});
  const auto shards = input.Integer("ShardCount", {.min = 1, .max = kOpenShardsMax * 10});
  DataStreamSettings settings;
  if (auto details = input.Structure("StreamModeDetails")) {
    settings.on_demand =
        details->String("StreamMode", {.required = true, .values = kCreationModes}) == "ON_DEMAND";
  }
  settings.tags = input.StringMap("Tags", 200, 128, 256);
  settings.warm_mibps = ReadWarmThroughput(input, false).value_or(0);
  settings.record_kib_max = static_cast<std::uint32_t>(
      input.Integer("MaxRecordSizeInKiB", {.min = 1024, .max = 10'240}).value_or(1024));
  settings.spread = input.String("RecordDistributionStrategy", {.values = kSummaryStrategies}) == "AUTO";
  if (!shards && !settings.on_demand && request.members.if_contains("ShardCount") == nullptr) {
    (void)input.Integer("ShardCount", {.required = true});
  }
  if (auto bad = input.Finish()) return *bad;
  if (auto bad = CheckSettings(services, *name, settings)) return *bad;
  if (auto bad = CheckTags(services, *name, {}, settings.tags)) return *bad;
  const auto count = shards ? static_cast<std::uint32_t>(*shards) : kOnDemandShards;
  const auto created = services.catalog.Create(*name, count, kRetentionDefault, settings);
  if (created) return std::string();
  if (created.error().code == ErrorCode::kAlreadyExists) {
    return AwsError("ResourceInUseException",
                    "Stream " + *name + " under account " + services.identity.account + " already exists.");
  }
  if (created.error().code == ErrorCode::kResourceExhausted) return TooManyShards(services, count);
  return created.error();
}

AwsAnswer DeleteDataStream(const DataStreamServices& services, const DataStreamRequest& request) {
  AwsInput input(request.members);
  const bool enforce = input.Bool("EnforceConsumerDeletion").value_or(false);
  const auto named = ReadDataStreamName(input);
  if (auto bad = input.Finish()) return *bad;
  MILLRACE_ASSIGN_OR_RETURN(const std::string name, OurDataStream(services, named));
  if (services.catalog.IsInternal(name)) return InternalDataStream(services, name);
  if (auto refused = RemoveConsumers(services, name, enforce)) return *refused;
  auto deleted = services.catalog.Delete(name);
  if (!deleted) return OfDataStream(services, name, std::move(deleted).error());
  services.throughput->Forget(name);
  return std::string();
}

AwsAnswer DescribeDataStream(const DataStreamServices& services, const DataStreamRequest& request) {
  AwsInput input(request.members);
  const auto limit = input.Integer("Limit", {.min = 1, .max = 10'000});
  const auto start =
      input.String("ExclusiveStartShardId", {.min = 1, .max = 128, .pattern = kAwsNamePattern});
  MILLRACE_ASSIGN_OR_RETURN(const DataStream stream, DescribeNamed(services, input));
  const auto& shards = stream.description.shards;
  auto at = shards.begin();
  if (start) {
    const auto id = storage::ShardId::Parse(*start);
    if (!id) return InvalidArgument("ExclusiveStartShardId " + *start + " is no shard's id.");
    at = std::find_if(shards.begin(), shards.end(),
                      [&](const storage::ShardDescription& shard) { return shard.id > *id; });
  }
  const auto page =
      static_cast<std::ptrdiff_t>(std::min(limit.value_or(kDescribedShardsMax), kDescribedShardsMax));
  const auto end = shards.end() - at > page ? at + page : shards.end();
  AwsOutput output(request.encoding, 1024);
  output.BeginObject().Key("StreamDescription").BeginObject();
  WriteHead(output, services, stream);
  output.Key("Shards").BeginArray();
  for (auto shard = at; shard != end; ++shard) WriteShard(output, *shard);
  output.EndArray();
  output.Key("HasMoreShards").Bool(end != shards.end());
  output.EndObject().EndObject();
  return std::move(output).Take();
}

AwsAnswer SummarizeDataStream(const DataStreamServices& services, const DataStreamRequest& request) {
  AwsInput input(request.members);
  MILLRACE_ASSIGN_OR_RETURN(const DataStream stream, DescribeNamed(services, input));
  const auto& shards = stream.description.shards;
  AwsOutput output(request.encoding, 1024);
  output.BeginObject().Key("StreamDescriptionSummary").BeginObject();
  WriteHead(output, services, stream);
  output.Key("OpenShardCount")
      .Integer(std::count_if(shards.begin(), shards.end(),
                             [](const storage::ShardDescription& shard) { return !shard.closed; }));
  output.Key("ConsumerCount")
      .Unsigned(services.catalog.consumers().Count(stream.description.name, stream.description.created));
  if (stream.settings.warm_mibps > 0) {
    output.Key("WarmThroughput");
    WriteWarmThroughput(output, stream.settings);
  }
  output.Key("MaxRecordSizeInKiB").Unsigned(stream.settings.record_kib_max);
  output.Key("RecordDistributionStrategy").String(stream.settings.spread ? "AUTO" : "USER_PARTITION_KEY");
  output.EndObject().EndObject();
  return std::move(output).Take();
}

AwsAnswer ListDataStreams(const DataStreamServices& services, const DataStreamRequest& request) {
  AwsInput input(request.members);
  const auto limit = input.Integer("Limit", {.min = 1, .max = 10'000});
  auto after = input.String("ExclusiveStartStreamName", {.min = 1, .max = 128, .pattern = kAwsNamePattern});
  const auto token = input.String("NextToken", {.min = 1, .max = 1'048'576});
  bool internal = input.Bool("MillraceIncludeInternal").value_or(false);
  if (auto bad = input.Finish()) return *bad;
  if (token) {
    MILLRACE_ASSIGN_OR_RETURN(const auto place,
                              OpenNextToken(services.sealer, kStreamListing, *token, services.clock.Now()));
    internal = place.at("internal").as_bool();
    after = std::string(place.at("after").as_string());
  }
  const auto count = static_cast<std::size_t>(limit.value_or(kListedStreamsDefault));
  std::vector<std::string> names;
  bool more = false;
  for (std::string& name : services.catalog.List()) {
    if ((after && name <= *after) || (!internal && services.catalog.IsInternal(name))) continue;
    if (names.size() == count) {
      more = true;
      break;
    }
    names.push_back(std::move(name));
  }
  AwsOutput output(request.encoding, 64 + names.size() * 256);
  output.BeginObject().Key("StreamNames").BeginArray();
  for (const std::string& name : names) output.String(name);
  output.EndArray().Key("HasMoreStreams").Bool(more);
  if (more) {
    boost::json::object place;
    place["after"] = names.back();
    place["internal"] = internal;
    output.Key("NextToken")
        .String(SealNextToken(services.sealer, kStreamListing, std::move(place), services.clock.Now()));
  }
  output.Key("StreamSummaries").BeginArray();
  for (const std::string& name : names) {
    const auto stream = services.catalog.Describe(name);
    if (!stream) continue;  // deleted meanwhile
    output.BeginObject();
    output.Key("StreamName").String(name);
    output.Key("StreamARN").String(services.identity.DataStreamArn(name));
    output.Key("StreamStatus").String("ACTIVE");
    WriteMode(output, stream->settings);
    output.Key("StreamCreationTimestamp").Time(stream->description.created);
    output.EndObject();
  }
  output.EndArray().EndObject();
  return std::move(output).Take();
}

}  // namespace millrace::api
