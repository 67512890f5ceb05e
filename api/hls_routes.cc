#include "api/http/handlers.h"
#include "api/v1/time_range.h"
#include "api/video_streams/resource_response.h"
#include "api/web_routes.h"
#include "consumers/hls/hls_service.h"

namespace millrace::api {

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
                 co_await RespondResource(request, writer, *resource);
               } else {
                 co_await RespondError(writer, std::move(resource).error());
               }
             });
}

}  // namespace millrace::api
