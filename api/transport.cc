#include "api/transport.h"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace millrace::api {
namespace {

namespace net = boost::asio;
using net::ip::tcp;
using TimePoint = Transport::TimePoint;

// Ends one operation at a time by its cancellation slot. Moving the deadline later costs nothing: the timer
// that is set looks again when it fires. The timer's handler shares the state, so the guard may go while it
// is pending.
class DeadlineGuard {
 public:
  explicit DeadlineGuard(const net::any_io_executor& executor) : state_(std::make_shared<State>(executor)) {}
  ~DeadlineGuard() {
    state_->armed = false;
    state_->timer.cancel();
  }
  DeadlineGuard(const DeadlineGuard&) = delete;
  DeadlineGuard& operator=(const DeadlineGuard&) = delete;

  void Arm(TimePoint until) {
    state_->armed = true;
    state_->expired = false;
    state_->until = until;
    if (!state_->waiting || until < state_->timer.expiry()) Wait(state_);
  }
  // Whether the deadline ended the operation.
  bool Disarm() {
    state_->armed = false;
    return state_->expired;
  }
  void Cancel() { state_->signal.emit(net::cancellation_type::terminal); }
  net::cancellation_slot slot() { return state_->signal.slot(); }

 private:
  struct State {
    explicit State(const net::any_io_executor& executor) : timer(executor) {}
    net::steady_timer timer;
    net::cancellation_signal signal;
    TimePoint until{};
    bool armed = false;
    bool waiting = false;
    bool expired = false;
    std::uint64_t generation = 0;  // of the newest wait: an older one's handler does nothing
  };

  static void Wait(const std::shared_ptr<State>& state) {
    state->waiting = true;
    state->timer.expires_at(state->until);
    state->timer.async_wait([state, generation = ++state->generation](boost::system::error_code ec) {
      if (generation != state->generation) return;
      state->waiting = false;
      if (ec || !state->armed) return;
      if (std::chrono::steady_clock::now() < state->until) {
        Wait(state);
        return;
      }
      state->expired = true;
      state->signal.emit(net::cancellation_type::terminal);
    });
  }

  std::shared_ptr<State> state_;
};

Error ToError(const boost::system::error_code& ec, bool expired, const char* what) {
  if (expired) return Error{ErrorCode::kDeadlineExceeded, std::string(what) + " took too long"};
  if (ec == net::error::operation_aborted)
    return Error{ErrorCode::kCancelled, std::string(what) + " was cancelled"};
  return Error{ErrorCode::kUnavailable, std::string(what) + ": " + ec.message()};
}

class TcpTransport final : public Transport {
 public:
  explicit TcpTransport(tcp::socket socket)
      : socket_(std::move(socket)),
        read_guard_(socket_.get_executor()),
        write_guard_(socket_.get_executor()) {}

  net::awaitable<Result<std::size_t>> ReadSome(std::span<std::uint8_t> into, TimePoint until) override {
    read_guard_.Arm(until);
    auto [ec, size] = co_await socket_.async_read_some(
        net::buffer(into.data(), into.size()),
        net::bind_cancellation_slot(read_guard_.slot(), net::as_tuple(net::use_awaitable)));
    bool expired = read_guard_.Disarm();
    if (ec == net::error::eof) co_return std::size_t{0};
    if (ec) co_return ToError(ec, expired, "reading");
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
      if (ec) co_return ToError(ec, expired, "writing");
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
};

}  // namespace

std::unique_ptr<Transport> MakeTcpTransport(tcp::socket socket) {
  return std::make_unique<TcpTransport>(std::move(socket));
}

}  // namespace millrace::api
