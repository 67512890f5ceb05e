// What a stream's settings can be changed to: retention, capacity mode, record size, warm throughput, and how
// records are spread.
#include <algorithm>
#include <array>

#include "api/aws/aws_input.h"
#include "api/data_streams/data_stream_operations.h"

namespace millrace::api {
namespace {

constexpr std::int64_t kRetentionHoursMin = 24;
constexpr std::int64_t kRetentionHoursMax = 8760;
constexpr Duration kModeChangesWindow = std::chrono::hours(24);
constexpr std::size_t kModeChangesMax = 2;      // in that time
constexpr std::int64_t kWarmMibpsMax = 10'240;  // 10 GiB/s

constexpr std::array<std::string_view, 2> kModes{"PROVISIONED", "ON_DEMAND"};
constexpr std::array<std::string_view, 2> kStrategies{"AUTO", "USER_PARTITION_KEY"};

AwsError Invalid(std::string message) { return {"ValidationException", std::move(message)}; }

enum class Direction { kIncrease, kDecrease };

std::optional<AwsError> CheckRetention(const DataStream& stream, std::int64_t hours, Direction direction) {
  const std::string asked = "equested retention period (" + std::to_string(hours) + " hours)";
  if (hours < kRetentionHoursMin) {
    return InvalidArgument("Minimum allowed retention period is 24 hours. R" + asked + " is too short.");
  }
  if (hours > kRetentionHoursMax) {
    return InvalidArgument("Maximum allowed retention period is 8760 hours. R" + asked + " is too long.");
  }
  const std::int64_t now = stream.description.retention / std::chrono::hours(1);
  const std::string existing = " than existing retention period (" + std::to_string(now) + " hours). Use ";
  const std::string text = "R" + asked + " for stream " + stream.description.name;
  if (direction == Direction::kIncrease && hours < now) {
    return InvalidArgument(text + " can not be shorter" + existing + "DecreaseRetentionPeriod API.");
  }
  if (direction == Direction::kDecrease && hours > now) {
    return InvalidArgument(text + " can not be longer" + existing + "IncreaseRetentionPeriod API.");
  }
  return std::nullopt;
}

AwsAnswer ChangeRetention(const DataStreamServices& services, const DataStreamRequest& request,
                          Direction direction) {
  AwsInput input(request.members);
  const auto named = ReadDataStreamName(input);
  const auto hours = input.Integer("RetentionPeriodHours", {.required = true});
  if (auto bad = input.Finish()) return *bad;
  const auto change = [&](DataStream& stream) -> std::optional<AwsError> {
    if (auto bad = CheckRetention(stream, *hours, direction)) return bad;
    auto set = services.catalog.log().SetRetention(stream.description.name, std::chrono::hours(*hours));
    if (!set) return AwsError(std::move(set).error());
    return std::nullopt;
  };
  MILLRACE_ASSIGN_OR_RETURN(const DataStream changed, ChangeDataStream(services, named, change));
  return std::string();
}

std::optional<AwsError> SwitchMode(const DataStreamServices& services, DataStream& stream, bool on_demand) {
  if (stream.settings.on_demand == on_demand) return std::nullopt;
  const Timestamp now = services.clock.Now();
  auto& changes = stream.settings.mode_changes;
  std::erase_if(changes, [&](Timestamp time) { return now - time >= kModeChangesWindow; });
  if (changes.size() >= kModeChangesMax) {
    return AwsError("LimitExceededException", "The capacity mode of stream " + stream.description.name +
                                                  " under account " + services.identity.account +
                                                  " can be changed at most " +
                                                  std::to_string(kModeChangesMax) + " times in 24 hours.");
  }
  changes.push_back(now);
  stream.settings.on_demand = on_demand;
  return std::nullopt;
}

}  // namespace

AwsAnswer IncreaseRetention(const DataStreamServices& services, const DataStreamRequest& request) {
  return ChangeRetention(services, request, Direction::kIncrease);
}

AwsAnswer DecreaseRetention(const DataStreamServices& services, const DataStreamRequest& request) {
  return ChangeRetention(services, request, Direction::kDecrease);
}

std::optional<AwsError> CheckSettings(const DataStreamServices& services, const std::string& name,
                                      const DataStreamSettings& settings) {
  if (settings.spread && !settings.on_demand) {
    return Invalid(
        "The record distribution strategy AUTO is only for streams in the ON_DEMAND capacity mode.");
  }
  if (settings.warm_mibps == 0) return std::nullopt;
  if (settings.warm_mibps > kWarmMibpsMax) {
    return AwsError("LimitExceededException", "A stream can have a warm throughput of at most " +
                                                  std::to_string(kWarmMibpsMax) + " MiB/s.");
  }
  if (!settings.on_demand) {
    return Invalid("Warm throughput is only for streams in the ON_DEMAND capacity mode, which stream " +
                   name + " under account " + services.identity.account + " is not in.");
  }
  auto committed = HasCommitment(services);
  if (!committed) return AwsError(std::move(committed).error());
  if (*committed) return std::nullopt;
  return Invalid("Warm throughput needs MinimumThroughputBillingCommitment to be ENABLED for account " +
                 services.identity.account + ".");
}

std::optional<std::uint32_t> ReadWarmThroughput(AwsInput& input, bool required) {
  const auto mibps = input.Integer("WarmThroughputMiBps", {.required = required, .min = 0});
  if (!mibps) return std::nullopt;
  return static_cast<std::uint32_t>(std::min<std::int64_t>(*mibps, kWarmMibpsMax + 1));
}

AwsAnswer UpdateStreamMode(const DataStreamServices& services, const DataStreamRequest& request) {
  AwsInput input(request.members);
  const auto named = ReadDataStreamArn(input);
  std::optional<std::string> mode;
  if (auto details = input.Structure("StreamModeDetails", true)) {
    mode = details->String("StreamMode", {.required = true, .values = kModes});
  }
  const auto warm = ReadWarmThroughput(input, false);
  if (auto bad = input.Finish()) return *bad;
  const auto change = [&](DataStream& stream) -> std::optional<AwsError> {
    if (auto bad = SwitchMode(services, stream, *mode == "ON_DEMAND")) return bad;
    // What was warm does not stay so over a switch, unless it is asked for again.
    if (!stream.settings.on_demand) stream.settings.warm_mibps = 0;
    if (warm) stream.settings.warm_mibps = *warm;
    return CheckSettings(services, stream.description.name, stream.settings);
  };
  MILLRACE_ASSIGN_OR_RETURN(const DataStream changed, ChangeDataStream(services, named, change));
  return std::string();
}

AwsAnswer UpdateMaxRecordSize(const DataStreamServices& services, const DataStreamRequest& request) {
  AwsInput input(request.members);
  const auto named = ReadDataStreamArn(input, false);
  const auto kib = input.Integer("MaxRecordSizeInKiB", {.required = true, .min = 1024, .max = 10'240});
  if (auto bad = input.Finish()) return *bad;
  const auto change = [&](DataStream& stream) -> std::optional<AwsError> {
    stream.settings.record_kib_max = static_cast<std::uint32_t>(*kib);
    return std::nullopt;
  };
  MILLRACE_ASSIGN_OR_RETURN(const DataStream changed, ChangeDataStream(services, named, change));
  return std::string();
}

void WriteWarmThroughput(AwsOutput& output, const DataStreamSettings& settings) {
  output.BeginObject().Key("TargetMiBps").Unsigned(settings.warm_mibps);
  output.Key("CurrentMiBps").Unsigned(settings.warm_mibps).EndObject();
}

AwsAnswer UpdateWarmThroughput(const DataStreamServices& services, const DataStreamRequest& request) {
  AwsInput input(request.members);
  const auto named = ReadDataStreamName(input);
  const auto warm = ReadWarmThroughput(input, true);
  if (auto bad = input.Finish()) return *bad;
  const auto change = [&](DataStream& stream) -> std::optional<AwsError> {
    stream.settings.warm_mibps = *warm;
    if (stream.settings.on_demand) return CheckSettings(services, stream.description.name, stream.settings);
    return Invalid("Request is invalid. Stream " + stream.description.name + " under account " +
                   services.identity.account + " is in Provisioned mode.");
  };
  MILLRACE_ASSIGN_OR_RETURN(const DataStream changed, ChangeDataStream(services, named, change));
  AwsOutput output(request.encoding);
  output.BeginObject();
  output.Key("StreamARN").String(services.identity.DataStreamArn(changed.description.name));
  output.Key("StreamName").String(changed.description.name);
  output.Key("WarmThroughput");
  WriteWarmThroughput(output, changed.settings);
  output.EndObject();
  return std::move(output).Take();
}

AwsAnswer UpdateRecordDistribution(const DataStreamServices& services, const DataStreamRequest& request) {
  AwsInput input(request.members);
  const auto named = ReadDataStreamArn(input);
  const auto strategy = input.String("RecordDistributionStrategy", {.required = true, .values = kStrategies});
  if (auto bad = input.Finish()) return *bad;
  const auto change = [&](DataStream& stream) -> std::optional<AwsError> {
    stream.settings.spread = *strategy == "AUTO";
    return CheckSettings(services, stream.description.name, stream.settings);
  };
  MILLRACE_ASSIGN_OR_RETURN(const DataStream changed, ChangeDataStream(services, named, change));
  return std::string();
}

}  // namespace millrace::api
