#include "api/http/web_socket.h"

#include <openssl/evp.h>
#include <wslay/wslay.h>

#include <algorithm>
#include <array>
#include <new>

#include "api/http/error_response.h"

namespace millrace::api {
namespace {

constexpr std::size_t kPieceBytes = 64 * 1024;
constexpr std::size_t kQueuedMessagesMax = 20'000;  // more than one piece of the peer's can ask for
constexpr std::size_t kReasonBytesMax = 123;        // of a control frame, behind the code

// RFC 6455 section 4.2.2, 5.4.
std::string AcceptOf(std::string_view key) {
  const std::string text = std::string(key) + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  if (EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_sha1(), nullptr) != 1)
    throw std::bad_alloc();
  std::array<unsigned char, 64> base64{};
  const int length = EVP_EncodeBlock(base64.data(), digest.data(), static_cast<int>(size));
  return {reinterpret_cast<const char*>(base64.data()), static_cast<std::size_t>(length)};
}

// 16 bytes in base64.
bool IsKey(std::string_view key) {
  const auto is_digit = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '+' || c == '/';
  };
  return key.size() == 24 && key.ends_with("==") && std::all_of(key.begin(), key.end() - 2, is_digit);
}

}  // namespace

struct WebSocket::Callbacks {
  static ssize_t Receive(wslay_event_context_ptr context, std::uint8_t* into, std::size_t size, int,
                         void* self) {
    auto& socket = *static_cast<WebSocket*>(self);
    const std::size_t count = std::min(size, socket.received_.size() - socket.taken_);
    if (count == 0) {
      wslay_event_set_error(context, WSLAY_ERR_WOULDBLOCK);
      return -1;
    }
    std::copy_n(socket.received_.begin() + static_cast<std::ptrdiff_t>(socket.taken_), count, into);
    socket.taken_ += count;
    return static_cast<ssize_t>(count);
  }

  static ssize_t Send(wslay_event_context_ptr context, const std::uint8_t* data, std::size_t size, int,
                      void* self) {
    auto& socket = *static_cast<WebSocket*>(self);
    const std::size_t count = std::min(size, kPieceBytes - socket.to_send_.size());
    if (count == 0) {
      wslay_event_set_error(context, WSLAY_ERR_WOULDBLOCK);
      return -1;
    }
    socket.to_send_.insert(socket.to_send_.end(), data, data + count);
    return static_cast<ssize_t>(count);
  }

  static void OnMessage(wslay_event_context_ptr context, const wslay_event_on_msg_recv_arg* message,
                        void* self) {
    auto& socket = *static_cast<WebSocket*>(self);
    if (message->opcode == WSLAY_TEXT_FRAME) {
      socket.messages_.emplace_back(reinterpret_cast<const char*>(message->msg), message->msg_length);
    } else if (message->opcode == WSLAY_BINARY_FRAME) {
      wslay_event_queue_close(context, WSLAY_CODE_UNSUPPORTED_DATA, nullptr, 0);
      wslay_event_shutdown_read(context);
    }
  }
};

WebSocket::WebSocket(BodySource& body, ResponseWriter& writer, Limits limits)
    : body_(body), writer_(writer), limits_(limits) {
  static constexpr wslay_event_callbacks kCallbacks{
      &Callbacks::Receive, &Callbacks::Send, nullptr, nullptr, nullptr, nullptr, &Callbacks::OnMessage};
  if (wslay_event_context_server_init(&context_, &kCallbacks, this) != 0) throw std::bad_alloc();
  wslay_event_config_set_max_recv_msg_length(context_, limits.message_bytes_max);
}

WebSocket::~WebSocket() { wslay_event_context_free(context_); }

