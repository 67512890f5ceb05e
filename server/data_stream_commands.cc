#include "server/data_stream_commands.h"

#include <boost/json/array.hpp>
#include <charconv>
#include <cstdio>

#include "server/console_output.h"
#include "server/data_streams.h"
#include "server/exit_codes.h"

namespace millrace::server {
namespace {

constexpr std::int64_t kRetentionHoursMin = 24;
constexpr std::int64_t kRetentionHoursMax = 8760;

using Rows = std::vector<std::vector<std::string>>;

void AddVideoRows(const boost::json::object& answer, Rows& rows) {
  const auto* streams = answer.if_contains("streams");
  if (streams == nullptr || !streams->is_array()) return;
  for (const auto& item : streams->get_array()) {
    if (!item.is_object()) continue;
    const auto& stream = item.get_object();
    rows.push_back({Member(stream, "name"), Member(stream, "live") == "true" ? "yes" : "no",
                    Member(stream, "camera"), Member(stream, "fragments"),
                    HumanBytes(NumberMember(stream, "bytes")), Member(stream, "first"),
                    Member(stream, "last"), HumanHours(NumberMember(stream, "retention_hours"))});
  }
}

void AddDataRows(const std::vector<boost::json::object>& streams, Rows& rows) {
  for (const auto& stream : streams) {
    rows.push_back({Member(stream, "StreamName"), ModeOf(stream), Member(stream, "OpenShardCount"),
                    Member(stream, "StreamStatus"), TimeMember(stream, "StreamCreationTimestamp"),
                    HumanHours(NumberMember(stream, "RetentionPeriodHours"))});
  }
}

void PrintVideoStream(const boost::json::object& stream) {
  PrintFields({{"Stream", Member(stream, "name")},
               {"Kind", "video"},
               {"Created", Member(stream, "created")},
               {"Camera", Member(stream, "camera")},
               {"Live", Member(stream, "live") == "true" ? "yes" : "no"},
               {"Fragments", Member(stream, "fragments")},
               {"Size", HumanBytes(NumberMember(stream, "bytes"))},
               {"First", Member(stream, "first")},
               {"Last", Member(stream, "last")},
               {"Kept", HumanHours(NumberMember(stream, "retention_hours"))}});
}

std::string Percent(double value) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.2f%%", value);
  return text;
}

void PrintDataStream(const boost::json::object& summary, const std::vector<DataShard>& shards) {
  const std::string encryption = Member(summary, "EncryptionType");
  PrintFields({{"Stream", Member(summary, "StreamName")},
               {"Kind", "data"},
               {"ARN", Member(summary, "StreamARN")},
               {"Status", Member(summary, "StreamStatus")},
               {"Mode", ModeOf(summary)},
               {"Open shards", Member(summary, "OpenShardCount")},
               {"Created", TimeMember(summary, "StreamCreationTimestamp")},
               {"Kept", HumanHours(NumberMember(summary, "RetentionPeriodHours"))},
               {"Consumers", Member(summary, "ConsumerCount")},
               {"Encryption", encryption == "NONE" ? "none" : encryption},
               {"Largest record", Member(summary, "MaxRecordSizeInKiB") + " KiB"}});
  Rows rows{{"SHARD", "STATE", "HASH KEYS", "SHARE", "PARENTS", "FIRST SEQUENCE NUMBER"}};
  for (const DataShard& shard : shards) {
    std::string parents;
    for (const std::string& parent : shard.parents) parents += (parents.empty() ? "" : ", ") + parent;
    rows.push_back(
        {shard.id, shard.open ? "open" : "closed",
         Percent(PlaceOf(shard.hash_keys.starting)) + " to " + Percent(PlaceOf(shard.hash_keys.ending)),
         Percent(ShareOf(shard.hash_keys)), parents.empty() ? "-" : parents, shard.first_sequence_number});
  }
  std::printf("\n");
  PrintTable(rows);
}

Result<boost::json::object> GetVideo(ApiClient& api, const std::string& name) {
  return api.Call("GET", VideoStreamPath(name));
}

// Which of the two streams of this name there are.
struct Found {
  std::optional<boost::json::object> video;
  std::optional<boost::json::object> data;  // its summary
};
Result<Found> Find(ApiClient& api, const std::string& name, StreamKind kind) {
  Found found;
  if (kind != StreamKind::kData) {
    auto video = GetVideo(api, name);
    if (video) {
      found.video = std::move(*video);
    } else if (video.error().code != ErrorCode::kNotFound) {
      return std::move(video).error();
    }
  }
  if (kind != StreamKind::kVideo) {
    auto data = SummarizeDataStream(api, name);
    if (data) {
      found.data = std::move(*data);
    } else if (data.error().code != ErrorCode::kNotFound) {
      return std::move(data).error();
    }
  }
  if (!found.video && !found.data) return NoStream(name);
  return found;
}

Result<void> DeleteDataStream(ApiClient& api, const std::string& name, bool with_consumers) {
  boost::json::object request;
  request["StreamName"] = name;
  if (with_consumers) request["EnforceConsumerDeletion"] = true;
  MILLRACE_RETURN_IF_ERROR(api.DataStreams("DeleteStream", request));
  return {};
}

// What the server refused, in this command line's words.
Error ExplainDelete(const std::string& name, const Found& found, const Error& error) {
  if (error.code != ErrorCode::kFailedPrecondition) return error;
  if (found.video) {
    const std::string camera = Member(*found.video, "camera");
    if (camera == "-") return error;
    return Error{error.code, "stream '" + name + "' is fed by camera '" + camera +
                                 "': millrace camera remove " + camera + " --purge deletes both"};
  }
  if (NumberMember(*found.data, "ConsumerCount") == 0) return error;
  return Error{error.code, "stream '" + name + "' has registered consumers: millrace stream delete " + name +
                               " --with-consumers deletes them too"};
}

Result<void> SetRetention(ApiClient& api, const std::string& name, std::int64_t hours) {
  MILLRACE_ASSIGN_OR_RETURN(const auto summary, SummarizeDataStream(api, name));
  const auto now = static_cast<std::int64_t>(NumberMember(summary, "RetentionPeriodHours"));
  boost::json::object request;
  request["StreamName"] = name;
  request["RetentionPeriodHours"] = hours;
  const char* operation = hours < now ? "DecreaseStreamRetentionPeriod" : "IncreaseStreamRetentionPeriod";
  MILLRACE_RETURN_IF_ERROR(api.DataStreams(operation, request));
  return {};
}

Result<boost::json::object> CreateRequest(const StreamCreateOptions& options) {
  boost::json::object request;
  request["StreamName"] = options.name;
  if (options.on_demand) request["StreamModeDetails"] = {{"StreamMode", "ON_DEMAND"}};
  if (options.shards || !options.on_demand) request["ShardCount"] = options.shards.value_or(1);
  if (options.record_kib) request["MaxRecordSizeInKiB"] = *options.record_kib;
  boost::json::object tags;
  for (const std::string& tag : options.tags) {
    const auto equals = tag.find('=');
    if (equals == std::string::npos || equals == 0) {
      return Error{ErrorCode::kInvalidArgument, "--tag must be KEY=VALUE"};
    }
    tags[tag.substr(0, equals)] = tag.substr(equals + 1);
  }
  if (!tags.empty()) request["Tags"] = std::move(tags);
  return request;
}

Result<boost::json::object> Create(ApiClient& api, const StreamCreateOptions& options) {
  std::optional<std::int64_t> retention;
  if (options.retention) {
    MILLRACE_ASSIGN_OR_RETURN(retention, ParseRetention(*options.retention));
  }
  MILLRACE_ASSIGN_OR_RETURN(const auto request, CreateRequest(options));
  MILLRACE_RETURN_IF_ERROR(api.DataStreams("CreateStream", request));
  MILLRACE_ASSIGN_OR_RETURN(auto summary, AwaitActive(api, options.name));
  if (!retention) return summary;
  if (auto set = SetRetention(api, options.name, *retention); !set) {
    return Error{set.error().code, "stream '" + options.name + "' is made, but keeps its records for " +
                                       HumanHours(NumberMember(summary, "RetentionPeriodHours")) + ": " +
                                       set.error().message};
  }
  return AwaitActive(api, options.name);
}

}  // namespace

