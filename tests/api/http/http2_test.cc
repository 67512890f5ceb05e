// The HTTP/2 side of the server over real sockets: what it answers to good peers, and that hostile ones cost
// little, harm nobody else, and are told why.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/metrics.h"
#include "tests/api/http/http2_client.h"
#include "tests/api/http/server_fixture.h"
#include "tests/wait.h"

namespace millrace::api {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::Http2Answer;
using testing::Http2Client;
using testing::RawClient;
using Fields = Http2Client::Fields;

Fields With(Fields fields, const Fields& more) {
  fields.insert(fields.end(), more.begin(), more.end());
  return fields;
}

class Http2Test : public testing::ServerTest {
 protected:
  void AddRoutes() override {
    testing::ServerTest::AddRoutes();
    // Reads its body when the gate is open, and answers with its size.
    router_.Add("POST", "/gate", [this](Request& request, ResponseWriter& writer) -> net::awaitable<void> {
      ++entered_;
      net::steady_timer timer(co_await net::this_coro::executor);
      while (!gate_open_ && !writer.ShouldEnd()) {
        timer.expires_after(std::chrono::milliseconds(2));
        co_await timer.async_wait(net::use_awaitable);
      }
      auto body = co_await ReadBody(request, 1 << 20);
      body_failed_ = !body;
      ++left_;
      if (body) co_await RespondText(writer, 200, "text/plain", std::to_string(body->size()));
    });
    router_.Add("GET", "/headers", [](Request& request, ResponseWriter& writer) -> net::awaitable<void> {
      std::string text = request.version == HttpVersion::kHttp2 ? "h2 " : "";
      text += request.authority;
      for (const auto& [name, value] : request.headers.fields()) text += "\n" + name + ": " + value;
      co_await RespondText(writer, 200, "text/plain", std::move(text));
    });
    router_.Add("GET", "/nothing", [](Request&, ResponseWriter& writer) -> net::awaitable<void> {
      ResponseHead head{204, {{"Connection", "close"}, {"X-Mark", "a\r\nb"}}};
      SharedBytes none;
      (void)co_await writer.Respond(std::move(head), std::move(none));
    });
  }

  std::atomic<int> entered_{0}, left_{0};
  std::atomic<bool> gate_open_{false}, body_failed_{false};
};

TEST_F(Http2Test, AnswersOnThePortOfHttp1) {
  Http2Client client(server_->port());
  const Http2Answer& answer = client.Receive(client.Request(Http2Client::Get("/hello/a%20b")));
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, "hello a b");
  EXPECT_EQ(answer.Header("content-length"), "9");
  EXPECT_NE(answer.Header("date"), "");
  EXPECT_TRUE(answer.ended);
  EXPECT_EQ(client.settings().at(NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS), options_.limits.streams_max);
  EXPECT_EQ(client.settings().at(NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE), options_.limits.header_bytes_max);
  EXPECT_EQ(Ask("GET /hello/1 HTTP/1.1\r\nHost: localhost\r\n\r\n").body, "hello 1");
}

TEST_F(Http2Test, TakesTheConnectionOneByteAtATime) {
  RawClient raw(server_->port());
  Http2Client packer(server_->port());
  const std::string bytes = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + Http2Client::FrameBytes(4, 0, 0, "") +
                            Http2Client::FrameBytes(1, 5, 1, packer.Pack(Http2Client::Get("/hello/x"))) +
                            Http2Client::FrameBytes(6, 0, 0, "12345678");
  for (const char c : bytes) ASSERT_TRUE(raw.Send(std::string_view(&c, 1)));
  std::string received;
  while (received.find("hello x") == std::string::npos) {
    const std::string piece = raw.Take(1);
    ASSERT_FALSE(piece.empty());
    received += piece;
  }
}

