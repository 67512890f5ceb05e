#include "api/http/tls_transport.h"

#include <openssl/err.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>

#include "api/http/deadline_guard.h"
#include "api/http/tls_settings.h"

namespace millrace::api {
namespace {

namespace net = boost::asio;
using boost::system::error_code;
using net::ip::tcp;
using TimePoint = Transport::TimePoint;

// For those who wrote http:// where https:// was meant. RFC 9112 lets an answer be without a length.
constexpr std::string_view kPlainAnswer =
    "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n"
    "This port speaks TLS: use https:// here, or the port for http.\n";

bool IsPlainHttp(const error_code& ec) {
  return ec.category() == net::error::get_ssl_category() &&
         ERR_GET_REASON(static_cast<unsigned long>(ec.value())) == SSL_R_HTTP_REQUEST;
}

class TlsTransport final : public Transport {
 public:
  TlsTransport(tcp::socket socket, std::shared_ptr<TlsSettings> settings)
      : settings_(std::move(settings)),
        stream_(std::move(socket), settings_->context),
        read_guard_(stream_.get_executor()),
        write_guard_(stream_.get_executor()) {}

  net::awaitable<Result<void>> Handshake(TimePoint until) override {
    read_guard_.Arm(until);
    auto [ec] = co_await stream_.async_handshake(
        net::ssl::stream_base::server,
        net::bind_cancellation_slot(read_guard_.slot(), net::as_tuple(net::use_awaitable)));
    const bool expired = read_guard_.Disarm();
    if (!ec) co_return Result<void>();
    if (IsPlainHttp(ec)) {
      error_code ignored;
      stream_.next_layer().non_blocking(true, ignored);
      stream_.next_layer().write_some(net::buffer(kPlainAnswer), ignored);
      co_await DiscardPlain(std::min(until, std::chrono::steady_clock::now() + std::chrono::seconds(1)),
                            kDiscardPlainBytesMax);
    }
    co_return TransportError(ec, expired, "the TLS handshake");
  }

  std::string_view protocol() const override {
    const unsigned char* name = nullptr;
    unsigned int size = 0;
    SSL_get0_alpn_selected(const_cast<net::ssl::stream<tcp::socket>&>(stream_).native_handle(), &name, &size);
    return {reinterpret_cast<const char*>(name), size};
  }

  net::awaitable<Result<std::size_t>> ReadSome(std::span<std::uint8_t> into, TimePoint until) override {
    read_guard_.Arm(until);
    auto [ec, size] = co_await stream_.async_read_some(
        net::buffer(into.data(), into.size()),
        net::bind_cancellation_slot(read_guard_.slot(), net::as_tuple(net::use_awaitable)));
    const bool expired = read_guard_.Disarm();
    // A peer that closes without a word (stream_truncated) could have been cut off by somebody in between:
    // HTTP's own lengths show whether something is missing.
    if (ec == net::error::eof || ec == net::ssl::error::stream_truncated) co_return std::size_t{0};
    if (ec) co_return TransportError(ec, expired, "reading");
    co_return size;
  }

  net::awaitable<Result<void>> Write(std::span<const net::const_buffer> buffers,
                                     Duration stall_max) override {
    const auto stall = std::chrono::duration_cast<std::chrono::steady_clock::duration>(stall_max);
    for (net::const_buffer buffer : buffers) {
      while (buffer.size() > 0) {
        write_guard_.Arm(std::chrono::steady_clock::now() + stall);
        auto [ec, size] = co_await stream_.async_write_some(
            buffer, net::bind_cancellation_slot(write_guard_.slot(), net::as_tuple(net::use_awaitable)));
        const bool expired = write_guard_.Disarm();
        if (ec) co_return TransportError(ec, expired, "writing");
        buffer += size;
      }
    }
    co_return Result<void>();
  }

  void CancelRead() override { read_guard_.Cancel(); }

  net::awaitable<void> Shutdown(TimePoint until, std::size_t discard_bytes_max) override {
    // Sends close_notify, and then waits for the peer's: both at once, so the wait is cut short where nobody
    // wants it. What the peer still sends ends it too, and is read over as what it is.
    read_guard_.Arm(until);
    (void)co_await stream_.async_shutdown(
        net::bind_cancellation_slot(read_guard_.slot(), net::as_tuple(net::use_awaitable)));
    read_guard_.Disarm();
    co_await DiscardPlain(until, discard_bytes_max);
    Close();
  }

  bool PeerClosed() override {
    if (!stream_.next_layer().is_open()) return true;
    char byte = 0;
    const ssize_t size = ::recv(stream_.next_layer().native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return size == 0 || (size < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR);
  }

  void Close() override {
    error_code ignored;
    stream_.next_layer().close(ignored);
  }

 private:
  static constexpr std::size_t kDiscardPlainBytesMax = 64 * 1024;

  // Beside TLS: nobody asks any more what the bytes are.
  net::awaitable<void> DiscardPlain(TimePoint until, std::size_t bytes_max) {
    error_code ignored;
    stream_.next_layer().shutdown(tcp::socket::shutdown_send, ignored);
    Bytes discarded(std::min<std::size_t>(bytes_max, 4096));
    while (bytes_max > 0 && std::chrono::steady_clock::now() < until) {
      read_guard_.Arm(until);
      auto [ec, size] = co_await stream_.next_layer().async_read_some(
          net::buffer(discarded),
          net::bind_cancellation_slot(read_guard_.slot(), net::as_tuple(net::use_awaitable)));
      read_guard_.Disarm();
      if (ec) co_return;
      bytes_max -= std::min(bytes_max, size);
    }
  }

  const std::shared_ptr<TlsSettings> settings_;  // outlives the stream that is made of them
  net::ssl::stream<tcp::socket> stream_;
  DeadlineGuard read_guard_;
  DeadlineGuard write_guard_;
};

}  // namespace

std::unique_ptr<Transport> MakeTlsTransport(tcp::socket socket, std::shared_ptr<TlsSettings> settings) {
  return std::make_unique<TlsTransport>(std::move(socket), std::move(settings));
}

}  // namespace millrace::api
