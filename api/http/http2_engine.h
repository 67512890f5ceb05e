// The protocol of one HTTP/2 connection (RFC 9113) over nghttp2, which does the framing and HPACK: bytes in,
// requests out; answers in, bytes out. Knows no sockets and does not wait.
//
// Bounds:  streams at a time, those included whose client has gone but whose handler is still at work; bytes
//          of bodies that wait, by the connection's window; frames that carry nothing (http2_flood_guard.h);
//          header fields. Frames that wait to be sent are the owner's to bound: waiting_frames().
// Threads: the connection's strand only.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "api/http/connection.h"
#include "api/http/http2_flood_guard.h"
#include "api/http/http2_frame_watch.h"
#include "api/http/http2_stream.h"
#include "api/http/protocol_session.h"
#include "base/bytes.h"

struct nghttp2_session;

namespace millrace::api {

// Why a connection is ended (RFC 9113 section 7).
enum class Http2GoAway : std::uint32_t { kNoError = 0, kProtocolError = 1, kEnhanceYourCalm = 11 };

class Http2Engine final : public Http2StreamHost {
 public:
  // A request whose head is complete. Whoever answers it keeps it until then.
  struct Ready {
    std::shared_ptr<Http2Stream> stream;
    std::unique_ptr<Request> request;
    std::optional<Refusal> refusal;
  };

  // `wake`: called when there may be something to send. `context` outlives it, as do its streams' handlers'
  // calls.
  Http2Engine(const SessionContext& context, std::function<void()> wake);
  ~Http2Engine() override;
  Http2Engine(const Http2Engine&) = delete;
  Http2Engine& operator=(const Http2Engine&) = delete;

  // The next bytes of the peer. False: nothing that follows can be understood, and the connection is to end
  // when what waits is sent.
  bool Receive(ByteSpan bytes);
  // The requests that have come since.
  std::vector<Ready> TakeReady();
  // Since when a request's header fields have been on their way.
  std::optional<TimePoint> headers_since() const { return watch_.headers_since(); }

  // Appends what can be sent now, up to some 64 KiB. False: the connection is broken.
  bool Gather(Bytes& out);
  // Control frames and answers' heads that wait to be gathered.
  std::size_t waiting_frames() const;

  // One more handler is at work (+1), or one less (-1).
  void CountHandlers(int change) { handlers_ += change; }
  std::int64_t handlers() const { return handlers_; }

  // Takes no more requests; those under way go on.
  void Drain();
  // Ends everything as soon as the reason is sent.
  void Terminate(Http2GoAway reason);
  // Nothing more comes from the peer.
  void EndReading();
  // Nothing more can be sent: what still waits for it fails.
  void EndWriting();
  // Nothing more will be received or sent.
  bool over() const;

  // Http2StreamHost.
  void SendHeaders(Http2Stream& stream, const std::vector<Field>& fields, Follows follows) override;
  void Resume(Http2Stream& stream) override;
  void Reset(Http2Stream& stream, Http2Reset reason) override;
  void Consumed(Http2Stream& stream, std::size_t bytes) override;
  bool Ending() override { return ending_; }

 private:
  struct Callbacks;  // what nghttp2 calls
  struct Delete {
    void operator()(nghttp2_session* session) const noexcept;
  };

  std::shared_ptr<Http2Stream> Find(std::int32_t id) const;
  // Before anything is made of it.
  void Count(const Http2FrameWatch::Frame& frame);

  const SessionContext& context_;
  const std::function<void()> wake_;
  std::unordered_map<std::int32_t, std::shared_ptr<Http2Stream>> streams_;  // those that are open on the wire
  std::vector<Ready> ready_;
  std::int64_t handlers_ = 0;
  Http2FloodGuard guard_;
  Http2FrameWatch watch_{kHttp2Preface.size()};
  bool flooded_ = false;
  bool ending_ = false;
  Bytes* out_ = nullptr;  // where Gather writes, while it runs
  std::unique_ptr<nghttp2_session, Delete> session_;
};

}  // namespace millrace::api
