#include "wire/http_client.h"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <boost/beast/ssl/ssl_stream.hpp>
#include <chrono>
#include <optional>

#include "wire/client_tls.h"
#include "wire/request_signing.h"

namespace millrace::wire {
namespace {

namespace net = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using boost::system::error_code;
using net::ip::tcp;

constexpr auto kAwait = net::as_tuple(net::use_awaitable);

Error ToError(const error_code& ec, const std::string& doing) {
  if (ec == beast::error::timeout) return Error{ErrorCode::kDeadlineExceeded, doing + " took too long"};
  if (ec == http::error::body_limit)
    return Error{ErrorCode::kResourceExhausted, doing + ": the answer is too large"};
  return Error{ErrorCode::kUnavailable, doing + ": " + ec.message()};
}

}  // namespace

class HttpClient::Impl {
 public:
  Impl(Endpoint where, Options options) : endpoint(std::move(where)), options_(options) {}

  Result<HttpResponse> Send(const HttpRequest& request, const BodySink* sink) {
    std::optional<Result<HttpResponse>> result;
    auto exchange = [&]() -> net::awaitable<void> {
      bool kept = Connected();
      result.emplace(co_await Exchange(request, sink));
      // The server may have closed a connection that was kept, just when it was used again: then nothing was
      // answered, and it is tried once more on a new one.
      if (kept && !*result && !answered_ && result->error().code == ErrorCode::kUnavailable) {
        result.emplace(co_await Exchange(request, sink));
      }
    };
    net::co_spawn(io_, exchange(), [&](std::exception_ptr failure) {
      if (failure) result.emplace(Error{ErrorCode::kInternal, "unexpected exception in the HTTP client"});
    });
    io_.restart();
    io_.run();
    return std::move(*result);
  }

  const Endpoint endpoint;

 private:
  using PlainStream = beast::tcp_stream;
  using SecureStream = beast::ssl_stream<beast::tcp_stream>;

  bool Connected() const { return plain_ || secure_; }

  void Disconnect() {
    plain_.reset();
    secure_.reset();
    context_.reset();
    buffer_.clear();
  }

  net::awaitable<Result<void>> Connect() {
    if (Connected()) co_return Result<void>();
    std::string doing = "connecting to " + endpoint.ToString();
    tcp::resolver resolver(io_);
    auto [resolve_ec, addresses] =
        co_await resolver.async_resolve(endpoint.host, std::to_string(endpoint.port), kAwait);
    if (resolve_ec) co_return ToError(resolve_ec, doing);
    beast::tcp_stream stream(io_);
    stream.expires_after(options_.connect_timeout);
    auto [ec, unused] = co_await stream.async_connect(addresses, kAwait);
    if (ec) co_return ToError(ec, doing);
    if (!endpoint.tls) {
      plain_.emplace(std::move(stream));
      co_return Result<void>();
    }
    auto secured = co_await Secure(stream);
    if (!secured) Disconnect();
    co_return secured;
  }

  // Takes the connected `stream` over; within what is left of its time.
  net::awaitable<Result<void>> Secure(beast::tcp_stream& stream) {
    auto context = MakeClientContext(options_.ca_file);
    if (!context) co_return std::move(context).error();
    context_.emplace(std::move(*context));
    secure_.emplace(std::move(stream), *context_);
    auto expected = ExpectHost(secure_->native_handle(), endpoint.host);
    if (!expected) co_return expected;
    auto [ec] = co_await secure_->async_handshake(net::ssl::stream_base::client, kAwait);
    if (ec == beast::error::timeout) co_return ToError(ec, "connecting to " + endpoint.ToString());
    if (ec) co_return HandshakeError(ec, secure_->native_handle(), endpoint, options_.ca_file);
    co_return Result<void>();
  }

  net::awaitable<Result<HttpResponse>> Exchange(const HttpRequest& request, const BodySink* sink) {
    answered_ = false;
    auto connected = co_await Connect();
    if (!connected) co_return std::move(connected).error();
    if (secure_) co_return co_await ExchangeOver(*secure_, request, sink);
    co_return co_await ExchangeOver(*plain_, request, sink);
  }

