#include "api/http/handlers.h"
#include "api/v1/time_range.h"
#include "api/web_routes.h"
#include "consumers/hls/hls_service.h"

namespace millrace::api {
namespace {

// Whether a list of entity tags (If-None-Match) names this one. "W/" does not matter to that comparison (RFC
// 9110 8.8.3).
bool NamesTag(std::string_view list, std::string_view etag) {
  while (!list.empty()) {
    auto comma = list.find(',');
    std::string_view one = list.substr(0, comma);
    list = comma == std::string_view::npos ? std::string_view() : list.substr(comma + 1);
    auto first = one.find_first_not_of(" \t");
    if (first == std::string_view::npos) continue;
    one = one.substr(first, one.find_last_not_of(" \t") - first + 1);
    if (one.starts_with("W/")) one.remove_prefix(2);
    if (one == "*" || one == etag) return true;
  }
  return false;
}

net::awaitable<void> Send(const Request& request, ResponseWriter& writer, const HlsResource& resource) {
  ResponseHead head{200, {}};
  head.headers.Add("Content-Type", std::string(resource.content_type));
  head.headers.Add("Cache-Control", std::string(resource.cache_control));
  head.headers.Add("ETag", resource.etag);
  head.headers.Add("X-Content-Type-Options", "nosniff");
  auto known = request.headers.Find("If-None-Match");
  if (known && NamesTag(*known, resource.etag)) {
    head.status = 304;
    SharedBytes none;
    (void)co_await writer.Respond(std::move(head), std::move(none));
    co_return;
  }
  auto begun = co_await writer.WriteHead(std::move(head), resource.bytes);
  if (!begun) co_return;
  for (const SharedBytes& part : resource.parts) {
    auto written = co_await writer.Write(part);
    if (!written) co_return;
  }
  (void)co_await writer.Finish();
}

}  // namespace

void AddHlsRoutes(Router& router, HlsService& hls, WorkerPool& pool) {
  router.Add("GET", "/hls/{stream}/{resource}",
             [&hls, &pool](Request& request, ResponseWriter& writer) -> net::awaitable<void> {
               auto work = [&]() -> Result<HlsResource> {
                 // Players add parameters of their own, so unknown ones pass here.
                 MILLRACE_ASSIGN_OR_RETURN(TimeRange range, ParseTimeRange(request.target));
                 if (range.end && !range.start) {
                   return Error{ErrorCode::kInvalidArgument, "'end' needs a 'start'"};
                 }
                 HlsRange asked{range.start, range.end};
                 return hls.Get(request.Parameter("stream"), request.Parameter("resource"), asked);
               };
               auto resource = co_await pool.Run(work);
               if (resource) {
                 co_await Send(request, writer, *resource);
               } else {
                 co_await RespondError(writer, std::move(resource).error());
               }
             });
}

}  // namespace millrace::api
