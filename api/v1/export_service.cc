#include <boost/asio/co_spawn.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_future.hpp>
#include <future>

#include "api/http/handlers.h"
#include "api/v1/services.h"
#include "api/v1/time_range.h"
#include "consumers/clips/clip_exporter.h"

namespace millrace::api {
namespace {

Result<ClipRequest> ParseExport(const Request& request, const Clock& clock) {
  MILLRACE_RETURN_IF_ERROR(request.target.CheckQuery({"start", "end", "format"}));
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
  return clip;
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
    MILLRACE_ASSIGN_OR_RETURN(ClipRequest parsed, ParseExport(request, services.clock));
    MILLRACE_RETURN_IF_ERROR(exporter.Check(parsed));
    return parsed;
  };
  auto clip = co_await services.pool.Run(check);
  if (!clip) {
    co_await RespondError(writer, std::move(clip).error());
    co_return;
  }
  ResponseHead head = ClipHead(*clip);
  if (request.method == "HEAD") {
    (void)co_await writer.WriteHead(std::move(head));
    (void)co_await writer.Finish();
    co_return;
  }
  // The exporter runs on a thread of the export pool and waits there until the peer has taken what it made.
  // The head is written with the first bytes, so that what fails before them is still answered with an error.
  auto strand = co_await net::this_coro::executor;
  auto send = [&](SharedBytes bytes) -> net::awaitable<Result<void>> {
    if (!writer.head_written()) {
      auto begun = co_await writer.WriteHead(std::move(head));
      if (!begun) co_return std::move(begun).error();
    }
    co_return co_await writer.Write(std::move(bytes));
  };
  auto sink = [&](ByteSpan bytes) -> Result<void> {
    SharedBytes copy(Bytes(bytes.begin(), bytes.end()));
    return net::co_spawn(strand, send(std::move(copy)), net::use_future).get();
  };
  auto work = [&]() -> Result<ClipSummary> { return exporter.ToSink(*clip, sink); };
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
}

}  // namespace millrace::api
