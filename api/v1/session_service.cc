#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/json/object.hpp>

#include "api/access/failed_logins.h"
#include "api/access/sessions.h"
#include "api/http/error_response.h"
#include "api/http/handlers.h"
#include "api/http/origin_policy.h"
#include "api/v1/json.h"
#include "api/v1/services.h"
#include "base/metrics.h"
#include "wire/digest.h"

namespace millrace::api {
namespace {

constexpr std::size_t kBodyBytesMax = 4096;
// Before it is said that a login failed: whoever guesses gets few tries a connection, and those are limited.
// That it is the same whether the key is there or not, and whoever asks, tells nothing.
constexpr Duration kFailedLoginPause = std::chrono::milliseconds(500);

std::string Cookie(const Request& request, const std::string& value, std::int64_t seconds) {
  std::string text = std::string(kSessionCookie) + "=" + value +
                     "; Path=/; HttpOnly; SameSite=Strict; Max-Age=" + std::to_string(seconds);
  if (request.secure) text += "; Secure";
  return text;
}

net::awaitable<void> RespondWithCookie(ResponseWriter& writer, std::string cookie, std::string json) {
  ResponseHead head{200, {}};
  head.headers.Add("Content-Type", "application/json");
  head.headers.Add("Cache-Control", "no-store");
  head.headers.Add("Set-Cookie", std::move(cookie));
  Bytes bytes(json.begin(), json.end());
  SharedBytes body(std::move(bytes));
  (void)co_await writer.Respond(std::move(head), std::move(body));
}

struct Login {
  std::string token;
  std::string user;
  Timestamp end;
};

Result<Login> LogIn(const SessionServices& services, const std::string& body) {
  MILLRACE_ASSIGN_OR_RETURN(const auto object, ParseJsonObject(body, kBodyBytesMax));
  ObjectReader reader(object, {"access_key_id", "secret_access_key"});
  const auto id = reader.String("access_key_id", 128);
  const auto secret = reader.String("secret_access_key", 1024);
  MILLRACE_RETURN_IF_ERROR(reader.Finish());
  if (!id || !secret)
    return Error{ErrorCode::kInvalidArgument, "'access_key_id' and 'secret_access_key' are required"};
  if (services.credentials == nullptr) {
    return Error{ErrorCode::kFailedPrecondition,
                 "no credentials are configured: everybody on this machine may do everything"};
  }
  const auto credentials = services.credentials->Now();
  const Credentials::Owner* owner = credentials->Find(*id);
  if (owner == nullptr || !wire::EqualInConstantTime(owner->secret, *secret))
    return Error{ErrorCode::kUnauthenticated, "there is no such access key, or its secret is another"};
  const Timestamp end = services.clock.Now() + kSessionLength;
  return Login{services.sessions.Make(*credentials, *id, end), owner->user->name, end};
}

net::awaitable<void> RespondTooMany(ResponseWriter& writer, Duration wait) {
  GetCounter("millrace_api_refused_total", "Requests that were turned away",
             {{"reason", "TooManyFailedLogins"}})
      .Increment();
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(wait).count();
  const Error error{
      ErrorCode::kResourceExhausted,
      "too many logins from your address have failed: try again in " + std::to_string(seconds) + " s"};
  ResponseHead head{429, {}};
  head.headers.Add("Content-Type", "application/json");
  head.headers.Add("Cache-Control", "no-store");
  head.headers.Add("Retry-After", std::to_string(seconds));
  const std::string json = ErrorJson(error) + "\n";
  Bytes bytes(json.begin(), json.end());
  SharedBytes body(std::move(bytes));
  (void)co_await writer.Respond(std::move(head), std::move(body));
}

net::awaitable<void> Pause(const SessionServices& services, Duration duration) {
  if (services.pause) {
    co_await services.pause(duration);
    co_return;
  }
  net::steady_timer timer(co_await net::this_coro::executor, duration);
  co_await timer.async_wait(net::use_awaitable);
}

net::awaitable<void> LogInOnce(const SessionServices& services, FailedLogins& failed, Request& request,
                               ResponseWriter& writer) {
  // Nobody's page logs the browser in as somebody else.
  if (auto same = CheckSameOrigin(request); !same) {
    co_await RespondError(writer, std::move(same).error());
    co_return;
  }
  auto body = co_await ReadBody(request, kBodyBytesMax);
  if (!body) {
    co_await RespondBodyError(writer, std::move(body).error());
    co_return;
  }
  if (const auto wait = failed.Begin(request.peer)) {
    co_await RespondTooMany(writer, *wait);
    co_return;
  }
  auto login = LogIn(services, *body);
  const bool guessed = !login && login.error().code == ErrorCode::kUnauthenticated;
  if (guessed) {
    co_await Pause(services, kFailedLoginPause);
  } else {
    failed.Succeeded(request.peer);
  }
  if (!login) {
    co_await RespondError(writer, std::move(login).error());
    co_return;
  }
  boost::json::object answer;
  answer["user"] = login->user;
  answer["token"] = login->token;
  answer["expires"] = FormatRfc3339(login->end);
  std::string cookie = Cookie(request, login->token, kSessionLength / std::chrono::seconds(1));
  std::string json = ToText(answer);
  co_await RespondWithCookie(writer, std::move(cookie), std::move(json));
}

}  // namespace

void AddSessionRoutes(Router& router, SessionServices services) {
  auto failed = std::make_shared<FailedLogins>(services.clock);
  router.Add("POST", "/v1/session",
             [services, failed](Request& request, ResponseWriter& writer) -> net::awaitable<void> {
               co_await LogInOnce(services, *failed, request, writer);
             });
  router.Add("DELETE", "/v1/session", [](Request& request, ResponseWriter& writer) -> net::awaitable<void> {
    std::string cookie = Cookie(request, "", 0);
    std::string json = "{}\n";
    co_await RespondWithCookie(writer, std::move(cookie), std::move(json));
  });
}

}  // namespace millrace::api
