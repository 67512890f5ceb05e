// A connection's bytes both ways, with a deadline on every wait: over TCP here, over TLS in
// api/tls_transport.h.
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

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"

namespace millrace::api {

class Transport {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  virtual ~Transport() = default;

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
  // Whether the peer has closed its side, or the connection is broken: found out without waiting.
  virtual bool PeerClosed() = 0;
  // Ends everything at once, so that an answer that is not finished is seen as such; with unread input the
  // peer sees a reset.
  virtual void Close() = 0;
};

// `socket`'s executor is the connection's strand.
std::unique_ptr<Transport> MakeTcpTransport(boost::asio::ip::tcp::socket socket);

}  // namespace millrace::api
