// split, merge and scale.
#include <algorithm>
#include <boost/json/array.hpp>
#include <cstdio>

#include "server/console_output.h"
#include "server/data_stream_commands.h"
#include "server/data_streams.h"
#include "server/exit_codes.h"

namespace millrace::server {
namespace {

using storage::HashKey;
using storage::HashKeyRange;

// The first hash key of the upper half.
HashKey Middle(const HashKeyRange& range) {
  __extension__ using Wide = unsigned __int128;
  const auto wide = [](const HashKey& key) { return Wide{key.high} << 64 | key.low; };
  const Wide middle = wide(range.starting) + (wide(range.ending) - wide(range.starting)) / 2 + 1;
  return {static_cast<std::uint64_t>(middle >> 64), static_cast<std::uint64_t>(middle)};
}

// "7" and "shardId-000000000007" are the same.
Result<DataShard> FindShard(const std::vector<DataShard>& shards, const std::string& stream,
                            const std::string& text) {
  const auto id = storage::ShardId::Parse(text);
  for (const DataShard& shard : shards) {
    if (shard.id == text || (id && shard.id == id->ToString())) return shard;
  }
  return NoShard(stream, text);
}

Result<DataShard> ShardToSplit(const std::vector<DataShard>& shards, const StreamSplitOptions& options) {
  if (options.shard) return FindShard(shards, options.name, *options.shard);
  const DataShard* only = nullptr;
  for (const DataShard& shard : shards) {
    if (!shard.open) continue;
    if (only != nullptr) {
      return Error{ErrorCode::kInvalidArgument,
                   "stream '" + options.name +
                       "' has several open shards: say which, as millrace stream "
                       "describe " +
                       options.name + " shows them"};
    }
    only = &shard;
  }
  if (only == nullptr) return Error{ErrorCode::kFailedPrecondition, "the stream has no open shard"};
  return *only;
}

int FailToFind(ApiClient& api, const std::string& name, const Error& error) {
  return api.Fail(ExplainNoDataStream(api, name, error, "its shards are those of millrace-fragments"));
}

// The server says it as a limit that is reached; here it is a number that will always be wrong.
Error ExplainScale(const std::string& name, const std::vector<DataShard>& shards, std::uint32_t target,
                   const Error& error) {
  const auto open = static_cast<std::uint64_t>(
      std::count_if(shards.begin(), shards.end(), [](const DataShard& shard) { return shard.open; }));
  if (error.code != ErrorCode::kResourceExhausted || (target <= 2 * open && 2ull * target >= open)) {
    return error;
  }
  return Error{ErrorCode::kInvalidArgument, "stream '" + name + "' has " + std::to_string(open) +
                                                (open == 1 ? " open shard" : " open shards") +
                                                ": at a time it goes to " + std::to_string((open + 1) / 2) +
                                                " at least and " + std::to_string(2 * open) + " at most"};
}

// Says which shards are open now that were not before.
int PrintNew(ApiClient& api, const ClientOptions& client, const std::string& name,
             const std::vector<DataShard>& before, const std::string& done) {
  auto summary = AwaitActive(api, name);
  if (!summary) return api.Fail(summary.error());
  auto shards = ListDataShards(api, name);
  if (!shards) return api.Fail(shards.error());
  boost::json::array opened;
  std::string text;
  for (const DataShard& shard : *shards) {
    const bool was = std::any_of(before.begin(), before.end(),
                                 [&](const DataShard& other) { return other.id == shard.id && other.open; });
    if (was || !shard.open) continue;
    opened.push_back(boost::json::string(shard.id));
    text += (text.empty() ? "" : ", ") + shard.id;
  }
  if (client.json) {
    PrintJson({{"StreamName", name},
               {"OpenShardCount", static_cast<std::int64_t>(NumberMember(*summary, "OpenShardCount"))},
               {"OpenedShards", std::move(opened)}});
  } else {
    std::printf("%s%s.\n", done.c_str(), text.empty() ? "" : (": " + text).c_str());
  }
  return kExitOk;
}

}  // namespace

int RunStreamSplit(const ClientOptions& client, const StreamSplitOptions& options) {
  auto api = ApiClient::Make(client.endpoint);
  if (!api) return Complain(api.error());
  auto shards = ListDataShards(*api, options.name);
  if (!shards) return FailToFind(*api, options.name, shards.error());
  auto shard = ShardToSplit(*shards, options);
  if (!shard) return Complain(shard.error());
  boost::json::object request;
  request["StreamName"] = options.name;
  request["ShardToSplit"] = shard->id;
  request["NewStartingHashKey"] = options.at ? *options.at : Middle(shard->hash_keys).ToString();
  auto answer = api->DataStreams("SplitShard", request);
  if (!answer) return api->Fail(answer.error());
  return PrintNew(*api, client, options.name, *shards, shard->id + " is split");
}

int RunStreamMerge(const ClientOptions& client, const std::string& name, const std::string& shard,
                   const std::string& other) {
  auto api = ApiClient::Make(client.endpoint);
  if (!api) return Complain(api.error());
  auto shards = ListDataShards(*api, name);
  if (!shards) return FailToFind(*api, name, shards.error());
  auto lower = FindShard(*shards, name, shard);
  if (!lower) return Complain(lower.error());
  auto upper = FindShard(*shards, name, other);
  if (!upper) return Complain(upper.error());
  if (upper->hash_keys.starting < lower->hash_keys.starting) std::swap(*lower, *upper);
  boost::json::object request;
  request["StreamName"] = name;
  request["ShardToMerge"] = lower->id;
  request["AdjacentShardToMerge"] = upper->id;
  auto answer = api->DataStreams("MergeShards", request);
  if (!answer) return api->Fail(answer.error());
  return PrintNew(*api, client, name, *shards, lower->id + " and " + upper->id + " are merged");
}

int RunStreamScale(const ClientOptions& client, const StreamScaleOptions& options) {
  auto api = ApiClient::Make(client.endpoint);
  if (!api) return Complain(api.error());
  auto summary = SummarizeDataStream(*api, options.name);
  if (!summary) return FailToFind(*api, options.name, summary.error());
  auto shards = ListDataShards(*api, options.name);
  if (!shards) return api->Fail(shards.error());
  std::string done = options.name;
  if (options.on_demand || options.provisioned) {
    boost::json::object request;
    request["StreamARN"] = Member(*summary, "StreamARN");
    request["StreamModeDetails"] = {{"StreamMode", options.on_demand ? "ON_DEMAND" : "PROVISIONED"}};
    auto answer = api->DataStreams("UpdateStreamMode", request);
    if (!answer) return api->Fail(answer.error());
    auto active = AwaitActive(*api, options.name);
    if (!active) return api->Fail(active.error());
    done += std::string(" is ") + (options.on_demand ? "on-demand" : "provisioned");
  }
  if (options.shards) {
    boost::json::object request;
    request["StreamName"] = options.name;
    request["TargetShardCount"] = *options.shards;
    request["ScalingType"] = "UNIFORM_SCALING";
    auto answer = api->DataStreams("UpdateShardCount", request);
    if (!answer) return api->Fail(ExplainScale(options.name, *shards, *options.shards, answer.error()));
    done +=
        " has " + std::to_string(*options.shards) + (*options.shards == 1 ? " shard" : " shards") + " now";
  }
  return PrintNew(*api, client, options.name, *shards, done);
}

}  // namespace millrace::server
