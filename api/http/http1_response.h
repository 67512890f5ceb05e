// Writes one HTTP/1.1 answer: head, then a body of known length, or in chunks, or (to HTTP/1.0) up to the
// close.
//
// Threads: the connection's strand.
#pragma once

#include <optional>
#include <string>

#include "api/http/http.h"
#include "api/http/transport.h"

namespace millrace::api {

class Http1ResponseWriter final : public ResponseWriter {
 public:
  struct Options {
    bool head_request = false;  // the body is left out
    bool http_1_1 = true;       // the peer knows chunks
    bool keep_alive = true;     // the peer wants it
    Duration write_timeout{0};  // how long the peer may take nothing
    const bool* stopping =
        nullptr;  // becomes true when the connection takes no more requests; outlives the writer
  };
  // `transport` outlives the writer.
  Http1ResponseWriter(Transport& transport, Options options);

  net::awaitable<Result<void>> Respond(ResponseHead head, SharedBytes body) override;
  net::awaitable<Result<void>> WriteHead(ResponseHead head, std::optional<std::uint64_t> length) override;
  net::awaitable<Result<void>> Write(SharedBytes piece) override;
  net::awaitable<Result<void>> Finish() override;
  bool ShouldEnd() override;
  bool head_written() const override { return status_ != 0; }
  int status() const override { return status_; }
  std::uint64_t body_bytes() const override { return body_bytes_; }

  // "100 Continue", unless the answer has begun.
  net::awaitable<Result<void>> WriteContinue();
  // The connection will be closed after this answer, and the answer says so. No effect after the head.
  void DoNotKeepAlive() { keep_alive_ = false; }

  // The answer is whole, and the connection can carry another.
  bool reusable() const { return finished_ && keep_alive_; }
  bool finished() const { return finished_; }

 private:
  std::string Head(const ResponseHead& head, std::optional<std::uint64_t> length);

  Transport& transport_;
  const Options options_;
  bool keep_alive_;
  bool chunked_ = false;
  bool no_body_ = false;  // HEAD, 204, 304: nothing follows the head
  bool finished_ = false;
  int status_ = 0;
  std::optional<std::uint64_t> length_;
  std::uint64_t body_bytes_ = 0;
};

}  // namespace millrace::api
