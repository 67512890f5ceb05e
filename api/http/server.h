// The HTTP server: listens on a plain port and, where it is given a certificate, on a TLS port; serves every
// connection on a strand of one io_context with several threads, and stops in bounded time.
//
// Threads: Start, Stop and the destructor from one thread that is none of its own; the rest from any.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "api/http/connection.h"
#include "api/http/dispatcher.h"
#include "api/http/tls_context.h"
#include "base/result.h"
#include "base/time.h"

namespace millrace::api {

struct TlsListener {
  std::string address = "127.0.0.1";
  std::uint16_t port = 4568;            // 0: any free one
  const TlsContext* context = nullptr;  // outlives the server
};

struct ServerOptions {
  std::string address = "127.0.0.1";   // a numeric address
  std::uint16_t port = 4567;           // 0: any free one
  std::size_t threads = 0;             // 0: one a core
  std::size_t connections_max = 1024;  // on both ports; one more gets 503 and is closed (over TLS: is closed)
  std::optional<TlsListener> tls;
  ConnectionLimits limits;
};

class Server {
 public:
  // Binds and listens, and serves from then on. `dispatcher` outlives the server.
  // Errors: kInvalidArgument (the address), kUnavailable (the port is taken, or not allowed).
  static Result<std::unique_ptr<Server>> Start(const Dispatcher& dispatcher, ServerOptions options);
  // Stop(0).
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  std::uint16_t port() const;
  std::uint16_t tls_port() const;  // 0: there is none
  std::size_t connections() const;

  // Takes no more connections and no more requests; lets those under way finish for at most `grace`, then
  // cuts them off, and waits for their handlers: one that a disk holds up ends when the disk lets it.
  // Afterwards no handler runs. Calling it again does nothing.
  void Stop(Duration grace);

 private:
  class Impl;
  explicit Server(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace millrace::api
