#include "api/connection.h"

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <cstring>

#include "api/protocol_session.h"
#include "api/transport.h"
#include "base/log.h"

namespace millrace::api {
namespace {

using boost::system::error_code;
using net::ip::tcp;
using TimePoint = Transport::TimePoint;

class ServedConnection final : public Connection, public std::enable_shared_from_this<ServedConnection> {
 public:
  ServedConnection(tcp::socket socket, const Dispatcher& dispatcher, const ConnectionLimits& limits)
      : executor_(socket.get_executor()), dispatcher_(dispatcher), limits_(limits) {
    error_code ec;
    auto endpoint = socket.remote_endpoint(ec);
    if (!ec) peer_ = endpoint.address().to_string() + ":" + std::to_string(endpoint.port());
    socket.set_option(tcp::no_delay(true), ec);
    transport_ = MakeTcpTransport(std::move(socket));
  }

  net::awaitable<void> Run() {
    Bytes received;
    auto http_2 = co_await ReceivePreface(received);
    if (!http_2) {
      transport_->Close();
      co_return;
    }
    SessionContext context{executor_, *transport_, dispatcher_, limits_, peer_, false};
    session_ = *http_2 ? MakeHttp2Session(std::move(context)) : MakeHttp1Session(std::move(context));
    if (draining_) session_->Drain();
    co_await session_->Run(std::move(received));
  }

  const net::any_io_executor& executor() const { return executor_; }

  void Drain() override {
    net::post(executor_, [self = shared_from_this()] {
      self->draining_ = true;
      if (self->session_) {
        self->session_->Drain();
      } else {
        self->transport_->CancelRead();
      }
    });
  }

  void Abort() override {
    net::post(executor_, [self = shared_from_this()] {
      self->draining_ = true;
      if (self->session_) self->session_->Drain();
      self->transport_->Close();
    });
  }

 private:
  TimePoint After(Duration duration) const {
    return std::chrono::steady_clock::now() +
           std::chrono::duration_cast<std::chrono::steady_clock::duration>(duration);
  }

  // Reads until it is known whether the peer speaks HTTP/2; an error: the connection is over before its first
  // byte. A preface that breaks off is HTTP/1.1's to complain about.
  net::awaitable<Result<bool>> ReceivePreface(Bytes& received) {
    received.resize(limits_.header_bytes_max);
    std::size_t size = 0;
    TimePoint until = After(limits_.idle_timeout);
    bool http_2 = true;
    while (http_2 && size < kHttp2Preface.size()) {
      if (draining_ && size == 0) co_return Error{ErrorCode::kCancelled, "the server stops"};
      auto more = co_await transport_->ReadSome(std::span(received).subspan(size), until);
      if (size == 0) until = After(limits_.header_timeout);
      if (!more && size == 0) co_return std::move(more).error();
      if (!more || *more == 0) http_2 = false;
      if (more) size += *more;
      const std::size_t known = std::min(size, kHttp2Preface.size());
      http_2 = http_2 && std::memcmp(received.data(), kHttp2Preface.data(), known) == 0;
    }
    received.resize(size);
    co_return http_2;
  }

  const net::any_io_executor executor_;
  const Dispatcher& dispatcher_;
  const ConnectionLimits limits_;
  std::string peer_;
  // Strand only.
  std::unique_ptr<Transport> transport_;
  std::unique_ptr<ProtocolSession> session_;  // null until the protocol is known
  bool draining_ = false;
};

}  // namespace

std::shared_ptr<Connection> StartConnection(tcp::socket socket, const Dispatcher& dispatcher,
                                            const ConnectionLimits& limits, std::function<void()> on_closed) {
  auto connection = std::make_shared<ServedConnection>(std::move(socket), dispatcher, limits);
  auto executor = connection->executor();
  auto run = [](std::shared_ptr<ServedConnection> self) -> net::awaitable<void> { co_await self->Run(); };
  net::co_spawn(executor, run(connection),
                [connection, on_closed = std::move(on_closed)](std::exception_ptr failure) {
                  if (failure) {
                    try {
                      std::rethrow_exception(failure);
                    } catch (const std::exception& e) {
                      Log(LogLevel::kError, "connection ended by an exception", {{"error", e.what()}});
                    }
                  }
                  on_closed();
                });
  return connection;
}

}  // namespace millrace::api
