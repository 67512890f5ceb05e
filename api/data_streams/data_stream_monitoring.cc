// EnableEnhancedMonitoring and DisableEnhancedMonitoring: which metrics are kept for each shard of a stream.
#include <algorithm>
#include <array>

#include "api/aws/aws_input.h"
#include "api/data_streams/data_stream_operations.h"

namespace millrace::api {
namespace {

constexpr std::array<std::string_view, 8> kMetrics{"IncomingBytes",
                                                   "IncomingRecords",
                                                   "OutgoingBytes",
                                                   "OutgoingRecords",
                                                   "WriteProvisionedThroughputExceeded",
                                                   "ReadProvisionedThroughputExceeded",
                                                   "IteratorAgeMilliseconds",
                                                   "ALL"};

using Metrics = std::set<std::string>;

// ALL stands for every one of the others.
Metrics Expand(const std::vector<std::string>& names) {
  if (std::find(names.begin(), names.end(), "ALL") == names.end()) return {names.begin(), names.end()};
  return {kMetrics.begin(), std::prev(kMetrics.end())};
}

AwsAnswer ChangeMonitoring(const DataStreamServices& services, const DataStreamRequest& request,
                           void (*apply)(Metrics&, const Metrics&)) {
  AwsInput input(request.members);
  const auto named = ReadDataStreamName(input);
  const auto names =
      input.Strings("ShardLevelMetrics", {.required = true, .min = 1, .max = 7}, {.values = kMetrics});
  if (auto bad = input.Finish()) return *bad;
  Metrics before;
  const auto change = [&](DataStream& stream) -> std::optional<AwsError> {
    before = stream.settings.shard_metrics;
    apply(stream.settings.shard_metrics, Expand(names));
    return std::nullopt;
  };
  MILLRACE_ASSIGN_OR_RETURN(const DataStream changed, ChangeDataStream(services, named, change));
  AwsOutput output(request.encoding, 512);
  output.BeginObject();
  output.Key("StreamName").String(changed.description.name);
  output.Key("CurrentShardLevelMetrics");
  WriteShardMetrics(output, before);
  output.Key("DesiredShardLevelMetrics");
  WriteShardMetrics(output, changed.settings.shard_metrics);
  output.Key("StreamARN").String(services.identity.DataStreamArn(changed.description.name));
  output.EndObject();
  return std::move(output).Take();
}

}  // namespace

AwsAnswer EnableMonitoring(const DataStreamServices& services, const DataStreamRequest& request) {
  return ChangeMonitoring(services, request, [](Metrics& metrics, const Metrics& names) {
    metrics.insert(names.begin(), names.end());
  });
}

AwsAnswer DisableMonitoring(const DataStreamServices& services, const DataStreamRequest& request) {
  return ChangeMonitoring(services, request, [](Metrics& metrics, const Metrics& names) {
    for (const std::string& name : names) metrics.erase(name);
  });
}

void WriteShardMetrics(AwsOutput& output, const std::set<std::string>& metrics) {
  output.BeginArray();
  for (const std::string& metric : metrics) output.String(metric);
  output.EndArray();
}

}  // namespace millrace::api
