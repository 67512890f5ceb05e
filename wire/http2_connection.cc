#include "wire/http2_connection.h"

#include <algorithm>
#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "base/text.h"
#include "wire/client_tls.h"
#include "wire/request_signing.h"

namespace millrace::wire {

namespace net = boost::asio;
using std::chrono::steady_clock;

namespace {

constexpr auto kAwaitHttp2 = net::as_tuple(net::use_awaitable);
constexpr std::int32_t kConnectionWindow =
    16 * 1024 * 1024;                           // answers are held back one by one, by their own
constexpr std::size_t kStreamsUntilTold = 100;  // RFC 9113 section 6.5.2 advises servers against fewer
constexpr std::size_t kStreamsMax = 1'000;
constexpr std::size_t kReadBytes = 64 * 1024;
constexpr std::size_t kWriteBytes = 64 * 1024;
constexpr std::size_t kHeadBytesMax = 64 * 1024;

using CallbacksPtr = std::unique_ptr<nghttp2_session_callbacks, ReleasedBy<nghttp2_session_callbacks_del>>;
using OptionPtr = std::unique_ptr<nghttp2_option, ReleasedBy<nghttp2_option_del>>;

// nghttp2 is C: no exception may pass through it.
template <typename Body>
int Guarded(Body body) noexcept {
  try {
    body();
    return 0;
  } catch (...) {
    return NGHTTP2_ERR_CALLBACK_FAILURE;
  }
}

nghttp2_nv FieldOf(const std::string& name, const std::string& value) {
  const auto bytes = [](const std::string& text) {
    return reinterpret_cast<std::uint8_t*>(const_cast<char*>(text.data()));  // nghttp2 copies it
  };
  return {bytes(name), bytes(value), name.size(), value.size(), NGHTTP2_NV_FLAG_NONE};
}

}  // namespace

struct Http2Connection::Callbacks {
  static Exchange* Find(void* self, std::int32_t stream) {
    auto& streams = static_cast<Http2Connection*>(self)->streams_;
    const auto found = streams.find(stream);
    return found == streams.end() ? nullptr : found->second.get();
  }

  static int OnHeader(nghttp2_session* session, const nghttp2_frame* frame, const std::uint8_t* name,
                      std::size_t name_size, const std::uint8_t* value, std::size_t value_size, std::uint8_t,
                      void* self) {
    Exchange* exchange = Find(self, frame->hd.stream_id);
    if (exchange == nullptr || exchange->answered) return 0;  // trailers say nothing
    return Guarded([&] {
      const std::string_view key = AsText({name, name_size});
      const std::string text(AsText({value, value_size}));
      std::size_t bytes = key.size() + text.size();
      for (const auto& field : exchange->head.headers) bytes += field.first.size() + field.second.size();
      if (bytes > kHeadBytesMax) {
        nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, frame->hd.stream_id, NGHTTP2_CANCEL);
      } else if (key == ":status") {
        exchange->head.status = std::atoi(text.c_str());
      } else {
        exchange->head.headers.emplace_back(key, text);
      }
    });
  }

  static int OnFrame(nghttp2_session*, const nghttp2_frame* frame, void* self) {
    if (frame->hd.type == NGHTTP2_GOAWAY) static_cast<Http2Connection*>(self)->going_away_ = true;
    if (frame->hd.type != NGHTTP2_HEADERS) return 0;
    Exchange* exchange = Find(self, frame->hd.stream_id);
    if (exchange == nullptr || exchange->answered) return 0;
    return Guarded([&] {
      if (exchange->head.status < 200) {  // one that only informs; the answer follows
        exchange->head = {};
        return;
      }
      exchange->answered = true;
      const auto receiver = exchange->receiver;  // it may cancel
      if (receiver) receiver->OnHead(exchange->id, exchange->head);
    });
  }

  static int OnData(nghttp2_session* session, std::uint8_t, std::int32_t stream, const std::uint8_t* data,
                    std::size_t size, void* self) {
    nghttp2_session_consume_connection(session, size);
    Exchange* exchange = Find(self, stream);
    if (exchange == nullptr) return 0;
    return Guarded([&] {
      const auto receiver = exchange->receiver;
      if (receiver) receiver->OnBody(exchange->id, {data, size});
    });
  }

  static int OnClose(nghttp2_session*, std::int32_t stream, std::uint32_t error, void* self) {
    auto& connection = *static_cast<Http2Connection*>(self);
    return Guarded([&] {
      auto node = connection.streams_.extract(stream);
      if (node.empty()) return;
      const Exchange& exchange = *node.mapped();
      connection.ids_.erase(exchange.id);
      if (!exchange.receiver) return;
      Result<void> outcome;
      if (error != NGHTTP2_NO_ERROR || !exchange.answered) {
        outcome =
            Error{ErrorCode::kUnavailable, connection.endpoint_.ToString() +
                                               " broke the request off: " + nghttp2_http2_strerror(error)};
      }
      exchange.receiver->OnEnd(exchange.id, outcome);
    });
  }

