// GetImages: stored footage as still pictures.
#include <algorithm>
#include <boost/asio/this_coro.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <charconv>
#include <chrono>
#include <span>
#include <vector>

#include "api/aws/aws_http.h"
#include "api/http/peer_watch.h"
#include "api/video_streams/footage_services.h"
#include "api/video_streams/video_stream_access.h"
#include "api/video_streams/video_stream_patterns.h"
#include "api/video_streams/video_stream_requests.h"
#include "consumers/images/image_reader.h"
#include "wire/base64.h"
#include "wire/json_writer.h"
#include "wire/sealed_token.h"

namespace millrace::api {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr char kPurpose[] = "get-images";
constexpr std::int64_t kIntervalMsDefault = 3000;
constexpr auto kSpanMax = std::chrono::seconds(300);
constexpr std::int64_t kImagesPageMax = 25;
// A page ends earlier where its images are large, or take long: clients give up after a minute.
constexpr std::uint64_t kPageBytesMax = std::uint64_t{16} << 20;
constexpr auto kPageTimeMax = std::chrono::seconds(20);

struct ImagesRequest {
  VideoStream stream;
  ImageOptions options;
  Timestamp start, end;
  std::int64_t interval_ms = kIntervalMsDefault;
  std::size_t first = 0;  // of the page, among all times of the range
  std::size_t page = kImagesPageMax;

  std::size_t count() const {
    return static_cast<std::size_t>((end - start) / std::chrono::milliseconds(interval_ms)) + 1;
  }
  std::vector<Timestamp> Times() const {
    std::vector<Timestamp> times;
    for (std::size_t i = first; i < std::min(first + page, count()); ++i) {
      times.push_back(start + std::chrono::milliseconds(interval_ms * static_cast<std::int64_t>(i)));
    }
    return times;
  }
};

AwsError Invalid(std::string message) { return {"InvalidArgumentException", std::move(message)}; }

// What a token goes on with. Its times are those of the request that it came from, and no other's.
std::string SealNext(const FootageServices& services, const ImagesRequest& request, std::size_t next) {
  boost::json::object object;
  object["stream"] = request.stream.name;
  object["created"] = request.stream.created.ns;
  object["clock"] = static_cast<int>(request.options.clock);
  object["start"] = request.start.ns;
  object["end"] = request.end.ns;
  object["interval"] = request.interval_ms;
  object["next"] = next;
  return services.video.sealer.Seal(kPurpose, AsBytes(boost::json::serialize(object)));
}

AwsResult<std::size_t> OpenNext(const FootageServices& services, const ImagesRequest& request,
                                const std::string& token) {
  const auto opened = services.video.sealer.Open(kPurpose, token);
  if (!opened) return Invalid("NextToken is invalid.");
  const std::string_view text = AsText(*opened);
  const auto value = boost::json::parse(boost::json::string_view(text.data(), text.size()));
  const auto& object = value.get_object();
  if (object.at("stream").get_string() != request.stream.name ||
      object.at("created").get_int64() != request.stream.created.ns ||
      object.at("clock").get_int64() != static_cast<int>(request.options.clock) ||
      object.at("start").get_int64() != request.start.ns || object.at("end").get_int64() != request.end.ns ||
      object.at("interval").get_int64() != request.interval_ms) {
    return Invalid(
        "NextToken is of another request: its stream, times and SamplingInterval must be the same.");
  }
  return value.at("next").to_number<std::size_t>();
}

void ReadQuality(AwsInput& input, ImageEncoding& encoding) {
  const auto config = input.StringMap("FormatConfig", 1, 256, 256);
  for (const auto& [key, value] : config) {
    if (key != "JPEGQuality") {
      input.Fail("FormatConfig", key,
                 "Map keys must satisfy constraint: [Member must satisfy enum value set: [JPEGQuality]]");
      continue;
    }
    int quality = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), quality);
    if (error != std::errc() || end != value.data() + value.size() || quality < 1 ||
        quality > ImageEncoding::kQualityMax) {
      input.Fail("FormatConfig", value, "JPEGQuality must be a number from 1 to 100");
      continue;
    }
    encoding.jpeg_quality = quality;
  }
}