int RunStreamList(const ClientOptions& client, const StreamListOptions& options) {
  auto api = ApiClient::Make(client.endpoint);
  if (!api) return Complain(api.error());
  boost::json::object all;
  Rows video{{"VIDEO STREAM", "LIVE", "CAMERA", "FRAGMENTS", "SIZE", "FIRST", "LAST", "KEPT"}};
  Rows data{{"DATA STREAM", "MODE", "SHARDS", "STATUS", "CREATED", "KEPT"}};
  if (options.kind != StreamKind::kData) {
    auto answer = api->Call("GET", "/v1/streams");
    if (!answer) return api->Fail(answer.error());
    AddVideoRows(*answer, video);
    all = std::move(*answer);
  }
  if (options.kind != StreamKind::kVideo) {
    auto streams = ListDataStreams(*api, options.internal);
    if (!streams) return api->Fail(streams.error());
    AddDataRows(*streams, data);
    all["data_streams"] = boost::json::array(streams->begin(), streams->end());
  }
  if (client.json) {
    PrintJson(all);
    return kExitOk;
  }
  if (video.size() > 1) PrintTable(video);
  if (video.size() > 1 && data.size() > 1) std::printf("\n");
  if (data.size() > 1) PrintTable(data);
  if (video.size() == 1 && data.size() == 1) {
    std::printf(
        "No streams. A camera makes a video stream: millrace camera add NAME rtsp://HOST/PATH\n"
        "A data stream is made by: millrace stream create NAME\n");
  }
  return kExitOk;
}

