// One HTTP/2 connection: a coroutine reads, another writes, and each request has one of its own; the protocol
// is api/http/http2_engine.h's.
//
// Bounds:  the engine's; above some waiting frames nothing more is read, so that a peer that asks
//          and does not listen costs no memory.
// Threads: the connection's strand only.
#include <algorithm>
#include <array>
#include <boost/asio/co_spawn.hpp>
#include <memory>
#include <optional>
#include <utility>

#include "api/http/error_response.h"
#include "api/http/http2_engine.h"
#include "api/http/protocol_session.h"
#include "api/http/strand_event.h"
#include "base/log.h"

namespace millrace::api {
namespace {

using TimePoint = Transport::TimePoint;

constexpr std::size_t kReadBytesMax = 16 * 1024;
constexpr std::size_t kWaitingFramesMax = 1024;

class Http2Session final : public ProtocolSession {
 public:
  explicit Http2Session(SessionContext context)
      : context_(std::move(context)),
        transport_(context_.transport),
        limits_(context_.limits),
        wake_(context_.executor),
        flushed_(context_.executor),
        changed_(context_.executor),
        engine_(context_, [this] { wake_.Set(); }),
        idle_since_(Now()) {}

  net::awaitable<void> Run(Bytes received) override {
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
    engine_.EndReading();
    while (writing || engine_.handlers() > 0) co_await changed_.Wait();
    if (!broken_) {
      co_await transport_.Shutdown(After(limits_.linger_timeout), 64 * limits_.unwanted_body_bytes_max);
    }
    transport_.Close();
  }

  void Drain() override {
    draining_ = true;
    engine_.Drain();
  }

 private:
  static TimePoint Now() { return std::chrono::steady_clock::now(); }
  static TimePoint After(Duration duration, TimePoint start = Now()) {
    return start + std::chrono::duration_cast<std::chrono::steady_clock::duration>(duration);
  }

  net::awaitable<void> ReadLoop() {
    Bytes buffer(kReadBytesMax);
    for (;;) {
      while (engine_.waiting_frames() > kWaitingFramesMax && !Over()) co_await flushed_.Wait();
      if (Over()) co_return;
      auto size = co_await transport_.ReadSome(buffer, TimePoint::max());
      if (!size) broken_ = broken_ || size.error().code == ErrorCode::kUnavailable;
      if (!size || *size == 0 || !Feed(std::span(buffer).first(*size))) co_return;
    }
  }

  // False: there is nothing more to read.
  bool Feed(ByteSpan bytes) {
    if (writing_over_) return false;
    const bool good = engine_.Receive(bytes);
    for (Http2Engine::Ready& ready : engine_.TakeReady()) Start(std::move(ready));
    return good;
  }

  void Start(Http2Engine::Ready ready) {
    engine_.CountHandlers(1);
    auto serve = [](Http2Session* self, Http2Engine::Ready what) -> net::awaitable<void> {
      co_await self->Serve(*what.stream, *what.request, what.refusal);
    };
    net::co_spawn(context_.executor, serve(this, std::move(ready)), [this](std::exception_ptr failure) {
      if (failure) Log(LogLevel::kError, "an HTTP/2 request ended by an exception", {});
      engine_.CountHandlers(-1);
      if (engine_.handlers() == 0) idle_since_ = Now();
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
      engine_.Reset(stream, Http2Reset::kInternalError);
    } else if (!stream.received_end()) {
      co_await SkipBody(stream);
      if (!stream.received_end()) engine_.Reset(stream, Http2Reset::kNoError);
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

  net::awaitable<void> WriteLoop() {
    Bytes out;
    while (engine_.Gather(out)) {
      if (!out.empty()) {
        const std::array<net::const_buffer, 1> buffers{net::buffer(out)};
        auto written = co_await transport_.Write(buffers, limits_.write_timeout);
        out.clear();
        flushed_.Set();
        if (!written) broken_ = true;
        if (!written) break;
        continue;
      }
      if (broken_ || Over()) break;
      bool woken = co_await wake_.Wait(Deadline());
      if (!woken) CheckDeadlines();
    }
    broken_ = broken_ || !Over();
    writing_over_ = true;
    engine_.EndWriting();
    flushed_.Set();
    if (broken_) transport_.Close();
    transport_.CancelRead();
  }

  // Nothing more will be read or written.
  bool Over() const { return writing_over_ || (!reading_ && engine_.handlers() == 0) || engine_.over(); }

  TimePoint Deadline() const {
    if (timed_out_) return TimePoint::max();
    if (auto since = engine_.headers_since()) return After(limits_.header_timeout, *since);
    return engine_.handlers() == 0 && !draining_ ? After(limits_.idle_timeout, idle_since_)
                                                 : TimePoint::max();
  }

  void CheckDeadlines() {
    if (Now() < Deadline()) return;
    if (engine_.headers_since()) {
      timed_out_ = true;
      engine_.Terminate(Http2GoAway::kEnhanceYourCalm);
    } else {
      Drain();
    }
  }

  const SessionContext context_;
  Transport& transport_;
  const ConnectionLimits& limits_;
  StrandEvent wake_;     // of the writing coroutine
  StrandEvent flushed_;  // some was written
  StrandEvent changed_;  // the writing coroutine or a handler ended
  Http2Engine engine_;
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
