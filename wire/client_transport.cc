#include "wire/client_transport.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <string>
#include <utility>

#include "wire/client_tls.h"

namespace millrace::wire {

namespace net = boost::asio;
using boost::system::error_code;

namespace {
constexpr auto kAwaitTransport = net::as_tuple(net::use_awaitable);
}  // namespace

ClientTransport::ClientTransport(const net::any_io_executor& executor, const Endpoint& endpoint,
                                 const std::filesystem::path& ca_file)
    : endpoint_(endpoint), ca_file_(ca_file), resolver_(executor), socket_(executor) {}

Error ClientTransport::Broken(const error_code& ec, const char* doing) const {
  return {ErrorCode::kUnavailable, doing + (' ' + endpoint_.ToString()) + ": " + ec.message()};
}

net::awaitable<Result<void>> ClientTransport::Connect(std::string_view protocol) {
  auto [resolve_ec, addresses] =
      co_await resolver_.async_resolve(endpoint_.host, std::to_string(endpoint_.port), kAwaitTransport);
  if (resolve_ec) co_return Broken(resolve_ec, "connecting to");
  auto [ec, address] = co_await net::async_connect(socket_, addresses, kAwaitTransport);
  if (ec) co_return Broken(ec, "connecting to");
  error_code ignored;
  socket_.set_option(net::ip::tcp::no_delay(true), ignored);
  if (!endpoint_.tls) co_return Result<void>();
  co_return co_await Secure(protocol);
}

net::awaitable<Result<void>> ClientTransport::Secure(std::string_view protocol) {
  auto context = MakeClientContext(ca_file_, protocol);
  if (!context) co_return std::move(context).error();
  context_.emplace(std::move(*context));
  secure_.emplace(socket_, *context_);
  auto expected = ExpectHost(secure_->native_handle(), endpoint_.host);
  if (!expected) co_return expected;
  auto [ec] = co_await secure_->async_handshake(net::ssl::stream_base::client, kAwaitTransport);
  if (ec) co_return HandshakeError(ec, secure_->native_handle(), endpoint_, ca_file_);
  const unsigned char* agreed = nullptr;
  unsigned length = 0;
  SSL_get0_alpn_selected(secure_->native_handle(), &agreed, &length);
  if (agreed == nullptr || AsText({agreed, length}) != protocol) {
    co_return Error{ErrorCode::kUnsupported,
                    endpoint_.ToString() + " does not speak " + std::string(protocol) + " over TLS"};
  }
  co_return Result<void>();
}

net::awaitable<Result<std::size_t>> ClientTransport::ReadSome(std::span<std::uint8_t> into) {
  const auto buffer = net::buffer(into.data(), into.size());
  std::tuple<error_code, std::size_t> read;
  if (secure_) {
    read = co_await secure_->async_read_some(buffer, kAwaitTransport);
  } else {
    read = co_await socket_.async_read_some(buffer, kAwaitTransport);
  }
  if (std::get<0>(read)) co_return Broken(std::get<0>(read), "reading from");
  co_return std::get<1>(read);
}

net::awaitable<Result<void>> ClientTransport::Write(ByteSpan bytes) {
  const auto buffer = net::buffer(bytes.data(), bytes.size());
  std::tuple<error_code, std::size_t> written;
  if (secure_) {
    written = co_await net::async_write(*secure_, buffer, kAwaitTransport);
  } else {
    written = co_await net::async_write(socket_, buffer, kAwaitTransport);
  }
  if (std::get<0>(written)) co_return Broken(std::get<0>(written), "writing to");
  co_return Result<void>();
}

void ClientTransport::Close() {
  resolver_.cancel();
  error_code ignored;
  socket_.close(ignored);
}

}  // namespace millrace::wire
