// A WebSocket (RFC 6455) on a request's two directions: the handshake, messages both ways, pings answered,
// closing. Text messages alone; no extensions.
//
// Memory:  a message of `message_bytes_max`, and `queued_bytes_max` that the peer has not taken.
// Errors:  Read and Flush as BodySource::Read and ResponseWriter::Write; kInvalidArgument: the peer
//          does not keep to the protocol (it is told by a Close frame); kResourceExhausted: it does
//          not take what it is sent.
// Threads: the request's strand. Read and Flush may be under way at the same time, one of each.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "api/http/http.h"

struct wslay_event_context;

namespace millrace::api {

class WebSocket {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  struct Limits {
    std::size_t message_bytes_max = 64 * 1024;
    std::size_t queued_bytes_max = 1024 * 1024;
  };
  // Reasons to close (RFC 6455 section 7.4.1).
  enum class CloseCode : std::uint16_t {
    kNormal = 1000,
    kGoingAway = 1001,
    kPolicy = 1008,
    kTryLater = 1013
  };

  // Whether the handshake can be answered; false: it was refused. Whatever the connection is to take the
  // place of comes after that. REQUIRES: request.websocket.
  static net::awaitable<bool> CheckHandshake(const Request& request, ResponseWriter& writer);
  // Answers the handshake. Null: the peer is gone. The request and the writer outlive the socket.
  // REQUIRES: CheckHandshake gave true.
  static net::awaitable<std::unique_ptr<WebSocket>> Accept(Request& request, ResponseWriter& writer,
                                                           Limits limits);
  WebSocket(const WebSocket&) = delete;
  WebSocket& operator=(const WebSocket&) = delete;
  ~WebSocket();

  // The next message; none: the peer has closed. kDeadlineExceeded: none came before `until`, and Read may be
  // called again.
  net::awaitable<Result<std::optional<std::string>>> Read(TimePoint until);

  // Put into the queue, which Flush sends.
  Result<void> Send(std::string_view text);
  Result<void> Ping();
  // How many pings went out since the peer gave the last sign of life.
  int silent_pings() const { return silent_pings_; }
  // Nothing can be sent behind it.
  void Close(CloseCode code, std::string_view reason);
  // Until the queue is empty. While it is under way another call gives at once: the one before sends that
  // too.
  net::awaitable<Result<void>> Flush();

 private:
  struct Callbacks;
  WebSocket(BodySource& body, ResponseWriter& writer, Limits limits);

  BodySource& body_;
  ResponseWriter& writer_;
  const Limits limits_;
  wslay_event_context* context_ = nullptr;  // owned
  Bytes received_;                          // bytes [taken_, end) are not looked at yet
  std::size_t taken_ = 0;
  Bytes to_send_;
  std::deque<std::string> messages_;  // of the bytes that were received last
  bool flushing_ = false;
  int silent_pings_ = 0;
};

}  // namespace millrace::api