TEST_F(Http2Test, SaysWhatTheClientSent) {
  Http2Client client(server_->port());
  Fields fields = With(Http2Client::Get("/headers"), {{"cookie", "a=1"}, {"cookie", "b=2"}, {"x-y", "z"}});
  const std::string text = client.Receive(client.Request(fields)).body;
  EXPECT_THAT(text, HasSubstr("h2 localhost\n"));
  EXPECT_THAT(text, HasSubstr("\nhost: localhost"));
  EXPECT_THAT(text, HasSubstr("\ncookie: a=1; b=2"));
  EXPECT_THAT(text, HasSubstr("\nx-y: z"));
}

TEST_F(Http2Test, StreamsBothWaysAtOnce) {
  Http2Client client(server_->port());
  const auto stream = client.Request(Http2Client::Post("/duplex"), false);
  client.Data(stream, "first", false);
  EXPECT_EQ(client.ReceiveBytes(stream, 5).body, "first");
  client.Data(stream, "second", true);
  EXPECT_EQ(client.Receive(stream).body, "firstsecond");
}

TEST_F(Http2Test, ManyStreamsShareAConnection) {
  Http2Client client(server_->port());
  std::vector<std::int32_t> streams;
  for (int i = 0; i < 100; ++i) streams.push_back(client.Request(Http2Client::Post("/duplex"), false));
  for (int round = 0; round < 3; ++round) {
    for (const auto stream : streams) client.Data(stream, std::to_string(stream) + ",", round == 2);
  }
  for (const auto stream : streams) {
    const std::string part = std::to_string(stream) + ",";
    EXPECT_EQ(client.Receive(stream).body, part + part + part);
  }
}

TEST_F(Http2Test, ALargeAnswerComesAsTheWindowsOpenAndHoldsUpNobody) {
  Http2Client client(server_->port());
  client.set_grant(false);
  const auto large = client.Request(Http2Client::Get("/large"));
  EXPECT_EQ(client.ReceiveBytes(large, 65535).body.size(), 65535u);  // the initial windows, RFC 9113 6.9.2
  EXPECT_TRUE(client.Ping());
  EXPECT_EQ(client.answer(large).body.size(), 65535u);
  client.Update(0, 1 << 20);
  EXPECT_EQ(client.Receive(client.Request(Http2Client::Get("/hello/x"))).body, "hello x");
  client.set_grant(true);
  client.Update(large, 16384);
  EXPECT_EQ(client.Receive(large).body.size(), 8u * 1024 * 1024);
}

TEST_F(Http2Test, AReaderThatTakesNothingIsCutOff) {
  options_.limits.write_timeout = std::chrono::milliseconds(200);
  Start();
  Http2Client client(server_->port());
  client.set_grant(false);
  const auto stream = client.Request(Http2Client::Get("/large"));
  EXPECT_EQ(client.Receive(stream).reset, NGHTTP2_CANCEL);
  large_done_.get_future().wait();
  EXPECT_TRUE(large_failed_);
  client.Update(0, 1 << 20);
  EXPECT_EQ(client.Receive(client.Request(Http2Client::Get("/hello/x"))).status, 200);
}

TEST_F(Http2Test, ABodyThatNobodyReadsDoesNotGrow) {
  options_.limits.stream_window_bytes = 32 * 1024;
  Start();
  Http2Client client(server_->port());
  const auto stream = client.Request(Http2Client::Post("/gate"), false);
  client.Data(stream, std::string(32 * 1024, 'x'), false);
  ASSERT_TRUE(client.Ping());
  EXPECT_EQ(client.granted(stream), 0u);
  gate_open_ = true;
  while (client.granted(stream) < 16 * 1024 && client.Pump()) {
  }
  client.Data(stream, std::string(16 * 1024, 'x'), true);
  EXPECT_EQ(client.Receive(stream).body, std::to_string(48 * 1024));
}

