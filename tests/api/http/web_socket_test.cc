// WebSockets: the handshake, messages both ways, and peers that do not keep to the protocol.
#include "api/http/web_socket.h"

#include <gmock/gmock.h>

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/beast/core/buffers_to_string.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/websocket.hpp>

#include "tests/api/http/server_fixture.h"
#include "tests/wait.h"

namespace millrace::api::testing {
namespace {

namespace websocket = boost::beast::websocket;
using ::testing::StartsWith;

constexpr std::string_view kHandshake =
    "GET /chat HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

// A frame of a client: masked, with a mask of zeros.
std::string Frame(std::uint8_t first, std::string_view payload) {
  std::string frame(1, static_cast<char>(first));
  if (payload.size() < 126) {
    frame.push_back(static_cast<char>(0x80 | payload.size()));
  } else {
    frame.push_back(static_cast<char>(0x80 | 126));
    frame.push_back(static_cast<char>(payload.size() >> 8));
    frame.push_back(static_cast<char>(payload.size() & 0xff));
  }
  return frame.append(4, '\0').append(payload);
}

class WebSocketTest : public ServerTest {
 protected:
  void AddRoutes() override {
    ServerTest::AddRoutes();
    router_.Add("WEBSOCKET", "/chat",
                [this](Request& request, ResponseWriter& writer) -> net::awaitable<void> {
                  co_await Chat(request, writer);
                });
  }