net::awaitable<bool> WebSocket::CheckHandshake(const Request& request, ResponseWriter& writer) {
  const bool version_fits = request.headers.Find("Sec-WebSocket-Version") == "13";
  const auto key = request.headers.Find("Sec-WebSocket-Key");
  if (version_fits && key && IsKey(*key) && request.headers.Count("Sec-WebSocket-Key") == 1) co_return true;
  Error error{ErrorCode::kInvalidArgument, version_fits ? "Sec-WebSocket-Key must be 16 bytes in base64"
                                                        : "Sec-WebSocket-Version must be 13"};
  co_await RespondError(writer, std::move(error), version_fits ? 400 : 426);
  co_return false;
}

net::awaitable<std::unique_ptr<WebSocket>> WebSocket::Accept(Request& request, ResponseWriter& writer,
                                                             Limits limits) {
  ResponseHead head{101, {}};
  head.headers.Add("Upgrade", "websocket");
  head.headers.Add("Sec-WebSocket-Accept", AcceptOf(request.headers.Find("Sec-WebSocket-Key").value_or("")));
  const auto begun = co_await writer.WriteHead(std::move(head));
  if (!begun) co_return nullptr;
  co_return std::unique_ptr<WebSocket>(new WebSocket(*request.body, writer, limits));
}

net::awaitable<Result<std::optional<std::string>>> WebSocket::Read(TimePoint until) {
  for (;;) {
    if (!messages_.empty()) {
      std::optional<std::string> message = std::move(messages_.front());
      messages_.pop_front();
      co_return message;
    }
    if (wslay_event_want_read(context_) == 0) co_return std::nullopt;
    auto piece = co_await body_.Read(until);
    if (!piece) co_return std::move(piece).error();
    if (piece->empty()) co_return std::nullopt;
    received_ = std::move(*piece);
    taken_ = 0;
    silent_pings_ = 0;
    const int failure = wslay_event_recv(context_);
    // What answers pings is counted too: it may be empty.
    const bool flooded = wslay_event_get_queued_msg_length(context_) > limits_.queued_bytes_max ||
                         wslay_event_get_queued_msg_count(context_) > kQueuedMessagesMax;
    auto answered = co_await Flush();
    if (!answered) co_return std::move(answered).error();
    if (flooded) co_return Error{ErrorCode::kResourceExhausted, "the peer does not take what it asked for"};
    if (failure != 0) co_return Error{ErrorCode::kInvalidArgument, "malformed WebSocket frame"};
  }
}

Result<void> WebSocket::Send(std::string_view text) {
  if (wslay_event_get_queued_msg_length(context_) + text.size() > limits_.queued_bytes_max) {
    return Error{ErrorCode::kResourceExhausted, "too much waits for the peer"};
  }
  const wslay_event_msg message{WSLAY_TEXT_FRAME, reinterpret_cast<const std::uint8_t*>(text.data()),
                                text.size()};
  if (wslay_event_queue_msg(context_, &message) != 0)
    return Error{ErrorCode::kUnavailable, "the WebSocket is closed"};
  return {};
}

Result<void> WebSocket::Ping() {
  ++silent_pings_;
  const wslay_event_msg message{WSLAY_PING, nullptr, 0};
  if (wslay_event_queue_msg(context_, &message) != 0)
    return Error{ErrorCode::kUnavailable, "the WebSocket is closed"};
  return {};
}

void WebSocket::Close(CloseCode code, std::string_view reason) {
  reason = reason.substr(0, kReasonBytesMax);
  // One that is closing already goes on doing that.
  (void)wslay_event_queue_close(context_, static_cast<std::uint16_t>(code),
                                reinterpret_cast<const std::uint8_t*>(reason.data()), reason.size());
}

net::awaitable<Result<void>> WebSocket::Flush() {
  if (flushing_) co_return Result<void>();
  flushing_ = true;
  Result<void> written;
  while (written && wslay_event_want_write(context_) != 0) {
    const int failure = wslay_event_send(context_);
    SharedBytes piece(std::exchange(to_send_, {}));
    if (failure != 0) {
      written = Error{ErrorCode::kInternal, "a WebSocket frame could not be made"};
    } else {
      written = co_await writer_.Write(std::move(piece));
    }
  }
  flushing_ = false;
  co_return written;
}

}  // namespace millrace::api
