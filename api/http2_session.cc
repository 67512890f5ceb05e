// One HTTP/2 connection (RFC 9113) over nghttp2, which does the framing and HPACK: reads frames, starts a
// coroutine for each request, and sends what the answers have ready and the peer's windows take.
//
// Bounds:  streams at a time, those whose client has gone but whose handler is still at work included; bytes
//          of bodies that wait, by the connection's window; frames that wait to be sent (above that nothing
//          more is read); frames that carry nothing (http2_flood_guard.h); header fields.
// Threads: the connection's strand only. One coroutine reads, one writes.
#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <array>
#include <boost/asio/co_spawn.hpp>
#include <memory>
#include <optional>
#include <unordered_map>

#include "api/error_response.h"
#include "api/http2_flood_guard.h"
#include "api/http2_frame_watch.h"
#include "api/http2_stream.h"
#include "api/protocol_session.h"
#include "api/strand_event.h"
#include "base/log.h"
#include "base/metrics.h"

namespace millrace::api {
namespace {

using TimePoint = Transport::TimePoint;

constexpr std::size_t kReadBytesMax = 16 * 1024;
constexpr std::size_t kWriteBytesMax = 64 * 1024;  // gathered for one write
// Frames that wait to be sent; above it nothing more is read, so that a peer that asks and does not listen
// costs no memory.
constexpr std::size_t kWaitingFramesMax = 1024;

prometheus::Counter& FloodCounter() {
  static auto& counter = GetCounter("millrace_api_http2_floods_total",
                                    "HTTP/2 connections ended because of frames that carry nothing");
  return counter;
}

// A callback for nghttp2, which is C: no exception may pass through it.
template <auto Callback>
struct Caught;
template <typename R, typename... Arguments, R (*Callback)(Arguments...)>
struct Caught<Callback> {
  static R Call(Arguments... arguments) noexcept {
    try {
      return Callback(arguments...);
    } catch (const std::exception& e) {
      Log(LogLevel::kError, "an HTTP/2 connection ends by an exception", {{"error", e.what()}});
      return NGHTTP2_ERR_CALLBACK_FAILURE;
    }
  }
};

template <auto Release>
struct ReleasedBy {
  template <typename T>
  void operator()(T* p) const noexcept {
    Release(p);
  }
};
using SessionPtr = std::unique_ptr<nghttp2_session, ReleasedBy<nghttp2_session_del>>;
using CallbacksPtr = std::unique_ptr<nghttp2_session_callbacks, ReleasedBy<nghttp2_session_callbacks_del>>;
using OptionPtr = std::unique_ptr<nghttp2_option, ReleasedBy<nghttp2_option_del>>;

class Http2Session final : public ProtocolSession, public Http2StreamHost {
 public:
  explicit Http2Session(SessionContext context)
      : context_(std::move(context)),
        transport_(context_.transport),
        limits_(context_.limits),
        guard_(Now()),
        wake_(context_.executor),
        flushed_(context_.executor),
        changed_(context_.executor),
        idle_since_(Now()) {}

  net::awaitable<void> Run(Bytes received) override {
    Open();
    bool writing = true;
    auto write = [](Http2Session* self) -> net::awaitable<void> { co_await self->WriteLoop(); };
    net::co_spawn(context_.executor, write(this), [this, &writing](std::exception_ptr failure) {
      if (failure) {
        Log(LogLevel::kError, "an HTTP/2 connection ended by an exception", {});
        broken_ = writing_over_ = true;
        transport_.Close();
      }
      writing = false;
      changed_.Set();
    });
    if (Feed(received)) co_await ReadLoop();
    Bytes().swap(received);
    reading_ = false;
    for (auto& [id, stream] : streams_) {
      stream->FailReading(
          Error{ErrorCode::kUnavailable, "the connection ended in the middle of the request's body"});
    }
    wake_.Set();
    while (writing || handlers_ > 0) co_await changed_.Wait();
    if (!broken_) {
      co_await transport_.Shutdown(After(limits_.linger_timeout), 64 * limits_.unwanted_body_bytes_max);
    }
    transport_.Close();
  }