  static ssize_t OnReadBody(nghttp2_session*, std::int32_t, std::uint8_t* into, std::size_t room,
                            std::uint32_t* flags, nghttp2_data_source* source, void*) {
    auto& exchange = *static_cast<Exchange*>(source->ptr);
    const std::string_view rest = std::string_view(exchange.request.body).substr(exchange.body_sent);
    const std::size_t size = std::min(room, rest.size());
    std::memcpy(into, rest.data(), size);
    exchange.body_sent += size;
    if (size == rest.size()) *flags |= NGHTTP2_DATA_FLAG_EOF;
    return static_cast<ssize_t>(size);
  }
};

Http2Connection::Http2Connection(const net::any_io_executor& executor, const Endpoint& endpoint,
                                 const Http2Client::Options& options,
                                 std::function<void(const std::shared_ptr<Http2Connection>&)> over)
    : executor_(executor),
      endpoint_(endpoint),
      options_(options),
      over_(std::move(over)),
      transport_(executor, endpoint, options_.ca_file),
      watch_(executor),
      heard_at_(steady_clock::now()) {}

void Http2Connection::Start() {
  auto self = shared_from_this();
  auto serve = [self]() -> net::awaitable<void> { co_await self->Serve(); };
  net::co_spawn(executor_, serve, [self](const std::exception_ptr& failure) {
    if (failure) self->End(Error{ErrorCode::kInternal, "unexpected exception in the HTTP/2 client"});
  });
  auto watch = [self]() -> net::awaitable<void> { co_await self->Watch(); };
  net::co_spawn(executor_, watch, net::detached);
}

bool Http2Connection::HasRoom() const {
  if (going_away_ || ended_) return false;
  std::size_t most = kStreamsUntilTold;
  if (session_) {
    const std::uint32_t told =
        nghttp2_session_get_remote_settings(session_.get(), NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
    // Before its settings come, nghttp2 takes the server for one without a limit.
    most = told > kStreamsMax ? kStreamsUntilTold : told;
  }
  return size() < most;
}

void Http2Connection::Send(std::unique_ptr<Exchange> exchange) {
  if (!session_) {
    waiting_.push_back(std::move(exchange));
    return;
  }
  Submit(std::move(exchange));
  Flush();
}

void Http2Connection::Submit(std::unique_ptr<Exchange> exchange) {
  const HttpRequest& request = exchange->request;
  const std::string authority = endpoint_.Authority();
  std::vector<std::pair<std::string, std::string>> fields{{":method", request.method},
                                                          {":scheme", endpoint_.tls ? "https" : "http"},
                                                          {":authority", authority},
                                                          {":path", request.target},
                                                          {"user-agent", "millrace"}};
  const auto add = [&fields](std::pair<std::string, std::string> field) {
    field.first = ToAsciiLower(field.first);
    fields.push_back(std::move(field));
  };
  for (const auto& field : request.headers) add(field);
  if (options_.key) {
    for (const auto& field : SigningFields(*options_.key, request, authority)) add(field);
  }
  std::vector<nghttp2_nv> values;
  for (const auto& [name, value] : fields) values.push_back(FieldOf(name, value));
  nghttp2_data_provider body{};
  body.source.ptr = exchange.get();
  body.read_callback = Callbacks::OnReadBody;
  const std::int32_t stream = nghttp2_submit_request(session_.get(), nullptr, values.data(), values.size(),
                                                     request.body.empty() ? nullptr : &body, nullptr);
  if (stream < 0) {
    going_away_ = true;  // out of stream numbers
    exchange->receiver->OnEnd(exchange->id, Error{ErrorCode::kUnavailable, nghttp2_strerror(stream)});
    return;
  }
  if (streams_.empty()) heard_at_ = steady_clock::now();  // silence counts from here
  ids_[exchange->id] = stream;
  streams_[stream] = std::move(exchange);
}

void Http2Connection::Consume(Http2Client::RequestId id, std::size_t bytes) {
  const auto found = ids_.find(id);
  if (found == ids_.end() || !session_) return;
  nghttp2_session_consume_stream(session_.get(), found->second, bytes);
  Flush();
}

void Http2Connection::Cancel(Http2Client::RequestId id) {
  std::erase_if(waiting_, [id](const auto& exchange) { return exchange->id == id; });
  const auto found = ids_.find(id);
  if (found == ids_.end() || !session_) return;
  streams_.at(found->second)->receiver.reset();
  nghttp2_submit_rst_stream(session_.get(), NGHTTP2_FLAG_NONE, found->second, NGHTTP2_CANCEL);
  ids_.erase(found);
  Flush();
}

Result<void> Http2Connection::MakeSession() {
  nghttp2_session_callbacks* made = nullptr;
  nghttp2_option* option = nullptr;
  if (nghttp2_session_callbacks_new(&made) != 0) return Error{ErrorCode::kResourceExhausted, "out of memory"};
  const CallbacksPtr callbacks(made);
  if (nghttp2_option_new(&option) != 0) return Error{ErrorCode::kResourceExhausted, "out of memory"};
  const OptionPtr options(option);
  nghttp2_option_set_no_auto_window_update(option, 1);
  nghttp2_session_callbacks_set_on_header_callback(made, Callbacks::OnHeader);
  nghttp2_session_callbacks_set_on_frame_recv_callback(made, Callbacks::OnFrame);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(made, Callbacks::OnData);
  nghttp2_session_callbacks_set_on_stream_close_callback(made, Callbacks::OnClose);
  nghttp2_session* session = nullptr;
  if (nghttp2_session_client_new2(&session, made, this, option) != 0)
    return Error{ErrorCode::kResourceExhausted, "out of memory"};
  session_.reset(session);
  const std::array<nghttp2_settings_entry, 2> settings{
      {{NGHTTP2_SETTINGS_ENABLE_PUSH, 0}, {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, options_.window_bytes}}};
  nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, settings.data(), settings.size());
  nghttp2_session_set_local_window_size(session, NGHTTP2_FLAG_NONE, 0, kConnectionWindow);
  return {};
}

