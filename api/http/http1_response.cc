#include "api/http/http1_response.h"

#include <array>
#include <cassert>
#include <cstdio>

namespace millrace::api {
namespace {

// A value that could end its line would let its author write headers of his own.
void AppendField(std::string& out, std::string_view name, std::string_view value) {
  out.append(name).append(": ");
  for (char c : value) out.push_back(c == '\r' || c == '\n' || c == '\0' ? ' ' : c);
  out.append("\r\n");
}

}  // namespace

Http1ResponseWriter::Http1ResponseWriter(Transport& transport, Options options)
    : transport_(transport), options_(options), keep_alive_(options.keep_alive) {}

std::string Http1ResponseWriter::Head(const ResponseHead& head, std::optional<std::uint64_t> length) {
  assert(status_ == 0 && "one answer a request");
  status_ = head.status;
  length_ = length;
  const bool upgrade = head.status == 101;
  bool bodiless_status = head.status == 204 || head.status == 304 || upgrade;
  no_body_ = options_.head_request || (bodiless_status && !upgrade);
  if (upgrade) keep_alive_ = false;  // for HTTP
  chunked_ = !length && options_.http_1_1 && !bodiless_status;
  if (!length && !options_.http_1_1 && !no_body_) keep_alive_ = false;  // the close ends the body

  std::string out = "HTTP/1.1 " + std::to_string(head.status) + " ";
  out.append(ReasonPhrase(head.status)).append("\r\n");
  AppendField(out, "Date", HttpDate());
  for (const auto& [name, value] : head.headers.fields()) AppendField(out, name, value);
  if (!bodiless_status) {
    if (length) AppendField(out, "Content-Length", std::to_string(*length));
    if (chunked_) AppendField(out, "Transfer-Encoding", "chunked");
  }
  if (upgrade) {
    AppendField(out, "Connection", "Upgrade");
  } else if (!keep_alive_) {
    AppendField(out, "Connection", "close");
  } else if (!options_.http_1_1) {
    AppendField(out, "Connection", "keep-alive");
  }
  out.append("\r\n");
  return out;
}

net::awaitable<Result<void>> Http1ResponseWriter::Respond(ResponseHead head, SharedBytes body) {
  std::string text = Head(head, body.size());
  std::array<net::const_buffer, 2> buffers{net::buffer(text), net::const_buffer()};
  if (!no_body_) {
    buffers[1] = net::buffer(body.data(), body.size());
    body_bytes_ = body.size();
  }
  auto written = co_await transport_.Write(buffers, options_.write_timeout);
  finished_ = written.has_value();
  co_return written;
}

net::awaitable<Result<void>> Http1ResponseWriter::WriteHead(ResponseHead head,
                                                            std::optional<std::uint64_t> length) {
  std::string text = Head(head, length);
  std::array<net::const_buffer, 1> buffers{net::buffer(text)};
  co_return co_await transport_.Write(buffers, options_.write_timeout);
}

net::awaitable<Result<void>> Http1ResponseWriter::Write(SharedBytes piece) {
  assert(status_ != 0 && !finished_);
  if (piece.empty() || no_body_) co_return Result<void>();
  body_bytes_ += piece.size();
  if (length_ && body_bytes_ > *length_) {
    co_return Error{ErrorCode::kInternal, "an answer grew past the length that it announced"};
  }
  char size[24] = "";
  int size_length = chunked_ ? std::snprintf(size, sizeof(size), "%zx\r\n", piece.size()) : 0;
  std::string_view end = chunked_ ? "\r\n" : "";
  std::array<net::const_buffer, 3> buffers{net::buffer(size, static_cast<std::size_t>(size_length)),
                                           net::buffer(piece.data(), piece.size()), net::buffer(end)};
  co_return co_await transport_.Write(buffers, options_.write_timeout);
}

net::awaitable<Result<void>> Http1ResponseWriter::Finish() {
  assert(status_ != 0 && !finished_);
  if (length_ && !no_body_ && body_bytes_ != *length_) {
    co_return Error{ErrorCode::kInternal, "an answer is shorter than it announced"};
  }
  Result<void> written;
  if (chunked_ && !no_body_) {
    static constexpr std::string_view kLastChunk = "0\r\n\r\n";
    std::array<net::const_buffer, 1> buffers{net::buffer(kLastChunk)};
    written = co_await transport_.Write(buffers, options_.write_timeout);
  }
  finished_ = written.has_value();
  co_return written;
}

bool Http1ResponseWriter::ShouldEnd() {
  return (options_.stopping != nullptr && *options_.stopping) || transport_.PeerClosed();
}

net::awaitable<Result<void>> Http1ResponseWriter::WriteContinue() {
  if (status_ != 0) co_return Result<void>();
  static constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
  std::array<net::const_buffer, 1> buffers{net::buffer(kContinue)};
  co_return co_await transport_.Write(buffers, options_.write_timeout);
}

}  // namespace millrace::api
