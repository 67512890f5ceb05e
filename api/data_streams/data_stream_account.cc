// What is of the account as a whole: its limits, and its commitment to a minimum of throughput. Here nobody
// is billed for that; it is what warm throughput asks for, and clients that manage it go on working.
#include <array>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "api/aws/aws_input.h"
#include "api/data_streams/data_stream_operations.h"
#include "api/data_streams/shard_scaling.h"

namespace millrace::api {
namespace {

constexpr char kKey[] = "api/data-streams-account";
constexpr std::int64_t kAccountVersion = 1;
constexpr Duration kCommitmentMin = std::chrono::hours(24);

constexpr std::array<std::string_view, 2> kStatuses{"ENABLED", "DISABLED"};

struct Commitment {
  std::optional<Timestamp> started;  // none: never
  std::optional<Timestamp> ended;    // when it ended, or will: not before its shortest time is over
  std::uint64_t version = 0;         // of the metadata

  bool HoldsAt(Timestamp now) const { return started && (!ended || *ended > now); }
};

Result<Commitment> Load(storage::RecordLog& log) {
  auto entry = log.GetMetadata(kKey);
  if (!entry && entry.error().code == ErrorCode::kNotFound) return Commitment();
  if (!entry) return std::move(entry).error();
  const Error damaged{ErrorCode::kCorruption, "the account's settings are damaged"};
  boost::system::error_code ec;
  const std::string_view text = AsText(entry->value);
  const auto value = boost::json::parse(boost::json::string_view(text.data(), text.size()), ec);
  if (ec || !value.is_object()) return damaged;
  const auto& object = value.get_object();
  const auto time = [&](const char* name) -> std::optional<Timestamp> {
    const auto* ns = object.if_contains(name);
    if (ns == nullptr || !ns->is_int64()) return std::nullopt;
    return Timestamp{ns->get_int64()};
  };
  const auto* version = object.if_contains("version");
  if (version == nullptr || !version->is_int64()) return damaged;
  if (version->get_int64() > kAccountVersion) {
    return Error{ErrorCode::kUnsupported, "the account's settings were written by a newer version"};
  }
  return Commitment{time("started"), time("ended"), entry->version};
}

Result<void> Save(storage::RecordLog& log, const Commitment& commitment) {
  boost::json::object object;
  object["version"] = kAccountVersion;
  if (commitment.started) object["started"] = commitment.started->ns;
  if (commitment.ended) object["ended"] = commitment.ended->ns;
  const std::string text = boost::json::serialize(object);
  const auto put = log.PutMetadata(kKey, Bytes(text.begin(), text.end()), commitment.version);
  if (!put) return put.error();
  return {};
}

std::string Write(const Commitment& commitment, Timestamp now, AwsEncoding encoding) {
  AwsOutput output(encoding);
  output.BeginObject().Key("MinimumThroughputBillingCommitment").BeginObject();
  const char* status = !commitment.HoldsAt(now) ? "DISABLED"
                       : commitment.ended       ? "ENABLED_UNTIL_EARLIEST_ALLOWED_END"
                                                : "ENABLED";
  output.Key("Status").String(status);
  if (commitment.started) {
    output.Key("StartedAt").Time(*commitment.started);
    if (commitment.HoldsAt(now)) {
      output.Key("EarliestAllowedEndAt").Time(*commitment.started + kCommitmentMin);
    } else {
      output.Key("EndedAt").Time(*commitment.ended);
    }
  }
  output.EndObject().EndObject();
  return std::move(output).Take();
}

}  // namespace

Result<bool> HasCommitment(const DataStreamServices& services) {
  MILLRACE_ASSIGN_OR_RETURN(const Commitment commitment, Load(services.catalog.log()));
  return commitment.HoldsAt(services.clock.Now());
}

AwsAnswer DescribeLimits(const DataStreamServices& services, const DataStreamRequest& request) {
  AwsInput input(request.members);
  if (auto bad = input.Finish()) return *bad;
  std::uint32_t open = 0, on_demand = 0;
  for (const std::string& name : services.catalog.List()) {
    const auto stream = services.catalog.Describe(name);
    if (!stream || stream->internal) continue;  // not there: deleted meanwhile
    open += CountOpenShards(stream->description);
    if (stream->settings.on_demand) ++on_demand;
  }
  AwsOutput output(request.encoding);
  output.BeginObject();
  output.Key("ShardLimit").Unsigned(kOpenShardsMax);
  output.Key("OpenShardCount").Unsigned(open);
  output.Key("OnDemandStreamCount").Unsigned(on_demand);
  // Each has a shard at least: no other limit is needed.
  output.Key("OnDemandStreamCountLimit").Unsigned(kOpenShardsMax);
  output.EndObject();
  return std::move(output).Take();
}

AwsAnswer DescribeAccountSettings(const DataStreamServices& services, const DataStreamRequest& request) {
  AwsInput input(request.members);
  if (auto bad = input.Finish()) return *bad;
  MILLRACE_ASSIGN_OR_RETURN(const Commitment commitment, Load(services.catalog.log()));
  return Write(commitment, services.clock.Now(), request.encoding);
}

AwsAnswer UpdateAccountSettings(const DataStreamServices& services, const DataStreamRequest& request) {
  AwsInput input(request.members);
  std::optional<std::string> status;
  if (auto asked = input.Structure("MinimumThroughputBillingCommitment", true)) {
    status = asked->String("Status", {.required = true, .values = kStatuses});
  }
  if (auto bad = input.Finish()) return *bad;
  MILLRACE_ASSIGN_OR_RETURN(Commitment commitment, Load(services.catalog.log()));
  const Timestamp now = services.clock.Now();
  const bool holds = commitment.HoldsAt(now);
  if (*status == "ENABLED") {
    if (!holds) commitment.started = now;
    commitment.ended.reset();
  } else if (holds) {
    commitment.ended = std::max(now, *commitment.started + kCommitmentMin);
  }
  MILLRACE_RETURN_IF_ERROR(Save(services.catalog.log(), commitment));
  return Write(commitment, now, request.encoding);
}

}  // namespace millrace::api
