#include "api/http/dispatcher.h"

#include <chrono>

#include "api/http/error_response.h"
#include "api/http/observed_writer.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/text.h"

namespace millrace::api {
namespace {

// Labels come from our patterns and from a closed set of methods: what a client makes up never becomes a time
// series.
std::string MethodLabel(const std::string& method) {
  for (std::string_view known : {"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"}) {
    if (method == known) return method;
  }
  return "other";
}

void Count(const Request& request, const ResponseWriter& writer, std::string_view pattern, double seconds) {
  static const prometheus::Histogram::BucketBoundaries kBuckets{0.001, 0.003, 0.01, 0.03, 0.1,
                                                                0.3,   1,     3,    10,   30};
  std::string route(pattern.empty() ? "none" : pattern);
  GetCounter("millrace_api_requests_total", "Requests answered",
             {{"route", route},
              {"method", MethodLabel(request.method)},
              {"status", std::to_string(writer.status())}})
      .Increment();
  GetHistogram("millrace_api_request_seconds", "Time from a request's head to the end of its answer",
               kBuckets, {{"route", route}})
      .Observe(seconds);
  GetCounter("millrace_api_response_bytes_total", "Bytes of answers' bodies", {{"route", route}})
      .Increment(static_cast<double>(writer.body_bytes()));
}

}  // namespace

Dispatcher::Dispatcher(const Router& router, Admission admission)
    : router_(router), admission_(std::move(admission)) {}
Dispatcher::Dispatcher(const Router& router, Gatekeeper& gatekeeper)
    : router_(router), gatekeeper_(&gatekeeper) {}

Router::Match Dispatcher::FindRoute(Request& request) const {
  if (request.websocket) {
    Router::Match match = router_.Find(kWebSocketMethod, request.target.segments);
    if (match.handler != nullptr) return match;
    request.websocket = false;  // a server may ignore an upgrade (RFC 9110 section 7.8)
  }
  return router_.Find(request.method, request.target.segments);
}

net::awaitable<void> Dispatcher::Answer(Request& request, ResponseWriter& writer,
                                        Router::Match& match) const {
  if (gatekeeper_ != nullptr) {
    const bool admitted = co_await gatekeeper_->Admit(request, writer, match);
    if (!admitted) co_return;
  } else if (auto admitted = admission_(request); !admitted) {
    co_await RespondError(writer, std::move(admitted).error());
    co_return;
  }
  if (match.pattern.empty()) {
    Error error{ErrorCode::kNotFound, "nothing is at '" + Excerpt(request.target.path, 200) +
                                          "': docs/http-api.md lists the paths; the console is at /"};
    co_await RespondError(writer, std::move(error));
    co_return;
  }
  if (request.method == "OPTIONS" && match.handler == nullptr) {
    ResponseHead head{204, {}};
    head.headers.Add("Allow", match.allow);
    SharedBytes none;
    (void)co_await writer.Respond(std::move(head), std::move(none));
    co_return;
  }
  if (match.handler == nullptr) {
    Error error{ErrorCode::kInvalidArgument, "method " + request.method.substr(0, 32) + " is not for '" +
                                                 Excerpt(request.target.path, 200) + "', which takes " +
                                                 match.allow};
    ResponseHead head{405, {}};
    head.headers.Add("Content-Type", "application/json");
    head.headers.Add("Allow", match.allow);
    std::string json = ErrorJson(error) + "\n";
    Bytes bytes(json.begin(), json.end());
    SharedBytes body(std::move(bytes));
    (void)co_await writer.Respond(std::move(head), std::move(body));
    co_return;
  }
  request.path_parameters = std::move(match.parameters);
  co_await (*match.handler)(request, writer);
}

net::awaitable<void> Dispatcher::Handle(Request& request, ResponseWriter& beneath) const {
  ObservedWriter writer(beneath);
  auto started = std::chrono::steady_clock::now();
  Router::Match match = FindRoute(request);
  std::string failure;
  try {
    co_await Answer(request, writer, match);
    if (!writer.head_written()) failure = "the handler gave no answer";
  } catch (const std::exception& e) {
    failure = e.what();
  }
  if (!failure.empty()) {
    Error error{ErrorCode::kInternal, request.method + " " + std::string(match.pattern) + ": " + failure};
    co_await RespondError(writer, std::move(error));
  }
  std::chrono::duration<double> took = std::chrono::steady_clock::now() - started;
  Count(request, writer, match.pattern, took.count());
  if (gatekeeper_ != nullptr) gatekeeper_->Answered(request, writer);
  Log(LogLevel::kDebug, "request",
      {{"method", request.method},
       {"path", request.target.path},
       {"status", writer.status()},
       {"bytes", writer.body_bytes()},
       {"ms", took.count() * 1000},
       {"peer", request.peer}});
}

}  // namespace millrace::api
