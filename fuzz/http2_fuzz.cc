// The HTTP/2 front: a connection takes any frames, in any pieces, answers with frames that a client's HTTP/2
// takes, never more requests' worth than there were, and is over when its peer has gone.
//
// Input: what a client sends behind the preface, the first byte aside: how the bytes are cut into pieces. It
// goes through a socket pair into a real connection; what comes back is fed to nghttp2 as a client reads it,
// as far as framing goes.
#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

#include "api/http/error_response.h"
#include "api/http/origin_policy.h"
#include "base/log.h"
#include "fuzz/fuzz_target.h"
#include "fuzz/http_conversation.h"
#include "tests/api/http/duplex.h"

namespace millrace::fuzz {
namespace {

using api::Request;
using api::ResponseWriter;
using api::testing::Duplex;
namespace net = boost::asio;

constexpr std::size_t kBodyBytesMax = 1000;
constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

net::awaitable<void> Echo(Request& request, ResponseWriter& writer) {
  FUZZ_CHECK(!request.target.path.empty() && request.version == api::HttpVersion::kHttp2, "a request");
  for (const auto& [name, value] : request.headers.fields()) {
    FUZZ_CHECK(!name.empty() && name.find_first_of(":\r\n") == std::string::npos, "a field's name: " + name);
    FUZZ_CHECK(value.find_first_of(std::string_view("\r\n\0", 3)) == std::string::npos, "a value: " + value);
  }
  auto body = co_await api::ReadBody(request, kBodyBytesMax);
  if (!body) {
    co_await api::RespondError(writer, std::move(body).error());
    co_return;
  }
  FUZZ_CHECK(!request.content_length || *request.content_length == body->size(), "a body of another length");
  co_await api::RespondText(writer, 200, "text/plain", std::move(*body));
}

api::Router MakeRouter() {
  api::Router router;
  router.Add("GET", "/", Echo);
  router.Add("POST", "/echo", Echo);
  router.Add("POST", "/duplex", Duplex);
  router.Add("POST", "/ignore", Ignore);
  return router;
}

// What the peer received.
std::string Received(std::string_view input, std::size_t piece_bytes) {
  static const api::Router router = MakeRouter();
  static const api::Dispatcher dispatcher(router, api::CheckCaller);
  static const api::ConnectionLimits limits = [] {
    api::ConnectionLimits short_ones = FuzzedLimits();
    short_ones.linger_timeout = Duration{0};
    short_ones.streams_max = 8;
    short_ones.stream_window_bytes = 2048;
    return short_ones;
  }();
  return Converse(dispatcher, limits, input, piece_bytes).received;
}

// Frames one behind the other, as RFC 9113 section 4.1 has them; at most as many answers as requests.
void CheckFrames(std::string_view received, std::size_t input_bytes) {
  std::size_t answers = 0;
  bool first = true;
  while (received.size() >= 9) {
    const auto at = [&](std::size_t i) {
      return static_cast<std::size_t>(static_cast<unsigned char>(received[i]));
    };
    const std::size_t size = at(0) << 16 | at(1) << 8 | at(2);
    FUZZ_CHECK(size <= 16384, "a frame larger than anybody has agreed to");
    FUZZ_CHECK(!first || at(3) == NGHTTP2_SETTINGS, "SETTINGS come first");
    FUZZ_CHECK(at(3) <= NGHTTP2_CONTINUATION && at(3) != NGHTTP2_PUSH_PROMISE, "a frame of an odd type");
    first = false;
    if (at(3) == NGHTTP2_HEADERS) ++answers;
    received.remove_prefix(std::min(received.size(), 9 + size));
  }
  // The shortest request is a frame with one byte of header fields; "100 Continue" may come before an answer.
  FUZZ_CHECK(answers <= 2 * (input_bytes / 10 + 1), "more answers than requests");
}

std::string Frame(int type, int flags, int stream, std::string_view payload) {
  std::string frame;
  for (const int shift : {16, 8, 0}) frame.push_back(static_cast<char>(payload.size() >> shift & 0xff));
  frame.push_back(static_cast<char>(type));
  frame.push_back(static_cast<char>(flags));
  for (const int shift : {24, 16, 8, 0}) frame.push_back(static_cast<char>(stream >> shift & 0xff));
  return frame + std::string(payload);
}

// HPACK, RFC 7541 appendix A and section 6.2.2: fields of the static table, and literals without indexing.
std::string Fields(bool post, std::string_view path, std::string_view more = "") {
  const auto literal = [](char name, std::string_view value) {
    return std::string{'\x0f', static_cast<char>(name - 15), static_cast<char>(value.size())} +
           std::string(value);
  };
  std::string fields = post ? "\x83\x86" : "\x82\x86";  // :method, :scheme http
  fields += std::string("\x01\x09") + "localhost";      // :authority
  fields += std::string{'\x04', static_cast<char>(path.size())} + std::string(path);
  if (!more.empty()) fields += literal(28, more);  // content-length
  return fields;
}

}  // namespace

std::vector<Seed> Seeds() {
  const std::string settings = Frame(NGHTTP2_SETTINGS, 0, 0, "");
  const std::string small_window = Frame(NGHTTP2_SETTINGS, 0, 0, std::string("\0\4\0\0\0\x10", 6));
  const auto seed = [](const char* name, const std::string& frames) {
    return TextSeed(name, "\x40" + frames);
  };
  return {
      seed("get", settings + Frame(NGHTTP2_HEADERS, 5, 1, Fields(false, "/"))),
      seed("post", settings + Frame(NGHTTP2_HEADERS, 4, 1, Fields(true, "/echo", "5")) +
                       Frame(NGHTTP2_DATA, 1, 1, "hello")),
      seed("two-streams", settings + Frame(NGHTTP2_HEADERS, 4, 1, Fields(true, "/duplex")) +
                              Frame(NGHTTP2_HEADERS, 4, 3, Fields(true, "/duplex")) +
                              Frame(NGHTTP2_DATA, 0, 3, "a") + Frame(NGHTTP2_DATA, 1, 1, "b") +
                              Frame(NGHTTP2_DATA, 1, 3, "c")),
      seed("window", small_window + Frame(NGHTTP2_HEADERS, 4, 1, Fields(true, "/duplex")) +
                         Frame(NGHTTP2_DATA, 1, 1, std::string(100, 'x')) +
                         Frame(NGHTTP2_WINDOW_UPDATE, 0, 1, std::string("\0\0\0\x20", 4))),
      seed("padded", settings + Frame(NGHTTP2_HEADERS, 4, 1, Fields(true, "/echo")) +
                         Frame(NGHTTP2_DATA, 9, 1, std::string("\3abc\0\0\0", 7))),
      seed("continued", settings + Frame(NGHTTP2_HEADERS, 1, 1, Fields(false, "/").substr(0, 5)) +
                            Frame(NGHTTP2_CONTINUATION, 4, 1, Fields(false, "/").substr(5))),
      seed("trailers", settings + Frame(NGHTTP2_HEADERS, 4, 1, Fields(true, "/echo")) +
                           Frame(NGHTTP2_DATA, 0, 1, "x") + Frame(NGHTTP2_HEADERS, 5, 1, "\x0f\x01\x01z")),
      seed("reset", settings + Frame(NGHTTP2_HEADERS, 4, 1, Fields(true, "/echo")) +
                        Frame(NGHTTP2_RST_STREAM, 0, 1, std::string("\0\0\0\x8", 4)) +
                        Frame(NGHTTP2_HEADERS, 5, 3, Fields(false, "/"))),
      seed("unwanted", settings + Frame(NGHTTP2_HEADERS, 4, 1, Fields(true, "/ignore")) +
                           Frame(NGHTTP2_DATA, 1, 1, std::string(1500, 'x'))),
      seed("pings", settings + Frame(NGHTTP2_PING, 0, 0, "12345678") + Frame(NGHTTP2_PING, 1, 0, "12345678") +
                        Frame(NGHTTP2_PRIORITY, 0, 3, std::string("\0\0\0\0\x10", 5)) +
                        Frame(0xbe, 0, 0, "x")),
      seed("goodbye", settings + Frame(NGHTTP2_HEADERS, 5, 1, Fields(false, "/")) +
                          Frame(NGHTTP2_GOAWAY, 0, 0, std::string(8, '\0'))),
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
  if (size < 1 || size > 8192) return 0;
  const std::size_t piece = data[0] == 0x40 ? size + kPreface.size() : data[0] + 1;
  const std::string input = std::string(kPreface) + std::string(AsText({data + 1, size - 1}));
  CheckFrames(Received(input, piece), input.size());
  return 0;
}
