#include "api/http/connection.h"

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <cstring>

#include "api/http/protocol_session.h"
#include "api/http/tls_transport.h"
#include "api/http/transport.h"
#include "base/log.h"
#include "base/metrics.h"

namespace millrace::api {
namespace {

using boost::system::error_code;
using net::ip::tcp;
using TimePoint = Transport::TimePoint;

prometheus::Counter& HandshakeCounter(bool good) {
  constexpr const char* kHelp = "TLS handshakes of clients";
  static auto& done = GetCounter("millrace_api_tls_handshakes_total", kHelp, {{"result", "done"}});
  static auto& failed = GetCounter("millrace_api_tls_handshakes_total", kHelp, {{"result", "failed"}});
  return good ? done : failed;
}

class ServedConnection final : public Connection, public std::enable_shared_from_this<ServedConnection> {
 public:
  ServedConnection(tcp::socket socket, const Dispatcher& dispatcher, const ConnectionLimits& limits,
                   std::shared_ptr<TlsSettings> tls)
      : executor_(socket.get_executor()), dispatcher_(dispatcher), limits_(limits), secure_(tls != nullptr) {
    error_code ec;
    auto endpoint = socket.remote_endpoint(ec);
    if (!ec) peer_ = endpoint.address().to_string() + ":" + std::to_string(endpoint.port());
    socket.set_option(tcp::no_delay(true), ec);
    transport_ =
        secure_ ? MakeTlsTransport(std::move(socket), std::move(tls)) : MakeTcpTransport(std::move(socket));
  }

  net::awaitable<void> Run() {
    Bytes received;
    auto http_2 = co_await FindProtocol(received);
    if (!http_2) {
      transport_->Close();
      co_return;
    }
    SessionContext context{executor_, *transport_, dispatcher_, limits_, peer_, secure_};
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

  // Whether the peer speaks HTTP/2; an error: the connection is over before its first byte.
  net::awaitable<Result<bool>> FindProtocol(Bytes& received) {
    auto agreed = co_await transport_->Handshake(After(limits_.header_timeout));
    if (secure_) HandshakeCounter(agreed.has_value()).Increment();
    if (!agreed) {
      Log(LogLevel::kDebug, "no TLS connection", {{"peer", peer_}, {"error", agreed.error().message}});
      co_return std::move(agreed).error();
    }
    if (transport_->protocol() == "h2") co_return true;
    co_return co_await ReceivePreface(received);
  }

  // Reads until it is known. A preface that breaks off is HTTP/1.1's to complain about.
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
  const bool secure_;
  std::string peer_;
  // Strand only.
  std::unique_ptr<Transport> transport_;
  std::unique_ptr<ProtocolSession> session_;  // null until the protocol is known
  bool draining_ = false;
};

}  // namespace

std::shared_ptr<Connection> StartConnection(tcp::socket socket, const Dispatcher& dispatcher,
                                            const ConnectionLimits& limits, std::function<void()> on_closed,
                                            std::shared_ptr<TlsSettings> tls) {
  auto connection = std::make_shared<ServedConnection>(std::move(socket), dispatcher, limits, std::move(tls));
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
