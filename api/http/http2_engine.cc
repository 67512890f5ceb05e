#include "api/http/http2_engine.h"

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <array>
#include <new>
#include <utility>

#include "base/log.h"
#include "base/metrics.h"
#include "base/released_by.h"

namespace millrace::api {
namespace {

constexpr std::size_t kGatherBytesMax = 64 * 1024;
constexpr std::size_t kPaddingBytesMax = 256;

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

using CallbacksPtr = std::unique_ptr<nghttp2_session_callbacks, ReleasedBy<nghttp2_session_callbacks_del>>;
using OptionPtr = std::unique_ptr<nghttp2_option, ReleasedBy<nghttp2_option_del>>;

}  // namespace

struct Http2Engine::Callbacks {
  static Http2Engine& Self(void* user_data) { return *static_cast<Http2Engine*>(user_data); }

  static int OnBeginHeaders(nghttp2_session* session, const nghttp2_frame* frame, void* user_data) {
    Http2Engine& self = Self(user_data);
    if (frame->headers.cat != NGHTTP2_HCAT_REQUEST) return 0;
    const std::int32_t id = frame->hd.stream_id;
    // nghttp2 counts streams; handlers go on for a while when their stream has been reset.
    if (static_cast<std::size_t>(self.handlers_) + self.ready_.size() >= self.context_.limits.streams_max) {
      nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, id, NGHTTP2_REFUSED_STREAM);
      return 0;
    }
    // In turn, whatever the client asks for: one endless answer must not hold up the others.
    nghttp2_extpri in_turn{NGHTTP2_EXTPRI_DEFAULT_URGENCY, 1};
    nghttp2_session_change_extpri_stream_priority(session, id, &in_turn, 1);
    self.streams_.emplace(
        id, std::make_shared<Http2Stream>(self, id, self.context_.executor, self.context_.limits));
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
    Http2Engine& self = Self(user_data);
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
    Http2Engine& self = Self(user_data);
    auto found = self.streams_.find(id);
    if (found == self.streams_.end()) return 0;
    found->second->Close(error_code == NGHTTP2_NO_ERROR);
    self.streams_.erase(found);
    return 0;
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
    Http2Engine& self = Self(user_data);
    if (self.out_->size() >= kGatherBytesMax) return NGHTTP2_ERR_WOULDBLOCK;
    self.out_->insert(self.out_->end(), data, data + length);
    return static_cast<ssize_t>(length);
  }

  static int OnSendData(nghttp2_session*, nghttp2_frame*, const std::uint8_t* frame_head, std::size_t length,
                        nghttp2_data_source* source, void* user_data) {
    Http2Engine& self = Self(user_data);
    if (self.out_->size() >= kGatherBytesMax) return NGHTTP2_ERR_WOULDBLOCK;
    constexpr std::size_t kFrameHeadBytes = 9;
    self.out_->insert(self.out_->end(), frame_head, frame_head + kFrameHeadBytes);
    ByteSpan bytes = static_cast<Http2Stream*>(source->ptr)->Take(length);
    self.out_->insert(self.out_->end(), bytes.begin(), bytes.end());
    if (length > 0) self.guard_.EarnBySending();
    return 0;
  }

  static int OnFrameSent(nghttp2_session*, const nghttp2_frame* frame, void* user_data) {
    const bool may_end = frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA;
    if (!may_end || (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) == 0) return 0;
    if (auto stream = Self(user_data).Find(frame->hd.stream_id)) stream->SentEnd();
    return 0;
  }
};

void Http2Engine::Delete::operator()(nghttp2_session* session) const noexcept {
  nghttp2_session_del(session);
}

Http2Engine::Http2Engine(const SessionContext& context, std::function<void()> wake)
    : context_(context), wake_(std::move(wake)), guard_(std::chrono::steady_clock::now()) {
  nghttp2_session_callbacks* callbacks = nullptr;
  if (nghttp2_session_callbacks_new(&callbacks) != 0) throw std::bad_alloc();
  CallbacksPtr callbacks_owner(callbacks);
  nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks,
                                                          &Caught<&Callbacks::OnBeginHeaders>::Call);
  nghttp2_session_callbacks_set_on_header_callback(callbacks, &Caught<&Callbacks::OnHeader>::Call);
  nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, &Caught<&Callbacks::OnFrame>::Call);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, &Caught<&Callbacks::OnData>::Call);
  nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, &Caught<&Callbacks::OnStreamClose>::Call);
  nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, &Caught<&Callbacks::OnFrameSent>::Call);
  nghttp2_session_callbacks_set_send_callback(callbacks, &Caught<&Callbacks::OnSend>::Call);
  nghttp2_session_callbacks_set_send_data_callback(callbacks, &Caught<&Callbacks::OnSendData>::Call);

  nghttp2_option* option = nullptr;
  if (nghttp2_option_new(&option) != 0) throw std::bad_alloc();
  OptionPtr option_owner(option);
  nghttp2_option_set_no_auto_window_update(option, 1);
  nghttp2_option_set_no_closed_streams(option, 1);

  nghttp2_session* session = nullptr;
  if (nghttp2_session_server_new2(&session, callbacks, this, option) != 0) throw std::bad_alloc();
  session_.reset(session);

  const std::array<nghttp2_settings_entry, 4> settings{{
      {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, context_.limits.streams_max},
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, context_.limits.stream_window_bytes},
      {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, static_cast<std::uint32_t>(context_.limits.header_bytes_max)},
      {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},
  }};
  nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, settings.data(), settings.size());
  nghttp2_session_set_local_window_size(session, NGHTTP2_FLAG_NONE, 0,
                                        static_cast<std::int32_t>(context_.limits.connection_window_bytes));
}

