// Goal: an answer that others go ahead of (1xx) and trailers follow is given as one. Method: frames of HTTP/2
// and HPACK written by hand, over a socket.
#include "wire/http2_client.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <future>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "tests/wait.h"

namespace millrace::wire {
namespace {

constexpr std::uint8_t kData = 0, kHeaders = 1, kSettings = 4;
constexpr std::uint8_t kEndStream = 1, kEndHeaders = 4;
constexpr std::size_t kPrefaceBytes = 24;
constexpr std::size_t kFrameHeadBytes = 9;

// RFC 9113 section 4.1; of stream 1, where it is of any.
std::string Frame(std::uint8_t type, std::uint8_t flags, std::string_view payload) {
  std::string frame{'\0', '\0'};
  frame += static_cast<char>(payload.size());  // all are short
  frame += static_cast<char>(type);
  frame += static_cast<char>(flags);
  frame += std::string(3, '\0') + static_cast<char>(type == kSettings ? 0 : 1);
  return frame.append(payload);
}

// RFC 7541 section 6.2.2, each field by its name.
std::string Fields(const std::vector<std::pair<std::string, std::string>>& fields) {
  std::string block;
  for (const auto& [name, value] : fields) {
    block += '\0';
    block += static_cast<char>(name.size()) + name;
    block += static_cast<char>(value.size()) + value;
  }
  return block;
}

// Answers the first request of the first connection with `frames`.
class FrameServer {
 public:
  explicit FrameServer(std::string frames) : frames_(std::move(frames)) {
    listener_ = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* any = reinterpret_cast<sockaddr*>(&address);
    EXPECT_EQ(::bind(listener_, any, size), 0);
    EXPECT_EQ(::listen(listener_, 1), 0);
    EXPECT_EQ(::getsockname(listener_, any, &size), 0);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { Serve(); });
  }
  ~FrameServer() {
    ::shutdown(listener_, SHUT_RDWR);  // where nobody came
    thread_.join();
    ::close(listener_);
  }
  FrameServer(const FrameServer&) = delete;
  FrameServer& operator=(const FrameServer&) = delete;

  Endpoint endpoint() const { return {"127.0.0.1", port_, false}; }

 private:
  void Serve() {
    const int connection = ::accept(listener_, nullptr, nullptr);
    if (connection < 0) return;
    Send(connection, Frame(kSettings, 0, ""));
    if (AwaitRequest(connection)) Send(connection, frames_);
    while (!Read(connection, 1).empty()) continue;  // until the client has gone
    ::close(connection);
  }
  static bool AwaitRequest(int connection) {
    if (Read(connection, kPrefaceBytes).empty()) return false;
    for (;;) {
      const std::string head = Read(connection, kFrameHeadBytes);
      if (head.empty()) return false;
      std::size_t size = 0;
      for (std::size_t i = 0; i < 3; ++i) size = size << 8 | static_cast<std::uint8_t>(head[i]);
      if (size > 0 && Read(connection, size).empty()) return false;
      if (static_cast<std::uint8_t>(head[3]) == kHeaders) return true;
    }
  }
  // Empty: the connection is over.
  static std::string Read(int connection, std::size_t size) {
    std::string bytes(size, '\0');
    for (std::size_t at = 0; at < size;) {
      const ssize_t got = ::recv(connection, bytes.data() + at, size - at, 0);
      if (got <= 0) return "";
      at += static_cast<std::size_t>(got);
    }
    return bytes;
  }
  static void Send(int connection, const std::string& bytes) {
    EXPECT_EQ(::send(connection, bytes.data(), bytes.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(bytes.size()));
  }

  const std::string frames_;
  int listener_ = -1;
  std::uint16_t port_ = 0;
  std::thread thread_;
};

// What a receiver was told, call by call.
class Told final : public Http2Client::Receiver {
 public:
  void OnHead(Http2Client::RequestId, const HttpResponse& head) override {
    calls_ += "head " + std::to_string(head.status);
    for (const auto& [name, value] : head.headers) calls_ += " " + name + "=" + value;
    calls_ += "; ";
  }
  void OnBody(Http2Client::RequestId, ByteSpan bytes) override {
    calls_ += "body " + std::string(AsText(bytes)) + "; ";
  }
  void OnEnd(Http2Client::RequestId, const Result<void>& outcome) override {
    calls_ += outcome ? "end" : outcome.error().ToString();
    over_.set_value(calls_);
  }
  std::string Await() { return over_.get_future().get(); }

 private:
  std::string calls_;
  std::promise<std::string> over_;
};

std::string CallsOf(const std::string& frames) {
  FrameServer server(frames);
  Http2Client::Options options;
  options.key.reset();
  options.connect_timeout = options.silence = test::kPatience;
  Http2Client client(server.endpoint(), options);
  auto told = std::make_shared<Told>();
  client.Send({"GET", "/", {}, ""}, told);
  return told->Await();
}

TEST(Http2Client, AnswerTrailersAndWhatOnlyInforms) {
  const std::string answer =
      Frame(kHeaders, kEndHeaders, Fields({{":status", "200"}, {"name", "value"}})) + Frame(kData, 0, "text");
  const std::string trailers = Frame(kHeaders, kEndHeaders | kEndStream, Fields({{"sum", "1"}}));
  const std::string informs = Frame(kHeaders, kEndHeaders, Fields({{":status", "103"}, {"link", "x"}}));
  EXPECT_EQ(CallsOf(answer + trailers), "head 200 name=value; body text; end");
  EXPECT_EQ(CallsOf(informs + answer + trailers), "head 200 name=value; body text; end");
  EXPECT_EQ(CallsOf(informs + informs + answer + Frame(kData, kEndStream, "")),
            "head 200 name=value; body text; end");
}

}  // namespace
}  // namespace millrace::wire
