// A WebSocket of a test, which waits for what it reads.
//
// Threads: the test's.
#pragma once

#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/buffers_to_string.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/websocket.hpp>
#include <cstdint>
#include <string>

#include "api/http/http.h"

namespace millrace::api::testing {

// An ARN, percent-encoded.
inline std::string InQuery(std::string text) {
  for (std::size_t at = 0; (at = text.find_first_of(":/", at)) != std::string::npos;) {
    text.replace(at, 1, text[at] == ':' ? "%3A" : "%2F");
  }
  return text;
}

// One end of a signaling channel, as a client has it.
class WebSocketClient {
 public:
  WebSocketClient(std::uint16_t port, const std::string& target) : socket_(io_), stream_(socket_) {
    socket_.connect({net::ip::make_address("127.0.0.1"), port});
    stream_.handshake(answer_, "localhost", target, ec_);
  }
  int status() const { return static_cast<int>(answer_.result_int()); }
  void Write(const std::string& text) { stream_.write(net::buffer(text)); }
  // "": the server closed.
  std::string Read() {
    boost::beast::flat_buffer buffer;
    stream_.read(buffer, ec_);
    return ec_ ? "" : boost::beast::buffers_to_string(buffer.data());
  }
  std::string close_reason() const {
    return {stream_.reason().reason.data(), stream_.reason().reason.size()};
  }
  std::string body() const { return answer_.body(); }

 private:
  net::io_context io_;
  net::ip::tcp::socket socket_;
  boost::beast::websocket::stream<net::ip::tcp::socket&> stream_;
  boost::beast::websocket::response_type answer_;
  boost::system::error_code ec_;
};

}  // namespace millrace::api::testing
