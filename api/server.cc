#include "api/server.h"

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

#include "api/error_response.h"
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
        acceptor_(net::make_strand(io_)) {}

  Result<void> Listen() {
    error_code ec;
    auto address = net::ip::make_address(options_.address, ec);
    if (ec) {
      return Error{ErrorCode::kInvalidArgument,
                   "'" + options_.address + "' is not a numeric address such as 127.0.0.1"};
    }
    tcp::endpoint endpoint(address, options_.port);
    acceptor_.open(endpoint.protocol(), ec);
    if (!ec) acceptor_.set_option(tcp::acceptor::reuse_address(true), ec);
    if (!ec) acceptor_.bind(endpoint, ec);
    if (!ec) acceptor_.listen(net::socket_base::max_listen_connections, ec);
    if (ec) {
      return Error{ErrorCode::kUnavailable, "cannot listen on " + options_.address + ":" +
                                                std::to_string(options_.port) + ": " + ec.message()};
    }
    port_ = acceptor_.local_endpoint().port();
    return {};
  }

  void Run() {
    auto accept = [](Impl* self) -> net::awaitable<void> { co_await self->Accept(); };
    net::co_spawn(acceptor_.get_executor(), accept(this), net::detached);
    std::size_t count =
        options_.threads > 0 ? options_.threads : std::max(1U, std::thread::hardware_concurrency());
    for (std::size_t i = 0; i < count; ++i) threads_.emplace_back([this] { io_.run(); });
  }

  void Stop(Duration grace) {
    if (stopped_) return;
    stopped_ = true;
    net::post(acceptor_.get_executor(), [this] {
      stopping_ = true;
      error_code ignored;
      acceptor_.close(ignored);
      ForEach([](Connection& connection) { connection.Drain(); });
    });
    if (!WaitForNone(grace)) {
      Log(LogLevel::kWarning, "requests are cut off by the stop", {{"connections", connections()}});
      ForEach([](Connection& connection) { connection.Abort(); });
      // What is left are handlers on their way to their next read or write.
      WaitForNone(std::chrono::seconds(5));
    }
    work_.reset();
    io_.stop();
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
  }

  std::uint16_t port() const { return port_; }

  std::size_t connections() const {
    std::lock_guard lock(mutex_);
    return open_.size();
  }

 private:
  net::awaitable<void> Accept() {
    net::steady_timer pause(acceptor_.get_executor());
    while (!stopping_) {
      auto [ec, socket] =
          co_await acceptor_.async_accept(net::make_strand(io_), net::as_tuple(net::use_awaitable));
      if (!ec) {
        Admit(std::move(socket));
        continue;
      }
      if (ec == net::error::operation_aborted || !acceptor_.is_open()) co_return;
      // Out of descriptors, usually: connections that end will free some.
      Log(LogLevel::kWarning, "cannot accept a connection", {{"error", ec.message()}});
      pause.expires_after(std::chrono::milliseconds(100));
      co_await pause.async_wait(net::as_tuple(net::use_awaitable));
    }
  }

  // On the acceptor's strand.
  void Admit(tcp::socket socket) {
    if (connections() >= options_.connections_max) {
      RefusedCounter().Increment();
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
    auto connection =
        StartConnection(std::move(socket), dispatcher_, options_.limits, [this, id] { Closed(id); });
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

  bool WaitForNone(Duration at_most) {
    std::unique_lock lock(mutex_);
    return none_open_.wait_for(lock, at_most, [&] { return open_.empty(); });
  }

  const Dispatcher& dispatcher_;
  const ServerOptions options_;
  std::uint16_t port_ = 0;
  bool stopped_ = false;  // the owner's thread only

  net::io_context io_;
  net::executor_work_guard<net::io_context::executor_type> work_;
  tcp::acceptor acceptor_;
  bool stopping_ = false;      // the acceptor's strand only
  std::uint64_t next_id_ = 0;  // the acceptor's strand only

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
std::size_t Server::connections() const { return impl_->connections(); }
void Server::Stop(Duration grace) { impl_->Stop(grace); }

}  // namespace millrace::api