Http2Engine::~Http2Engine() = default;

bool Http2Engine::Receive(ByteSpan bytes) {
  watch_.Receive(bytes, std::chrono::steady_clock::now(),
                 [this](const Http2FrameWatch::Frame& frame) { Count(frame); });
  if (flooded_) {
    FloodCounter().Increment();
    Terminate(Http2GoAway::kEnhanceYourCalm);
    return false;
  }
  if (nghttp2_session_mem_recv(session_.get(), bytes.data(), bytes.size()) < 0) {
    Terminate(Http2GoAway::kProtocolError);
    return false;
  }
  wake_();
  return true;
}

std::vector<Http2Engine::Ready> Http2Engine::TakeReady() { return std::exchange(ready_, {}); }

void Http2Engine::Count(const Http2FrameWatch::Frame& frame) {
  double points = Http2FloodGuard::kPerFrame;
  switch (frame.type) {
    case NGHTTP2_DATA: {
      // What may be padding carries nothing (RFC 9113 section 6.1: its length, and up to 255 bytes).
      const bool padded = (frame.flags & NGHTTP2_FLAG_PADDED) != 0;
      const std::size_t data = frame.bytes - (padded ? std::min(frame.bytes, kPaddingBytesMax) : 0);
      guard_.EarnByReceiving(data);
      if (data > 0 || (frame.flags & NGHTTP2_FLAG_END_STREAM) != 0) return;
      break;
    }
    case NGHTTP2_WINDOW_UPDATE:
      flooded_ = flooded_ || !guard_.SpendUpdate(std::chrono::steady_clock::now());
      return;
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
  flooded_ = flooded_ || !guard_.Spend(points, std::chrono::steady_clock::now());
}

std::shared_ptr<Http2Stream> Http2Engine::Find(std::int32_t id) const {
  auto found = streams_.find(id);
  return found == streams_.end() ? nullptr : found->second;
}

bool Http2Engine::Gather(Bytes& out) {
  out_ = &out;
  const bool good = nghttp2_session_send(session_.get()) == 0;
  out_ = nullptr;
  return good;
}

std::size_t Http2Engine::waiting_frames() const {
  return nghttp2_session_get_outbound_queue_size(session_.get());
}

void Http2Engine::Drain() {
  ending_ = true;
  nghttp2_submit_goaway(session_.get(), NGHTTP2_FLAG_NONE,
                        nghttp2_session_get_last_proc_stream_id(session_.get()), NGHTTP2_NO_ERROR, nullptr,
                        0);
  wake_();
}

void Http2Engine::Terminate(Http2GoAway reason) {
  nghttp2_session_terminate_session(session_.get(), static_cast<std::uint32_t>(reason));
  wake_();
}

void Http2Engine::EndReading() {
  ending_ = true;
  for (auto& [id, stream] : streams_) {
    stream->FailReading(
        Error{ErrorCode::kUnavailable, "the connection ended in the middle of the request's body"});
  }
  wake_();
}

void Http2Engine::EndWriting() {
  ending_ = true;
  for (auto& [id, stream] : std::exchange(streams_, {})) stream->Close(false);
}

bool Http2Engine::over() const {
  return nghttp2_session_want_read(session_.get()) == 0 && nghttp2_session_want_write(session_.get()) == 0;
}

void Http2Engine::SendHeaders(Http2Stream& stream, const std::vector<Field>& fields, Follows follows) {
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
    provider.read_callback = &Caught<&Callbacks::OnReadData>::Call;
    nghttp2_submit_response(session_.get(), stream.id(), values.data(), values.size(),
                            follows == Follows::kBody ? &provider : nullptr);
  }
  wake_();
}

void Http2Engine::Resume(Http2Stream& stream) {
  if (stream.closed()) return;
  nghttp2_session_resume_data(session_.get(), stream.id());
  wake_();
}

void Http2Engine::Reset(Http2Stream& stream, Http2Reset reason) {
  if (!stream.BeginReset()) return;
  nghttp2_submit_rst_stream(session_.get(), NGHTTP2_FLAG_NONE, stream.id(),
                            static_cast<std::uint32_t>(reason));
  wake_();
}

void Http2Engine::Consumed(Http2Stream& stream, std::size_t bytes) {
  nghttp2_session_consume(session_.get(), stream.id(), bytes);
  wake_();
}

}  // namespace millrace::api
