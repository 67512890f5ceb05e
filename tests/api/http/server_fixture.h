// A server with routes that do what real handlers do, for tests of what carries them.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <future>
#include <stdexcept>

#include "api/http/error_response.h"
#include "api/http/origin_policy.h"
#include "api/http/router.h"
#include "api/http/server.h"
#include "api/http/worker_pool.h"
#include "tests/api/http/duplex.h"
#include "tests/api/http/raw_client.h"
#include "tests/wait.h"

namespace millrace::api::testing {

inline constexpr std::size_t kEchoBytesMax = 1000;

// Gathers a body, streams one, answers in pieces, fails.
class ServerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    AddRoutes();
    options_.port = 0;
    options_.threads = 2;
    // A busy machine makes every peer slow: tests that are about slow ones have less.
    options_.limits.header_timeout = test::kPatience;
    options_.limits.read_timeout = test::kPatience;
    options_.limits.linger_timeout = std::chrono::milliseconds(300);
    Start();
  }

  void Start() {
    server_.reset();
    auto server = Server::Start(dispatcher_, options_);
    ASSERT_TRUE(server) << server.error().ToString();
    server_ = std::move(*server);
  }

  virtual void AddRoutes() {
    router_.Add("GET", "/hello/{name}", [](Request& request, ResponseWriter& writer) -> net::awaitable<void> {
      std::string text = "hello " + request.Parameter("name");
      co_await RespondText(writer, 200, "text/plain", std::move(text));
    });
    router_.Add("POST", "/echo", [](Request& request, ResponseWriter& writer) -> net::awaitable<void> {
      auto body = co_await ReadBody(request, kEchoBytesMax, test::kPatience);
      if (!body) {
        Error error = std::move(body).error();
        int status = error.code == ErrorCode::kResourceExhausted  ? 413
                     : error.code == ErrorCode::kDeadlineExceeded ? 408
                                                                  : 0;
        co_await RespondError(writer, std::move(error), status);
        co_return;
      }
      co_await RespondText(writer, 200, "text/plain", std::move(*body));
    });
    router_.Add("POST", "/duplex", Duplex);
    router_.Add("GET", "/pieces", [](Request&, ResponseWriter& writer) -> net::awaitable<void> {
      ResponseHead head{200, {}};
      (void)co_await writer.WriteHead(std::move(head));
      for (int i = 0; i < 3; ++i) {
        std::string text = "piece " + std::to_string(i) + "\n";
        SharedBytes shared(Bytes(text.begin(), text.end()));
        (void)co_await writer.Write(std::move(shared));
      }
      (void)co_await writer.Finish();
    });
    router_.Add("GET", "/unfinished", [](Request&, ResponseWriter& writer) -> net::awaitable<void> {
      ResponseHead head{200, {}};
      (void)co_await writer.WriteHead(std::move(head));
      SharedBytes shared(Bytes{'x'});
      (void)co_await writer.Write(std::move(shared));
    });
    router_.Add("GET", "/throws", [](Request&, ResponseWriter&) -> net::awaitable<void> {
      throw std::runtime_error("secret detail");
      co_return;
    });
    router_.Add("GET", "/silent", [](Request&, ResponseWriter&) -> net::awaitable<void> { co_return; });
    router_.Add("GET", "/large", [this](Request&, ResponseWriter& writer) -> net::awaitable<void> {
      ResponseHead head{200, {}};
      SharedBytes shared(Bytes(8 * 1024 * 1024, 'a'));
      auto written = co_await writer.Respond(std::move(head), std::move(shared));
      large_failed_ = !written;
      large_done_.set_value();
    });
    router_.Add("GET", "/slow", [this](Request&, ResponseWriter& writer) -> net::awaitable<void> {
      slow_entered_.set_value();
      net::steady_timer timer(co_await net::this_coro::executor, std::chrono::milliseconds(200));
      co_await timer.async_wait(net::use_awaitable);
      co_await RespondText(writer, 200, "text/plain", "done");
    });
    router_.Add("GET", "/work/{what}",
                [this](Request& request, ResponseWriter& writer) -> net::awaitable<void> {
                  auto work = [&]() -> Result<std::string> {
                    if (request.Parameter("what") == "throws") throw std::runtime_error("boom");
                    return std::string("worked");
                  };
                  auto result = co_await pool_.Run(work);
                  if (!result) {
                    co_await RespondError(writer, std::move(result).error());
                  } else {
                    co_await RespondText(writer, 200, "text/plain", std::move(*result));
                  }
                });
  }

  RawAnswer Ask(std::string_view request) {
    RawClient client(server_->port());
    EXPECT_TRUE(client.connected());
    client.Send(request);
    return client.Receive();
  }

  WorkerPool pool_{2, 8};
  Router router_;
  Dispatcher dispatcher_{router_, CheckCaller};
  ServerOptions options_;
  std::promise<void> slow_entered_;
  std::promise<void> large_done_;
  std::atomic<bool> large_failed_{false};
  std::unique_ptr<Server> server_;
};

}  // namespace millrace::api::testing
