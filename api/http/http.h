// Requests and answers as handlers see them, whatever carries them (HTTP/1.1, HTTP/2; plain or over TLS).
//
// A handler is a coroutine that takes a request and a writer. It may read the body piece by piece or gather
// it, and may write its answer whole or piece by piece; both at once too: reading and writing are independent
// of each other.
//
// Threads: a request, its body and its writer belong to one connection and are used on its strand
//          only; the coroutine runs there. What may block (the store) goes through
//          api/http/worker_pool.h.
// Errors:  reads and writes fail with kUnavailable (the peer is gone), kDeadlineExceeded (it is too
//          slow) or kCancelled (the server stops). A handler that meets one returns: nobody is left
//          to be told.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/http/target.h"
#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"

namespace millrace::api {

namespace net = boost::asio;

class Caller;

// Names compare without regard to case; order and repetition are kept.
class Headers {
 public:
  using Field = std::pair<std::string, std::string>;

  Headers() = default;
  Headers(std::initializer_list<Field> fields) : fields_(fields) {}

  void Add(std::string name, std::string value) { fields_.emplace_back(std::move(name), std::move(value)); }
  // Replaces what was there under this name.
  void Set(std::string name, std::string value);
  // The first of this name. Lives until the next change.
  std::optional<std::string_view> Find(std::string_view name) const;
  std::size_t Count(std::string_view name) const;
  const std::vector<Field>& fields() const { return fields_; }

 private:
  std::vector<Field> fields_;
};

// Where a request's body comes from.
class BodySource {
 public:
  virtual ~BodySource() = default;
  // The next bytes, at most some 64 KiB; empty: the body is over. `until`: when to give up, besides the idle
  // limit. Errors: also kInvalidArgument (malformed chunks).
  virtual net::awaitable<Result<Bytes>> Read(
      std::optional<std::chrono::steady_clock::time_point> until = std::nullopt) = 0;
  // Tells a peer that waits for it (100-continue) to send. Read does so by itself: this is for handlers that
  // answer before they read.
  virtual net::awaitable<Result<void>> GoAhead() { co_return Result<void>(); }
};

enum class HttpVersion { kHttp1_0, kHttp1_1, kHttp2 };

// What a route for WebSockets is added with in place of a method.
inline constexpr std::string_view kWebSocketMethod = "WEBSOCKET";

struct Request {
  HttpVersion version = HttpVersion::kHttp1_1;
  bool secure = false;  // it came over TLS
  // The client asks for a WebSocket here (RFC 6455; HTTP/1.1 only) and the path has a route for them. An
  // answer of status 101 turns body and answer into what both ends send from then on: api/http/web_socket.h.
  bool websocket = false;
  std::string method;  // "GET"
  Target target;
  Headers headers;  // of HTTP/2 also "host", made of `authority` where the client sent none
  // HTTP/2's `:authority` as received, for those who sign it; empty: none was sent, or HTTP/1.
  std::string authority;
  std::string peer;                             // the other end's address, for logs
  std::optional<std::uint64_t> content_length;  // as announced; none: none, or chunked
  BodySource* body = nullptr;                   // never null in a handler
  PathParameters path_parameters;               // what the route's pattern took out of the path
  std::shared_ptr<Caller> caller;            // who sent it (api/access/caller.h); null: nobody was asked for
  std::shared_ptr<BodySource> checked_body;  // where `body` points to, when it is checked while it is read

  // The path parameter of this name. REQUIRES: the route's pattern has it.
  const std::string& Parameter(std::string_view name) const;
  // What routes are looked up by: the method, or kWebSocketMethod.
  std::string_view route_method() const { return websocket ? kWebSocketMethod : std::string_view(method); }
};

struct ResponseHead {
  int status = 200;
  Headers
      headers;  // without Date, Connection, Content-Length and Transfer-Encoding: the connection writes those
};

// Where the answer goes. Exactly one of Respond, or WriteHead and then Write and Finish.
class ResponseWriter {
 public:
  virtual ~ResponseWriter() = default;

  // The whole answer, from the bytes where they are.
  virtual net::awaitable<Result<void>> Respond(ResponseHead head, SharedBytes body) = 0;

  // Begins an answer of unknown length, or of `length` bytes.
  virtual net::awaitable<Result<void>> WriteHead(ResponseHead head,
                                                 std::optional<std::uint64_t> length = std::nullopt) = 0;
  // Returns when the peer's window had room for it: this is the back-pressure. REQUIRES: after WriteHead.
  virtual net::awaitable<Result<void>> Write(SharedBytes piece) = 0;
  // The answer is complete. An answer that is not finished is cut off, so that the peer sees that some is
  // missing.
  virtual net::awaitable<Result<void>> Finish() = 0;

  // Whether an answer that has no end of its own should end now: the peer has closed the connection, or the
  // server stops. Found out without waiting.
  virtual bool ShouldEnd() = 0;

  virtual bool head_written() const = 0;
  virtual int status() const = 0;                // 0 before the head
  virtual std::uint64_t body_bytes() const = 0;  // written so far
};

using Handler = std::function<net::awaitable<void>(Request&, ResponseWriter&)>;

// Gathers the body. Errors: kResourceExhausted (over `bytes_max`; nothing more is read then),
// kDeadlineExceeded (not there after `within`), and those of BodySource::Read.
net::awaitable<Result<std::string>> ReadBody(Request& request, std::size_t bytes_max,
                                             Duration within = std::chrono::seconds(30));

// Whole answers of common kinds. Their results may be ignored where nothing follows.
net::awaitable<void> RespondText(ResponseWriter& writer, int status, std::string content_type,
                                 std::string body);
net::awaitable<void> RespondJson(ResponseWriter& writer, int status, std::string json);
net::awaitable<void> RespondEmpty(ResponseWriter& writer, int status);

// "Not Found" for 404; "Unknown" for what we never send.
std::string_view ReasonPhrase(int status);

// Now, as the Date header has it (RFC 9110 section 5.6.7): "Sat, 21 Nov 2026 14:03:00 GMT".
std::string HttpDate();

}  // namespace millrace::api
