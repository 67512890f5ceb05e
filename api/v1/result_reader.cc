#include "api/v1/result_reader.h"

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <charconv>
#include <tuple>
#include <utility>

#include "api/v1/camera_json.h"
#include "api/v1/json.h"

namespace millrace::api {
namespace {

// Where a record lies among all: the order of the pages.
struct Place {
  std::uint64_t time_ns = 0;
  std::string stream;
  storage::SequenceNumber number;
  friend bool operator<(const Place& a, const Place& b) {
    return std::tie(a.time_ns, a.stream, a.number) < std::tie(b.time_ns, b.stream, b.number);
  }
};

std::string ToToken(const Place& place) {
  return std::to_string(place.time_ns) + "-" + place.stream + "-" + place.number.ToString();
}

Result<Place> ParseToken(const std::string& token) {
  const std::size_t first = token.find('-');
  const std::size_t last = token.rfind('-');
  Place place;
  bool good = first != std::string::npos && last > first;
  if (good) {
    const auto [end, ec] = std::from_chars(token.data(), token.data() + first, place.time_ns);
    auto number = storage::SequenceNumber::Parse(std::string_view(token).substr(last + 1));
    good = ec == std::errc() && end == token.data() + first && number;
    if (good) {
      place.stream = token.substr(first + 1, last - first - 1);
      place.number = *number;
    }
  }
  if (good) return place;
  return Error{ErrorCode::kInvalidArgument,
               "'next' is not a token of an earlier answer: give it back as it was"};
}

Bytes Key(std::uint64_t time_ns) {
  Bytes bytes;
  AppendBigEndian(bytes, time_ns);
  return bytes;
}

std::uint64_t NotNegative(Timestamp time) {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(time.ns, 0));
}

struct FoundResult {
  Place place;
  storage::ShardId shard;
};

}  // namespace

Result<ResultQuery> ParseResultQuery(const Target& target, const std::string& video_stream) {
  ResultQuery query;
  query.video_stream = video_stream;
  MILLRACE_RETURN_IF_ERROR(CheckName(video_stream, "stream name", 256));
  MILLRACE_ASSIGN_OR_RETURN(query.range, ParseTimeRange(target));
  MILLRACE_ASSIGN_OR_RETURN(query.limit, target.Count("limit", kResultsPageDefault, kResultsPageMax));
  if (auto next = target.Query("next")) query.next = std::string(*next);
  return query;
}

Result<boost::json::object> ReadResults(storage::RecordLog& log, const ResultQuery& query, const char* member,
                                        const ShowResult& show) {
  storage::AttributeQuery asked;
  asked.attribute = query.attribute;
  if (query.range.start) asked.from = Key(NotNegative(*query.range.start));
  if (query.range.end) asked.to = Key(NotNegative(*query.range.end - Duration{1}));
  std::optional<Place> behind;
  if (query.next) {
    MILLRACE_ASSIGN_OR_RETURN(behind, ParseToken(*query.next));
    asked.from = Key(behind->time_ns);
  }
  // Several records may have one time: those that the page before had are found again.
  asked.limit = query.limit + 1 + (behind ? kResultsPageMax : 0);
  std::vector<FoundResult> all;
  for (const std::string& stream : query.streams) {
    auto found = log.Find(stream, query.video_stream, asked);
    if (!found && found.error().code == ErrorCode::kNotFound) continue;
    if (!found) return std::move(found).error();
    for (const storage::RecordInfo& info : *found) {
      Place place{ReadBigEndian<std::uint64_t>(info.Find(query.attribute)), stream, info.sequence_number};
      if (!behind || *behind < place) all.push_back({std::move(place), info.shard});
    }
  }
  std::sort(all.begin(), all.end(),
            [](const FoundResult& a, const FoundResult& b) { return a.place < b.place; });
  boost::json::array shown;
  std::size_t bytes = 0;
  std::size_t looked_at = 0;
  while (looked_at < std::min(all.size(), query.limit) && bytes < kResultsPageBytesMax) {
    const FoundResult& result = all[looked_at++];
    auto data = log.Fetch(result.place.stream, result.shard, result.place.number);
    if (!data && data.error().code == ErrorCode::kNotFound) continue;  // expired meanwhile
    if (!data) return std::move(data).error();
    bytes += data->size();
    boost::system::error_code ec;
    auto value = boost::json::parse(JsonView(AsText(data->span())), ec);
    if (!ec && value.is_object()) show(value.get_object(), shown);
  }
  boost::json::object answer;
  answer[member] = std::move(shown);
  answer["next"] = nullptr;
  if (looked_at < all.size()) answer["next"] = ToToken(all[looked_at - 1].place);
  return answer;
}

}  // namespace millrace::api