TEST_F(Http2Test, MoreThanTheWindowIsAnError) {
  options_.limits.stream_window_bytes = 32 * 1024;
  Start();
  Http2Client client(server_->port());
  ASSERT_TRUE(client.Ping());  // the server's settings hold from now on
  const auto stream = client.Request(Http2Client::Post("/gate"), false);
  client.Data(stream, std::string(48 * 1024, 'x'), false);
  while (!client.answer(stream).reset && !client.goaway() && client.Pump()) {
  }
  EXPECT_EQ(client.goaway().value_or(client.answer(stream).reset.value_or(0)), NGHTTP2_FLOW_CONTROL_ERROR);
  EXPECT_TRUE(test::WaitUntil([&] { return entered_ == left_; }));
}

TEST_F(Http2Test, AResetGivesTheWindowOfAllBack) {
  options_.limits.stream_window_bytes = 64 * 1024;
  options_.limits.connection_window_bytes = 64 * 1024;
  Start();
  Http2Client client(server_->port());
  for (int i = 0; i < 5; ++i) {
    const auto stream = client.Request(Http2Client::Post("/gate"), false);
    client.Data(stream, std::string(40 * 1024, 'x'), false);
    ASSERT_TRUE(client.Ping());
    client.Reset(stream);
    while (client.granted(0) < 40u * 1024 * static_cast<unsigned>(i) && client.Pump()) {
    }
  }
  gate_open_ = true;
  EXPECT_TRUE(test::WaitUntil([&] { return entered_ == 5 && left_ == 5; }));
  EXPECT_TRUE(body_failed_);
  const auto stream = client.Request(Http2Client::Post("/gate"), false);
  ASSERT_TRUE(client.Ping());
  client.Data(stream, std::string(40 * 1024, 'x'), true);
  EXPECT_EQ(client.Receive(stream).body, std::to_string(40 * 1024));
}

TEST_F(Http2Test, OneStreamTooManyIsRefusedAndCanBeTriedAgain) {
  options_.limits.streams_max = 2;
  Start();
  Http2Client client(server_->port());
  const auto first = client.Request(Http2Client::Post("/gate"));
  const auto second = client.Request(Http2Client::Post("/gate"));
  const auto third = client.Request(Http2Client::Get("/hello/x"));
  EXPECT_EQ(client.Receive(third).reset, NGHTTP2_REFUSED_STREAM);
  // Resetting them does not make room as long as their handlers are at work.
  gate_open_ = true;
  client.Receive(first);
  client.Receive(second);
  ASSERT_TRUE(client.Ping());
  // A handler ends some time after its answer has come.
  EXPECT_TRUE(test::WaitUntil(
      [&] { return client.Receive(client.Request(Http2Client::Get("/hello/x"))).status == 200; }));
}

TEST_F(Http2Test, HandlersOfResetStreamsCount) {
  options_.limits.streams_max = 4;
  Start();
  Http2Client client(server_->port());
  for (int i = 0; i < 20; ++i) client.Reset(client.Request(Http2Client::Post("/gate"), false));
  ASSERT_TRUE(client.Ping());
  EXPECT_LE(entered_ - left_, 4);
  EXPECT_LE(entered_.load(), 20);
}

TEST_F(Http2Test, ExpectContinueIsAnsweredWhenTheBodyIsWanted) {
  Http2Client client(server_->port());
  const auto stream = client.Request(With(Http2Client::Post("/echo"), {{"expect", "100-continue"}}), false);
  while (client.answer(stream).informational.empty() && client.Pump()) {
  }
  EXPECT_THAT(client.answer(stream).informational, ElementsAre(100));
  client.Data(stream, "body", true);
  EXPECT_EQ(client.Receive(stream).body, "body");
  EXPECT_EQ(client.Receive(client.Request(With(Http2Client::Post("/echo"), {{"expect", "tea"}}))).status,
            417);
}

TEST_F(Http2Test, TrailersAreReadOver) {
  Http2Client client(server_->port());
  const auto stream = client.Request(Http2Client::Post("/echo"), false);
  client.Data(stream, "body", false);
  client.SendFrame(NGHTTP2_HEADERS, 5, stream, client.Pack({{"x-checksum", "1"}}));
  EXPECT_EQ(client.Receive(stream).body, "body");
}

