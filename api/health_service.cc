#include "api/http/handlers.h"
#include "api/web_routes.h"
#include "base/metrics.h"

namespace millrace::api {

void AddHealthRoutes(Router& router, WorkerPool& pool, std::function<Result<void>()> ready) {
  router.Add("GET", "/healthz", [](Request&, ResponseWriter& writer) -> net::awaitable<void> {
    co_await RespondJson(writer, 200, R"({"status":"ok"})");
  });
  router.Add("GET", "/readyz",
             [&pool, ready = std::move(ready)](Request&, ResponseWriter& writer) -> net::awaitable<void> {
               auto state = co_await pool.Run(ready);
               if (state) {
                 co_await RespondJson(writer, 200, R"({"status":"ready"})");
               } else {
                 co_await RespondError(writer, std::move(state).error(), 503);
               }
             });
  router.Add("GET", "/metrics", [&pool](Request&, ResponseWriter& writer) -> net::awaitable<void> {
    auto work = [&]() -> Result<std::string> { return RenderMetrics(); };
    auto text = co_await pool.Run(work);
    if (text) {
      co_await RespondText(writer, 200, "text/plain; version=0.0.4; charset=utf-8", std::move(*text));
    } else {
      co_await RespondError(writer, std::move(text).error());
    }
  });
}

}  // namespace millrace::api
