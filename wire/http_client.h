// A blocking HTTP/1.1 client for programs that call the server: the command line, the consumer library. Over
// TLS (wire/client_tls.h) nothing is sent before the server has shown that it is who it should be.
//
// Errors:  kUnavailable (cannot connect, the connection broke), kDeadlineExceeded (no progress for the time
//          limit), kInvalidArgument (the endpoint; no TLS there), kResourceExhausted (an answer over the
//          limit), kUnauthenticated (the server's certificate is not trusted, or not for this host),
//          kNotFound, kIo (the CA file). An answer with an error status is an answer.
// Threads: one thread at a time uses a client; any number of clients.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"
#include "wire/endpoint.h"

namespace millrace::wire {

struct HttpRequest {
  std::string method = "GET";
  std::string target = "/";  // path and query, escaped
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
};

struct HttpResponse {
  int status = 0;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;  // empty where it went to a sink
};

class HttpClient {
 public:
  struct Options {
    std::optional<AccessKey> key = AccessKeyFromEnvironment();  // requests are signed with it
    // PEM: what is trusted in place of the system's CAs; "": those. Read anew for each connection.
    std::filesystem::path ca_file = CaFileFromEnvironment();
    Duration connect_timeout = std::chrono::seconds(5);    // with the TLS handshake
    Duration progress_timeout = std::chrono::seconds(60);  // nothing came or went
    Duration request_timeout{0};  // for a request and all of its answer, once connected; 0: none
    std::size_t body_bytes_max = 64 * 1024 * 1024;  // of an answer that is gathered
  };

  HttpClient(Endpoint endpoint, Options options);
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  // Sends the request, on the connection of the one before where that still stands, and gathers the answer.
  Result<HttpResponse> Send(const HttpRequest& request);

  // Takes the body of a 2xx answer piece by piece, in order; an error from it ends the transfer and is
  // returned. Other answers are gathered.
  using BodySink = std::function<Result<void>(ByteSpan)>;
  Result<HttpResponse> Send(const HttpRequest& request, const BodySink& sink);

  const Endpoint& endpoint() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace millrace::wire