  void Drain() override {
    draining_ = true;
    if (!session_) return;
    nghttp2_submit_goaway(session_.get(), NGHTTP2_FLAG_NONE,
                          nghttp2_session_get_last_proc_stream_id(session_.get()), NGHTTP2_NO_ERROR, nullptr,
                          0);
    wake_.Set();
  }

 private:
  static TimePoint Now() { return std::chrono::steady_clock::now(); }
  static TimePoint After(Duration duration, TimePoint start = Now()) {
    return start + std::chrono::duration_cast<std::chrono::steady_clock::duration>(duration);
  }

  void Open() {
    nghttp2_session_callbacks* callbacks = nullptr;
    if (nghttp2_session_callbacks_new(&callbacks) != 0) throw std::bad_alloc();
    CallbacksPtr callbacks_owner(callbacks);
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, &Caught<&OnBeginHeaders>::Call);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, &Caught<&OnHeader>::Call);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, &Caught<&OnFrame>::Call);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, &Caught<&OnData>::Call);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, &Caught<&OnStreamClose>::Call);
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, &Caught<&OnFrameSent>::Call);
    nghttp2_session_callbacks_set_send_callback(callbacks, &Caught<&OnSend>::Call);
    nghttp2_session_callbacks_set_send_data_callback(callbacks, &Caught<&OnSendData>::Call);

    nghttp2_option* option = nullptr;
    if (nghttp2_option_new(&option) != 0) throw std::bad_alloc();
    OptionPtr option_owner(option);
    nghttp2_option_set_no_auto_window_update(option, 1);
    nghttp2_option_set_no_closed_streams(option, 1);

    nghttp2_session* session = nullptr;
    if (nghttp2_session_server_new2(&session, callbacks, this, option) != 0) throw std::bad_alloc();
    session_.reset(session);

    const std::array<nghttp2_settings_entry, 4> settings{{
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, limits_.streams_max},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, limits_.stream_window_bytes},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, static_cast<std::uint32_t>(limits_.header_bytes_max)},
        {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},
    }};
    nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, settings.data(), settings.size());
    nghttp2_session_set_local_window_size(session, NGHTTP2_FLAG_NONE, 0,
                                          static_cast<std::int32_t>(limits_.connection_window_bytes));
    if (draining_) Drain();
  }

  // --- Reading ---

  net::awaitable<void> ReadLoop() {
    Bytes buffer(kReadBytesMax);
    for (;;) {
      while (nghttp2_session_get_outbound_queue_size(session_.get()) > kWaitingFramesMax && !Over()) {
        co_await flushed_.Wait();
      }
      if (Over()) co_return;
      auto size = co_await transport_.ReadSome(buffer, TimePoint::max());
      if (!size) broken_ = broken_ || size.error().code == ErrorCode::kUnavailable;
      if (!size || *size == 0 || !Feed(std::span(buffer).first(*size))) co_return;
    }
  }

  // False: nothing that follows can be understood.
  bool Feed(ByteSpan bytes) {
    if (writing_over_) return false;
    watch_.Receive(bytes, Now(), [this](const Http2FrameWatch::Frame& frame) { Count(frame); });
    bool good = !flooded_;
    if (flooded_) {
      FloodCounter().Increment();
      nghttp2_session_terminate_session(session_.get(), NGHTTP2_ENHANCE_YOUR_CALM);
    } else if (nghttp2_session_mem_recv(session_.get(), bytes.data(), bytes.size()) < 0) {
      good = false;
      nghttp2_session_terminate_session(session_.get(), NGHTTP2_PROTOCOL_ERROR);
    }
    for (Ready& ready : std::exchange(ready_, {})) Start(std::move(ready));
    wake_.Set();
    return good;
  }

  struct Ready {
    std::shared_ptr<Http2Stream> stream;
    std::unique_ptr<Request> request;
    std::optional<Refusal> refusal;
  };

  std::shared_ptr<Http2Stream> Find(std::int32_t id) const {
    auto found = streams_.find(id);
    return found == streams_.end() ? nullptr : found->second;
  }

  static Http2Session& Self(void* user_data) { return *static_cast<Http2Session*>(user_data); }

  // Before anything is made of it.
  void Count(const Http2FrameWatch::Frame& frame) {
    double points = Http2FloodGuard::kPerFrame;
    switch (frame.type) {
      case NGHTTP2_DATA:
        if (frame.bytes > 0) guard_.Earn(Http2FloodGuard::kEarnedByData);
        if (frame.bytes > 0 || (frame.flags & NGHTTP2_FLAG_END_STREAM) != 0) return;
        break;
      case NGHTTP2_HEADERS:
        return;
      case NGHTTP2_RST_STREAM:
        points = Http2FloodGuard::kPerReset;
        break;
      case NGHTTP2_SETTINGS:
        if ((frame.flags & NGHTTP2_FLAG_ACK) == 0) points = Http2FloodGuard::kPerSettings;
        break;
      default:
        break;
    }
    flooded_ = flooded_ || !guard_.Spend(points, Now());
  }

  static int OnBeginHeaders(nghttp2_session* session, const nghttp2_frame* frame, void* user_data) {
    Http2Session& self = Self(user_data);
    if (frame->headers.cat != NGHTTP2_HCAT_REQUEST) return 0;
    const std::int32_t id = frame->hd.stream_id;
    // nghttp2 counts streams; handlers go on for a while when their stream has been reset.
    if (self.handlers_ + self.ready_.size() >= self.limits_.streams_max) {
      nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, id, NGHTTP2_REFUSED_STREAM);
      return 0;
    }
    // In turn, whatever the client asks for: one endless answer must not hold up the others.
    nghttp2_extpri in_turn{NGHTTP2_EXTPRI_DEFAULT_URGENCY, 1};
    nghttp2_session_change_extpri_stream_priority(session, id, &in_turn, 1);
    self.streams_.emplace(id, std::make_shared<Http2Stream>(self, id, self.context_.executor, self.limits_));
    return 0;
  }

  static int OnHeader(nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t* name,
                      std::size_t name_size, const std::uint8_t* value, std::size_t value_size, std::uint8_t,
                      void* user_data) {
    if (frame->headers.cat != NGHTTP2_HCAT_REQUEST) return 0;  // trailers say nothing that anybody wants
    if (auto stream = Self(user_data).Find(frame->hd.stream_id)) {
      stream->head().Add(AsText({name, name_size}), AsText({value, value_size}));
    }
    return 0;
  }

  static int OnFrame(nghttp2_session*, const nghttp2_frame* frame, void* user_data) {
    Http2Session& self = Self(user_data);
    if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA) return 0;
    auto stream = self.Find(frame->hd.stream_id);
    if (!stream) return 0;
    if (frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
      auto request = std::make_unique<Request>();
      request->peer = self.context_.peer;
      request->secure = self.context_.secure;
      auto refusal = stream->FinishHead(*request);
      self.ready_.push_back({stream, std::move(request), std::move(refusal)});
    }
    if ((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) stream->ReceiveEnd();
    return 0;
  }

  static int OnData(nghttp2_session* session, std::uint8_t, std::int32_t id, const std::uint8_t* data,
                    std::size_t size, void* user_data) {
    auto stream = Self(user_data).Find(id);
    if (stream) {
      stream->Receive({data, size});
    } else {
      nghttp2_session_consume_connection(session, size);
    }
    return 0;
  }

  static int OnStreamClose(nghttp2_session*, std::int32_t id, std::uint32_t error_code, void* user_data) {
    Http2Session& self = Self(user_data);
    auto found = self.streams_.find(id);
    if (found == self.streams_.end()) return 0;
    found->second->Close(error_code == NGHTTP2_NO_ERROR);
    self.streams_.erase(found);
    return 0;
  }

  // --- Requests ---

  void Start(Ready ready) {
    ++handlers_;
    auto serve = [](Http2Session* self, Ready what) -> net::awaitable<void> {
      co_await self->Serve(*what.stream, *what.request, what.refusal);
    };
    net::co_spawn(context_.executor, serve(this, std::move(ready)), [this](std::exception_ptr failure) {
      if (failure) Log(LogLevel::kError, "an HTTP/2 request ended by an exception", {});
      if (--handlers_ == 0) idle_since_ = Now();
      changed_.Set();
      wake_.Set();
    });
  }

  net::awaitable<void> Serve(Http2Stream& stream, Request& request, std::optional<Refusal>& refusal) {
    request.body = &stream;
    if (refusal) {
      co_await RespondError(stream, std::move(refusal->error), refusal->status);
    } else {
      co_await context_.dispatcher.Handle(request, stream);
    }
    if (!stream.finished()) {
      if (!stream.closed()) Reset(stream, Http2Reset::kInternalError);
    } else if (!stream.received_end()) {
      co_await SkipBody(stream);
      if (!stream.closed() && !stream.received_end()) Reset(stream, Http2Reset::kNoError);
    }
    stream.DropBody();
  }

  // Reads what is left of a body that nobody wanted.
  net::awaitable<void> SkipBody(Http2Stream& stream) {
    const TimePoint until = After(limits_.linger_timeout);
    std::size_t skipped = 0;
    while (skipped <= limits_.unwanted_body_bytes_max) {
      auto piece = co_await stream.Read(until);
      if (!piece || piece->empty()) co_return;
      skipped += piece->size();
    }
  }

  void SendHeaders(Http2Stream& stream, const std::vector<Field>& fields, Follows follows) override {
    if (stream.closed()) return;
    std::vector<nghttp2_nv> values;
    values.reserve(fields.size());
    for (const auto& [name, value] : fields) {
      // nghttp2 copies them; the casts are its interface's.
      values.push_back({reinterpret_cast<std::uint8_t*>(const_cast<char*>(name.data())),
                        reinterpret_cast<std::uint8_t*>(const_cast<char*>(value.data())), name.size(),
                        value.size(), NGHTTP2_NV_FLAG_NONE});
    }
    if (follows == Follows::kAnswer) {
      nghttp2_submit_headers(session_.get(), NGHTTP2_FLAG_NONE, stream.id(), nullptr, values.data(),
                             values.size(), nullptr);
    } else {
      nghttp2_data_provider provider{};
      provider.source.ptr = &stream;
      provider.read_callback = &Caught<&OnReadData>::Call;
      nghttp2_submit_response(session_.get(), stream.id(), values.data(), values.size(),
                              follows == Follows::kBody ? &provider : nullptr);
    }
    wake_.Set();
  }

  void Resume(Http2Stream& stream) override {
    if (stream.closed()) return;
    nghttp2_session_resume_data(session_.get(), stream.id());
    wake_.Set();
  }

  void Reset(Http2Stream& stream, Http2Reset reason) override {
    if (stream.closed()) return;
    nghttp2_submit_rst_stream(session_.get(), NGHTTP2_FLAG_NONE, stream.id(),
                              static_cast<std::uint32_t>(reason));
    wake_.Set();
  }

  void Consumed(Http2Stream& stream, std::size_t bytes) override {
    nghttp2_session_consume(session_.get(), stream.id(), bytes);
    wake_.Set();
  }

  bool Ending() override { return draining_ || !reading_; }

  // --- Writing ---

  net::awaitable<void> WriteLoop() {
    for (;;) {
      if (nghttp2_session_send(session_.get()) != 0) {
        broken_ = true;
        break;
      }
      if (!out_.empty()) {
        const std::array<net::const_buffer, 1> buffers{net::buffer(out_)};
        auto written = co_await transport_.Write(buffers, limits_.write_timeout);
        out_.clear();
        flushed_.Set();
        if (!written) {
          broken_ = true;
          break;
        }
        continue;
      }
      if (broken_ || Over()) break;
      if (!co_await wake_.Wait(Deadline())) CheckDeadlines();
    }
    writing_over_ = true;
    for (auto& [id, stream] : std::exchange(streams_, {})) stream->Close(false);
    flushed_.Set();
    if (broken_) transport_.Close();
    transport_.CancelRead();
  }

  // Nothing more will be read or written.
  bool Over() const {
    if (writing_over_) return true;
    if (!reading_ && handlers_ == 0) return true;
    return nghttp2_session_want_read(session_.get()) == 0 && nghttp2_session_want_write(session_.get()) == 0;
  }

  TimePoint Deadline() const {
    if (timed_out_) return TimePoint::max();
    if (auto since = watch_.headers_since()) return After(limits_.header_timeout, *since);
    return handlers_ == 0 && !draining_ ? After(limits_.idle_timeout, idle_since_) : TimePoint::max();
  }

  void CheckDeadlines() {
    if (Now() < Deadline()) return;
    if (watch_.headers_since()) {
      timed_out_ = true;
      nghttp2_session_terminate_session(session_.get(), NGHTTP2_ENHANCE_YOUR_CALM);
    } else {
      Drain();
    }
  }

  static ssize_t OnReadData(nghttp2_session*, std::int32_t, std::uint8_t*, std::size_t length,
                            std::uint32_t* flags, nghttp2_data_source* source, void*) {
    const Http2Stream& stream = *static_cast<const Http2Stream*>(source->ptr);
    const Http2Stream::Next next = stream.Peek(length);
    if (next.bytes == 0 && !next.last) return NGHTTP2_ERR_DEFERRED;
    *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
    if (next.last) *flags |= NGHTTP2_DATA_FLAG_EOF;
    return static_cast<ssize_t>(next.bytes);
  }

  static ssize_t OnSend(nghttp2_session*, const std::uint8_t* data, std::size_t length, int,
                        void* user_data) {
    Http2Session& self = Self(user_data);
    if (self.out_.size() >= kWriteBytesMax) return NGHTTP2_ERR_WOULDBLOCK;
    self.out_.insert(self.out_.end(), data, data + length);
    return static_cast<ssize_t>(length);
  }

  static int OnSendData(nghttp2_session*, nghttp2_frame*, const std::uint8_t* frame_head, std::size_t length,
                        nghttp2_data_source* source, void* user_data) {
    Http2Session& self = Self(user_data);
    if (self.out_.size() >= kWriteBytesMax) return NGHTTP2_ERR_WOULDBLOCK;
    constexpr std::size_t kFrameHeadBytes = 9;
    self.out_.insert(self.out_.end(), frame_head, frame_head + kFrameHeadBytes);
    ByteSpan bytes = static_cast<Http2Stream*>(source->ptr)->Take(length);
    self.out_.insert(self.out_.end(), bytes.begin(), bytes.end());
    if (length > 0) self.guard_.Earn(Http2FloodGuard::kEarnedByData);
    return 0;
  }

  static int OnFrameSent(nghttp2_session*, const nghttp2_frame* frame, void* user_data) {
    const bool may_end = frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA;
    if (!may_end || (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) == 0) return 0;
    if (auto stream = Self(user_data).Find(frame->hd.stream_id)) stream->SentEnd();
    return 0;
  }

  const SessionContext context_;
  Transport& transport_;
  const ConnectionLimits& limits_;
  SessionPtr session_;
  std::unordered_map<std::int32_t, std::shared_ptr<Http2Stream>> streams_;  // those that are open on the wire
  std::vector<Ready> ready_;  // requests that were parsed and wait for the parser to return
  std::size_t handlers_ = 0;  // that run; each keeps its stream
  Http2FloodGuard guard_;
  Http2FrameWatch watch_{kHttp2Preface.size()};
  bool flooded_ = false;
  Bytes out_;               // what is written next
  StrandEvent wake_;        // of the writing coroutine
  StrandEvent flushed_;     // some was written
  StrandEvent changed_;     // the writing coroutine or a handler ended
  TimePoint idle_since_;    // when the last handler ended
  bool timed_out_ = false;  // a request's header fields took too long
  bool reading_ = true;
  bool writing_over_ = false;
  bool broken_ = false;  // the transport failed
  bool draining_ = false;
};

}  // namespace

std::unique_ptr<ProtocolSession> MakeHttp2Session(SessionContext context) {
  return std::make_unique<Http2Session>(std::move(context));
}

}  // namespace millrace::api
