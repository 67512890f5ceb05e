// The routes of JSON operations; GetDataEndpoint and ListFragments.
#include <algorithm>
#include <array>
#include <boost/json/object.hpp>

#include "api/aws/listing_token.h"
#include "api/video_streams/video_stream_operations.h"
#include "api/video_streams/video_stream_patterns.h"
#include "wire/json_writer.h"

namespace millrace::api {
namespace {

constexpr ListingKind kFragmentListing{"list-fragments-1", {}};
constexpr std::int64_t kPageDefault = 1000;
constexpr std::size_t kLookedAtMax = 10'000;

constexpr std::array<std::string_view, 8> kApiNames{"PUT_MEDIA",
                                                    "GET_MEDIA",
                                                    "LIST_FRAGMENTS",
                                                    "GET_MEDIA_FOR_FRAGMENT_LIST",
                                                    "GET_HLS_STREAMING_SESSION_URL",
                                                    "GET_DASH_STREAMING_SESSION_URL",
                                                    "GET_CLIP",
                                                    "GET_IMAGES"};

using Answer = AwsResult<std::string>;

Answer GetDataEndpoint(const VideoStreamServices& services, const boost::json::object& object,
                       const std::string& endpoint) {
  AwsInput input(object);
  (void)input.String("APIName", {.required = true, .values = kApiNames});
  MILLRACE_ASSIGN_OR_RETURN(const VideoStream stream, FindVideoStream(services, input));
  wire::JsonWriter json;
  json.BeginObject().Key("DataEndpoint").String(endpoint).EndObject();
  return std::move(json).Take();
}

// What a listing is of, and the last fragment of the page before: what a NextToken holds.
struct Listing {
  bool by_server = false;
  Timestamp start, end;  // both inclusive; of fragments' starts
  std::optional<FragmentNumber> last;
  Timestamp last_time;
};

Timestamp TimeOf(const Listing& listing, const FragmentFacts& facts) {
  return listing.by_server ? facts.server_start : facts.start;
}

std::string Seal(const VideoStreamServices& services, const VideoStream& stream, const Listing& listing) {
  boost::json::object place;
  MarkStream(place, stream.name, stream.created);
  place["by_server"] = listing.by_server;
  place["start"] = listing.start.ns;
  place["end"] = listing.end.ns;
  place["last"] = listing.last->ToString();
  place["last_time"] = listing.last_time.ns;
  return SealNextToken(services.sealer, kFragmentListing, std::move(place), services.clock.Now());
}

AwsResult<Listing> Open(const VideoStreamServices& services, const VideoStream& stream,
                        const std::string& token) {
  MILLRACE_ASSIGN_OR_RETURN(const auto place,
                            OpenNextToken(services.sealer, kFragmentListing, token, services.clock.Now()));
  if (!IsOfStream(place, stream.name, stream.created))
    return AwsError("InvalidArgumentException", "NextToken is invalid.");
  Listing listing;
  listing.by_server = place.at("by_server").as_bool();
  listing.start = Timestamp{place.at("start").as_int64()};
  listing.end = Timestamp{place.at("end").as_int64()};
  MILLRACE_ASSIGN_OR_RETURN(listing.last, FragmentNumber::Parse(std::string(place.at("last").as_string())));
  listing.last_time = Timestamp{place.at("last_time").as_int64()};
  return listing;
}

// The next fragments, up to one more than `count`: then there is another page. Several may have one time: in
// a page's first moment those are passed over that the page before had.
Result<std::vector<FragmentFacts>> NextFragments(FragmentStore& store, const std::string& name,
                                                 const Listing& listing, std::size_t count) {
  FragmentQuery query;
  query.order = listing.by_server ? FragmentOrder::kServerTime : FragmentOrder::kProducerTime;
  query.from = listing.last ? listing.last_time : listing.start;
  query.to = listing.end;
  for (query.limit = count + 2;; query.limit *= 2) {
    MILLRACE_ASSIGN_OR_RETURN(auto found, store.List(name, query));
    const bool all = found.size() < query.limit || query.limit >= kLookedAtMax;
    if (listing.last) {
      std::erase_if(found, [&](const FragmentFacts& facts) {
        return TimeOf(listing, facts) == listing.last_time && facts.number <= *listing.last;
      });
    }
    if (!all && found.size() <= count) continue;
    if (found.size() > count + 1) found.resize(count + 1);
    return found;
  }
}

Answer ListFragments(const VideoStreamServices& services, const boost::json::object& object,
                     const std::string&) {
  AwsInput input(object);
  const auto limit = input.Integer("MaxResults", {.min = 1, .max = 1000});
  const auto token = input.String("NextToken", {.min = 1, .max = 4096, .pattern = kAwsTokenPattern});
  std::optional<std::string> type;
  std::optional<Timestamp> start, end;
  if (auto selector = input.Structure("FragmentSelector")) {
    type = selector->String("FragmentSelectorType", {.required = true, .values = kTimestampSelectors});
    if (auto range = selector->Structure("TimestampRange", true)) {
      start = range->Time("StartTimestamp", true);
      end = range->Time("EndTimestamp", true);
    }
  }
  MILLRACE_ASSIGN_OR_RETURN(const VideoStream stream, FindVideoStream(services, input));
  Listing listing;
  if (token) {
    MILLRACE_ASSIGN_OR_RETURN(listing, Open(services, stream, *token));
  } else if (!type) {
    return AwsError("InvalidArgumentException", "FragmentSelector is required unless NextToken is given.");
  } else if (*end < *start) {
    return AwsError("InvalidArgumentException", "StartTimestamp must not be after EndTimestamp.");
  } else {
    // Times on the wire are whole milliseconds: the last one counts to its end.
    listing = {*type == "SERVER_TIMESTAMP", *start, *end + std::chrono::nanoseconds(999'999), {}, {}};
  }
  const auto count = static_cast<std::size_t>(limit.value_or(kPageDefault));
  auto found = NextFragments(services.store, stream.name, listing, count);
  if (!found) return OfVideoStream(std::move(found).error());
  const bool more = found->size() > count;
  if (more) found->resize(count);
  wire::JsonWriter json(64 + found->size() * 256);
  json.BeginObject().Key("Fragments").BeginArray();
  for (const FragmentFacts& facts : *found) {
    json.BeginObject();
    json.Key("FragmentNumber").String(facts.number.ToString());
    json.Key("FragmentSizeInBytes").Unsigned(facts.bytes);
    json.Key("ProducerTimestamp").Seconds(facts.start);
    json.Key("ServerTimestamp").Seconds(facts.server_start);
    json.Key("FragmentLengthInMilliseconds").Integer(facts.duration / std::chrono::milliseconds(1));
    json.EndObject();
  }
  json.EndArray();
  if (more) {
    listing.last = found->back().number;
    listing.last_time = TimeOf(listing, found->back());
    json.Key("NextToken").String(Seal(services, stream, listing));
  }
  json.EndObject();
  return std::move(json).Take();
}

// What the model calls the error of somebody who may not do it.
enum class Denial { kNotAuthorized, kAccessDenied };

struct Operation {
  VideoStreamOperation run = nullptr;
  Denial denial = Denial::kNotAuthorized;
  // What the caller must be allowed beside the operation on its stream.
  Result<void> (*also)(Caller*, const AwsIdentity&, const boost::json::object&) = nullptr;
};

net::awaitable<void> Serve(const VideoStreamServices& services, Operation operation, Request& request,
                           ResponseWriter& writer) {
  const std::string endpoint = EndpointOf(services.identity, request);
  auto authorize = [&](const boost::json::object& members) -> Result<void> {
    MILLRACE_RETURN_IF_ERROR(
        AuthorizeVideoStream(request.caller.get(), services.store, services.identity, members));
    if (operation.also == nullptr) return {};
    return operation.also(request.caller.get(), services.identity, members);
  };
  auto run = [&](const boost::json::object& members) { return operation.run(services, members, endpoint); };
  Answer answer = co_await ReadVideoRequest(services, request, authorize, run);
  if (!answer && operation.denial == Denial::kAccessDenied) {
    answer = InWordsOfAccessDenied(std::move(answer).error());
  }
  co_await RespondVideo(writer, std::move(answer));
}

}  // namespace

void AddVideoStreamRoutes(Router& router, VideoStreamServices services) {
  const auto add = [&](const char* path, VideoStreamOperation run, Denial denial = Denial::kNotAuthorized,
                       decltype(Operation::also) also = nullptr) {
    const Operation operation{run, denial, also};
    router.Add("POST", path,
               [services, operation](Request& request, ResponseWriter& writer) -> net::awaitable<void> {
                 co_await Serve(services, operation, request, writer);
               });
  };
  add("/createStream", CreateVideoStream);
  add("/describeStream", DescribeVideoStream);
  add("/listStreams", ListVideoStreams);
  add("/updateStream", UpdateVideoStream);
  add("/updateDataRetention", UpdateDataRetention);
  add("/deleteStream", DeleteVideoStream);
  add("/getDataEndpoint", GetDataEndpoint);
  add("/tagStream", TagVideoStream);
  add("/untagStream", UntagVideoStream);
  add("/listTagsForStream", ListTagsForVideoStream);
  add("/TagResource", TagVideoResource, Denial::kAccessDenied);
  add("/UntagResource", UntagVideoResource, Denial::kAccessDenied);
  add("/ListTagsForResource", ListTagsForVideoResource, Denial::kAccessDenied);
  add("/describeNotificationConfiguration", DescribeNotificationConfiguration, Denial::kAccessDenied);
  add("/updateNotificationConfiguration", UpdateNotificationConfiguration, Denial::kAccessDenied);
  add("/describeImageGenerationConfiguration", DescribeImageGenerationConfiguration, Denial::kAccessDenied);
  add("/updateImageGenerationConfiguration", UpdateImageGenerationConfiguration, Denial::kAccessDenied);
  add("/describeStreamStorageConfiguration", DescribeStreamStorageConfiguration, Denial::kAccessDenied);
  add("/updateStreamStorageConfiguration", UpdateStreamStorageConfiguration, Denial::kAccessDenied);
  add("/describeMappedResourceConfiguration", DescribeMappedResourceConfiguration, Denial::kAccessDenied);
  if (services.edge != nullptr) {
    add("/startEdgeConfigurationUpdate", StartEdgeConfigurationUpdate, Denial::kAccessDenied,
        AuthorizeEdgeSecret);
    add("/describeEdgeConfiguration", DescribeEdgeConfiguration, Denial::kAccessDenied);
    add("/deleteEdgeConfiguration", DeleteEdgeConfiguration, Denial::kAccessDenied);
    add("/listEdgeAgentConfigurations", ListEdgeAgentConfigurations);
  }
  add("/listFragments", ListFragments);
  AddMediaRoutes(router, services);
}

}  // namespace millrace::api