  template <typename Stream>
  net::awaitable<Result<HttpResponse>> ExchangeOver(Stream& stream, const HttpRequest& request,
                                                    const BodySink* sink) {
    const auto end = options_.request_timeout > Duration{0}
                         ? std::chrono::steady_clock::now() + options_.request_timeout
                         : std::chrono::steady_clock::time_point::max();
    const auto progress = [&] {
      const auto next = std::chrono::steady_clock::now() + options_.progress_timeout;
      beast::get_lowest_layer(stream).expires_at(std::min(next, end));
    };
    // Without the query, which may be what shows who asks.
    std::string doing = request.method + " " + request.target.substr(0, request.target.find('?'));
    http::request<http::string_body> message = Message(request);
    progress();
    auto [write_ec, written] = co_await http::async_write(stream, message, kAwait);
    if (write_ec) co_return Broken(write_ec, doing);

    http::response_parser<http::buffer_body> parser;
    parser.body_limit(boost::none);
    parser.skip(request.method == "HEAD");
    progress();
    auto [head_ec, head_size] = co_await http::async_read_header(stream, buffer_, parser, kAwait);
    if (head_ec) co_return Broken(head_ec, doing);
    answered_ = true;

    HttpResponse response;
    response.status = static_cast<int>(parser.get().result_int());
    for (const auto& field : parser.get()) {
      response.headers.emplace_back(std::string(field.name_string()), std::string(field.value()));
    }
    bool to_sink = sink != nullptr && response.status >= 200 && response.status < 300;
    Bytes piece(64 * 1024);
    while (!parser.is_done()) {
      parser.get().body().data = piece.data();
      parser.get().body().size = piece.size();
      parser.get().body().more = true;
      progress();
      // What is there, not a full piece: the next frame of a live stream may be long in coming.
      auto [ec, size] = co_await http::async_read_some(stream, buffer_, parser, kAwait);
      if (ec && ec != http::error::need_buffer) co_return Broken(ec, doing);
      ByteSpan got(piece.data(), piece.size() - parser.get().body().size);
      if (got.empty()) continue;
      if (to_sink) {
        auto taken = (*sink)(got);
        if (!taken) {
          Disconnect();
          co_return std::move(taken).error();
        }
      } else if (response.body.size() + got.size() > options_.body_bytes_max) {
        co_return Broken(make_error_code(http::error::body_limit), doing);
      } else {
        response.body.append(AsText(got));
      }
    }
    if (!parser.keep_alive()) Disconnect();
    co_return response;
  }

  http::request<http::string_body> Message(const HttpRequest& request) const {
    http::request<http::string_body> message;
    message.version(11);
    message.method_string(request.method);
    message.target(request.target);
    const std::string authority = endpoint.Authority();
    message.set(http::field::host, authority);
    message.set(http::field::user_agent, "millrace");
    for (const auto& [name, value] : request.headers) message.set(name, value);
    if (options_.key) {
      for (const auto& [name, value] : SigningFields(*options_.key, request, authority))
        message.set(name, value);
    }
    message.body() = request.body;
    message.prepare_payload();
    return message;
  }

  Error Broken(const error_code& ec, const std::string& doing) {
    Disconnect();
    return ToError(ec, doing);
  }

  const Options options_;
  net::io_context io_{1};
  // At most one of the two, while connected.
  std::optional<PlainStream> plain_;
  std::optional<net::ssl::context> context_;  // outlives the stream that is made of it
  std::optional<SecureStream> secure_;
  beast::flat_buffer buffer_;
  bool answered_ = false;  // the head of an answer to the current request came
};

HttpClient::HttpClient(Endpoint endpoint, Options options)
    : impl_(std::make_unique<Impl>(std::move(endpoint), options)) {}
HttpClient::~HttpClient() = default;

Result<HttpResponse> HttpClient::Send(const HttpRequest& request) { return impl_->Send(request, nullptr); }
Result<HttpResponse> HttpClient::Send(const HttpRequest& request, const BodySink& sink) {
  return impl_->Send(request, &sink);
}
const Endpoint& HttpClient::endpoint() const { return impl_->endpoint; }

}  // namespace millrace::wire
