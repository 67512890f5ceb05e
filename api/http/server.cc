#include "api/http/server.h"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <condition_variable>
#include <map>
#include <mutex>
#include <thread>
#include <vector>

#include "api/http/error_response.h"
#include "base/log.h"
#include "base/metrics.h"

namespace millrace::api {
namespace {

using boost::system::error_code;
using net::ip::tcp;

prometheus::Gauge& ConnectionsGauge() {
  static auto& gauge = GetGauge("millrace_api_connections", "Connections that are open");
  return gauge;
}

prometheus::Counter& RefusedCounter() {
  static auto& counter =
      GetCounter("millrace_api_connections_refused_total", "Connections refused because too many were open");
  return counter;
}

std::string TooManyConnections() {
  std::string body =
      ErrorJson(Error{ErrorCode::kResourceExhausted, "too many connections are open; try again in a while"});
  return "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nRetry-After: 1\r\n"
         "Connection: close\r\nContent-Length: " +
         std::to_string(body.size()) + "\r\n\r\n" + body;
}

}  // namespace

class Server::Impl {
 public:
  Impl(const Dispatcher& dispatcher, ServerOptions options)
      : dispatcher_(dispatcher),
        options_(std::move(options)),
        io_(),
        work_(net::make_work_guard(io_)),
        strand_(net::make_strand(io_)),
        plain_(strand_),
        tls_(strand_) {}

  Result<void> Listen() {
    MILLRACE_RETURN_IF_ERROR(Listen(plain_, options_.address, options_.port));
    port_ = plain_.local_endpoint().port();
    if (options_.tls) {
      MILLRACE_RETURN_IF_ERROR(Listen(tls_, options_.tls->address, options_.tls->port));
      tls_port_ = tls_.local_endpoint().port();
    }
    return {};
  }

  void Run() {
    auto accept = [](Impl* self, tcp::acceptor* acceptor, bool over_tls) -> net::awaitable<void> {
      co_await self->Accept(*acceptor, over_tls);
    };
    net::co_spawn(strand_, accept(this, &plain_, false), net::detached);
    if (options_.tls) net::co_spawn(strand_, accept(this, &tls_, true), net::detached);
    std::size_t count =
        options_.threads > 0 ? options_.threads : std::max(1U, std::thread::hardware_concurrency());
    for (std::size_t i = 0; i < count; ++i) threads_.emplace_back([this] { io_.run(); });
  }

  void Stop(Duration grace) {
    if (stopped_) return;
    stopped_ = true;
    net::post(strand_, [this] {
      stopping_ = true;
      error_code ignored;
      plain_.close(ignored);
      tls_.close(ignored);
      ForEach([](Connection& connection) { connection.Drain(); });
    });
    if (!WaitForNone(grace)) {
      Log(LogLevel::kWarning, "requests are cut off by the stop", {{"connections", connections()}});
      ForEach([](Connection& connection) { connection.Abort(); });
      // What is left are handlers on their way to their next read or write. A pool's thread may
      // work in the frame of one of them, as long as the disk takes.
      WaitForNone();
    }
    // Not stopped: a pool's thread that has given its result back holds the context for a moment longer, and
    // the threads go on until nobody does.
    work_.reset();
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
  }

  std::uint16_t port() const { return port_; }
  std::uint16_t tls_port() const { return tls_port_; }

  std::size_t connections() const {
    std::lock_guard lock(mutex_);
    return open_.size();
  }

 private:
  static Result<void> Listen(tcp::acceptor& acceptor, const std::string& host, std::uint16_t port) {
    error_code ec;
    auto address = net::ip::make_address(host, ec);
    if (ec) {
      return Error{ErrorCode::kInvalidArgument, "'" + host + "' is not a numeric address such as 127.0.0.1"};
    }
    tcp::endpoint endpoint(address, port);
    acceptor.open(endpoint.protocol(), ec);
    if (!ec) acceptor.set_option(tcp::acceptor::reuse_address(true), ec);
    if (!ec) acceptor.bind(endpoint, ec);
    if (!ec) acceptor.listen(net::socket_base::max_listen_connections, ec);
    if (ec) {
      return Error{ErrorCode::kUnavailable,
                   "cannot listen on " + host + ":" + std::to_string(port) + ": " + ec.message()};
    }
    return {};
  }

