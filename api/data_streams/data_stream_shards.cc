#include <algorithm>
#include <array>
#include <boost/json/object.hpp>

#include "api/aws/aws_input.h"
#include "api/aws/aws_names.h"
#include "api/aws/listing_token.h"
#include "api/data_streams/data_stream_catalog.h"
#include "api/data_streams/data_stream_operations.h"

namespace millrace::api {
namespace {

using storage::ShardDescription;

constexpr ListingKind kShardListing{"list-shards-1", kDataListingLifetime};
constexpr std::int64_t kPageMax = 1000;

constexpr std::array<std::string_view, 6> kFilters{"AFTER_SHARD_ID", "AT_TRIM_HORIZON", "FROM_TRIM_HORIZON",
                                                   "AT_LATEST",      "AT_TIMESTAMP",    "FROM_TIMESTAMP"};

// What a listing is of, and where its next page begins: what a NextToken holds.
struct Listing {
  std::string stream;
  std::string filter = "FROM_TRIM_HORIZON";
  Timestamp time;                         // for the two timestamp filters
  std::optional<storage::ShardId> after;  // shards with higher ids only
};

std::string Seal(const DataStreamServices& services, const Listing& listing, Timestamp created) {
  boost::json::object place;
  MarkStream(place, listing.stream, created);
  place["filter"] = listing.filter;
  place["time"] = listing.time.ns;
  place["after"] = listing.after->index;
  return SealNextToken(services.sealer, kShardListing, std::move(place), services.clock.Now());
}

AwsResult<Listing> Open(const DataStreamServices& services, const std::string& token, Timestamp& created) {
  MILLRACE_ASSIGN_OR_RETURN(const auto place,
                            OpenNextToken(services.sealer, kShardListing, token, services.clock.Now()));
  Listing listing;
  listing.stream = std::string(place.at("stream").as_string());
  listing.filter = std::string(place.at("filter").as_string());
  listing.time = Timestamp{place.at("time").as_int64()};
  listing.after = storage::ShardId{place.at("after").to_number<std::uint32_t>()};
  created = Timestamp{place.at("created").as_int64()};
  return listing;
}

bool OpenAt(const ShardDescription& shard, Timestamp time) {
  return shard.created <= time && (!shard.closed || *shard.closed >= time);
}

bool Passes(const Listing& listing, const ShardDescription& shard, Timestamp trim) {
  if (listing.after && shard.id <= *listing.after) return false;
  if (listing.filter == "AT_LATEST") return !shard.closed;
  if (listing.filter == "AT_TRIM_HORIZON") return OpenAt(shard, trim);
  if (listing.filter == "AT_TIMESTAMP") return OpenAt(shard, listing.time);
  if (listing.filter == "FROM_TIMESTAMP") return !shard.closed || *shard.closed >= listing.time;
  return true;
}

AwsResult<storage::ShardId> ParseShard(const std::string& text) {
  auto id = storage::ShardId::Parse(text);
  if (!id) return InvalidArgument("'" + text + "' is no shard's id.");
  return *id;
}

AwsResult<Listing> ReadListing(const DataStreamServices& services, AwsInput& input,
                               std::optional<Timestamp>& created) {
  const AwsStringRule shard_rule{.min = 1, .max = 128, .pattern = kAwsNamePattern};
  const auto token = input.String("NextToken", {.min = 1, .max = 1'048'576});
  const auto named = ReadDataStreamName(input);
  const auto start = input.String("ExclusiveStartShardId", shard_rule);
  created = input.Time("StreamCreationTimestamp");
  std::optional<std::string> type, shard;
  std::optional<Timestamp> time;
  if (auto filter = input.Structure("ShardFilter")) {
    type = filter->String("Type", {.required = true, .values = kFilters});
    shard = filter->String("ShardId", shard_rule);
    time = filter->Time("Timestamp");
  }
  if (auto bad = input.Finish()) return *bad;
  if (token) {
    Timestamp of;
    MILLRACE_ASSIGN_OR_RETURN(Listing listing, Open(services, *token, of));
    // Paginators send what they began with beside the token: that is fine, while it names the same stream.
    if (named && named->name != listing.stream) {
      return InvalidArgument("NextToken and StreamName cannot be provided together.");
    }
    created = of;
    return listing;
  }
  if (!named) return InvalidArgument("Either NextToken or StreamName should be provided.");
  Listing listing;
  MILLRACE_ASSIGN_OR_RETURN(listing.stream, OurDataStream(services, named));
  if (type) listing.filter = *type;
  if (start) {
    MILLRACE_ASSIGN_OR_RETURN(listing.after, ParseShard(*start));
  }
  const bool by_time = listing.filter == "AT_TIMESTAMP" || listing.filter == "FROM_TIMESTAMP";
  if (by_time && !time)
    return InvalidArgument("ShardFilter of type " + listing.filter + " needs a Timestamp.");
  if (by_time) listing.time = *time;
  if (listing.filter == "AFTER_SHARD_ID") {
    if (!shard) return InvalidArgument("ShardFilter of type AFTER_SHARD_ID needs a ShardId.");
    MILLRACE_ASSIGN_OR_RETURN(const storage::ShardId after, ParseShard(*shard));
    if (!listing.after || after > *listing.after) listing.after = after;
  }
  return listing;
}

}  // namespace

void WriteShard(AwsOutput& output, const ShardDescription& shard) {
  output.BeginObject();
  output.Key("ShardId").String(shard.id.ToString());
  if (shard.parent) output.Key("ParentShardId").String(shard.parent->ToString());
  if (shard.adjacent_parent) output.Key("AdjacentParentShardId").String(shard.adjacent_parent->ToString());
  output.Key("HashKeyRange").BeginObject();
  output.Key("StartingHashKey").String(shard.hash_keys.starting.ToString());
  output.Key("EndingHashKey").String(shard.hash_keys.ending.ToString()).EndObject();
  output.Key("SequenceNumberRange").BeginObject();
  output.Key("StartingSequenceNumber").String(shard.starting_sequence_number.ToString());
  if (shard.ending_sequence_number) {
    output.Key("EndingSequenceNumber").String(shard.ending_sequence_number->ToString());
  }
  output.EndObject().EndObject();
}

AwsAnswer ListShards(const DataStreamServices& services, const DataStreamRequest& request) {
  AwsInput input(request.members);
  const auto limit = input.Integer("MaxResults", {.min = 1, .max = 10'000});
  std::optional<Timestamp> created;
  MILLRACE_ASSIGN_OR_RETURN(Listing listing, ReadListing(services, input, created));
  auto stream = services.catalog.Describe(listing.stream);
  if (!stream) return OfDataStream(services, listing.stream, std::move(stream).error());
  // To the second: some clients send no fractions.
  if (created && created->seconds() != stream->description.created.seconds()) {
    return NoDataStream(services, listing.stream);
  }
  const Timestamp trim =
      std::max(services.clock.Now() - stream->description.retention, stream->description.created);
  const auto page = static_cast<std::size_t>(std::min(limit.value_or(kPageMax), kPageMax));
  AwsOutput output(request.encoding, 1024);
  output.BeginObject().Key("Shards").BeginArray();
  std::size_t count = 0;
  bool more = false;
  for (const ShardDescription& shard : stream->description.shards) {
    if (!Passes(listing, shard, trim)) continue;
    if (count == page) {
      more = true;
      break;
    }
    WriteShard(output, shard);
    listing.after = shard.id;
    ++count;
  }
  output.EndArray();
  if (more) output.Key("NextToken").String(Seal(services, listing, stream->description.created));
  output.EndObject();
  return std::move(output).Take();
}

std::string ListedStream(const DataStreamServices& services, const std::string& token) {
  Timestamp created;
  auto listing = Open(services, token, created);
  return listing ? std::move(listing->stream) : std::string();
}

}  // namespace millrace::api