TEST_F(Http2Test, HeadAndNoContentHaveNoBody) {
  Http2Client client(server_->port());
  Fields head = Http2Client::Get("/hello/x");
  head[0].second = "HEAD";
  const Http2Answer& answer = client.Receive(client.Request(head));
  EXPECT_EQ(answer.Header("content-length"), "7");
  EXPECT_EQ(answer.body, "");
  head[3].second = "/pieces";
  EXPECT_EQ(client.Receive(client.Request(head)).body, "");
  const Http2Answer& nothing = client.Receive(client.Request(Http2Client::Get("/nothing")));
  EXPECT_EQ(nothing.status, 204);
  EXPECT_EQ(nothing.Header("content-length"), "");
  EXPECT_EQ(nothing.Header("connection"), "");  // HTTP/1.1's alone
  EXPECT_EQ(nothing.Header("x-mark"), "a  b");
}

TEST_F(Http2Test, AnUnfinishedAnswerIsReset) {
  Http2Client client(server_->port());
  const Http2Answer& answer = client.Receive(client.Request(Http2Client::Get("/unfinished")));
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.reset, NGHTTP2_INTERNAL_ERROR);
  EXPECT_EQ(client.Receive(client.Request(Http2Client::Get("/throws"))).status, 500);
}

TEST_F(Http2Test, AnAnswerComesBeforeTheEndOfABodyThatNobodyWants) {
  Http2Client client(server_->port());
  const auto stream = client.Request(Http2Client::Post("/nowhere"), false);
  EXPECT_EQ(client.ReceiveHead(stream).status, 404);
  client.Data(stream, std::string(1000, 'x'), false);
  while (!client.answer(stream).reset && client.Pump()) {
  }
  EXPECT_TRUE(client.answer(stream).ended);
  EXPECT_EQ(client.answer(stream).reset, NGHTTP2_NO_ERROR);
  // Larger than it may be: 413, and the rest is not wanted.
  const auto large = client.Request(Http2Client::Post("/echo"), false);
  client.Data(large, std::string(5000, 'x'), false);
  EXPECT_EQ(client.Receive(large).status, 413);
}

TEST_F(Http2Test, ASlowBodyGetsA408) {
  options_.limits.read_timeout = std::chrono::milliseconds(300);
  Start();
  Http2Client client(server_->port());
  const auto stream = client.Request(Http2Client::Post("/echo"), false);
  client.Data(stream, "half", false);
  EXPECT_EQ(client.Receive(stream).status, 408);
}

TEST_F(Http2Test, SlowHeadersEndTheConnection) {
  options_.limits.header_timeout = std::chrono::milliseconds(300);
  Start();
  Http2Client client(server_->port());
  const auto running = client.Request(Http2Client::Post("/gate"));
  ASSERT_TRUE(client.Ping());
  const std::string block = client.Pack(Http2Client::Get("/hello/x"));
  client.SendFrame(NGHTTP2_HEADERS, NGHTTP2_FLAG_END_STREAM, 3, block.substr(0, 4));
  EXPECT_EQ(client.Goodbye(), NGHTTP2_ENHANCE_YOUR_CALM);
  EXPECT_FALSE(client.answer(running).ended);
}

TEST_F(Http2Test, AnIdleConnectionIsClosedWhateverItPings) {
  options_.limits.idle_timeout = std::chrono::milliseconds(300);
  Start();
  std::optional<Http2Client> client;
  // One that asks too late after it has connected was idle before.
  ASSERT_TRUE(test::WaitUntil([&] {
    client.emplace(server_->port());
    return client->Receive(client->Request(Http2Client::Get("/hello/x"))).status == 200;
  }));
  while (client->Ping() && !client->goaway()) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  EXPECT_EQ(client->Goodbye(), NGHTTP2_NO_ERROR);
}

