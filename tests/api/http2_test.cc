// The HTTP/2 side of the server over real sockets: what it answers to good peers, and that hostile ones cost
// little, harm nobody else, and are told why.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/api/http2_client.h"
#include "tests/api/server_fixture.h"

namespace millrace::api {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::Http2Answer;
using testing::Http2Client;
using testing::RawClient;

class Http2Test : public testing::ServerTest {};

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

TEST_F(Http2Test, StreamsBothWaysAtOnce) {
  Http2Client client(server_->port());
  const auto stream = client.Request(Http2Client::Post("/duplex"), false);
  client.Data(stream, "first", false);
  EXPECT_EQ(client.ReceiveBytes(stream, 5).body, "first");
  client.Data(stream, "second", true);
  EXPECT_EQ(client.Receive(stream).body, "firstsecond");
}

TEST_F(Http2Test, AnAnswerLargerThanTheWindowsComesAsTheyOpen) {
  Http2Client client(server_->port());
  const auto stream = client.Request(Http2Client::Get("/large"));
  EXPECT_EQ(client.Receive(stream).body.size(), 8u * 1024 * 1024);
}

}  // namespace
}  // namespace millrace::api
