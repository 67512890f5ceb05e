// An HTTP/2 client for answers that go on: many requests at a time over few connections (RFC 9113), plain
// with prior knowledge or over TLS with ALPN, each answer taken piece by piece as it comes.
//
// Flow control: at most `window_bytes` of an answer come that were not consumed; a receiver that does not
//          consume stops its own answer, and no other.
// Bounds:  as many requests on a connection as the server takes, `connections_max` connections.
// Errors:  kUnavailable (cannot connect, the connection or the request was broken off, too many requests),
//          kDeadlineExceeded (nothing came for `silence`), kUnauthenticated, kInvalidArgument, kNotFound, kIo
//          (as HttpClient), kUnsupported (the server speaks no HTTP/2).
// Threads: one of its own, on which receivers are called; every function from any thread,
//          receivers' included, but the destructor, after which no receiver is called.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"
#include "wire/endpoint.h"
#include "wire/http_client.h"

namespace millrace::wire {

class Http2Client {
 public:
  struct Options {
    std::optional<AccessKey> key = AccessKeyFromEnvironment();  // requests are signed with it
    std::filesystem::path ca_file = CaFileFromEnvironment();    // as HttpClient::Options has it
    Duration connect_timeout = std::chrono::seconds(10);        // with the TLS handshake
    // A connection that has requests, and from which nothing came for so long, is given up.
    Duration silence = std::chrono::seconds(30);
    std::uint32_t window_bytes = 1024 * 1024;
    std::size_t connections_max = 64;
  };

  using RequestId = std::uint64_t;

  // Takes one answer. Must not block.
  class Receiver {
   public:
    virtual ~Receiver() = default;
    // Status and header fields; the body is empty.
    virtual void OnHead(RequestId request, const HttpResponse& head) = 0;
    // REQUIRES of the receiver: it calls Consume for all of it, sooner or later.
    virtual void OnBody(RequestId request, ByteSpan bytes) = 0;
    // The last call: the answer is whole, or broken off.
    virtual void OnEnd(RequestId request, const Result<void>& outcome) = 0;
  };

  Http2Client(Endpoint endpoint, Options options);
  ~Http2Client();
  Http2Client(const Http2Client&) = delete;
  Http2Client& operator=(const Http2Client&) = delete;

  // The receiver is held until the request is over.
  RequestId Send(HttpRequest request, std::shared_ptr<Receiver> receiver);
  // So many bytes of the answer's body are done with.
  void Consume(RequestId request, std::size_t bytes);
  // The request is taken back. Calls of its receiver may be under way; OnEnd is not one of them afterwards.
  void Cancel(RequestId request);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace millrace::wire
