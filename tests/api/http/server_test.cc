// The HTTP server over real sockets: what it answers to good requests, and that malformed, oversized, slow
// and foreign ones get a 4xx with a message, and never a hang.
#include "api/http/server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/api/http/raw_client.h"
#include "tests/api/http/server_fixture.h"
#include "tests/wait.h"

namespace millrace::api {
namespace {

using ::testing::HasSubstr;
using testing::RawAnswer;
using testing::RawClient;
using testing::ServerTest;

TEST_F(ServerTest, AnswersAndKeepsTheConnection) {
  RawClient client(server_->port());
  for (int i = 0; i < 3; ++i) {
    client.Send("GET /hello/a%20b HTTP/1.1\r\nHost: localhost\r\n\r\n");
    RawAnswer answer = client.Receive();
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.body, "hello a b");
    EXPECT_EQ(answer.Header("Connection"), "");
    EXPECT_NE(answer.Header("Date"), "");
  }
}

TEST_F(ServerTest, AnswersPipelinedRequestsInOrder) {
  RawClient client(server_->port());
  client.Send(
      "GET /hello/1 HTTP/1.1\r\nHost: localhost\r\n\r\n"
      "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\ntwo"
      "GET /hello/3 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(client.Receive().body, "hello 1");
  EXPECT_EQ(client.Receive().body, "two");
  RawAnswer last = client.Receive();
  EXPECT_EQ(last.body, "hello 3");
  EXPECT_EQ(last.Header("Connection"), "close");
  EXPECT_TRUE(client.Closed());
}

TEST_F(ServerTest, TakesARequestOneByteAtATime) {
  RawClient client(server_->port());
  for (char c : std::string("POST /echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
                            "3;x=1\r\nabc\r\n4\r\ndefg\r\n0\r\nTrailer: x\r\n\r\n")) {
    ASSERT_TRUE(client.Send(std::string_view(&c, 1)));
  }
  EXPECT_EQ(client.Receive().body, "abcdefg");
}

TEST_F(ServerTest, StreamsBothWaysAtOnce) {
  RawClient client(server_->port());
  client.Send("POST /duplex HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n");
  // The head and the first piece come back although the request is not over.
  client.Send("6\r\nsecond\r\n0\r\n\r\n");
  EXPECT_EQ(client.Receive().body, "firstsecond");
  EXPECT_TRUE(client.chunks_complete());
}

TEST_F(ServerTest, SendsPiecesAsChunksAndToOldClientsUpToTheClose) {
  EXPECT_EQ(Ask("GET /pieces HTTP/1.1\r\nHost: localhost\r\n\r\n").body, "piece 0\npiece 1\npiece 2\n");
  RawAnswer old = Ask("GET /pieces HTTP/1.0\r\nHost: localhost\r\nConnection: keep-alive\r\n\r\n");
  EXPECT_EQ(old.body, "piece 0\npiece 1\npiece 2\n");
  EXPECT_EQ(old.Header("Transfer-Encoding"), "");
  EXPECT_EQ(old.Header("Connection"), "close");
}

TEST_F(ServerTest, AnUnfinishedAnswerIsSeenAsSuch) {
  RawClient client(server_->port());
  client.Send("GET /unfinished HTTP/1.1\r\nHost: localhost\r\n\r\n");
  client.Receive();
  EXPECT_FALSE(client.chunks_complete());
  EXPECT_TRUE(client.Closed());
}

TEST_F(ServerTest, HeadHasTheHeadersOfGetAndNoBody) {
  RawClient client(server_->port());
  client.Send("HEAD /hello/x HTTP/1.1\r\nHost: localhost\r\n\r\n");
  RawAnswer head = client.Receive(true);
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.Header("Content-Length"), "7");
  client.Send("HEAD /pieces HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_EQ(client.Receive(true).status, 200);
  client.Send("GET /hello/y HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_EQ(client.Receive().body, "hello y");
}

TEST_F(ServerTest, OptionsAndWrongMethodsSayWhatIsAllowed) {
  RawAnswer options = Ask("OPTIONS /hello/x HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_EQ(options.status, 204);
  EXPECT_EQ(options.Header("Allow"), "GET, HEAD, OPTIONS");
  EXPECT_EQ(options.Header("Access-Control-Allow-Origin"), "");
  RawAnswer wrong = Ask("DELETE /echo HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_EQ(wrong.status, 405);
  EXPECT_EQ(wrong.Header("Allow"), "POST, OPTIONS");
}

TEST_F(ServerTest, ExpectContinueIsAnsweredWhenTheBodyIsWanted) {
  RawClient client(server_->port());
  client.Send("POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(client.Receive().status, 100);
  client.Send("hello");
  EXPECT_EQ(client.Receive().body, "hello");
  // Not wanted: the answer comes at once, and the connection ends.
  client.Send(
      "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5000\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(client.Receive().status, 413);
  EXPECT_TRUE(client.Closed());
}

TEST_F(ServerTest, AHandlerThatThrowsOrSaysNothingGives500WithoutDetails) {
  RawAnswer thrown = Ask("GET /throws HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_EQ(thrown.status, 500);
  EXPECT_EQ(thrown.body.find("secret"), std::string::npos);
  EXPECT_EQ(Ask("GET /silent HTTP/1.1\r\nHost: localhost\r\n\r\n").status, 500);
}

TEST_F(ServerTest, BlockingWorkRunsOnThePool) {
  EXPECT_EQ(Ask("GET /work/well HTTP/1.1\r\nHost: localhost\r\n\r\n").body, "worked");
  EXPECT_EQ(Ask("GET /work/throws HTTP/1.1\r\nHost: localhost\r\n\r\n").status, 500);
  EXPECT_EQ(pool_.busy(), 0U);
}

TEST_F(ServerTest, AnUnwantedBodyIsReadOverAndTheConnectionGoesOn) {
  RawClient client(server_->port());
  client.Send("GET /hello/1 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n0123456789");
  EXPECT_EQ(client.Receive().status, 200);
  client.Send("GET /hello/2 HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_EQ(client.Receive().body, "hello 2");
}

TEST_F(ServerTest, AnAnswerToAnOversizedBodyReachesAClientThatIsStillSending) {
  RawClient client(server_->port());
  client.Send("POST /echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n");
  std::string chunk = "1000\r\n" + std::string(4096, 'x') + "\r\n";
  for (int i = 0; i < 500 && client.Send(chunk); ++i) {
  }
  RawAnswer answer = client.Receive();
  EXPECT_EQ(answer.status, 413);
  EXPECT_THAT(answer.body, HasSubstr("1000 bytes"));
}

TEST_F(ServerTest, SlowHeadersGetA408) {
  options_.limits.header_timeout = std::chrono::milliseconds(300);
  Start();
  RawClient client(server_->port());
  client.Send("GET /hello/x HTTP/1.1\r\nHost: loc");
  RawAnswer answer = client.Receive();
  EXPECT_EQ(answer.status, 408);
  EXPECT_TRUE(client.Closed());
}

TEST_F(ServerTest, AByteNowAndThenDoesNotMoveTheHeaderDeadline) {
  options_.limits.header_timeout = std::chrono::milliseconds(300);
  Start();
  RawClient client(server_->port());
  for (int sent = 0; sent < 600 && client.Send("G"); ++sent) {
    if (client.Answers(std::chrono::milliseconds(50))) break;
  }
  RawAnswer answer = client.Receive();
  EXPECT_TRUE(answer.status == 408 || answer.status == 400) << answer.status;
}

TEST_F(ServerTest, ASlowBodyGetsA408) {
  options_.limits.read_timeout = std::chrono::milliseconds(300);
  Start();
  EXPECT_EQ(Ask("POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhe").status, 408);
}

TEST_F(ServerTest, AnIdleConnectionIsClosed) {
  options_.limits.idle_timeout = std::chrono::milliseconds(100);
  Start();
  RawClient client(server_->port());
  EXPECT_TRUE(client.Closed());
}

TEST_F(ServerTest, AReaderThatTakesNothingIsCutOff) {
  options_.limits.write_timeout = std::chrono::milliseconds(200);
  Start();
  RawClient client(server_->port());
  client.Send("GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n");
  ASSERT_EQ(large_done_.get_future().wait_for(test::kPatience), std::future_status::ready);
  EXPECT_TRUE(large_failed_);
}

TEST_F(ServerTest, OneConnectionTooManyGetsA503) {
  options_.connections_max = 2;
  Start();
  RawClient one(server_->port());
  RawClient two(server_->port());
  one.Send("GET /hello/1 HTTP/1.1\r\nHost: localhost\r\n\r\n");
  two.Send("GET /hello/2 HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_EQ(one.Receive().status, 200);
  EXPECT_EQ(two.Receive().status, 200);
  RawClient three(server_->port());
  RawAnswer answer = three.Receive();
  EXPECT_EQ(answer.status, 503);
  EXPECT_THAT(answer.body, HasSubstr("too many connections"));
}

TEST_F(ServerTest, StopLetsARequestFinishAndClosesIdleConnections) {
  RawClient idle(server_->port());
  idle.Send("GET /hello/1 HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_EQ(idle.Receive().status, 200);
  RawClient busy(server_->port());
  busy.Send("GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n");
  slow_entered_.get_future().wait();
  server_->Stop(test::kPatience);
  EXPECT_EQ(busy.Receive().body, "done");
  EXPECT_TRUE(idle.Closed());
  EXPECT_EQ(server_->connections(), 0U);
}

TEST_F(ServerTest, StopCutsOffWhatDoesNotEnd) {
  RawClient client(server_->port());
  client.Send("POST /duplex HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n");
  server_->Stop(std::chrono::milliseconds(50));
  EXPECT_EQ(server_->connections(), 0U);
}

TEST_F(ServerTest, EndsRightAfterAnAnswerThatThePoolMade) {
  // The thread that gave it back may still be on its way out of the server's context.
  for (int i = 0; i < 100; ++i) {
    Start();
    EXPECT_EQ(Ask("GET /work/x HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").body, "worked");
  }
}

TEST_F(ServerTest, APortThatIsTakenIsAnError) {
  ServerOptions same = options_;
  same.port = server_->port();
  auto second = Server::Start(dispatcher_, same);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(second.error().message, HasSubstr(std::to_string(same.port)));
}

// ---- bad input, one line each: what is sent, the status, and a part of the message

struct BadCase {
  const char* name;
  std::string request;
  int status;
  const char* message;
};

class BadRequest : public ServerTest, public ::testing::WithParamInterface<BadCase> {};

TEST_P(BadRequest, GetsA4xxThatSaysWhatIsWrong) {
  RawClient client(server_->port());
  client.Send(GetParam().request);
  client.FinishSending();
  RawAnswer answer = client.Receive();
  EXPECT_EQ(answer.status, GetParam().status) << answer.head << answer.body;
  EXPECT_THAT(answer.body, HasSubstr(GetParam().message));
  EXPECT_THAT(answer.body, HasSubstr("{\"error\":{\"code\":\""));
  EXPECT_EQ(answer.Header("Content-Type"), "application/json");
  EXPECT_TRUE(client.Closed());
}

std::string Get(const std::string& target, const std::string& headers = "Host: localhost\r\n") {
  return "GET " + target + " HTTP/1.1\r\n" + headers + "\r\n";
}
std::string Post(const std::string& headers, const std::string& body) {
  return "POST /echo HTTP/1.1\r\nHost: localhost\r\n" + headers + "\r\n" + body;
}

INSTANTIATE_TEST_SUITE_P(
    Http, BadRequest,
    ::testing::Values(
        BadCase{"garbage", "\x16\x03\x01\x02garbage\r\n\r\n", 400, "malformed"},
        BadCase{"no_version", "GET /hello/x\r\n\r\n", 400, "malformed"},
        BadCase{"half_an_http2_preface", "PRI * HTTP/2.0\r\n\r\nXX", 400, "HTTP/1.1"},
        BadCase{"http09", "GET /hello/x HTTP/0.9\r\nHost: localhost\r\n\r\n", 400, "HTTP/1.1"},
        BadCase{"cut_off", "GET /hello/x HTTP/1.1\r\nHost: lo", 400, "ended in the middle"},
        BadCase{"cut_off_where_http2_could_begin", "PRI", 400, "ended in the middle"},
        BadCase{"space_in_header_name", Get("/hello/x", "Host : localhost\r\n"), 400, "malformed"},
        BadCase{"header_without_colon", Get("/hello/x", "Host: localhost\r\nnonsense\r\n"), 400, "malformed"},
        BadCase{"nul_in_header", Get("/hello/x", std::string("Host: local\0host\r\n", 18)), 400, "malformed"},
        BadCase{"bare_lf", "GET /hello/x HTTP/1.1\nHost: localhost\n\n", 400, "malformed"},
        BadCase{"huge_headers", Get("/hello/x", "Host: localhost\r\nX: " + std::string(20'000, 'a') + "\r\n"),
                431, "headers are larger"},
        BadCase{"many_headers",
                [] {
                  std::string headers = "Host: localhost\r\n";
                  for (int i = 0; i < 3000; ++i) headers += "X: yy\r\n";
                  return Get("/hello/x", headers);
                }(),
                431, "headers are larger"},
        BadCase{"long_target", Get("/hello/" + std::string(9'000, 'a')), 414, "8192 bytes"},
        BadCase{"endless_target", Get("/hello/" + std::string(100'000, 'a')), 414, "8192 bytes"},
        BadCase{"bad_percent", Get("/hello/%zz"), 400, "hexadecimal"},
        BadCase{"cut_percent", Get("/hello/%2"), 400, "hexadecimal"},
        BadCase{"percent_nul", Get("/hello/a%00b"), 400, "control characters"},
        BadCase{"percent_newline", Get("/hello/a%0d%0aX"), 400, "control characters"},
        BadCase{"not_utf8", Get("/hello/%ff%fe"), 400, "UTF-8"},
        BadCase{"overlong_utf8", Get("/hello/%c0%af"), 400, "UTF-8"},
        BadCase{"bad_query_percent", Get("/hello/x?a=%"), 400, "'a'"},
        BadCase{"dot_segments", Get("/hello/../echo"), 400, "'..' segment"},
        BadCase{"encoded_dot_segments", Get("/hello/%2e%2e/etc"), 400, "'..' segment"},
        BadCase{"no_slash", Get("hello"), 400, "begins with '/'"},
        BadCase{"asterisk", "OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n", 400, "begins with '/'"},
        BadCase{"fragment", Get("/hello/x#y"), 400, "'#'"},
        BadCase{"two_lengths", Post("Content-Length: 3\r\nContent-Length: 3\r\n", "abc"), 400,
                "Content-Length"},
        BadCase{"differing_lengths", Post("Content-Length: 3\r\nContent-Length: 4\r\n", "abcd"), 400,
                "malformed"},
        BadCase{"length_list", Post("Content-Length: 3, 4\r\n", "abc"), 400, "malformed"},
        BadCase{"negative_length", Post("Content-Length: -1\r\n", ""), 400, "malformed"},
        BadCase{"text_length", Post("Content-Length: three\r\n", "abc"), 400, "malformed"},
        BadCase{"overflowing_length", Post("Content-Length: 99999999999999999999999\r\n", ""), 400,
                "malformed"},
        BadCase{"length_and_chunked",
                Post("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), 400, "malformed"},
        BadCase{"chunked_and_length",
                Post("Transfer-Encoding: chunked\r\nContent-Length: 3\r\n", "0\r\n\r\n"), 400, "malformed"},
        BadCase{"other_coding", Post("Transfer-Encoding: gzip\r\n", "abc"), 400, "'chunked'"},
        BadCase{"two_codings", Post("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"), 400, "'chunked'"},
        BadCase{"chunked_1_0",
                "POST /echo HTTP/1.0\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400,
                "HTTP/1.0"},
        BadCase{"bad_chunk_size", Post("Transfer-Encoding: chunked\r\n", "xyz\r\nabc\r\n0\r\n\r\n"), 400,
                "malformed"},
        BadCase{"huge_chunk_size", Post("Transfer-Encoding: chunked\r\n", "ffffffffffffffffff\r\nabc"), 400,
                "malformed"},
        BadCase{"chunk_without_end", Post("Transfer-Encoding: chunked\r\n", "3\r\nabcdef\r\n0\r\n\r\n"), 400,
                "malformed"},
        BadCase{
            "long_chunk_extension",
            Post("Transfer-Encoding: chunked\r\n", "3;" + std::string(30'000, 'x') + "\r\nabc\r\n0\r\n\r\n"),
            400, "malformed"},
        BadCase{"oversized_body", Post("Content-Length: 1001\r\n", std::string(1001, 'x')), 413,
                "1000 bytes"},
        BadCase{"monstrous_body", Post("Content-Length: 999999999999\r\n", "x"), 413, "1000 bytes"},
        BadCase{"expectation", Post("Content-Length: 1\r\nExpect: miracle\r\n", "x"), 417, "100-continue"}),
    [](const auto& test) { return std::string(test.param.name); });

// Refused too, but the connection may go on: the request was well formed.
class RefusedRequest : public ServerTest, public ::testing::WithParamInterface<BadCase> {};

TEST_P(RefusedRequest, GetsA4xxThatSaysWhatToDo) {
  RawAnswer answer = Ask(GetParam().request);
  EXPECT_EQ(answer.status, GetParam().status) << answer.head << answer.body;
  EXPECT_THAT(answer.body, HasSubstr(GetParam().message));
  EXPECT_EQ(answer.Header("Content-Type"), "application/json");
}

INSTANTIATE_TEST_SUITE_P(
    Http, RefusedRequest,
    ::testing::Values(
        BadCase{"unknown_path", Get("/nowhere"), 404, "/nowhere"},
        BadCase{"empty_parameter", Get("/hello/"), 404, "/hello/"},
        BadCase{"too_deep", Get("/hello/a/b"), 404, "docs/http-api.md"},
        BadCase{"wrong_method", "PUT /hello/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n", 405,
                "GET"},
        BadCase{"made_up_method", "FROB /hello/x HTTP/1.1\r\nHost: localhost\r\n\r\n", 405, "FROB"},
        BadCase{"no_host", Get("/hello/x", ""), 400, "Host"},
        BadCase{"two_hosts", Get("/hello/x", "Host: localhost\r\nHost: localhost\r\n"), 400, "Host"},
        BadCase{"empty_host", Get("/hello/x", "Host:\r\n"), 403, "localhost"},
        BadCase{"foreign_host", Get("/hello/x", "Host: evil.example\r\n"), 403, "evil.example"},
        BadCase{"rebound_host", Get("/hello/x", "Host: evil.example:4567\r\n"), 403, "127.0.0.1"},
        BadCase{"host_prefix", Get("/hello/x", "Host: localhost.evil.example\r\n"), 403, "localhost"},
        BadCase{"host_userinfo", Get("/hello/x", "Host: localhost:80@evil.example\r\n"), 403, "localhost"},
        BadCase{"ip_prefix", Get("/hello/x", "Host: 127.0.0.1.evil.example\r\n"), 403, "localhost"},
        BadCase{"foreign_absolute_target", Get("http://evil.example/hello/x"), 403, "evil.example"},
        BadCase{"foreign_origin", Get("/hello/x", "Host: localhost\r\nOrigin: https://evil.example\r\n"), 403,
                "evil.example"},
        BadCase{"null_origin", Get("/hello/x", "Host: localhost\r\nOrigin: null\r\n"), 403, "'null'"},
        BadCase{"origin_prefix",
                Get("/hello/x", "Host: localhost\r\nOrigin: http://localhost.evil.example\r\n"), 403,
                "evil.example"},
        BadCase{"cross_site", Get("/hello/x", "Host: localhost\r\nSec-Fetch-Site: cross-site\r\n"), 403,
                "another site"},
        BadCase{"foreign_host_on_unknown_path", Get("/nowhere", "Host: evil.example\r\n"), 403,
                "evil.example"},
        BadCase{"foreign_options",
                "OPTIONS /hello/x HTTP/1.1\r\nHost: localhost\r\nOrigin: https://evil.example\r\n\r\n", 403,
                "evil.example"}),
    [](const auto& test) { return std::string(test.param.name); });

class LocalCaller : public ServerTest, public ::testing::WithParamInterface<const char*> {};

TEST_P(LocalCaller, IsAnswered) { EXPECT_EQ(Ask(Get("/hello/x", GetParam())).status, 200); }

INSTANTIATE_TEST_SUITE_P(Http, LocalCaller,
                         ::testing::Values("Host: localhost\r\n", "Host: LOCALHOST:4567\r\n",
                                           "Host: 127.0.0.1:1\r\n", "Host: [::1]:4567\r\n",
                                           "Host: localhost\r\nOrigin: http://127.0.0.1:4567\r\n",
                                           "Host: localhost\r\nSec-Fetch-Site: same-origin\r\n",
                                           "Host: localhost\r\nSec-Fetch-Site: none\r\n"));

}  // namespace
}  // namespace millrace::api