AwsResult<ImagesRequest> ReadRequest(const FootageServices& services, const boost::json::object& object) {
  AwsInput input(object);
  ImagesRequest request;
  const auto clock = input.String("ImageSelectorType", {.required = true, .values = kTimestampSelectors});
  const auto start = input.Time("StartTimestamp", true);
  const auto end = input.Time("EndTimestamp", true);
  const auto interval = input.Integer("SamplingInterval", {.min = kSamplingMsMin});
  const auto format = input.String("Format", {.required = true, .values = kImageFormats});
  ReadQuality(input, request.options.form.encoding);
  const auto width = input.Integer("WidthPixels", {.min = 1, .max = 3840});
  const auto height = input.Integer("HeightPixels", {.min = 1, .max = 2160});
  const auto page = input.Integer("MaxResults", {.min = 1, .max = 100});
  const auto token = input.String("NextToken", {.min = 1, .max = 4096, .pattern = kAwsTokenPattern});
  MILLRACE_ASSIGN_OR_RETURN(request.stream, FindVideoStream(services.video, input));
  if (request.stream.retention <= Duration{0}) return NoDataRetention(request.stream);
  if (*end < *start) return Invalid("StartTimestamp must not be after EndTimestamp.");
  if (*end - *start > kSpanMax) {
    return Invalid("The range from StartTimestamp to EndTimestamp must not be longer than 300 seconds.");
  }
  request.start = *start;
  request.end = *end;
  request.interval_ms = interval.value_or(kIntervalMsDefault);
  request.page = static_cast<std::size_t>(std::min(page.value_or(kImagesPageMax), kImagesPageMax));
  request.options.clock = *clock == kServerTimestamp ? ImageClock::kServer : ImageClock::kProducer;
  request.options.form.encoding.format = *format == kPngFormat ? ImageFormat::kPng : ImageFormat::kJpeg;
  request.options.form.width = static_cast<int>(width.value_or(0));
  request.options.form.height = static_cast<int>(height.value_or(0));
  request.options.bytes_max = kPageBytesMax;
  if (token) {
    MILLRACE_ASSIGN_OR_RETURN(request.first, OpenNext(services, request, *token));
  }
  return request;
}

void Write(wire::JsonWriter& json, const Image& image) {
  json.BeginObject();
  json.Key("TimeStamp").Seconds(image.time);
  if (image.problem == Image::Problem::kNone) {
    json.Key("ImageContent").Base64(image.bytes);
  } else {
    json.Key("Error").String(image.problem == Image::Problem::kNoMedia ? "NO_MEDIA" : "MEDIA_ERROR");
  }
  json.EndObject();
}

struct ImagesPage {
  std::string json;
  std::vector<ByteBudget::Share> shares;  // until it is sent
};

// The page's images, one fragment's after the other; between them others have their turn.
net::awaitable<AwsResult<ImagesPage>> MakePage(const FootageServices& services, ImagesRequest& request,
                                               ResponseWriter& writer) {
  const PeerWatch watch(co_await net::this_coro::executor, writer);
  request.options.cancelled = watch.Check();
  ImageReader reader(services.video.store, request.stream.name, request.options);
  const std::vector<Timestamp> times = request.Times();
  ImagesPage page;
  wire::JsonWriter json;
  json.BeginObject().Key("Images").BeginArray();
  std::size_t made = 0;
  std::uint64_t bytes = 0;
  const auto began = SteadyClock::now();
  bool full = false;
  while (made < times.size() && !full) {
    auto work = [&] { return reader.Next(std::span(times).subspan(made)); };
    auto images = co_await services.decoders.Run(work);
    // What there is already is a page; the next one is asked for when there is room again.
    const bool busy = !images && images.error().code == ErrorCode::kResourceExhausted;
    if (busy && made > 0) break;
    if (!images) co_return OfVideoStream(std::move(images).error());
    for (const Image& image : *images) {
      auto share = services.video.media_budget.Take(wire::Base64Length(image.bytes.size()));
      if (!share && made == 0) {
        co_return AwsError("ClientLimitExceededException", "Too many images are on their way already.");
      }
      full = !share;
      if (full) break;
      page.shares.push_back(std::move(*share));
      Write(json, image);
      bytes += image.bytes.size();
      ++made;
    }
    full = full || bytes >= kPageBytesMax || SteadyClock::now() - began > kPageTimeMax;
  }
  json.EndArray();
  const std::size_t next = request.first + made;
  if (next < request.count()) json.Key("NextToken").String(SealNext(services, request, next));
  json.EndObject();
  page.json = std::move(json).Take();
  co_return std::move(page);
}

net::awaitable<void> GetImages(const FootageServices& services, Request& request, ResponseWriter& writer) {
  auto read = [&](const boost::json::object& members) { return ReadRequest(services, members); };
  auto asked = co_await ReadVideoRequest(services.video, request, read);
  AwsResult<ImagesPage> page = ImagesPage();
  if (asked) {
    page = co_await MakePage(services, *asked, writer);
  } else {
    page = std::move(asked).error();
  }
  if (page) {
    co_await RespondAws(writer, AwsService::kVideoStreams, std::move(page->json));
  } else if (page.error().code != ErrorCode::kCancelled) {
    co_await RespondAws(writer, AwsService::kVideoStreams, std::move(page).error());
  }
}

}  // namespace

void AddImageRoutes(Router& router, FootageServices services) {
  router.Add("POST", "/getImages",
             [services](Request& request, ResponseWriter& writer) -> net::awaitable<void> {
               co_await GetImages(services, request, writer);
             });
}

}  // namespace millrace::api
