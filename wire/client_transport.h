// A byte stream to a server, plain or over TLS, for coroutines.
//
// Threads: one, the executor's.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <filesystem>
#include <optional>
#include <span>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"
#include "wire/endpoint.h"

namespace millrace::wire {

class ClientTransport {
 public:
  // Both outlive this.
  ClientTransport(const boost::asio::any_io_executor& executor, const Endpoint& endpoint,
                  const std::filesystem::path& ca_file);

  // Once. `protocol`: what TLS must have agreed on. Errors: see http2_client.h.
  boost::asio::awaitable<Result<void>> Connect(std::string_view protocol);
  // One byte or more. kUnavailable: it is over.
  boost::asio::awaitable<Result<std::size_t>> ReadSome(std::span<std::uint8_t> into);
  boost::asio::awaitable<Result<void>> Write(ByteSpan bytes);
  // Whatever is awaited ends.
  void Close();

 private:
  boost::asio::awaitable<Result<void>> Secure(std::string_view protocol);
  Error Broken(const boost::system::error_code& ec, const char* doing) const;

  const Endpoint& endpoint_;
  const std::filesystem::path& ca_file_;
  boost::asio::ip::tcp::resolver resolver_;
  boost::asio::ip::tcp::socket socket_;
  std::optional<boost::asio::ssl::context> context_;
  std::optional<boost::asio::ssl::stream<boost::asio::ip::tcp::socket&>> secure_;  // over socket_
};

}  // namespace millrace::wire
