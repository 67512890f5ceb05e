#include <cmath>

#include "api/http/handlers.h"
#include "api/v1/json.h"
#include "api/v1/services.h"

namespace millrace::api {
namespace {

std::string Describe(const storage::StorageStatus& status) {
  boost::json::object object;
  object["state"] = JsonView(storage::ToString(status.state));
  object["message"] = TextOrNull(status.message);
  object["used_bytes"] = status.used_bytes;
  object["free_bytes"] = status.free_bytes;
  object["total_bytes"] = status.total_bytes;
  object["budget_bytes"] = nullptr;
  if (status.budget_bytes) object["budget_bytes"] = *status.budget_bytes;
  object["held_fragments"] = status.held_records;
  object["held_bytes"] = status.held_bytes;
  object["queued_bytes"] = status.queued_bytes;
  object["write_bytes_per_second"] = std::llround(status.write_bytes_per_second);
  object["oldest"] = TimeOrNull(status.oldest);
  object["evicted_before"] = TimeOrNull(status.evicted_before);
  object["evicted_records"] = status.evicted_records;
  object["evicted_bytes"] = status.evicted_bytes;
  object["last_eviction"] = TimeOrNull(status.last_eviction);
  object["budget_reached_at"] = TimeOrNull(status.budget_reached_at);
  object["reach_hours"] = nullptr;
  if (status.reach) {
    object["reach_hours"] = Number(std::chrono::duration<double, std::ratio<3600>>(*status.reach).count());
  }
  object["last_error"] = TextOrNull(status.last_error);
  object["last_error_at"] = TimeOrNull(status.last_error_at);
  return ToText(object);
}

}  // namespace

void AddStorageRoutes(Router& router, StorageServices services) {
  router.Add("GET", "/v1/storage",
             [status = services.status](Request& request, ResponseWriter& writer) -> net::awaitable<void> {
               if (auto known = request.target.CheckQuery({}); !known) {
                 co_await RespondError(writer, std::move(known).error());
                 co_return;
               }
               std::string text = Describe(status());
               co_await RespondJson(writer, 200, std::move(text));
             });
  router.Add("GET", "/v1/backup",
             [services](Request& request, ResponseWriter& writer) -> net::awaitable<void> {
               auto work = [&]() -> Result<Bytes> {
                 MILLRACE_RETURN_IF_ERROR(request.target.CheckQuery({}));
                 return services.backup();
               };
               Result<Bytes> backup = co_await services.pool.Run(work);
               if (!backup) {
                 co_await RespondError(writer, std::move(backup).error());
                 co_return;
               }
               ResponseHead head;
               head.headers.Add("Content-Type", "application/octet-stream");
               SharedBytes body(std::move(*backup));
               (void)co_await writer.Respond(std::move(head), std::move(body));
             });
}

}  // namespace millrace::api
