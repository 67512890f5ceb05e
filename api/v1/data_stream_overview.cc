// GET /v1/data-streams, /v1/data-streams/{name}, /v1/data-streams/{name}/records: what the console shows of
// data streams, in one answer each. Programs use the Data Streams protocol.
#include <algorithm>
#include <boost/json/array.hpp>
#include <charconv>
#include <cmath>

#include "api/data_streams/data_stream_catalog.h"
#include "api/data_streams/fragment_descriptor.h"
#include "api/http/handlers.h"
#include "api/v1/json.h"
#include "api/v1/recent_records.h"
#include "api/v1/services.h"
#include "base/text.h"
#include "wire/aggregated_record.h"
#include "wire/digest.h"

namespace millrace::api {
namespace {

constexpr std::size_t kRatedShardsMax = 256;  // measuring one costs a look at the index
constexpr std::size_t kTailedShardsMax = 64;  // that a tail of all of them looks at
constexpr std::size_t kRecordsDefault = 50;
constexpr std::size_t kRecordsShownMax = 200;
constexpr std::size_t kEntriesMax = 500;     // user records in an answer
constexpr std::size_t kTextBytesMax = 2048;  // of a record that are shown
constexpr std::size_t kHexBytesMax = 128;

boost::json::string JsonText(std::string_view text) { return boost::json::string(text.data(), text.size()); }
boost::json::string JsonText(Timestamp time) { return JsonText(FormatRfc3339(time)); }

double Fraction(const storage::HashKey& key) {
  return std::ldexp(static_cast<double>(key.high), -64) + std::ldexp(static_cast<double>(key.low), -128);
}

boost::json::object DescribeStream(const DataStream& stream) {
  const auto& description = stream.description;
  boost::json::object object;
  object["name"] = description.name;
  object["mode"] = JsonView(stream.settings.on_demand ? "on_demand" : "provisioned");
  object["created"] = JsonText(description.created);
  object["retention_hours"] =
      Number(std::chrono::duration<double, std::ratio<3600>>(description.retention).count());
  object["shards"] = description.shards.size();
  object["open_shards"] = std::count_if(description.shards.begin(), description.shards.end(),
                                        [](const storage::ShardDescription& shard) { return !shard.closed; });
  object["record_kib_max"] = stream.settings.record_kib_max;
  object["internal"] = stream.internal;
  return object;
}

boost::json::object DescribeShard(const storage::ShardDescription& shard) {
  boost::json::object object;
  object["id"] = shard.id.ToString();
  boost::json::array parents;
  for (const auto& parent : {shard.parent, shard.adjacent_parent}) {
    if (parent) parents.push_back(JsonText(parent->ToString()));
  }
  object["parents"] = std::move(parents);
  object["first_hash_key"] = shard.hash_keys.starting.ToString();
  object["last_hash_key"] = shard.hash_keys.ending.ToString();
  object["start"] = Fraction(shard.hash_keys.starting);
  object["end"] = Fraction(shard.hash_keys.ending);
  object["open"] = !shard.closed;
  object["created"] = JsonText(shard.created);
  object["closed"] = TimeOrNull(shard.closed);
  object["records_per_second"] = nullptr;
  object["bytes_per_second"] = nullptr;
  return object;
}

Result<std::string> List(const DataStreamServices& services, bool internal) {
  boost::json::array list;
  for (const std::string& name : services.catalog.List()) {
    if (!internal && services.catalog.IsInternal(name)) continue;
    auto stream = services.catalog.Describe(name);
    if (stream) {
      list.push_back(DescribeStream(*stream));
    } else if (stream.error().code != ErrorCode::kNotFound) {  // deleted meanwhile
      return std::move(stream).error();
    }
  }
  boost::json::object answer;
  answer["data_streams"] = std::move(list);
  return ToText(answer);
}

Result<DataStream> Named(const DataStreamServices& services, const std::string& name) {
  auto stream = services.catalog.Describe(name);
  if (!stream && stream.error().code == ErrorCode::kNotFound) {
    return Error{ErrorCode::kNotFound,
                 "data stream '" + Excerpt(name) + "' does not exist; GET /v1/data-streams lists them"};
  }
  return stream;
}

Result<std::string> Show(const DataStreamServices& services, const std::string& name) {
  MILLRACE_ASSIGN_OR_RETURN(const DataStream stream, Named(services, name));
  boost::json::object answer = DescribeStream(stream);
  boost::json::array shards;
  std::size_t rated = 0;
  for (const storage::ShardDescription& shard : stream.description.shards) {
    boost::json::object object = DescribeShard(shard);
    if (!shard.closed && rated++ < kRatedShardsMax) {
      auto rate = MeasureRate(services.catalog.log(), name, shard.id, services.clock.Now());
      if (!rate) return std::move(rate).error();
      object["records_per_second"] = Number(rate->records_per_second);
      object["bytes_per_second"] = Number(rate->bytes_per_second);
    }
    shards.push_back(std::move(object));
  }
  answer["shards"] = std::move(shards);
  return ToText(answer);
}

// ---- the newest records

struct RecordsQuery {
  std::size_t count = kRecordsDefault;
  std::optional<storage::ShardId> shard;
  std::vector<storage::ShardPosition> after;  // empty: from the newest that are there
};

// "0:4966…,2:4967…": what `next` gave.
Result<std::vector<storage::ShardPosition>> ParsePositions(std::string_view text) {
  const Error bad{ErrorCode::kInvalidArgument, "'after' must be what 'next' was"};
  std::vector<storage::ShardPosition> positions;
  while (!text.empty()) {
    const auto comma = std::min(text.find(','), text.size());
    const std::string_view one = text.substr(0, comma);
    text.remove_prefix(std::min(comma + 1, text.size()));
    const auto colon = std::min(one.find(':'), one.size());
    storage::ShardPosition position;
    const auto [end, error] = std::from_chars(one.data(), one.data() + colon, position.shard.index);
    if (error != std::errc() || end != one.data() + colon || positions.size() == 2 * kTailedShardsMax)
      return bad;
    const std::string_view number = one.substr(std::min(colon + 1, one.size()));
    if (number != "0") {
      auto parsed = storage::SequenceNumber::Parse(number);
      if (!parsed || parsed->fields().shard != position.shard) return bad;
      position.after = *parsed;
    }
    positions.push_back(position);
  }
  return positions;
}

std::string FormatPositions(const std::vector<storage::ShardPosition>& positions) {
  std::string text;
  for (const storage::ShardPosition& position : positions) {
    if (!text.empty()) text += ',';
    const bool begins = position.after == storage::SequenceNumber();
    text += std::to_string(position.shard.index) + ':' + (begins ? "0" : position.after.ToString());
  }
  return text;
}

Result<RecordsQuery> ParseRecordsQuery(const Target& target) {
  MILLRACE_RETURN_IF_ERROR(target.CheckQuery({"limit", "shard", "after"}));
  RecordsQuery query;
  MILLRACE_ASSIGN_OR_RETURN(query.count, target.Count("limit", kRecordsDefault, kRecordsShownMax));
  if (const auto shard = target.Query("shard")) {
    MILLRACE_ASSIGN_OR_RETURN(query.shard, storage::ShardId::Parse(*shard));
  }
  if (const auto after = target.Query("after")) {
    MILLRACE_ASSIGN_OR_RETURN(query.after, ParsePositions(*after));
  }
  return query;
}

Result<RecentRecords> FindRecords(const DataStreamServices& services, const DataStream& stream,
                                  const RecordsQuery& query) {
  storage::RecordLog& log = services.catalog.log();
  const auto& description = stream.description;
  if (!query.after.empty()) return FindAfter(log, description.name, query.after, query.count);
  std::vector<storage::ShardId> shards;
  for (const storage::ShardDescription& shard : description.shards) {
    const bool wanted = query.shard ? shard.id == *query.shard : !shard.closed;
    if (wanted && shards.size() < kTailedShardsMax) shards.push_back(shard.id);
  }
  if (query.shard && shards.empty()) {
    return Error{ErrorCode::kNotFound,
                 "data stream '" + description.name + "' has no shard " + query.shard->ToString()};
  }
  return FindNewest(log, description.name, shards, query.count, services.clock.Now());
}

void AddPreview(boost::json::object& entry, ByteSpan data) {
  entry["bytes"] = data.size();
  const std::string_view text = AsText(data);
  entry["text"] = nullptr;
  entry["hex"] = nullptr;
  entry["truncated"] = false;
  if (IsUtf8(text)) {
    entry["text"] = JsonText(Excerpt(text, kTextBytesMax));
    entry["truncated"] = text.size() > kTextBytesMax;
    return;
  }
  entry["hex"] = JsonText(wire::Hex(data.first(std::min(data.size(), kHexBytesMax))));
  entry["truncated"] = data.size() > kHexBytesMax;
}

// Appends the record, or its user records: at most as many as there is room for.
void AppendEntries(boost::json::array& entries, const storage::RecordInfo& info, ByteSpan data) {
  auto entry_of = [&info](std::string_view partition_key, ByteSpan bytes) {
    boost::json::object entry;
    entry["shard"] = info.shard.ToString();
    entry["sequence_number"] = info.sequence_number.ToString();
    entry["time"] = JsonText(info.arrival);
    entry["partition_key"] = JsonText(partition_key);
    AddPreview(entry, bytes);
    return entry;
  };
  const auto parts = wire::ReadAggregatedRecord(data);
  if (!parts) {
    boost::json::object entry = entry_of(info.partition_key, data);
    entry["sub_sequence"] = nullptr;
    entry["aggregated"] = nullptr;
    entries.push_back(std::move(entry));
    return;
  }
  for (std::size_t i = 0; i < parts->size() && entries.size() < kEntriesMax; ++i) {
    boost::json::object entry = entry_of((*parts)[i].partition_key, (*parts)[i].data);
    entry["sub_sequence"] = i;
    entry["aggregated"] = parts->size();
    entries.push_back(std::move(entry));
  }
}

Result<std::string> Records(const DataStreamServices& services, const std::string& name,
                            const Target& target) {
  MILLRACE_ASSIGN_OR_RETURN(const RecordsQuery query, ParseRecordsQuery(target));
  MILLRACE_ASSIGN_OR_RETURN(const DataStream stream, Named(services, name));
  MILLRACE_ASSIGN_OR_RETURN(const RecentRecords recent, FindRecords(services, stream, query));
  boost::json::array entries;
  for (const storage::RecordInfo& info : recent.records) {
    if (entries.size() >= kEntriesMax) break;
    if (stream.internal) {
      MILLRACE_ASSIGN_OR_RETURN(const std::string descriptor,
                                DescribeFragmentRecord(services.identity, info));
      AppendEntries(entries, info, AsBytes(descriptor));
      continue;
    }
    const auto data = services.catalog.log().Fetch(name, info.shard, info.sequence_number);
    if (!data && (data.error().code == ErrorCode::kNotFound || data.error().code == ErrorCode::kOutOfRange)) {
      continue;  // its retention has ended meanwhile
    }
    if (!data) return data.error();
    AppendEntries(entries, info, data->span());
  }
  boost::json::object answer;
  answer["records"] = std::move(entries);
  answer["skipped"] = recent.skipped;
  answer["next"] = JsonText(FormatPositions(recent.next));
  return ToText(answer);
}

}  // namespace

void AddDataStreamOverviewRoutes(Router& router, DataStreamServices services) {
  router.Add("GET", "/v1/data-streams",
             [services](Request& request, ResponseWriter& writer) -> net::awaitable<void> {
               auto work = [&]() -> Result<std::string> {
                 MILLRACE_RETURN_IF_ERROR(request.target.CheckQuery({"internal"}));
                 return List(services, request.target.Query("internal") == "true");
               };
               co_await RespondWith(services.pool, writer, work);
             });
  router.Add("GET", "/v1/data-streams/{name}",
             [services](Request& request, ResponseWriter& writer) -> net::awaitable<void> {
               auto work = [&]() -> Result<std::string> {
                 MILLRACE_RETURN_IF_ERROR(request.target.CheckQuery({}));
                 return Show(services, request.Parameter("name"));
               };
               co_await RespondWith(services.pool, writer, work);
             });
  router.Add("GET", "/v1/data-streams/{name}/records",
             [services](Request& request, ResponseWriter& writer) -> net::awaitable<void> {
               auto work = [&]() -> Result<std::string> {
                 return Records(services, request.Parameter("name"), request.target);
               };
               co_await RespondWith(services.pool, writer, work);
             });
}

}  // namespace millrace::api
