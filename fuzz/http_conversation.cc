#include "fuzz/http_conversation.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <cerrno>

#include "api/http/error_response.h"
#include "fuzz/fuzz_target.h"

namespace millrace::fuzz {

namespace net = boost::asio;

Conversation Converse(const api::Dispatcher& dispatcher, const api::ConnectionLimits& limits,
                      std::string_view input, std::size_t piece_bytes) {
  int sockets[2];
  FUZZ_CHECK(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, sockets) == 0,
             "socketpair");
  const int peer = sockets[1];
  Conversation conversation;
  std::string& received = conversation.received;
  bool closed = false;   // told by the connection
  bool hung_up = false;  // seen by the peer
  {
    net::io_context io(1);
    net::ip::tcp::socket socket(io, net::ip::tcp::v4(), sockets[0]);
    auto connection = StartConnection(std::move(socket), dispatcher, limits, [&] { closed = true; });
    // All that can be done before more is sent. Answers larger than the socket's buffer take turns, and a
    // reactor that was asked once may have told of something else first.
    const auto run = [&] {
      for (int idle = 0; idle < 3; ++idle) {
        io.restart();
        while (io.poll_one() > 0) idle = 0;
        char bytes[4096];
        ssize_t size = 0;
        while ((size = ::recv(peer, bytes, sizeof(bytes), 0)) > 0) {
          received.append(bytes, static_cast<std::size_t>(size));
          idle = 0;
        }
        hung_up = size == 0 || errno != EAGAIN;
      }
    };
    while (!input.empty() && !closed) {
      const ssize_t sent = ::send(peer, input.data(), std::min(piece_bytes, input.size()), MSG_NOSIGNAL);
      if (sent > 0) input.remove_prefix(static_cast<std::size_t>(sent));
      if (sent < 0 && errno != EAGAIN) input = {};  // it has closed
      run();
    }
    ::shutdown(peer, SHUT_WR);
    run();
    conversation.ended = hung_up;
    // What still waits is for the peer's windows, or for a time limit.
    connection->Abort();
    run();
    FUZZ_CHECK(closed, "a connection that was aborted is over");
  }
  ::close(peer);
  return conversation;
}

api::ConnectionLimits FuzzedLimits() {
  api::ConnectionLimits limits;
  limits.header_bytes_max = 2048;
  limits.target_bytes_max = 512;
  limits.unwanted_body_bytes_max = 1024;
  return limits;
}

net::awaitable<void> Ignore(api::Request&, api::ResponseWriter& writer) {
  co_await api::RespondEmpty(writer, 204);
}

}  // namespace millrace::fuzz
