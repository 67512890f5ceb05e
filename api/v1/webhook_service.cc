#include <boost/json/array.hpp>

#include "api/http/handlers.h"
#include "api/v1/json.h"
#include "api/v1/services.h"
#include "consumers/webhooks/webhook.h"

namespace millrace::api {
namespace {

boost::json::object ToJson(const WebhookStatus& status) {
  boost::json::object object;
  object["name"] = status.name;
  object["url"] = status.url;
  object["state"] = status.state;
  object["delivered"] = status.delivered;
  object["failed"] = status.failed;
  object["dropped"] = status.dropped;
  object["last_delivery"] = TimeOrNull(status.last_delivery);
  object["next_try"] = TimeOrNull(status.next_try);
  object["last_error"] = TextOrNull(status.last_error);
  return object;
}

}  // namespace

void AddWebhookRoutes(Router& router, WebhookServices services) {
  router.Add("GET", "/v1/webhooks",
             [services](Request& request, ResponseWriter& writer) -> net::awaitable<void> {
               auto work = [&]() -> Result<std::string> {
                 MILLRACE_RETURN_IF_ERROR(request.target.CheckQuery({}));
                 boost::json::array list;
                 for (const WebhookStatus& status : services.statuses()) list.push_back(ToJson(status));
                 boost::json::object answer;
                 answer["webhooks"] = std::move(list);
                 return ToText(answer);
               };
               co_await RespondWith(services.pool, writer, work);
             });
  router.Add("POST", "/v1/webhooks/{name}/test",
             [services](Request& request, ResponseWriter& writer) -> net::awaitable<void> {
               auto work = [&]() -> Result<std::string> {
                 MILLRACE_RETURN_IF_ERROR(request.target.CheckQuery({}));
                 MILLRACE_ASSIGN_OR_RETURN(const WebhookAnswer sent,
                                           services.test(request.Parameter("name")));
                 boost::json::object answer;
                 answer["delivered"] = sent.kind == WebhookAnswer::Kind::kDelivered;
                 answer["error"] = TextOrNull(sent.why);
                 return ToText(answer);
               };
               co_await RespondWith(services.pool, writer, work);
             });
}

}  // namespace millrace::api