TEST_F(Http2Test, ARequestThatTakesLongIsNotIdle) {
  options_.limits.idle_timeout = std::chrono::milliseconds(50);
  Start();
  std::optional<Http2Client> client;
  std::int32_t stream = 0;
  // One that asks too late after it has connected was idle before: its request is not taken.
  ASSERT_TRUE(test::WaitUntil([&] {
    client.emplace(server_->port());
    stream = client->Request(Http2Client::Post("/gate"));
    return client->Ping() && !client->goaway();
  }));
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  gate_open_ = true;
  EXPECT_EQ(client->Receive(stream).body, "0");
  EXPECT_FALSE(client->goaway());
}

TEST_F(Http2Test, StopLetsRequestsFinishAndTakesNoMore) {
  Http2Client idle(server_->port());
  ASSERT_TRUE(idle.Ping());
  Http2Client client(server_->port());
  const auto stream = client.Request(Http2Client::Get("/slow"));
  slow_entered_.get_future().wait();
  auto stopped = std::async(std::launch::async, [&] { server_->Stop(test::kPatience); });
  while (!client.goaway() && client.Pump()) {
  }
  EXPECT_EQ(client.goaway(), NGHTTP2_NO_ERROR);
  EXPECT_EQ(client.Receive(stream).body, "done");
  EXPECT_EQ(idle.Goodbye(), NGHTTP2_NO_ERROR);
  client.Goodbye();
  stopped.wait();
}

TEST_F(Http2Test, StopCutsOffWhatDoesNotEnd) {
  Http2Client client(server_->port());
  client.set_grant(false);
  client.Request(Http2Client::Get("/large"));
  ASSERT_TRUE(client.Ping());
  server_->Stop(std::chrono::milliseconds(100));
  large_done_.get_future().wait();
  EXPECT_TRUE(large_failed_);
}

TEST_F(Http2Test, AClientThatHasSentAllStillGetsItsAnswers) {
  Http2Client client(server_->port());
  const auto stream = client.Request(Http2Client::Get("/slow"));
  const auto cut_off = client.Request(Http2Client::Post("/echo"), false);
  client.raw().FinishSending();
  EXPECT_EQ(client.Receive(stream).body, "done");
  EXPECT_NE(client.answer(cut_off).status, 200);
}

TEST_F(Http2Test, AClientThatGoesAwayEndsItsHandlers) {
  {
    Http2Client client(server_->port());
    client.Request(Http2Client::Post("/gate"), false);
    ASSERT_TRUE(client.Ping());
  }
  EXPECT_TRUE(test::WaitUntil([&] { return entered_ == 1 && left_ == 1; }));
  EXPECT_TRUE(test::WaitUntil([&] { return server_->connections() == 0; }));
}

// --- Refused requests: the connection goes on ---

struct RefusedCase {
  const char* name;
  Fields fields;
  int status;           // 0: the stream is reset
  const char* message;  // in the answer
};

class RefusedHttp2Request : public Http2Test, public ::testing::WithParamInterface<RefusedCase> {};

TEST_P(RefusedHttp2Request, AndTheConnectionGoesOn) {
  Http2Client client(server_->port());
  const Http2Answer& answer = client.Receive(client.Request(GetParam().fields));
  EXPECT_EQ(answer.status, GetParam().status);
  EXPECT_THAT(answer.body, HasSubstr(GetParam().message));
  if (GetParam().status == 0) {
    EXPECT_EQ(answer.reset, NGHTTP2_PROTOCOL_ERROR);
  }
  EXPECT_EQ(client.Receive(client.Request(Http2Client::Get("/hello/x"))).status, 200);
}

