#include "server/data_streams.h"

#include <boost/json/array.hpp>
#include <chrono>
#include <cmath>
#include <thread>

#include "api/http/target.h"
#include "api/v1/json.h"
#include "base/time.h"
#include "server/console_output.h"

namespace millrace::server {
namespace {

constexpr auto kActiveWithin = std::chrono::seconds(60);
constexpr auto kLookAgainAfter = std::chrono::milliseconds(100);
constexpr int kPagesMax = 10'000;

Error Strange(const std::string& operation) {
  return Error{ErrorCode::kInternal, "the answer to " + operation + " makes no sense"};
}

Result<storage::HashKey> HashKeyMember(const boost::json::object& range, const char* name) {
  return storage::HashKey::Parse(Member(range, name));
}

Result<DataShard> ReadShard(const boost::json::object& object) {
  DataShard shard;
  shard.id = Member(object, "ShardId");
  for (const char* name : {"ParentShardId", "AdjacentParentShardId"}) {
    if (object.contains(name)) shard.parents.push_back(Member(object, name));
  }
  const auto& range = ObjectMember(object, "HashKeyRange");
  MILLRACE_ASSIGN_OR_RETURN(shard.hash_keys.starting, HashKeyMember(range, "StartingHashKey"));
  MILLRACE_ASSIGN_OR_RETURN(shard.hash_keys.ending, HashKeyMember(range, "EndingHashKey"));
  const auto& numbers = ObjectMember(object, "SequenceNumberRange");
  shard.first_sequence_number = Member(numbers, "StartingSequenceNumber");
  shard.open = !numbers.contains("EndingSequenceNumber");
  return shard;
}

}  // namespace

Result<std::vector<boost::json::object>> ListDataStreams(ApiClient& api, bool internal) {
  std::vector<boost::json::object> streams;
  boost::json::object request;
  if (internal) request["MillraceIncludeInternal"] = true;
  for (int page = 0; page < kPagesMax; ++page) {
    MILLRACE_ASSIGN_OR_RETURN(const auto answer, api.DataStreams("ListStreams", request));
    const auto* names = answer.if_contains("StreamNames");
    if (names == nullptr || !names->is_array()) return Strange("ListStreams");
    for (const auto& name : names->get_array()) {
      if (!name.is_string()) return Strange("ListStreams");
      auto summary = SummarizeDataStream(api, std::string(name.get_string()));
      if (summary) {
        streams.push_back(std::move(*summary));
      } else if (summary.error().code != ErrorCode::kNotFound) {  // deleted meanwhile
        return std::move(summary).error();
      }
    }
    if (!answer.contains("NextToken")) return streams;
    request = {};
    request["NextToken"] = Member(answer, "NextToken");
  }
  return Strange("ListStreams");
}

Result<boost::json::object> SummarizeDataStream(ApiClient& api, const std::string& name) {
  boost::json::object request;
  request["StreamName"] = name;
  MILLRACE_ASSIGN_OR_RETURN(const auto answer, api.DataStreams("DescribeStreamSummary", request));
  return ObjectMember(answer, "StreamDescriptionSummary");
}

Error ExplainNoDataStream(ApiClient& api, const std::string& name, const Error& error,
                          const std::string& instead) {
  if (error.code != ErrorCode::kNotFound) return error;
  const auto video = api.Call("GET", VideoStreamPath(name));
  if (video) return Error{ErrorCode::kNotFound, "'" + name + "' is a video stream: " + instead};
  return video.error().code == ErrorCode::kNotFound ? NoStream(name) : error;
}

Error ExplainNoVideoStream(ApiClient& api, const std::string& name, const Error& error,
                           const std::string& instead) {
  if (error.code != ErrorCode::kNotFound) return error;
  const auto data = SummarizeDataStream(api, name);
  if (data) return Error{ErrorCode::kNotFound, "'" + name + "' is a data stream: " + instead};
  return data.error().code == ErrorCode::kNotFound ? NoStream(name) : error;
}

Error NoStream(const std::string& name) {
  return Error{ErrorCode::kNotFound, "there is no stream '" + name + "': millrace stream list shows them"};
}

Error NoShard(const std::string& stream, const std::string& shard) {
  return Error{ErrorCode::kNotFound, "stream '" + stream + "' has no shard '" + shard +
                                         "': millrace stream describe " + stream + " shows them"};
}

std::string VideoStreamPath(const std::string& name) { return "/v1/streams/" + api::PercentEncode(name); }

Result<std::vector<DataShard>> ListDataShards(ApiClient& api, const std::string& name) {
  std::vector<DataShard> shards;
  boost::json::object request;
  request["StreamName"] = name;
  for (int page = 0; page < kPagesMax; ++page) {
    MILLRACE_ASSIGN_OR_RETURN(const auto answer, api.DataStreams("ListShards", request));
    const auto* list = answer.if_contains("Shards");
    if (list == nullptr || !list->is_array()) return Strange("ListShards");
    for (const auto& item : list->get_array()) {
      if (!item.is_object()) return Strange("ListShards");
      MILLRACE_ASSIGN_OR_RETURN(DataShard shard, ReadShard(item.get_object()));
      shards.push_back(std::move(shard));
    }
    if (!answer.contains("NextToken")) return shards;
    request = {};
    request["NextToken"] = Member(answer, "NextToken");
  }
  return Strange("ListShards");
}

Result<boost::json::object> AwaitActive(ApiClient& api, const std::string& name) {
  const auto deadline = std::chrono::steady_clock::now() + kActiveWithin;
  for (;;) {
    MILLRACE_ASSIGN_OR_RETURN(auto summary, SummarizeDataStream(api, name));
    const std::string status = Member(summary, "StreamStatus");
    if (status == "ACTIVE") return summary;
    if (std::chrono::steady_clock::now() > deadline) {
      return Error{ErrorCode::kDeadlineExceeded, "stream '" + name + "' is still " + status +
                                                     ": millrace stream describe shows when it is done"};
    }
    std::this_thread::sleep_for(kLookAgainAfter);
  }
}

double PlaceOf(const storage::HashKey& key) {
  return std::ldexp(static_cast<double>(key.high), -64) * 100 +
         std::ldexp(static_cast<double>(key.low), -128) * 100;
}

double ShareOf(const storage::HashKeyRange& range) { return PlaceOf(range.ending) - PlaceOf(range.starting); }

std::string ModeOf(const boost::json::object& summary) {
  return Member(ObjectMember(summary, "StreamModeDetails"), "StreamMode") == "ON_DEMAND" ? "on-demand"
                                                                                         : "provisioned";
}

std::string TimeMember(const boost::json::object& object, std::string_view name) {
  const double seconds = NumberMember(object, name);
  if (!std::isfinite(seconds) || seconds <= 0 || seconds > 253402300799.0) return "-";
  return FormatRfc3339(Timestamp::FromMillis(std::llround(seconds * 1000)));
}

const boost::json::object& ObjectMember(const boost::json::object& object, std::string_view name) {
  static const boost::json::object kNone;
  const auto* value = object.if_contains(api::JsonView(name));
  return value != nullptr && value->is_object() ? value->get_object() : kNone;
}

}  // namespace millrace::server
