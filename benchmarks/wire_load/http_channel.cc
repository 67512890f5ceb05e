#include "benchmarks/wire_load/http_channel.h"

#include <strings.h>

#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <charconv>
#include <cstdio>
#include <cstdlib>

namespace millrace::bench {
namespace {

constexpr std::size_t kReadBytes = 64 * 1024;

// The value of a header in a head, compared without case; empty: there is none.
std::string_view HeaderValue(std::string_view head, std::string_view name) {
  std::size_t at = head.find("\r\n");
  while (at != std::string_view::npos && at + 2 < head.size()) {
    const std::string_view rest = head.substr(at + 2);
    if (rest.size() > name.size() && rest[name.size()] == ':' &&
        strncasecmp(rest.data(), name.data(), name.size()) == 0) {
      std::string_view value = rest.substr(name.size() + 1);
      value = value.substr(0, value.find("\r\n"));
      while (!value.empty() && value.front() == ' ') value.remove_prefix(1);
      return value;
    }
    at = head.find("\r\n", at + 2);
  }
  return {};
}

int StatusOf(std::string_view head) {
  int status = 0;
  if (head.size() > 12) std::from_chars(head.data() + 9, head.data() + 12, status);
  return status;
}

}  // namespace

void Die(const std::string& what) {
  std::fprintf(stderr, "wire_load: %s\n", what.c_str());
  std::exit(1);
}

HttpChannel::HttpChannel(net::any_io_executor executor, net::ip::tcp::endpoint peer)
    : socket_(executor), peer_(std::move(peer)) {}

net::awaitable<void> HttpChannel::Connect() {
  co_await socket_.async_connect(peer_, net::use_awaitable);
  socket_.set_option(net::ip::tcp::no_delay(true));
}

net::awaitable<void> HttpChannel::ReadSome() {
  if (begin_ == buffer_.size()) {
    buffer_.clear();
    begin_ = 0;
  }
  const std::size_t had = buffer_.size();
  buffer_.resize(had + kReadBytes);
  auto place = net::buffer(buffer_.data() + had, kReadBytes);
  const std::size_t got = co_await socket_.async_read_some(place, net::use_awaitable);
  buffer_.resize(had + got);
}

net::awaitable<void> HttpChannel::Need(std::size_t bytes) {
  while (buffer_.size() - begin_ < bytes) co_await ReadSome();
}

net::awaitable<std::size_t> HttpChannel::ReadHead() {
  for (;;) {
    const std::size_t end = buffer_.find("\r\n\r\n", begin_);
    if (end != std::string::npos) co_return end + 4 - begin_;
    co_await ReadSome();
  }
}

net::awaitable<std::size_t> HttpChannel::ReadChunkSize() {
  std::size_t end = 0;
  while ((end = buffer_.find("\r\n", begin_)) == std::string::npos) co_await ReadSome();
  std::size_t size = 0;
  std::from_chars(buffer_.data() + begin_, buffer_.data() + end, size, 16);
  begin_ = end + 2;
  co_return size;
}

net::awaitable<HttpChannel::Answer> HttpChannel::Exchange(std::string_view request) {
  buffer_.erase(0, begin_);
  begin_ = 0;
  co_await net::async_write(socket_, net::buffer(request.data(), request.size()), net::use_awaitable);
  const std::size_t head_bytes = co_await ReadHead();
  const std::string_view head = std::string_view(buffer_).substr(begin_, head_bytes);
  Answer answer;
  answer.status = StatusOf(head);
  const std::string_view length = HeaderValue(head, "Content-Length");
  std::size_t bytes = 0;
  std::from_chars(length.data(), length.data() + length.size(), bytes);
  const bool chunked = length.empty() && HeaderValue(head, "Transfer-Encoding") == "chunked";
  begin_ += head_bytes;
  if (!chunked) {
    co_await Need(bytes);
    answer.body = std::string_view(buffer_).substr(begin_, bytes);
    begin_ += bytes;
    co_return answer;
  }
  body_.clear();
  for (;;) {
    const std::size_t size = co_await ReadChunkSize();
    co_await Need(size + 2);
    body_.append(buffer_, begin_, size);
    begin_ += size + 2;
    if (size == 0) break;
  }
  answer.body = body_;
  co_return answer;
}

net::awaitable<int> HttpChannel::Open(std::string_view request) {
  co_await net::async_write(socket_, net::buffer(request.data(), request.size()), net::use_awaitable);
  const std::size_t head_bytes = co_await ReadHead();
  const int status = StatusOf(std::string_view(buffer_).substr(begin_, head_bytes));
  begin_ += head_bytes;
  co_return status;
}

net::awaitable<Bytes> HttpChannel::ReadPiece() {
  const std::size_t size = co_await ReadChunkSize();
  co_await Need(size + 2);
  const ByteSpan piece = AsBytes(std::string_view(buffer_).substr(begin_, size));
  Bytes bytes(piece.begin(), piece.end());
  begin_ += size + 2;
  co_return bytes;
}

}  // namespace millrace::bench