  // Says back what it hears; "bye": closes.
  net::awaitable<void> Chat(Request& request, ResponseWriter& writer) {
    const WebSocket::Limits limits{.message_bytes_max = 1000, .queued_bytes_max = 10'000};
    const bool fits = co_await WebSocket::CheckHandshake(request, writer);
    if (!fits) co_return;
    auto socket = co_await WebSocket::Accept(request, writer, limits);
    if (!socket) co_return;
    for (;;) {
      auto message = co_await socket->Read(std::chrono::steady_clock::now() + test::kPatience);
      if (!message || !*message) break;
      if (**message == "bye") socket->Close(WebSocket::CloseCode::kGoingAway, "as you like");
      if (**message != "bye" && !socket->Send(**message)) break;
      const auto sent = co_await socket->Flush();
      if (!sent) break;
    }
    ++ended_;
    (void)co_await writer.Finish();
  }

  // What the server sends behind its head after these frames, to the end of the connection.
  std::string After(std::string_view frames) {
    RawClient client(server_->port());
    EXPECT_TRUE(client.Send(std::string(kHandshake) + std::string(frames)));
    const RawAnswer answer = client.Receive();
    EXPECT_EQ(answer.status, 101);
    return answer.body;
  }

  std::atomic<int> ended_ = 0;
};

TEST_F(WebSocketTest, CarriesMessagesBothWays) {
  net::io_context io;
  net::ip::tcp::socket socket(io);
  socket.connect({net::ip::make_address("127.0.0.1"), server_->port()});
  websocket::stream<net::ip::tcp::socket&> client(socket);
  client.handshake("localhost", "/chat");
  boost::beast::flat_buffer buffer;
  for (const std::string& text : {std::string("hello"), std::string(), std::string(900, 'x')}) {
    client.write(net::buffer(text));
    buffer.clear();
    client.read(buffer);
    EXPECT_EQ(boost::beast::buffers_to_string(buffer.data()), text);
  }
  client.ping("are you there");
  client.write(net::buffer(std::string("bye")));
  boost::system::error_code ec;
  client.read(buffer, ec);
  EXPECT_EQ(ec, websocket::error::closed);
  EXPECT_EQ(client.reason().code, websocket::close_code::going_away);
  EXPECT_EQ(std::string_view(client.reason().reason.data(), client.reason().reason.size()), "as you like");
}

// The key and its answer are RFC 6455's own example (section 1.3).
TEST_F(WebSocketTest, TheHandshakeIsTheSpecifications) {
  RawClient client(server_->port());
  ASSERT_TRUE(client.Send(std::string(kHandshake) + Frame(0x88, "")));
  const RawAnswer answer = client.Receive();
  EXPECT_THAT(answer.head, StartsWith("HTTP/1.1 101 Switching Protocols\r\n"));
  EXPECT_EQ(answer.Header("Sec-WebSocket-Accept"), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
  EXPECT_EQ(answer.Header("Upgrade"), "websocket");
  EXPECT_EQ(answer.Header("Connection"), "Upgrade");
  EXPECT_EQ(answer.Header("Content-Length"), "");
  EXPECT_EQ(answer.Header("Transfer-Encoding"), "");
}

TEST_F(WebSocketTest, PutsFragmentsTogetherWithPingsBetweenThem) {
  RawClient client(server_->port());
  ASSERT_TRUE(
      client.Send(std::string(kHandshake) + Frame(0x01, "he") + Frame(0x89, "?") + Frame(0x80, "llo")));
  EXPECT_EQ(client.ReceiveHead().status, 101);
  EXPECT_EQ(client.Take(10), "\x8a\x01?\x81\x05hello");
  ASSERT_TRUE(client.Send(Frame(0x88, "")));
  EXPECT_EQ(client.Take(2), std::string("\x88\x00", 2));
  EXPECT_TRUE(client.Closed());
}

struct BadFrames {
  std::string name;
  std::string frames;
  int code = 0;  // of the Close frame that answers it
};

class BadFramesTest : public WebSocketTest, public ::testing::WithParamInterface<BadFrames> {};

TEST_P(BadFramesTest, EndInACloseFrame) {
  const std::string answer = After(GetParam().frames);
  ASSERT_GE(answer.size(), 4u);
  EXPECT_EQ(static_cast<std::uint8_t>(answer[0]), 0x88);
  const int code = static_cast<std::uint8_t>(answer[2]) * 256 + static_cast<std::uint8_t>(answer[3]);
  EXPECT_EQ(code, GetParam().code);
  EXPECT_EQ(ended_, 1);
}

INSTANTIATE_TEST_SUITE_P(Rfc6455, BadFramesTest,
                         ::testing::Values(BadFrames{"Unmasked", std::string("\x81\x02hi", 4), 1002},
                                           BadFrames{"ReservedBits", Frame(0xc1, "hi"), 1002},
                                           BadFrames{"UnknownOpcode", Frame(0x83, "hi"), 1002},
                                           BadFrames{"ContinuationOfNothing", Frame(0x80, "hi"), 1002},
                                           BadFrames{"NoUtf8", Frame(0x81, "\xff\xfe"), 1007},
                                           BadFrames{"Binary", Frame(0x82, "hi"), 1003},
                                           BadFrames{"TooLarge", Frame(0x81, std::string(1001, 'x')), 1009},
                                           BadFrames{"TooLargeInPieces",
                                                     Frame(0x01, std::string(600, 'x')) +
                                                         Frame(0x80, std::string(600, 'x')),
                                                     1009}),
                         [](const auto& one) { return one.param.name; });

TEST_F(WebSocketTest, RefusesOtherVersionsAndBadKeys) {
  const auto answer = [&](const std::string& from, const std::string& to) {
    std::string handshake(kHandshake);
    handshake.replace(handshake.find(from), from.size(), to);
    RawClient client(server_->port());
    EXPECT_TRUE(client.Send(handshake));
    return client.Receive().status;
  };
  EXPECT_EQ(answer("Version: 13", "Version: 8"), 426);
  EXPECT_EQ(answer("Sec-WebSocket-Version: 13\r\n", ""), 426);
  EXPECT_EQ(answer("dGhlIHNhbXBsZSBub25jZQ==", "short"), 400);
  EXPECT_EQ(answer("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", ""), 400);
}

// A path that has no WebSocket answers as if the client had not asked for one; and the other way round.
TEST_F(WebSocketTest, OtherPathsIgnoreTheUpgrade) {
  std::string handshake(kHandshake);
  handshake.replace(handshake.find("/chat"), 5, "/hello/you");
  RawClient client(server_->port());
  ASSERT_TRUE(client.Send(handshake));
  const RawAnswer answer = client.Receive();
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, "hello you");

  RawClient plain(server_->port());
  ASSERT_TRUE(plain.Send("GET /chat HTTP/1.1\r\nHost: localhost\r\n\r\n"));
  EXPECT_EQ(plain.Receive().status, 405);
}

// A request that announces a body asks for no WebSocket: what would follow could be either.
TEST_F(WebSocketTest, ABodyIsNoWebSocket) {
  for (const char* body : {"Content-Length: 1\r\n", "Transfer-Encoding: chunked\r\n"}) {
    std::string handshake(kHandshake);
    handshake.insert(handshake.find("Upgrade:"), body);
    RawClient client(server_->port());
    ASSERT_TRUE(client.Send(handshake));
    client.FinishSending();
    EXPECT_EQ(client.Receive().status, 405) << body;
  }
}

TEST_F(WebSocketTest, APeerThatVanishesEndsTheHandler) {
  {
    RawClient client(server_->port());
    ASSERT_TRUE(client.Send(kHandshake));
    ASSERT_TRUE(client.Send(Frame(0x81, "hi")));
  }
  EXPECT_TRUE(test::WaitUntil([&] { return ended_ == 1; }));
}

}  // namespace
}  // namespace millrace::api::testing
