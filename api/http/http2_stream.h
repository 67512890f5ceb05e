// One request and its answer on an HTTP/2 connection: the body as it comes, and the answer's bytes until the
// peer's window takes them.
//
// Bounds: what waits of a body is at most the stream's window (the peer may send more only when the handler
// has read); what waits of an answer is the one piece that the handler writes.
// Threads: the connection's strand only.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "api/http/connection.h"
#include "api/http/http.h"
#include "api/http/http2_request.h"
#include "api/http/strand_event.h"

namespace millrace::api {

class Http2Stream;

// Why a stream is reset (RFC 9113 section 7).
enum class Http2Reset : std::uint32_t {
  kNoError = 0,  // the answer is whole, the rest of the request is not wanted
  kInternalError = 2,
  kRefused = 7,  // nothing was done: the client may try again
  kCancel = 8,
};

// What a stream asks of its connection. Outlives the streams' handlers.
class Http2StreamHost {
 public:
  using Field = std::pair<std::string, std::string>;
  using TimePoint = std::chrono::steady_clock::time_point;

  virtual ~Http2StreamHost() = default;
  // Sends header fields (":status" among them, first); `last`: nothing follows, `informational`: the answer
  // does.
  enum class Follows { kBody, kNothing, kAnswer };
  virtual void SendHeaders(Http2Stream& stream, const std::vector<Field>& fields, Follows follows) = 0;
  // There is something to send, or the end of it.
  virtual void Resume(Http2Stream& stream) = 0;
  virtual void Reset(Http2Stream& stream, Http2Reset reason) = 0;
  // The handler has taken that many bytes of the body: the peer may send as many more.
  virtual void Consumed(Http2Stream& stream, std::size_t bytes) = 0;
  // No more requests are taken, or the peer has closed its side of the connection.
  virtual bool Ending() = 0;
};

class Http2Stream final : public BodySource, public ResponseWriter {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  // `host` and `limits` outlive it.
  Http2Stream(Http2StreamHost& host, std::int32_t id, const net::any_io_executor& executor,
              const ConnectionLimits& limits);

  // BodySource. Tells a peer that waits for it to go ahead.
  net::awaitable<Result<Bytes>> Read(std::optional<TimePoint> until) override;

  // ResponseWriter.
  net::awaitable<Result<void>> Respond(ResponseHead head, SharedBytes body) override;
  net::awaitable<Result<void>> WriteHead(ResponseHead head, std::optional<std::uint64_t> length) override;
  net::awaitable<Result<void>> Write(SharedBytes piece) override;
  net::awaitable<Result<void>> Finish() override;
  bool ShouldEnd() override { return closed_ || host_.Ending(); }
  bool head_written() const override { return status_ != 0; }
  int status() const override { return status_; }
  std::uint64_t body_bytes() const override { return body_bytes_; }

  // What the connection tells, as it parses.
  Http2RequestHead& head() { return head_; }
  // The head is complete: `request` can be answered, or must be refused.
  std::optional<Refusal> FinishHead(Request& request);
  void Receive(ByteSpan bytes);
  void ReceiveEnd();
  // The stream is over on the wire. `whole`: it ended by itself, both ways.
  void Close(bool whole);
  // Nothing more of the request will come.
  void FailReading(Error error);

  // What the connection takes to send.
  struct Next {
    std::size_t bytes = 0;
    bool last = false;  // the answer ends with them
  };
  Next Peek(std::size_t bytes_max) const;
  // REQUIRES: Peek gave them. Valid until the coroutine that wrote them goes on.
  ByteSpan Take(std::size_t bytes);
  void SentEnd();

  std::int32_t id() const { return id_; }
  bool finished() const { return sent_end_; }          // the answer is whole and on its way
  bool received_end() const { return received_end_; }  // so is the request
  bool closed() const { return closed_; }
  // Whether it is to be reset: true once, and never when it is over.
  bool BeginReset() { return !closed_ && !std::exchange(reset_, true); }
  // Drops what nobody will read.
  void DropBody();

 private:
  std::vector<Http2StreamHost::Field> HeadFields(const ResponseHead& head,
                                                 std::optional<std::uint64_t> length);
  // Until what waits to be sent was taken (`end`: with the end of the answer), the stream failed, or the peer
  // took nothing for too long.
  net::awaitable<Result<void>> Flush(bool end);
  void SetPiece(SharedBytes piece);

  Http2StreamHost& host_;
  const std::int32_t id_;
  const ConnectionLimits& limits_;
  Http2RequestHead head_;
  bool head_request_ = false;
  bool continue_due_ = false;

  std::deque<Bytes> received_;  // each at most kPieceBytesMax
  bool received_end_ = false;
  std::optional<Error> read_failure_;
  StrandEvent readable_;

  SharedBytes piece_;
  std::size_t taken_ = 0;    // of piece_
  bool piece_last_ = false;  // the answer ends with piece_
  bool sent_end_ = false;
  TimePoint progress_at_{};  // when the peer's window last took something
  std::optional<Error> write_failure_;
  StrandEvent writable_;

  bool closed_ = false;
  bool reset_ = false;    // by us
  bool no_body_ = false;  // HEAD, 204, 304: nothing follows the head
  int status_ = 0;
  std::optional<std::uint64_t> length_;
  std::uint64_t body_bytes_ = 0;
};

}  // namespace millrace::api
