// One HTTP/1.1 connection of a load generator: whole requests out, answers in, with as little work as can be.
//
// Requests are bytes that were made beforehand. Answers: a Content-Length or chunks; the body of the last one
// stays in the channel's buffer. What does not come ends the program: a benchmark that limps tells nothing.
//
// Threads: one.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <string>
#include <string_view>

#include "base/bytes.h"

namespace millrace::bench {

namespace net = boost::asio;

class HttpChannel {
 public:
  struct Answer {
    int status = 0;
    std::string_view body;  // until the next call
  };

  HttpChannel(net::any_io_executor executor, net::ip::tcp::endpoint peer);

  net::awaitable<void> Connect();
  net::awaitable<Answer> Exchange(std::string_view request);

  // An answer whose body goes on: the status, then the body's bytes piece by piece (in chunks on the wire).
  net::awaitable<int> Open(std::string_view request);
  net::awaitable<Bytes> ReadPiece();  // empty: the end

 private:
  // Reads until `buffer_` has a whole head behind `begin_`; gives the length of it.
  net::awaitable<std::size_t> ReadHead();
  net::awaitable<void> ReadSome();
  // Reads until `bytes` lie behind `begin_`.
  net::awaitable<void> Need(std::size_t bytes);
  // The size of the next chunk, whose line is taken away.
  net::awaitable<std::size_t> ReadChunkSize();

  net::ip::tcp::socket socket_;
  net::ip::tcp::endpoint peer_;
  std::string buffer_;
  std::size_t begin_ = 0;  // of what is not read yet in `buffer_`
  std::string body_;       // of an answer in chunks
};

[[noreturn]] void Die(const std::string& what);

}  // namespace millrace::bench
