#include "consumers/worker/shard_ranges.h"

#include "consumers/worker/application_client.h"
#include "wire/answer_fields.h"

namespace millrace::consumer {

ShardRanges::ShardRanges(const WorkerOptions& options)
    : options_(options), client_(options.endpoint, HttpOptions(options)) {}

Result<HashKeyRange> ShardRanges::Find(const std::string& shard) {
  auto found = ranges_.find(shard);
  if (found == ranges_.end()) {
    MILLRACE_RETURN_IF_ERROR(ReadAll());
    found = ranges_.find(shard);
  }
  if (found == ranges_.end()) return Error{ErrorCode::kNotFound, "shard " + shard + " is gone"};
  return found->second;
}

Result<void> ShardRanges::ReadAll() {
  std::map<std::string, HashKeyRange> ranges;
  boost::json::object request;
  request["StreamName"] = options_.stream;
  for (;;) {
    MILLRACE_ASSIGN_OR_RETURN(const auto answer, client_.DataStreams("ListShards", request));
    const auto* shards = wire::ListOf(answer, "Shards");
    if (shards == nullptr) return Error{ErrorCode::kInternal, "an answer without shards"};
    for (const auto& value : *shards) {
      if (!value.is_object()) continue;
      const auto* range = value.get_object().if_contains("HashKeyRange");
      if (range == nullptr || !range->is_object()) continue;
      ranges[wire::TextOf(value.get_object(), "ShardId")] = {
          wire::TextOf(range->get_object(), "StartingHashKey"),
          wire::TextOf(range->get_object(), "EndingHashKey")};
    }
    const std::string token = wire::TextOf(answer, "NextToken");
    if (token.empty()) break;
    request = {};
    request["NextToken"] = token;
  }
  ranges_ = std::move(ranges);
  return {};
}

}  // namespace millrace::consumer
