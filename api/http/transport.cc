#include "api/http/transport.h"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>

#include "api/http/deadline_guard.h"

namespace millrace::api {
namespace {

namespace net = boost::asio;
using net::ip::tcp;
using TimePoint = Transport::TimePoint;

class TcpTransport final : public Transport {
 public:
  explicit TcpTransport(tcp::socket socket)
      : socket_(std::move(socket)),
        read_guard_(socket_.get_executor()),
        write_guard_(socket_.get_executor()) {}

  net::awaitable<Result<void>> Handshake(TimePoint) override { co_return Result<void>(); }
  std::string_view protocol() const override { return {}; }

  net::awaitable<Result<std::size_t>> ReadSome(std::span<std::uint8_t> into, TimePoint until) override {
    // Asio waits for an event before it looks behind an end, and none comes.
    if (ended_) co_return std::size_t{0};
    read_guard_.Arm(until);
    auto [ec, size] = co_await socket_.async_read_some(
        net::buffer(into.data(), into.size()),
        net::bind_cancellation_slot(read_guard_.slot(), net::as_tuple(net::use_awaitable)));
    bool expired = read_guard_.Disarm();
    ended_ = ec == net::error::eof;
    if (ended_) co_return std::size_t{0};
    if (ec) co_return TransportError(ec, expired, "reading");
    co_return size;
  }

  net::awaitable<Result<void>> Write(std::span<const net::const_buffer> buffers,
                                     Duration stall_max) override {
    constexpr std::size_t kBuffersMax = 4;
    std::array<net::const_buffer, kBuffersMax> rest{};
    std::copy_n(buffers.begin(), std::min(buffers.size(), kBuffersMax), rest.begin());
    auto stall = std::chrono::duration_cast<std::chrono::steady_clock::duration>(stall_max);
    std::size_t left = net::buffer_size(rest);
    while (left > 0) {
      write_guard_.Arm(std::chrono::steady_clock::now() + stall);
      auto [ec, size] = co_await socket_.async_write_some(
          rest, net::bind_cancellation_slot(write_guard_.slot(), net::as_tuple(net::use_awaitable)));
      bool expired = write_guard_.Disarm();
      if (ec) co_return TransportError(ec, expired, "writing");
      left -= size;
      for (net::const_buffer& buffer : rest) {
        std::size_t taken = std::min(size, buffer.size());
        buffer += taken;
        size -= taken;
      }
    }
    co_return Result<void>();
  }

  void CancelRead() override { read_guard_.Cancel(); }

  net::awaitable<void> Shutdown(TimePoint until, std::size_t discard_bytes_max) override {
    boost::system::error_code ignored;
    socket_.shutdown(tcp::socket::shutdown_send, ignored);
    Bytes discarded(std::min<std::size_t>(discard_bytes_max, 4096));
    std::size_t left = discard_bytes_max;
    while (left > 0 && std::chrono::steady_clock::now() < until) {
      auto size = co_await ReadSome(discarded, until);
      if (!size || *size == 0) break;
      left -= std::min(left, *size);
    }
    Close();
  }

  bool PeerClosed() override {
    if (!socket_.is_open()) return true;
    char byte = 0;
    const ssize_t size = ::recv(socket_.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return size == 0 || (size < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR);
  }

  void Close() override {
    boost::system::error_code ignored;
    socket_.close(ignored);
  }

 private:
  tcp::socket socket_;
  DeadlineGuard read_guard_;
  DeadlineGuard write_guard_;
  bool ended_ = false;  // the peer sends no more
};

}  // namespace

std::unique_ptr<Transport> MakeTcpTransport(tcp::socket socket) {
  return std::make_unique<TcpTransport>(std::move(socket));
}

}  // namespace millrace::api