INSTANTIATE_TEST_SUITE_P(
    Http2, RefusedHttp2Request,
    ::testing::Values(
        RefusedCase{"large_header",
                    With(Http2Client::Get("/hello/x"),
                         {{"x-large", std::string(15'000, 'x')}, {"x-more", std::string(2'000, 'x')}}),
                    431, "larger than 16384"},
        RefusedCase{"many_headers", With(Http2Client::Get("/hello/x"), Fields(500, {"a", "b"})), 431,
                    "larger than"},
        RefusedCase{"long_path", Http2Client::Get("/hello/" + std::string(9'000, 'x')), 414, "longer than"},
        RefusedCase{"bad_escape", Http2Client::Get("/hello/%zz"), 400, "hexadecimal"},
        RefusedCase{"dots", Http2Client::Get("/hello/../x"), 400, "path"},
        RefusedCase{"two_hosts", With(Http2Client::Get("/hello/x"), {{"host", "other"}}), 400, "differ"},
        RefusedCase{"no_host", {{":method", "GET"}, {":scheme", "http"}, {":path", "/"}}, 0, ""},
        RefusedCase{"foreign_authority",
                    {{":method", "GET"}, {":scheme", "http"}, {":authority", "evil.example"}, {":path", "/"}},
                    403,
                    "this machine"},
        RefusedCase{"foreign_origin", With(Http2Client::Get("/hello/x"), {{"origin", "http://evil.example"}}),
                    403, "evil.example"},
        RefusedCase{
            "options_star",
            {{":method", "OPTIONS"}, {":scheme", "http"}, {":authority", "localhost"}, {":path", "*"}},
            400,
            "target"},
        RefusedCase{
            "unknown_method",
            {{":method", "BREW"}, {":scheme", "http"}, {":authority", "localhost"}, {":path", "/echo"}},
            405,
            "BREW"},
        RefusedCase{"connection", With(Http2Client::Get("/hello/x"), {{"connection", "close"}}), 0, ""},
        RefusedCase{"transfer_encoding",
                    With(Http2Client::Get("/hello/x"), {{"transfer-encoding", "chunked"}}), 0, ""},
        RefusedCase{"te", With(Http2Client::Get("/hello/x"), {{"te", "gzip"}}), 0, ""},
        RefusedCase{"upper_case", With(Http2Client::Get("/hello/x"), {{"X-Upper", "x"}}), 0, ""},
        RefusedCase{"line_end", With(Http2Client::Get("/hello/x"), {{"x-y", "a\r\nb"}}), 0, ""},
        RefusedCase{"no_path", {{":method", "GET"}, {":scheme", "http"}, {":authority", "localhost"}}, 0, ""},
        RefusedCase{"no_method", {{":scheme", "http"}, {":authority", "localhost"}, {":path", "/"}}, 0, ""},
        RefusedCase{"two_paths", With(Http2Client::Get("/hello/x"), {{":path", "/hello/y"}}), 0, ""},
        RefusedCase{
            "late_pseudo", {{":method", "GET"}, {":scheme", "http"}, {"x", "y"}, {":path", "/"}}, 0, ""},
        RefusedCase{"status", With(Http2Client::Get("/hello/x"), {{":status", "200"}}), 0, ""},
        RefusedCase{"length_of_nothing", With(Http2Client::Get("/hello/x"), {{"content-length", "5"}}), 0,
                    ""},
        RefusedCase{"bad_length", With(Http2Client::Get("/hello/x"), {{"content-length", "-1"}}), 0, ""}),
    [](const auto& case_info) { return std::string(case_info.param.name); });

// --- Frames that end the connection ---

struct BadFrame {
  const char* name;
  std::string bytes;
  std::uint32_t error;  // the GOAWAY's
};

class BadHttp2Frame : public Http2Test, public ::testing::WithParamInterface<BadFrame> {};

TEST_P(BadHttp2Frame, EndsTheConnectionWithAReason) {
  Http2Client client(server_->port());
  ASSERT_TRUE(client.Ping());
  client.raw().Send(GetParam().bytes);
  EXPECT_EQ(client.Goodbye(), GetParam().error);
  EXPECT_EQ(Ask("GET /hello/x HTTP/1.1\r\nHost: localhost\r\n\r\n").status, 200);
}

std::string Frame(int type, int flags, std::int32_t stream, std::string_view payload) {
  return Http2Client::FrameBytes(type, flags, stream, payload);
}

INSTANTIATE_TEST_SUITE_P(
    Http2, BadHttp2Frame,
    ::testing::Values(
        BadFrame{"http_1", "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", NGHTTP2_FRAME_SIZE_ERROR},
        BadFrame{"too_large", Frame(NGHTTP2_DATA, 0, 1, std::string(20'000, 'x')), NGHTTP2_FRAME_SIZE_ERROR},
        BadFrame{"data_on_0", Frame(NGHTTP2_DATA, 0, 0, "x"), NGHTTP2_PROTOCOL_ERROR},
        BadFrame{"data_on_idle", Frame(NGHTTP2_DATA, 0, 7, "x"), NGHTTP2_PROTOCOL_ERROR},
        BadFrame{"headers_on_even", Frame(NGHTTP2_HEADERS, 5, 2, "\x82"), NGHTTP2_PROTOCOL_ERROR},
        BadFrame{"bad_hpack", Frame(NGHTTP2_HEADERS, 5, 1, "\xff\xff\xff\xff\xff\xff"),
                 NGHTTP2_COMPRESSION_ERROR},
        BadFrame{"padding", Frame(NGHTTP2_DATA, 8, 1, "\xff"), NGHTTP2_PROTOCOL_ERROR},
        BadFrame{"short_ping", Frame(NGHTTP2_PING, 0, 0, "1234567"), NGHTTP2_FRAME_SIZE_ERROR},
        BadFrame{"ping_on_stream", Frame(NGHTTP2_PING, 0, 1, "12345678"), NGHTTP2_PROTOCOL_ERROR},
        BadFrame{"settings_on_stream", Frame(NGHTTP2_SETTINGS, 0, 1, ""), NGHTTP2_PROTOCOL_ERROR},
        BadFrame{"half_a_setting", Frame(NGHTTP2_SETTINGS, 0, 0, "123"), NGHTTP2_FRAME_SIZE_ERROR},
        BadFrame{"huge_window", Frame(NGHTTP2_SETTINGS, 0, 0, std::string("\0\4\xff\xff\xff\xff", 6)),
                 NGHTTP2_FLOW_CONTROL_ERROR},
        BadFrame{"no_update", Frame(NGHTTP2_WINDOW_UPDATE, 0, 0, std::string(4, '\0')),
                 NGHTTP2_PROTOCOL_ERROR},
        BadFrame{"overflow", Frame(NGHTTP2_WINDOW_UPDATE, 0, 0, "\x7f\xff\xff\xff"),
                 NGHTTP2_FLOW_CONTROL_ERROR},
        BadFrame{"push", Frame(NGHTTP2_PUSH_PROMISE, 4, 1, std::string("\0\0\0\2\x82", 5)),
                 NGHTTP2_PROTOCOL_ERROR},
        BadFrame{"lone_continuation", Frame(NGHTTP2_CONTINUATION, 4, 1, "\x82"), NGHTTP2_PROTOCOL_ERROR},
        BadFrame{"interrupted_headers",
                 Frame(NGHTTP2_HEADERS, 1, 1, "\x82") + Frame(NGHTTP2_PING, 0, 0, "12345678"),
                 NGHTTP2_PROTOCOL_ERROR},
        BadFrame{"reset_of_idle", Frame(NGHTTP2_RST_STREAM, 0, 9, std::string("\0\0\0\x8", 4)),
                 NGHTTP2_PROTOCOL_ERROR}),
    [](const auto& case_info) { return std::string(case_info.param.name); });

// --- Floods ---

struct Flood {
  const char* name;
  // One round of it; `i` counts them.
  std::function<void(Http2Client& client, int i)> send;
};

class Http2Flood : public Http2Test, public ::testing::WithParamInterface<Flood> {};

TEST_P(Http2Flood, EndsTheConnection) {
  auto& floods = GetCounter("millrace_api_http2_floods_total", "");
  const double before = floods.Value();
  Http2Client client(server_->port());
  for (int i = 0; i < 3000; ++i) GetParam().send(client, i);
  EXPECT_EQ(client.Goodbye(), NGHTTP2_ENHANCE_YOUR_CALM);
  EXPECT_EQ(floods.Value(), before + 1);
  EXPECT_EQ(Ask("GET /hello/x HTTP/1.1\r\nHost: localhost\r\n\r\n").status, 200);
}

INSTANTIATE_TEST_SUITE_P(
    Http2, Http2Flood,
    ::testing::Values(
        Flood{"pings", [](Http2Client& c, int) { c.SendFrame(NGHTTP2_PING, 0, 0, "12345678"); }},
        Flood{"settings", [](Http2Client& c, int) { c.SendFrame(NGHTTP2_SETTINGS, 0, 0, ""); }},
        Flood{"acks", [](Http2Client& c, int) { c.SendFrame(NGHTTP2_PING, 1, 0, "12345678"); }},
        Flood{"priorities",
              [](Http2Client& c, int i) {
                c.SendFrame(NGHTTP2_PRIORITY, 0, 2 * i + 1, std::string("\0\0\0\0\x10", 5));
              }},
        Flood{"updates", [](Http2Client& c, int) { c.Update(0, 1); }},
        Flood{"unknown", [](Http2Client& c, int) { c.SendFrame(0xbe, 0, 0, "x"); }},
        Flood{"rapid_reset", [](Http2Client& c, int) { c.Reset(c.Request(Http2Client::Get("/hello/x"))); }},
        Flood{"empty_data",
              [](Http2Client& c, int i) {
                if (i == 0) c.Request(Http2Client::Post("/duplex"), false);
                c.SendFrame(NGHTTP2_DATA, 0, 1, "");
              }},
        Flood{"padding",
              [](Http2Client& c, int i) {
                if (i == 0) c.Request(Http2Client::Post("/duplex"), false);
                c.SendFrame(NGHTTP2_DATA, NGHTTP2_FLAG_PADDED, 1, std::string(1, '\0'));
              }},
        Flood{"rapid_reset_with_bytes",
              [](Http2Client& c, int) {
                const auto stream = c.Request(Http2Client::Post("/duplex"), false);
                for (int i = 0; i < 3; ++i) c.Data(stream, "x", false);
                c.Reset(stream);
              }}),
    [](const auto& case_info) { return std::string(case_info.param.name); });

TEST_F(Http2Test, EndlessHeadersEndTheConnection) {
  Http2Client client(server_->port());
  client.SendFrame(NGHTTP2_HEADERS, NGHTTP2_FLAG_END_STREAM, 1, client.Pack(Http2Client::Get("/hello/x")));
  const std::string field = client.Pack({{"x", "y"}});
  for (int i = 0; i < 1000; ++i) client.SendFrame(NGHTTP2_CONTINUATION, 0, 1, field);
  client.Goodbye();
  EXPECT_EQ(client.answer(1).status, 0);
  EXPECT_EQ(Ask("GET /hello/x HTTP/1.1\r\nHost: localhost\r\n\r\n").status, 200);
}

TEST_F(Http2Test, ABusyConnectionMayBeChatty) {
  Http2Client client(server_->port());
  for (int i = 0; i < 2000; ++i) {
    const auto stream = client.Request(Http2Client::Post("/duplex"), false);
    client.Data(stream, "x", false);
    client.Data(stream, "y", true);
    ASSERT_EQ(client.Receive(stream).body, "xy") << i;  // an update for each piece goes back
  }
}

}  // namespace
}  // namespace millrace::api
