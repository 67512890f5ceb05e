// The HTTP front: a connection takes any bytes, in any pieces, and answers the same: with well-formed
// answers, never with more of them than there were requests, and never with what could be taken for an answer
// of its own inside of one.
//
// Input: what a client sends. It goes through a socket pair into a real connection, its dispatcher, router
// and origin policy; the routes answer what they were given.
#include <algorithm>
#include <charconv>
#include <string>
#include <vector>

#include "api/http/error_response.h"
#include "api/http/origin_policy.h"
#include "api/http/target.h"
#include "base/log.h"
#include "base/text.h"
#include "fuzz/fuzz_target.h"
#include "fuzz/http_conversation.h"
#include "tests/api/http/duplex.h"

namespace millrace::fuzz {
namespace {

using api::Request;
using api::ResponseWriter;
using api::testing::Duplex;
namespace net = boost::asio;

constexpr std::size_t kEchoBytesMax = 1000;

// What the handler was given, as the body of its answer.
net::awaitable<void> Echo(Request& request, ResponseWriter& writer) {
  auto body = co_await api::ReadBody(request, kEchoBytesMax);
  if (!body) {
    co_await api::RespondError(writer, std::move(body).error());
    co_return;
  }
  std::string text = "[" + request.method;
  for (const std::string& segment : request.target.segments) text += " /" + segment;
  for (const auto& [name, value] : request.target.query) text += " " + name + "=" + value;
  for (const auto& [name, value] : request.path_parameters) text += " {" + name + "}" + value;
  text += "] " + *body;
  co_await api::RespondText(writer, 200, "text/plain", std::move(text));
}

api::Router MakeRouter() {
  api::Router router;
  router.Add("GET", "/", Echo);
  router.Add("PUT", "/v1/cameras/{name}", Echo);
  router.Add("GET", "/v1/cameras/{name}", Echo);
  router.Add("GET", "/hls/{stream}/{resource}", Echo);
  router.Add("GET", "/console/{path...}", Echo);
  router.Add("POST", "/duplex", Duplex);
  router.Add("POST", "/ignore", Ignore);
  return router;
}

// What the peer received. Whatever was sent, the connection ends behind it by itself.
std::string Received(std::string_view input, std::size_t piece_bytes) {
  static const api::Router router = MakeRouter();
  static const api::Dispatcher dispatcher(router, api::CheckCaller);
  static const api::ConnectionLimits limits = FuzzedLimits();
  Conversation conversation = Converse(dispatcher, limits, input, piece_bytes);
  FUZZ_CHECK(conversation.ended, "it waits for more, and there is none:\n" + conversation.received);
  return std::move(conversation.received);
}

// Reads the answers one behind the other, as a client does; gives how many of them are final.
class Answers {
 public:
  explicit Answers(std::string_view bytes) : rest_(bytes) {}

  // False where there is no more; `whole`: the answer is complete.
  bool Next() {
    if (rest_.empty()) return false;
    const std::size_t end = rest_.find("\r\n\r\n");
    FUZZ_CHECK(end != std::string_view::npos, "a head without an end: " + std::string(rest_));
    ReadHead(rest_.substr(0, end + 2));
    rest_.remove_prefix(end + 4);
    return true;
  }
  int status() const { return status_; }
  const std::string& head() const { return head_; }

  // The body of the answer that Next found; `no_body`: to HEAD. False: it is cut off, or reaches to the end.
  bool TakeBody(bool no_body, std::string& body) {
    body.clear();
    if (no_body || status_ == 100 || status_ == 204 || status_ == 304) return true;
    if (chunked_) return TakeChunks(body);
    if (length_ == std::string::npos) {
      body = rest_;
      rest_ = {};
      return false;
    }
    const bool whole = rest_.size() >= length_;
    body = rest_.substr(0, length_);
    rest_.remove_prefix(std::min(rest_.size(), length_));
    return whole;
  }

 private:
  void ReadHead(std::string_view head) {
    head_.clear();
    status_ = 0;
    chunked_ = false;
    length_ = std::string::npos;
    bool first = true;
    while (!head.empty()) {
      const std::size_t end = head.find("\r\n");
      const std::string line(head.substr(0, end));
      head.remove_prefix(end + 2);
      for (const char c : line) {
        FUZZ_CHECK(static_cast<unsigned char>(c) >= ' ' && c != '\x7f',
                   "a control character in a head: " + line);
      }
      if (first) {
        FUZZ_CHECK(line.rfind("HTTP/1.1 ", 0) == 0 && line.size() > 12, line);
        std::from_chars(line.data() + 9, line.data() + 12, status_);
        FUZZ_CHECK(status_ >= 100 && status_ <= 599 && line[12] == ' ', line);
        first = false;
        continue;
      }
      const std::size_t colon = line.find(": ");
      FUZZ_CHECK(colon != std::string::npos && colon > 0, line);
      const std::string name = line.substr(0, colon);
      const std::string value = line.substr(colon + 2);
      if (name == "Content-Length") {
        FUZZ_CHECK(length_ == std::string::npos, "two lengths");
        const auto [last, error] = std::from_chars(value.data(), value.data() + value.size(), length_);
        FUZZ_CHECK(error == std::errc{} && last == value.data() + value.size(), line);
      }
      if (name == "Transfer-Encoding") chunked_ = value == "chunked";
      if (name != "Date") head_ += line + "\n";
    }
    FUZZ_CHECK(!chunked_ || length_ == std::string::npos, "a length and chunks: " + head_);
  }