  net::awaitable<void> Accept(tcp::acceptor& acceptor, bool over_tls) {
    net::steady_timer pause(strand_);
    while (!stopping_) {
      auto [ec, socket] =
          co_await acceptor.async_accept(net::make_strand(io_), net::as_tuple(net::use_awaitable));
      if (!ec) {
        Admit(std::move(socket), over_tls);
        continue;
      }
      if (ec == net::error::operation_aborted || !acceptor.is_open()) co_return;
      // Out of descriptors, usually: connections that end will free some.
      Log(LogLevel::kWarning, "cannot accept a connection", {{"error", ec.message()}});
      pause.expires_after(std::chrono::milliseconds(100));
      co_await pause.async_wait(net::as_tuple(net::use_awaitable));
    }
  }

  // On the acceptors' strand.
  void Admit(tcp::socket socket, bool over_tls) {
    if (connections() >= options_.connections_max) {
      RefusedCounter().Increment();
      if (over_tls) return;  // it would take a handshake to say why
      error_code ignored;
      socket.non_blocking(true, ignored);
      socket.write_some(net::buffer(TooManyConnections()), ignored);
      socket.shutdown(tcp::socket::shutdown_send, ignored);
      return;
    }
    std::uint64_t id = next_id_++;
    {
      std::lock_guard lock(mutex_);
      open_[id] = {};
    }
    ConnectionsGauge().Increment();
    auto connection = StartConnection(
        std::move(socket), dispatcher_, options_.limits, [this, id] { Closed(id); },
        over_tls ? options_.tls->context->current() : nullptr);
    std::lock_guard lock(mutex_);
    auto found = open_.find(id);  // it may be over already
    if (found != open_.end()) found->second = connection;
    if (stopping_) connection->Drain();
  }

  void Closed(std::uint64_t id) {
    ConnectionsGauge().Decrement();
    std::lock_guard lock(mutex_);
    open_.erase(id);
    if (open_.empty()) none_open_.notify_all();
  }

  template <typename Action>
  void ForEach(Action action) {
    std::lock_guard lock(mutex_);
    for (auto& [id, weak] : open_) {
      if (auto connection = weak.lock()) action(*connection);
    }
  }

  void WaitForNone() {
    std::unique_lock lock(mutex_);
    none_open_.wait(lock, [&] { return open_.empty(); });
  }
  bool WaitForNone(Duration at_most) {
    std::unique_lock lock(mutex_);
    return none_open_.wait_for(lock, at_most, [&] { return open_.empty(); });
  }

  const Dispatcher& dispatcher_;
  const ServerOptions options_;
  std::uint16_t port_ = 0;
  std::uint16_t tls_port_ = 0;
  bool stopped_ = false;  // the owner's thread only

  net::io_context io_;
  net::executor_work_guard<net::io_context::executor_type> work_;
  const net::any_io_executor strand_;  // of both acceptors
  tcp::acceptor plain_;
  tcp::acceptor tls_;          // not open without options_.tls
  bool stopping_ = false;      // the acceptors' strand only
  std::uint64_t next_id_ = 0;  // the acceptors' strand only

  mutable std::mutex mutex_;
  std::map<std::uint64_t, std::weak_ptr<Connection>> open_;  // GUARDED_BY(mutex_)
  std::condition_variable none_open_;

  std::vector<std::thread> threads_;
};

Result<std::unique_ptr<Server>> Server::Start(const Dispatcher& dispatcher, ServerOptions options) {
  auto impl = std::make_unique<Impl>(dispatcher, std::move(options));
  MILLRACE_RETURN_IF_ERROR(impl->Listen());
  impl->Run();
  return std::unique_ptr<Server>(new Server(std::move(impl)));
}

Server::Server(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Server::~Server() { Stop(Duration{0}); }
std::uint16_t Server::port() const { return impl_->port(); }
std::uint16_t Server::tls_port() const { return impl_->tls_port(); }
std::size_t Server::connections() const { return impl_->connections(); }
void Server::Stop(Duration grace) { impl_->Stop(grace); }

}  // namespace millrace::api
