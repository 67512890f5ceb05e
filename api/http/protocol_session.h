// What a connection speaks once it is known which protocol that is: HTTP/1.1 or HTTP/2.
//
// Threads: the connection's strand only.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <memory>
#include <string>

#include "api/http/connection.h"
#include "api/http/transport.h"
#include "base/bytes.h"

namespace millrace::api {

// What the sessions of a connection share. All of it outlives them.
struct SessionContext {
  boost::asio::any_io_executor executor;  // the connection's strand
  Transport& transport;
  const Dispatcher& dispatcher;
  const ConnectionLimits& limits;
  std::string peer;  // the other end's address
  bool secure;       // the transport is TLS
};

class ProtocolSession {
 public:
  virtual ~ProtocolSession() = default;
  // Serves until the connection is over; the transport is closed then, and no handler runs any more.
  // `received`: what the peer has sent so far.
  virtual boost::asio::awaitable<void> Run(Bytes received) = 0;
  // No more requests: ends as soon as none is under way.
  virtual void Drain() = 0;
};

std::unique_ptr<ProtocolSession> MakeHttp1Session(SessionContext context);
// Errors: none here; what goes wrong ends Run.
std::unique_ptr<ProtocolSession> MakeHttp2Session(SessionContext context);

// What every HTTP/2 client sends first (RFC 9113 section 3.4). No HTTP/1.1 request begins with it.
inline constexpr std::string_view kHttp2Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

}  // namespace millrace::api
