// A connection's bytes both ways, with a deadline on every wait: over TCP here, over TLS in
// api/http/tls_transport.h.
//
// Threads: on the connection's strand only. One read and one write may be under way at the same time.
// Errors:  kUnavailable (the peer is gone), kDeadlineExceeded, kCancelled (CancelRead, Close).
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <chrono>
#include <memory>
#include <span>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"

namespace millrace::api {

class Transport {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  virtual ~Transport() = default;

  // What must happen before anything is read or written. After an error only Close is left.
  virtual boost::asio::awaitable<Result<void>> Handshake(TimePoint until) = 0;
  // The protocol that the handshake agreed on (ALPN): "h2", "http/1.1"; empty: none, the first bytes say it.
  virtual std::string_view protocol() const = 0;
  // Some bytes, at least one; 0: the peer sends no more.
  virtual boost::asio::awaitable<Result<std::size_t>> ReadSome(std::span<std::uint8_t> into,
                                                               TimePoint until) = 0;
  // All of the buffers in order. `stall_max`: gives up when nothing could be sent for this long.
  virtual boost::asio::awaitable<Result<void>> Write(std::span<const boost::asio::const_buffer> buffers,
                                                     Duration stall_max) = 0;
  // Ends a ReadSome that is under way.
  virtual void CancelRead() = 0;
  // Tells the peer that nothing more comes, throws away what it still sends (closing while bytes are unread
  // resets the connection, and the peer may lose what it was sent) until it closes too, `until`, or
  // `discard_bytes_max`; then closes. REQUIRES: no read and no write is under way.
  virtual boost::asio::awaitable<void> Shutdown(TimePoint until, std::size_t discard_bytes_max) = 0;
  // Whether the peer has closed its side, or the connection is broken: found out without waiting, and over
  // TLS only when everything before was read.
  virtual bool PeerClosed() = 0;
  // Ends everything at once, so that an answer that is not finished is seen as such; with unread input the
  // peer sees a reset.
  virtual void Close() = 0;
};

// `socket`'s executor is the connection's strand.
std::unique_ptr<Transport> MakeTcpTransport(boost::asio::ip::tcp::socket socket);

}  // namespace millrace::api
