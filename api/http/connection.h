// One connection of a client: finds out which protocol it speaks (HTTP/1.1, or HTTP/2 by its preface), has
// its requests answered, and keeps to the limits.
//
// Malformed input is answered with a 4xx and closes the connection; a peer that is too slow gets a 408, or is
// cut off. A body that a handler did not want is read and thrown away up to a limit, else the connection is
// closed.
//
// Threads: Drain and Abort from any thread; everything else inside.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <functional>
#include <memory>

#include "api/http/dispatcher.h"
#include "api/http/tls_context.h"
#include "base/time.h"

namespace millrace::api {

struct ConnectionLimits {
  std::size_t header_bytes_max = 16 * 1024;  // request line and headers; 431
  std::size_t target_bytes_max = 8 * 1024;   // 414
  std::size_t unwanted_body_bytes_max = 256 * 1024;
  Duration header_timeout =
      std::chrono::seconds(10);  // from the first byte of a request to the end of its headers; TLS handshake
  Duration idle_timeout = std::chrono::seconds(60);   // between requests
  Duration read_timeout = std::chrono::seconds(30);   // between pieces of a body
  Duration write_timeout = std::chrono::seconds(30);  // the peer takes nothing
  Duration linger_timeout =
      std::chrono::seconds(2);  // after a last answer: lets the peer read it before the close

  // HTTP/2 only.
  std::uint32_t streams_max = 128;                      // requests at a time
  std::uint32_t stream_window_bytes = 256 * 1024;       // of a body that nobody reads
  std::uint32_t connection_window_bytes = 1024 * 1024;  // of all such bodies
};

class Connection {
 public:
  virtual ~Connection() = default;
  // Closes as soon as no request is under way.
  virtual void Drain() = 0;
  // Closes now; a handler that is at work meets errors at its next read or write.
  virtual void Abort() = 0;
};

// Begins to serve `socket`, whose executor is a strand of its own. `dispatcher` outlives the connection;
// `on_closed` runs once, when it is over, on the strand. `tls`: the connection is over TLS; null: it is
// plain.
std::shared_ptr<Connection> StartConnection(boost::asio::ip::tcp::socket socket, const Dispatcher& dispatcher,
                                            const ConnectionLimits& limits, std::function<void()> on_closed,
                                            std::shared_ptr<TlsSettings> tls = nullptr);

}  // namespace millrace::api