  bool TakeChunks(std::string& body) {
    for (;;) {
      const std::size_t line = rest_.find("\r\n");
      std::size_t size = 0;
      if (line == std::string_view::npos ||
          std::from_chars(rest_.data(), rest_.data() + line, size, 16).ptr != rest_.data() + line ||
          rest_.size() < line + 4 + size) {
        rest_ = {};
        return false;
      }
      body += rest_.substr(line + 2, size);
      FUZZ_CHECK(rest_.substr(line + 2 + size, 2) == "\r\n", "a chunk's end");
      rest_.remove_prefix(line + 4 + size);
      if (size == 0) return true;
    }
  }

  std::string_view rest_;
  std::string head_;
  int status_ = 0;
  bool chunked_ = false;
  std::size_t length_ = std::string::npos;
};

// The answers as text in which dates and the borders of pieces do not show.
std::string Digest(const std::string& received, ByteSpan input) {
  // An answer to HEAD has no body: which ones those are shows in the request alone, so inputs with HEAD in
  // them are checked up to the first head.
  const bool heads = AsText(input).find("HEAD") != std::string_view::npos;
  Answers answers(received);
  std::string digest;
  std::string body;
  std::size_t count = 0;
  while (answers.Next()) {
    const bool whole = answers.TakeBody(heads, body);
    if (answers.status() >= 400 && answers.head().find("Connection: close") != std::string::npos) {
      // Where several things are wrong, the pieces decide which one is seen first.
      digest += "refused\n";
    } else {
      // How much came before a malformed chunk depends on the pieces.
      digest +=
          std::to_string(answers.status()) + "\n" + answers.head() + (whole ? body : "(cut off)") + "\n";
    }
    if (answers.status() >= 400 && !heads && !body.empty()) {
      FUZZ_CHECK(IsUtf8(body), body);
    }
    count += answers.status() == 100 ? 0 : 1;
    if (heads || !whole) break;
  }
  // The shortest request is "A / HTTP/1.0" and two ends of line; a refused one may be shorter, and is the
  // last.
  FUZZ_CHECK(heads || count <= 1 + input.size() / 16, std::to_string(count) + " answers:\n" + digest);
  return digest;
}

}  // namespace

std::vector<Seed> Seeds() {
  const std::string host = "Host: localhost:4567\r\n";
  return {
      TextSeed("get", "GET /v1/cameras/door?x=1&y=%41 HTTP/1.1\r\n" + host + "\r\n"),
      TextSeed("pipelined", "GET / HTTP/1.1\r\n" + host + "\r\nGET /nowhere HTTP/1.1\r\n" + host +
                                "\r\nDELETE / HTTP/1.1\r\n" + host + "Connection: close\r\n\r\n"),
      TextSeed("put", "PUT /v1/cameras/a%2Fb HTTP/1.1\r\n" + host + "Content-Length: 5\r\n\r\nhello"),
      TextSeed("chunked",
               "POST /duplex HTTP/1.1\r\n" + host +
                   "Transfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n3\r\nabc\r\n0\r\nT: 1\r\n\r\n"
                   "GET / HTTP/1.1\r\n" +
                   host + "\r\n"),
      TextSeed("expects",
               "POST /duplex HTTP/1.1\r\n" + host + "Expect: 100-continue\r\nContent-Length: 3\r\n\r\nabc"),
      TextSeed("unwanted-body", "POST /ignore HTTP/1.1\r\n" + host + "Content-Length: 20\r\n\r\n" +
                                    std::string(20, 'x') + "GET / HTTP/1.1\r\n" + host + "\r\n"),
      TextSeed("head", "HEAD /console/a/b HTTP/1.1\r\n" + host + "\r\n"),
      TextSeed("http-1-0", "GET /hls/door/index.m3u8 HTTP/1.0\r\n" + host + "Connection: keep-alive\r\n\r\n"),
      TextSeed("absolute", "GET http://127.0.0.1:4567/console/ HTTP/1.1\r\n" + host + "\r\n"),
      TextSeed("foreign", "GET / HTTP/1.1\r\nHost: evil.example\r\nOrigin: http://evil.example\r\n\r\n"),
      TextSeed("cross-site", "GET / HTTP/1.1\r\n" + host + "Sec-Fetch-Site: cross-site\r\n\r\n"),
      TextSeed("two-lengths", "PUT /v1/cameras/x HTTP/1.1\r\n" + host +
                                  "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
      TextSeed("preflight", "OPTIONS /v1/cameras/x HTTP/1.1\r\n" + host + "\r\n"),
      TextSeed("long-target", "GET /" + std::string(600, 'a') + " HTTP/1.1\r\n" + host + "\r\n"),
      TextSeed("large-body", "PUT /v1/cameras/x HTTP/1.1\r\n" + host + "Content-Length: 1500\r\n\r\n" +
                                 std::string(1500, 'b')),
  };
}

}  // namespace millrace::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace millrace;
  using namespace millrace::fuzz;
  static const bool quiet = [] {
    InitLogging(LogLevel::kError, LogFormat::kText);
    return true;
  }();
  (void)quiet;
  if (size > 8192) return 0;
  const ByteSpan input(data, size);
  if (AsText(input).starts_with("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")) return 0;  // http2_fuzz.cc
  const std::string whole = Digest(Received(AsText(input), size + 1), input);
  // Where a piece ends depends on the input, so that every place is tried.
  std::size_t piece = 1;
  for (const std::uint8_t byte : input.first(std::min<std::size_t>(size, 64)))
    piece = (piece * 31 + byte) % 61 + 1;
  const std::string split = Digest(Received(AsText(input), piece), input);
  FUZZ_CHECK(whole == split, "whole:\n" + whole + "\nin pieces of " + std::to_string(piece) + ":\n" + split);
  return 0;
}