int RunStreamDescribe(const ClientOptions& client, const std::string& name, StreamKind kind) {
  auto api = ApiClient::Make(client.endpoint);
  if (!api) return Complain(api.error());
  auto found = Find(*api, name, kind);
  if (!found) return api->Fail(found.error());
  if (found->video && client.json) PrintJson(*found->video);
  if (found->video && !client.json) PrintVideoStream(*found->video);
  if (!found->data) return kExitOk;
  auto shards = ListDataShards(*api, name);
  if (!shards) return api->Fail(shards.error());
  if (client.json) {
    boost::json::array list;
    for (const DataShard& shard : *shards) {
      boost::json::object object;
      object["ShardId"] = shard.id;
      object["Open"] = shard.open;
      object["Parents"] = boost::json::array(shard.parents.begin(), shard.parents.end());
      object["HashKeyRange"] = {{"StartingHashKey", shard.hash_keys.starting.ToString()},
                                {"EndingHashKey", shard.hash_keys.ending.ToString()}};
      object["StartingSequenceNumber"] = shard.first_sequence_number;
      list.push_back(std::move(object));
    }
    (*found->data)["Shards"] = std::move(list);
    PrintJson(*found->data);
  } else {
    if (found->video) std::printf("\n");
    PrintDataStream(*found->data, *shards);
  }
  return kExitOk;
}

int RunStreamDelete(const ClientOptions& client, const std::string& name, StreamKind kind,
                    bool with_consumers) {
  auto api = ApiClient::Make(client.endpoint);
  if (!api) return Complain(api.error());
  auto found = Find(*api, name, kind);
  if (!found) return api->Fail(found.error());
  if (found->video && found->data) {
    return Complain(Error{ErrorCode::kFailedPrecondition,
                          "'" + name + "' is a video stream and a data stream: say which with --kind"});
  }
  if (found->video) {
    auto answer = api->Call("DELETE", VideoStreamPath(name));
    if (!answer) return api->Fail(ExplainDelete(name, *found, answer.error()));
  } else {
    auto deleted = DeleteDataStream(*api, name, with_consumers);
    if (!deleted) return api->Fail(ExplainDelete(name, *found, deleted.error()));
  }
  if (client.json) {
    PrintJson({{"deleted", name}});
  } else {
    std::printf("Stream %s and its %s are gone.\n", name.c_str(), found->video ? "footage" : "records");
  }
  return kExitOk;
}

int RunStreamCreate(const ClientOptions& client, const StreamCreateOptions& options) {
  auto api = ApiClient::Make(client.endpoint);
  if (!api) return Complain(api.error());
  auto summary = Create(*api, options);
  if (!summary) return api->Fail(summary.error());
  if (client.json) {
    PrintJson(*summary);
  } else {
    const std::string shards = Member(*summary, "OpenShardCount");
    std::printf("Stream %s is made: %s, %s, kept for %s.\n", options.name.c_str(), ModeOf(*summary).c_str(),
                (shards + (shards == "1" ? " shard" : " shards")).c_str(),
                HumanHours(NumberMember(*summary, "RetentionPeriodHours")).c_str());
  }
  return kExitOk;
}

Result<std::int64_t> ParseRetention(const std::string& text) {
  std::int64_t number = 0;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  const std::string unit(rest, end);
  if (error != std::errc() || number <= 0 || number > 1'000'000 ||
      (!unit.empty() && unit != "h" && unit != "d")) {
    return Error{ErrorCode::kInvalidArgument, "a retention is hours or days: 36h, 7d"};
  }
  const std::int64_t hours = unit == "d" ? number * 24 : number;
  if (hours < kRetentionHoursMin || hours > kRetentionHoursMax) {
    return Error{ErrorCode::kInvalidArgument, "a data stream's retention is 24h to 365d, not " + text};
  }
  return hours;
}

int RunStreamRetention(const ClientOptions& client, const std::string& name, const std::string& retention) {
  auto api = ApiClient::Make(client.endpoint);
  if (!api) return Complain(api.error());
  auto hours = ParseRetention(retention);
  if (!hours) return Complain(hours.error());
  auto set = SetRetention(*api, name, *hours);
  if (!set) {
    return api->Fail(ExplainNoDataStream(
        *api, name, set.error(), "its camera says it: millrace camera add NAME URL --retention-hours"));
  }
  auto summary = AwaitActive(*api, name);
  if (!summary) return api->Fail(summary.error());
  if (client.json) {
    PrintJson(*summary);
  } else {
    std::printf("Stream %s keeps its records for %s.\n", name.c_str(),
                HumanHours(NumberMember(*summary, "RetentionPeriodHours")).c_str());
  }
  return kExitOk;
}

}  // namespace millrace::server
