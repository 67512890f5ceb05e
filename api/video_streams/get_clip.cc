// GetClip: a range of stored footage as one MP4 file, its index in front, whole fragments.
#include <array>
#include <boost/asio/this_coro.hpp>

#include "api/aws/aws_http.h"
#include "api/http/peer_watch.h"
#include "api/http/pool_answer.h"
#include "api/video_streams/footage_services.h"
#include "api/video_streams/video_stream_access.h"
#include "api/video_streams/video_stream_patterns.h"
#include "api/video_streams/video_stream_requests.h"
#include "consumers/clips/clip_exporter.h"

namespace millrace::api {
namespace {

struct ClipOrder {
  ClipRequest clip;
  ClipOutline outline;
  ByteBudget::Share memory;  // of the index
};

const char* ErrorOf(TrackFault fault) {
  switch (fault) {
    case TrackFault::kNoCodecPrivate:
      return "MissingCodecPrivateDataException";
    case TrackFault::kBadCodecPrivate:
      return "InvalidCodecPrivateDataException";
    case TrackFault::kCodec:
    case TrackFault::kNone:
      break;
  }
  return "UnsupportedStreamMediaTypeException";
}

// What the exporter says, in the service's words.
AwsError OfClip(Error error) {
  switch (error.code) {
    case ErrorCode::kNotFound:
      return {"ResourceNotFoundException",
              "No fragments found in the stream for the clip request: " + error.message, 404};
    case ErrorCode::kUnsupported:
      return {"UnsupportedStreamMediaTypeException", error.message};
    case ErrorCode::kFailedPrecondition:  // the parameters change
      return {"InvalidCodecPrivateDataException", error.message};
    case ErrorCode::kCorruption:
      return {"InvalidMediaFrameException", error.message};
    default:
      return error;
  }
}

AwsResult<ClipOrder> ReadOrder(const FootageServices& services, const boost::json::object& object) {
  AwsInput input(object);
  ClipOrder order;
  std::optional<std::string> clock;
  std::optional<Timestamp> start, end;
  if (auto selector = input.Structure("ClipFragmentSelector", true)) {
    clock = selector->String("FragmentSelectorType", {.required = true, .values = kTimestampSelectors});
    if (auto range = selector->Structure("TimestampRange", true)) {
      start = range->Time("StartTimestamp", true);
      end = range->Time("EndTimestamp", true);
    }
  }
  MILLRACE_ASSIGN_OR_RETURN(const VideoStream stream, FindVideoStream(services.video, input));
  if (stream.retention <= Duration{0}) return NoDataRetention(stream);
  if (*end <= *start) {
    return AwsError("InvalidArgumentException", "EndTimestamp must be later than StartTimestamp.");
  }
  order.clip.stream = stream.name;
  order.clip.start = *start;
  // Times on the wire are whole milliseconds: the last one counts to its end.
  order.clip.end = *end + std::chrono::nanoseconds(999'999);
  order.clip.cut =
      *clock == kServerTimestamp ? ClipCut::kFragmentsByServerTime : ClipCut::kFragmentsByProducerTime;
  auto outline = ClipExporter(services.video.store).Outline(order.clip);
  if (!outline) return OfClip(std::move(outline).error());
  order.outline = std::move(*outline);
  for (const TrackInfo& track : order.outline.tracks) {
    auto held = CheckTrack(track, ClipFormat::kMp4);
    if (!held) return AwsError(ErrorOf(FaultOf(track, ClipFormat::kMp4)), std::move(held).error().message);
  }
  auto memory = services.video.media_budget.Take(order.outline.index_bytes);
  if (!memory) {
    return AwsError("ClientLimitExceededException", "Too many clips and fragments are on their way already.");
  }
  order.memory = std::move(*memory);
  return order;
}

ResponseHead ClipHead() {
  ResponseHead head{200, {}};
  AddRequestIds(head.headers, AwsService::kVideoStreams);
  head.headers.Add("Content-Type", std::string(ContentType(ClipFormat::kMp4)));
  head.headers.Add("Cache-Control", "no-store");
  head.headers.Add("X-Content-Type-Options", "nosniff");
  return head;
}

net::awaitable<void> GetClip(const FootageServices& services, Request& request, ResponseWriter& writer) {
  auto read = [&](const boost::json::object& members) { return ReadOrder(services, members); };
  auto order = co_await ReadVideoRequest(services.video, request, read);
  if (!order) {
    co_await RespondAws(writer, AwsService::kVideoStreams, std::move(order).error());
    co_return;
  }
  const auto strand = co_await net::this_coro::executor;
  const PeerWatch watch(strand, writer);
  PoolAnswer answer(strand, writer, ClipHead());
  auto work = [&, gone = watch.Check()]() -> Result<ClipSummary> {
    const auto begin = [&](std::uint64_t bytes) -> Result<void> {
      answer.SetLength(bytes);
      return {};
    };
    const auto sink = [&](ByteSpan bytes) { return answer.Write(bytes); };
    return ClipExporter(services.video.store).ToIndexedSink(order->clip, begin, sink, gone);
  };
  auto summary = co_await services.exports.Run(work);
  if (summary) {
    (void)co_await writer.Finish();
  } else if (summary.error().code != ErrorCode::kCancelled) {
    co_await RespondAws(writer, AwsService::kVideoStreams, OfClip(std::move(summary).error()));
  }
}

}  // namespace

void AddClipRoutes(Router& router, FootageServices services) {
  router.Add("POST", "/getClip",
             [services](Request& request, ResponseWriter& writer) -> net::awaitable<void> {
               co_await GetClip(services, request, writer);
             });
}

}  // namespace millrace::api