net::awaitable<void> Http2Connection::Serve() {
  auto connected = co_await transport_.Connect(kHttp2);
  if (connected && !ended_) connected = MakeSession();
  if (!connected) {
    End(connected.error());
    co_return;
  }
  if (ended_) co_return;
  heard_at_ = steady_clock::now();
  for (auto& exchange : std::exchange(waiting_, {})) Submit(std::move(exchange));
  Flush();
  const auto read = co_await Read();
  if (!read) End(read.error());
}

net::awaitable<Result<void>> Http2Connection::Read() {
  Bytes buffer(kReadBytes);
  while (!ended_) {
    auto size = co_await transport_.ReadSome(buffer);
    if (!size) co_return std::move(size).error();
    if (ended_) break;
    heard_at_ = steady_clock::now();
    const ssize_t taken = nghttp2_session_mem_recv(session_.get(), buffer.data(), *size);
    if (taken < 0) {
      co_return Error{ErrorCode::kUnavailable, endpoint_.ToString() + " does not speak HTTP/2 well: " +
                                                   nghttp2_strerror(static_cast<int>(taken))};
    }
    Flush();
    if (going_away_ && streams_.empty()) co_return Error{ErrorCode::kUnavailable, "the server goes away"};
  }
  co_return Result<void>();
}

void Http2Connection::Flush() {
  if (writing_ || ended_ || !session_ || nghttp2_session_want_write(session_.get()) == 0) return;
  writing_ = true;
  auto self = shared_from_this();
  auto write = [self]() -> net::awaitable<void> { co_await self->WriteAll(); };
  net::co_spawn(executor_, write, net::detached);
}

net::awaitable<void> Http2Connection::WriteAll() {
  for (;;) {
    Bytes bytes;
    while (!ended_ && bytes.size() < kWriteBytes) {
      const std::uint8_t* data = nullptr;
      const ssize_t size = nghttp2_session_mem_send(session_.get(), &data);
      if (size < 0) End(Error{ErrorCode::kUnavailable, nghttp2_strerror(static_cast<int>(size))});
      if (size <= 0) break;
      bytes.insert(bytes.end(), data, data + size);
    }
    if (ended_ || bytes.empty()) break;
    const auto written = co_await transport_.Write(bytes);
    if (!written) {
      End(written.error());
      break;
    }
  }
  writing_ = false;
}

net::awaitable<void> Http2Connection::Watch() {
  while (!ended_) {
    const Duration limit = session_ ? options_.silence : options_.connect_timeout;
    watch_.expires_after(std::min<Duration>(limit / 4, std::chrono::seconds(1)));
    (void)co_await watch_.async_wait(kAwaitHttp2);
    if (ended_) break;
    const bool waits = !session_ || !streams_.empty();
    if (waits && steady_clock::now() - heard_at_ > limit) {
      End(Error{ErrorCode::kDeadlineExceeded,
                (session_ ? "nothing came from " : "connecting took too long: ") + endpoint_.ToString()});
    }
  }
}

void Http2Connection::End(const Error& error) {
  if (std::exchange(ended_, true)) return;
  transport_.Close();
  watch_.cancel();
  const auto self = shared_from_this();
  for (const auto& exchange : std::exchange(waiting_, {})) exchange->receiver->OnEnd(exchange->id, error);
  ids_.clear();
  for (const auto& [stream, exchange] : std::exchange(streams_, {})) {
    if (exchange->receiver) exchange->receiver->OnEnd(exchange->id, error);
  }
  over_(self);
}

}  // namespace millrace::wire
