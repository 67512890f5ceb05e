#include <boost/asio/this_coro.hpp>

#include "api/http/handlers.h"
#include "api/http/peer_watch.h"
#include "api/http/pool_answer.h"
#include "api/v1/json.h"
#include "api/v1/services.h"
#include "api/v1/time_range.h"
#include "consumers/clips/clip_exporter.h"

namespace millrace::api {
namespace {

Result<ClipRequest> ParseExport(const Request& request, const Clock& clock) {
  MILLRACE_ASSIGN_OR_RETURN(TimeRange range, ParseTimeRange(request.target));
  if (!range.start)
    return Error{ErrorCode::kInvalidArgument, "'start' is required, such as start=2026-11-21T14:03:00Z"};
  ClipRequest clip;
  clip.stream = request.Parameter("name");
  clip.start = *range.start;
  clip.end = range.end.value_or(clock.Now());
  if (clip.end <= clip.start)
    return Error{ErrorCode::kInvalidArgument, "'start' must be before 'end', which is now"};
  auto format = ClipFormatFromString(request.target.Query("format").value_or("mp4"));
  if (!format) return Error{ErrorCode::kInvalidArgument, "'format' must be mp4 or mkv"};
  clip.format = *format;
  if (const auto stretch = request.target.Query("stretch")) {
    auto number = FragmentNumber::Parse(*stretch);
    if (!number) return WithContext(std::move(number).error(), "'stretch'");
    clip.stretch = *number;
  }
  return clip;
}

boost::json::object ToJson(const ClipOutline& outline) {
  boost::json::object object;
  object["stretch"] = outline.first.ToString();
  object["start"] = FormatRfc3339(outline.start);
  object["end"] = FormatRfc3339(outline.end);
  object["duration_ms"] = outline.duration / std::chrono::milliseconds(1);
  object["fragments"] = outline.fragments;
  boost::json::array tracks;
  boost::json::array formats;
  for (const TrackInfo& track : outline.tracks) {
    boost::json::object one;
    one["codec"] = std::string(ToString(track.codec));
    if (track.kind() == TrackKind::kVideo) {
      one["width"] = track.width;
      one["height"] = track.height;
    } else {
      one["sample_rate"] = track.sample_rate;
      one["channels"] = track.channels;
    }
    tracks.push_back(std::move(one));
  }
  for (const ClipFormat format : {ClipFormat::kMp4, ClipFormat::kMkv}) {
    bool holds = !outline.tracks.empty();
    for (const TrackInfo& track : outline.tracks)
      holds = holds && FaultOf(track, format) == TrackFault::kNone;
    if (holds) formats.push_back(format == ClipFormat::kMp4 ? "mp4" : "mkv");
  }
  object["tracks"] = std::move(tracks);
  object["formats"] = std::move(formats);
  return object;
}

Result<std::string> Stretches(const ExportServices& services, const Request& request) {
  MILLRACE_RETURN_IF_ERROR(request.target.CheckQuery({"start", "end"}));
  MILLRACE_ASSIGN_OR_RETURN(const ClipRequest clip, ParseExport(request, services.clock));
  ClipExporter exporter(services.store);
  MILLRACE_ASSIGN_OR_RETURN(const std::vector<ClipOutline> outlines, exporter.Stretches(clip));
  boost::json::array list;
  for (const ClipOutline& outline : outlines) list.push_back(ToJson(outline));
  boost::json::object answer;
  // What `end` was taken for: so that the same range can be asked for again.
  answer["start"] = FormatRfc3339(clip.start);
  answer["end"] = FormatRfc3339(clip.end);
  answer["stretches"] = std::move(list);
  return ToText(answer);
}

ResponseHead ClipHead(const ClipRequest& clip) {
  ResponseHead head{200, {}};
  std::string time = FormatRfc3339(Timestamp::FromSeconds(clip.start.seconds())).substr(0, 19);
  for (char& c : time) c = c == ':' ? '-' : c;
  head.headers.Add("Content-Type", std::string(ContentType(clip.format)));
  head.headers.Add("Content-Disposition", "attachment; filename=\"" + clip.stream + "_" + time + "Z" +
                                              (clip.format == ClipFormat::kMp4 ? ".mp4" : ".mkv") + "\"");
  head.headers.Add("Cache-Control", "no-store");
  head.headers.Add("X-Content-Type-Options", "nosniff");
  return head;
}

net::awaitable<void> Export(const ExportServices& services, Request& request, ResponseWriter& writer) {
  ClipExporter exporter(services.store);
  auto check = [&]() -> Result<ClipRequest> {
    MILLRACE_RETURN_IF_ERROR(request.target.CheckQuery({"start", "end", "format", "stretch"}));
    MILLRACE_ASSIGN_OR_RETURN(ClipRequest parsed, ParseExport(request, services.clock));
    MILLRACE_RETURN_IF_ERROR(exporter.Check(parsed));
    return parsed;
  };
  auto clip = co_await services.pool.Run(check);
  if (!clip) {
    const int status = clip.error().code == ErrorCode::kUnsupported ? 415 : 0;
    co_await RespondError(writer, std::move(clip).error(), status);
    co_return;
  }
  ResponseHead head = ClipHead(*clip);
  if (request.method == "HEAD") {
    (void)co_await writer.WriteHead(std::move(head));
    (void)co_await writer.Finish();
    co_return;
  }
  const auto strand = co_await net::this_coro::executor;
  const PeerWatch watch(strand, writer);
  PoolAnswer answer(strand, writer, std::move(head));
  const auto sink = [&](ByteSpan bytes) { return answer.Write(bytes); };
  auto work = [&, gone = watch.Check()]() -> Result<ClipSummary> {
    return exporter.ToSink(*clip, sink, gone);
  };
  auto summary = co_await services.export_pool.Run(work);
  if (!summary) {
    co_await RespondError(writer, std::move(summary).error());  // cut off, when bytes went out already
  } else {
    (void)co_await writer.Finish();
  }
}

}  // namespace

void AddExportRoutes(Router& router, ExportServices services) {
  router.Add("GET", "/v1/streams/{name}/export",
             [services](Request& request, ResponseWriter& writer) -> net::awaitable<void> {
               co_await Export(services, request, writer);
             });
  router.Add("GET", "/v1/streams/{name}/export/stretches",
             [services](Request& request, ResponseWriter& writer) -> net::awaitable<void> {
               auto work = [&] { return Stretches(services, request); };
               co_await RespondWith(services.pool, writer, work);
             });
}

}  // namespace millrace::api
