// Access control in front of the real services: who is let in, who is turned away and in which words, what
// policies allow, and what the audit log says of it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <tuple>

#include "api/access/access_control.h"
#include "api/http/error_response.h"
#include "tests/api/aws_server.h"
#include "tests/wait.h"
#include "wire/base64.h"
#include "wire/signature_claim.h"

namespace millrace::api::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using Field = wire::SignedParts::Field;
using Fields = std::vector<Field>;

std::shared_ptr<const Policy> MakePolicy(std::vector<PolicyStatement> statements) {
  return std::make_shared<const Policy>(Policy{"test", std::move(statements)});
}

const wire::AccessKey kAnn{"MRANN", "ann's secret"};  // may do everything
const wire::AccessKey kBob{"MRBOB", "bob's secret"};  // may write to "door", and not delete it
const wire::AccessKey kNobody{"MRNOBODY", "guess"};

// What makes a signed request, and what a test changes of it afterwards.
struct Signed {
  std::string method = "POST";
  std::string path = "/";
  Fields query;
  Fields headers;
  std::string body;
  std::string host = "localhost:4567";
  wire::AccessKey key = kAnn;
  std::string service = "kinesis";
  Duration later{};                    // the time that is signed, against the server's
  std::optional<std::string> payload;  // states this hash, or word
};

class AccessTest : public AwsServerTest {
 protected:
  void SetUp() override {
    auto all = MakePolicy({{true, {"*"}, {"*"}}});
    auto writer = MakePolicy({{true, {"kinesis:*"}, {"arn:aws:kinesis:us-east-1:000000000000:stream/door"}},
                              {false, {"kinesis:Delete*"}, {"*"}},
                              {true, {"kinesis:DeleteStream"}, {"*"}}});
    ASSERT_TRUE(credentials_.Replace({{"ann", {kAnn}, {all}}, {"bob", {kBob}, {writer}}}));
    AwsServerTest::SetUp();
    Add("POST", "/v1/applications/{app}/commit");
    Add("GET", "/v1/cameras");
    Add("GET", "/metrics");
    Add("DELETE", "/v1/streams/{name}");
    Add("GET", "/healthz");
    Add("GET", "/nobody/thought/of/this");
  }
  void TearDown() override {
    AwsServerTest::TearDown();
    access_.reset();
    audit_.reset();
  }

  // A route whose handler says what it read, when it has read all.
  void Add(const std::string& method, const std::string& pattern) {
    router_->Add(method, pattern, [](Request& request, ResponseWriter& writer) -> net::awaitable<void> {
      auto body = co_await ReadBody(request, 1'000'000);
      if (!body) {
        co_await RespondError(writer, std::move(body).error());
        co_return;
      }
      if (auto known = request.target.CheckQuery({}); !known) {
        co_await RespondError(writer, std::move(known).error());
        co_return;
      }
      std::string text = "read " + *body;
      co_await RespondText(writer, 200, "text/plain", std::move(text));
    });
  }

  std::unique_ptr<Dispatcher> MakeDispatcher() override {
    auto audit = AuditLog::Open({.file = directory_ / "audit.log"});
    EXPECT_TRUE(audit) << audit.error().ToString();
    audit_ = std::move(*audit);
    sessions_ = std::make_unique<Sessions>(*sealer_, clock_);
    access_ = std::make_unique<AccessControl>(
        AccessControl::Options{&credentials_, sessions_.get(), audit_.get(), &clock_, {}});
    return std::make_unique<Dispatcher>(*router_, *access_);
  }

  Fields Headers(const Signed& signed_request) {
    const std::string hash = wire::Hex(wire::Sha256Of(AsBytes(std::string_view(signed_request.body))));
    Fields headers = signed_request.headers;
    if (signed_request.payload && wire::IsHexDigest(*signed_request.payload))
      headers.emplace_back("X-Amz-Content-Sha256", *signed_request.payload);
    wire::SignedParts parts{signed_request.method, signed_request.path, signed_request.query, headers,
                            signed_request.host};
    for (Field& field : wire::SignatureHeaders(signed_request.key, "us-east-1", signed_request.service,
                                               clock_.Now() + signed_request.later, parts,
                                               signed_request.payload.value_or(hash))) {
      headers.push_back(std::move(field));
    }
    return headers;
  }

  AwsAnswer Exchange(const Signed& request, const Fields& headers, const std::string& query = "") {
    RawClient client(server_->port());
    std::string text = request.method + " " + request.path + query + " HTTP/1.1\r\nHost: localhost:4567\r\n";
    for (const auto& [name, value] : headers) text += name + ": " + value + "\r\n";
    client.Send(text + "Content-Length: " + std::to_string(request.body.size()) + "\r\n\r\n" + request.body);
    return Parse(client.Receive());
  }
  AwsAnswer Send(const Signed& request) { return Exchange(request, Headers(request)); }

  static Signed Operation(const std::string& name, const std::string& json,
                          const wire::AccessKey& key = kAnn) {
    Signed request;
    request.headers = {{"Content-Type", "application/x-amz-json-1.1"},
                       {"X-Amz-Target", "Kinesis_20131202." + name}};
    request.body = json;
    request.key = key;
    return request;
  }
  static Signed Own(const std::string& method, const std::string& path, const std::string& body = "") {
    Signed request;
    request.method = method;
    request.path = path;
    request.body = body;
    request.service = "millrace";
    return request;
  }

  // The log when it has so many lines: the last is written after its answer.
  std::string Audit(std::ptrdiff_t lines) {
    std::string text;
    EXPECT_TRUE(test::WaitUntil([&] {
      std::ifstream in(directory_ / "audit.log");
      text = {std::istreambuf_iterator<char>(in), {}};
      return std::count(text.begin(), text.end(), '\n') >= lines;
    }));
    return text;
  }

  CredentialStore credentials_;
  std::unique_ptr<AuditLog> audit_;
  std::unique_ptr<Sessions> sessions_;
  std::unique_ptr<AccessControl> access_;
};

constexpr char kMismatch[] = "InvalidSignatureException: The request signature we calculated does not match";

TEST_F(AccessTest, ASignedRequestIsServed) {
  EXPECT_EQ(Send(Operation("CreateStream", R"({"StreamName":"door","ShardCount":1})")).Fault(), "");
  EXPECT_EQ(Send(Operation("ListStreams", "{}")).object().at("StreamNames").as_array().size(), 1u);
}

TEST_F(AccessTest, AHashThatIsStatedIsTakenAndChecked) {
  Signed request = Operation("ListStreams", "{}");
  request.payload = wire::Hex(wire::Sha256Of(AsBytes(std::string_view("{}"))));
  EXPECT_EQ(Send(request).Fault(), "");
  Signed other = request;
  const Fields headers = Headers(request);
  other.body = "{ }";
  EXPECT_THAT(Exchange(other, headers).Fault(), HasSubstr(kMismatch));
}

TEST_F(AccessTest, AnythingTamperedWithIsRefused) {
  const Signed request = Operation("CreateStream", R"({"StreamName":"door","ShardCount":1})");
  const Fields good = Headers(request);
  for (std::size_t i = 0; i < good.size(); ++i) {
    Fields headers = good;
    headers[i].second.back() = headers[i].second.back() == 'a' ? 'b' : 'a';
    EXPECT_NE(Exchange(request, headers).status(), 200) << good[i].first;
    headers.erase(headers.begin() + static_cast<std::ptrdiff_t>(i));
    EXPECT_NE(Exchange(request, headers).status(), 200) << good[i].first;
    headers = good;
    headers.push_back(good[i]);
    EXPECT_NE(Exchange(request, headers).status(), 200) << good[i].first;
  }
  Signed changed = request;
  changed.body = R"({"StreamName":"yard","ShardCount":1})";
  EXPECT_THAT(Exchange(changed, good).Fault(), HasSubstr(kMismatch));
  changed = request;
  changed.body.clear();
  EXPECT_THAT(Exchange(changed, good).Fault(), HasSubstr(kMismatch));
  EXPECT_THAT(Exchange(request, good, "?a=b").Fault(), HasSubstr(kMismatch));
  Signed foreign = request;
  foreign.key.secret = "another";
  EXPECT_THAT(Send(foreign).Fault(), HasSubstr(kMismatch));
  foreign.key = kNobody;
  EXPECT_EQ(Send(foreign).Fault(),
            "UnrecognizedClientException: The security token included in the request is invalid.");
  foreign = request;
  foreign.service = "s3";
  EXPECT_THAT(Send(foreign).Fault(), HasSubstr("scoped to correct service: 'kinesis'"));
  foreign = request;
  foreign.host = "elsewhere";
  EXPECT_THAT(Send(foreign).Fault(), HasSubstr(kMismatch));
  // None of these did anything.
  EXPECT_EQ(Send(Operation("ListStreams", "{}")).object().at("StreamNames").as_array().size(), 0u);
}

TEST_F(AccessTest, ARequestIsGoodForFifteenMinutes) {
  Signed request = Operation("ListStreams", "{}");
  const Fields headers = Headers(request);
  clock_.Advance(std::chrono::minutes(15));
  EXPECT_EQ(Exchange(request, headers).Fault(), "");
  clock_.Advance(std::chrono::seconds(1));
  EXPECT_THAT(Exchange(request, headers).Fault(), HasSubstr("Signature expired"));
  request.later = std::chrono::seconds(901);
  EXPECT_THAT(Send(request).Fault(), HasSubstr("Signature not yet current"));
}

TEST_F(AccessTest, NobodyIsToldSoInTheProtocolsWords) {
  const Signed data = Operation("ListStreams", "{}");
  const AwsAnswer answer = Exchange(data, data.headers);
  EXPECT_EQ(answer.status(), 400);
  EXPECT_EQ(answer.Fault(), "MissingAuthenticationTokenException: Missing Authentication Token");
  EXPECT_NE(answer.raw.Header("x-amzn-RequestId"), "");
  Signed cbor = data;
  cbor.headers[0].second = "application/x-amz-cbor-1.1";
  EXPECT_EQ(Exchange(cbor, cbor.headers).raw.Header("Content-Type"), "application/x-amz-cbor-1.1");
  Signed video;
  video.path = "/listFragments";
  const AwsAnswer refused = Exchange(video, {{"Content-Type", "application/json"}});
  EXPECT_EQ(refused.status(), 403);
  EXPECT_EQ(refused.Fault(), "MissingAuthenticationTokenException: Missing Authentication Token");
  const AwsAnswer own = Exchange(Own("GET", "/v1/cameras"), {});
  EXPECT_EQ(own.status(), 401);
  EXPECT_THAT(own.raw.body, HasSubstr("\"code\":\"unauthenticated\""));
}

TEST_F(AccessTest, WhatIsOpenIsOpenAndWhatIsForgottenIsShut) {
  EXPECT_EQ(Exchange(Own("GET", "/healthz"), {}).status(), 200);
  EXPECT_EQ(Send(Own("GET", "/nobody/thought/of/this")).status(), 403);
  EXPECT_EQ(Exchange(Own("GET", "/nowhere"), {}).status(), 404);
}

TEST_F(AccessTest, OurOwnPathsAreSignedToo) {
  EXPECT_EQ(Send(Own("GET", "/v1/cameras")).status(), 200);
  EXPECT_EQ(Send(Own("POST", "/v1/applications/a/commit", "text")).raw.body, "read text");
  Signed request = Own("POST", "/v1/applications/a/commit", "text");
  const Fields headers = Headers(request);
  request.body = "tex!";
  const AwsAnswer refused = Exchange(request, headers);
  EXPECT_EQ(refused.status(), 401);
  EXPECT_THAT(refused.raw.body, Not(HasSubstr("read")));
  // A body where none is read may not stand in for a signature of nothing.
  Signed deletion = Own("DELETE", "/v1/streams/door");
  const Fields unsigned_headers = Headers(deletion);
  EXPECT_EQ(Exchange(deletion, unsigned_headers).status(), 200);
  deletion.path = "/v1/streams/yard";
  deletion.body = "x";
  EXPECT_EQ(Exchange(deletion, unsigned_headers).status(), 401);
  Signed by_bob = Own("GET", "/v1/cameras");
  by_bob.key = kBob;
  EXPECT_EQ(Send(by_bob).status(), 403);
}

// A key's id is no secret: whose it is, and what it may do, is for who can sign with it.
TEST_F(AccessTest, WhatAKeyMayDoIsToldToWhoCanSignWithIt) {
  Signed request = Own("POST", "/v1/applications/a/commit", "text");
  request.key = kBob;
  const AwsAnswer known = Send(request);
  EXPECT_EQ(known.status(), 403);
  EXPECT_THAT(known.raw.body, HasSubstr("user/bob is not authorized to perform: millrace:RunApplication"));
  request.key.secret = "guess";
  const AwsAnswer guessed = Send(request);
  EXPECT_EQ(guessed.status(), 401);
  EXPECT_THAT(guessed.raw.body, Not(HasSubstr("bob")));
  EXPECT_THAT(guessed.raw.body, Not(HasSubstr("RunApplication")));
  // So it is where the hash of the body is stated, and the body need not be read.
  request.payload = wire::Hex(wire::Sha256Of(AsBytes(std::string_view("text"))));
  EXPECT_EQ(Send(request).status(), 401);
  request.key = kBob;
  EXPECT_EQ(Send(request).status(), 403);
}

TEST_F(AccessTest, BodiesMustBeSigned) {
  for (const char* word : {"UNSIGNED-PAYLOAD", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"}) {
    Signed request = Operation("ListStreams", "{}");
    request.payload = word;
    EXPECT_THAT(Send(request).Fault(), HasSubstr("The body must be signed")) << word;
  }
  Signed request = Operation("ListStreams", "{}");
  request.payload = "nonsense";
  EXPECT_THAT(Send(request).Fault(), HasSubstr("X-Amz-Content-Sha256 must be"));
}

TEST_F(AccessTest, ABodyMayComeInSignedChunks) {
  Signed request = Operation("ListStreams", "");
  request.payload = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD";
  const Fields headers = Headers(request);
  const std::string authorization = headers.back().second;
  const wire::SignatureScope scope{wire::FormatSignatureTime(clock_.Now()).substr(0, 8), "us-east-1",
                                   "kinesis"};
  const wire::Digest key = wire::SigningKey(kAnn.secret, scope);
  std::string previous = authorization.substr(authorization.rfind('=') + 1);
  const auto chunk = [&](const std::string& data) {
    previous = wire::Hex(wire::HmacSha256(
        key, "AWS4-HMAC-SHA256-PAYLOAD\n" + wire::FormatSignatureTime(clock_.Now()) + "\n" +
                 scope.ToString() + "\n" + previous + "\n" + std::string(wire::kEmptyPayloadHash) + "\n" +
                 wire::Hex(wire::Sha256Of(AsBytes(std::string_view(data))))));
    char head[128];
    std::snprintf(head, sizeof(head), "%zx;chunk-signature=%s\r\n", data.size(), previous.c_str());
    return head + data + "\r\n";
  };
  const std::string begin = chunk("{");
  const std::string middle = chunk("}");
  request.body = begin + middle + chunk("");
  EXPECT_EQ(Exchange(request, headers).Fault(), "");
  request.body = middle + begin;
  EXPECT_THAT(Exchange(request, headers).Fault(), HasSubstr(kMismatch));
  request.body = begin + middle;
  EXPECT_THAT(Exchange(request, headers).Fault(), HasSubstr("ends before its last chunk"));
}

TEST_F(AccessTest, PoliciesSayWhatMayBeDone) {
  ASSERT_EQ(Send(Operation("CreateStream", R"({"StreamName":"door","ShardCount":1})", kBob)).Fault(), "");
  EXPECT_EQ(
      Send(Operation("PutRecord", R"({"StreamName":"door","Data":"eA==","PartitionKey":"k"})", kBob)).Fault(),
      "");
  EXPECT_EQ(Send(Operation("CreateStream", R"({"StreamName":"yard","ShardCount":1})", kBob)).Fault(),
            "AccessDeniedException: User: arn:aws:iam::000000000000:user/bob is not authorized to perform: "
            "kinesis:CreateStream on resource: arn:aws:kinesis:us-east-1:000000000000:stream/yard because no "
            "identity-based "
            "policy allows the kinesis:CreateStream action");
  // What is denied is denied, whatever else allows it.
  EXPECT_THAT(Send(Operation("DeleteStream", R"({"StreamName":"door"})", kBob)).Fault(),
              HasSubstr("with an explicit deny"));
  EXPECT_THAT(Send(Operation("ListStreams", "{}", kBob)).Fault(), HasSubstr("AccessDenied"));
  EXPECT_EQ(Send(Operation("DeleteStream", R"({"StreamName":"door"})")).Fault(), "");
}

TEST_F(AccessTest, EveryWayToNameAStreamIsLookedAt) {
  for (const char* name : {"door", "yard"}) {
    const std::string json = std::string(R"({"StreamName":")") + name + R"(","ShardCount":1})";
    ASSERT_EQ(Send(Operation("CreateStream", json)).Fault(), "");
  }
  const std::string arn = "arn:aws:kinesis:us-east-1:000000000000:stream/";
  EXPECT_EQ(Send(Operation("DescribeStreamSummary", R"({"StreamARN":")" + arn + R"(door"})", kBob)).Fault(),
            "");
  EXPECT_THAT(Send(Operation("DescribeStreamSummary", R"({"StreamARN":")" + arn + R"(yard"})", kBob)).Fault(),
              HasSubstr("AccessDenied"));
  // One that may be read, and one that may not.
  EXPECT_THAT(Send(Operation("DescribeStreamSummary",
                             R"({"StreamName":"door","StreamARN":")" + arn + R"(yard"})", kBob))
                  .Fault(),
              HasSubstr("AccessDenied"));
  const auto iterator = Send(Operation(
      "GetShardIterator",
      R"({"StreamName":"yard","ShardId":"shardId-000000000000","ShardIteratorType":"TRIM_HORIZON"})"));
  ASSERT_EQ(iterator.Fault(), "");
  const std::string read = R"({"ShardIterator":")" + iterator.Text("ShardIterator") + R"("})";
  EXPECT_EQ(Send(Operation("GetRecords", read)).Fault(), "");
  EXPECT_THAT(Send(Operation("GetRecords", read, kBob)).Fault(), HasSubstr("stream/yard"));
  EXPECT_THAT(Send(Operation("GetRecords",
                             R"({"StreamARN":")" + arn + R"(door","ShardIterator":")" +
                                 iterator.Text("ShardIterator") + R"("})",
                             kBob))
                  .Fault(),
              HasSubstr("stream/yard"));
  EXPECT_THAT(Send(Operation("GetRecords", R"({"ShardIterator":"made up"})", kBob)).Fault(),
              HasSubstr("AccessDenied"));
}

TEST_F(AccessTest, KeysThatAreTakenAwayAreGoneAtOnce) {
  EXPECT_EQ(Send(Operation("ListStreams", "{}")).Fault(), "");
  ASSERT_TRUE(credentials_.Replace({}));
  EXPECT_THAT(Send(Operation("ListStreams", "{}")).Fault(), HasSubstr("UnrecognizedClient"));
}

TEST_F(AccessTest, PresignedPaths) {
  Signed request = Own("GET", "/v1/cameras");
  wire::SignedParts parts{"GET", "/v1/cameras", {}, {}, "localhost:4567"};
  const std::string query =
      "?" + wire::PresignedQuery(kAnn, "us-east-1", "millrace", clock_.Now(), std::chrono::hours(1), parts);
  EXPECT_EQ(Exchange(request, {}, query).status(), 200);
  clock_.Advance(std::chrono::hours(1));
  EXPECT_EQ(Exchange(request, {}, query).status(), 200);
  clock_.Advance(std::chrono::seconds(1));
  EXPECT_EQ(Exchange(request, {}, query).status(), 401);
  EXPECT_THAT(Exchange(request, {{"Authorization", "AWS4-HMAC-SHA256 x"}}, query).raw.body,
              HasSubstr("Found both"));
}

TEST_F(AccessTest, MetricsTakeBasic) {
  const auto ask = [&](const std::string& path, const std::string& authorization) {
    return Exchange(Own("GET", path), {{"Authorization", authorization}}).status();
  };
  const auto encoded = [](const std::string& text) {
    return wire::EncodeBase64(AsBytes(std::string_view(text)));
  };
  const std::string ann = encoded(kAnn.id + ":" + kAnn.secret);
  EXPECT_EQ(ask("/metrics", "Basic " + ann), 200);
  EXPECT_EQ(ask("/metrics", "bAsIc " + ann), 200);
  EXPECT_EQ(ask("/metrics", "Basic " + encoded(kBob.id + ":" + kBob.secret)), 403);  // not allowed to him
  EXPECT_EQ(ask("/v1/cameras", "Basic " + ann), 401);                                // for metrics alone
  for (const std::string& bad :
       {std::string(), std::string("x"), ann.substr(1), encoded(kAnn.id), encoded(kAnn.id + ":"),
        encoded(":" + kAnn.secret), encoded(kAnn.id + ":" + kAnn.secret + "x"),
        encoded(kAnn.id + ":" + kBob.secret), encoded(kNobody.id + ":" + kNobody.secret),
        encoded(std::string(1700, 'a') + ":" + std::string(1700, 'b'))}) {
    EXPECT_EQ(ask("/metrics", "Basic " + bad), 401) << bad;
  }
}

TEST_F(AccessTest, Sessions) {
  const auto token = [&](std::string_view path = "") {
    return sessions_->Make(*credentials_.Now(), kAnn.id, clock_.Now() + std::chrono::hours(1), path);
  };
  const Signed request = Own("GET", "/v1/cameras");
  const std::string good = token();
  const Fields cookie{{"Cookie", "a=b; millrace_session=" + good + "; c=d"}};
  EXPECT_EQ(Exchange(request, {{"Authorization", "Bearer " + good}}).status(), 200);
  EXPECT_EQ(Exchange(request, cookie).status(), 200);
  EXPECT_EQ(Exchange(request, {}, "?SessionToken=" + good).status(), 200);
  EXPECT_EQ(Exchange(request, {}, "?SessionToken=" + good + "&SessionToken=" + good).status(), 400);
  EXPECT_EQ(Exchange(request, {}, "?SessionToken=" + good + "&X-Amz-Other=1").status(), 400);
  // Another page of this machine, or of the same site, has the browser send the cookie too.
  for (const Field& foreign : {Field{"Origin", "http://localhost:8080"}, Field{"Origin", "null"},
                               Field{"Sec-Fetch-Site", "same-site"}, Field{"Sec-Fetch-Site", "cross-site"}}) {
    EXPECT_EQ(Exchange(request, {cookie[0], foreign}).status(), 401) << foreign.second;
  }
  EXPECT_EQ(
      Exchange(request, {cookie[0], {"Origin", "http://localhost:4567"}, {"Sec-Fetch-Site", "same-origin"}})
          .status(),
      200);
  EXPECT_EQ(Exchange(request, {{"Authorization", "Bearer " + token("/hls/door/")}}).status(), 401);
  EXPECT_EQ(Exchange(request, {{"Authorization", "Bearer " + token("/v1/camera")}}).status(), 401);
  EXPECT_EQ(Exchange(request, {{"Authorization", "Bearer " + token("/v1/cameras/")}}).status(), 401);
  for (const char* path : {"/v1", "/v1/", "/v1/cameras", "/"}) {
    EXPECT_EQ(Exchange(request, {{"Authorization", "Bearer " + token(path)}}).status(), 200) << path;
  }
  for (const char* bad : {"", "x", "AAAA"}) {
    EXPECT_EQ(Exchange(request, {{"Authorization", std::string("Bearer ") + bad}}).status(), 401) << bad;
  }
  std::string changed = good;
  changed[changed.size() / 2] = changed[changed.size() / 2] == 'A' ? 'B' : 'A';
  EXPECT_EQ(Exchange(request, {{"Authorization", "Bearer " + changed}}).status(), 401);
  // A key that gets another secret ends its sessions.
  auto all = MakePolicy({{true, {"*"}, {"*"}}});
  ASSERT_TRUE(credentials_.Replace({{"ann", {{kAnn.id, "another"}}, {all}}}));
  EXPECT_EQ(Exchange(request, cookie).status(), 401);
  ASSERT_TRUE(credentials_.Replace({{"ann", {kAnn}, {all}}}));
  clock_.Advance(std::chrono::hours(1) + std::chrono::seconds(1));
  EXPECT_EQ(Exchange(request, cookie).status(), 401);
}

TEST_F(AccessTest, TheAuditLogSaysWhoDidWhat) {
  Send(Operation("CreateStream", R"({"StreamName":"door","ShardCount":1})"));
  Audit(1);
  Send(Operation("DeleteStream", R"({"StreamName":"door"})", kBob));
  Audit(2);
  Exchange(Own("GET", "/healthz"), {});
  const Signed request = Operation("ListStreams", "{}");
  Exchange(request, request.headers);
  std::vector<boost::json::object> lines;
  const std::string text = Audit(3);
  for (std::size_t at = 0; at < text.size();) {
    const auto end = text.find('\n', at);
    lines.push_back(boost::json::parse(text.substr(at, end - at)).as_object());
    at = end + 1;
  }
  ASSERT_EQ(lines.size(), 3u) << text;
  EXPECT_EQ(lines[0].at("user"), "ann");
  EXPECT_EQ(lines[0].at("key"), "MRANN");
  EXPECT_EQ(lines[0].at("action"), "kinesis:CreateStream");
  EXPECT_EQ(lines[0].at("resource"), "arn:aws:kinesis:us-east-1:000000000000:stream/door");
  EXPECT_EQ(lines[0].at("status"), 200);
  EXPECT_EQ(lines[0].at("path"), "/");
  EXPECT_EQ(lines[0].at("request_id").as_string().size(), 36u);
  EXPECT_FALSE(lines[0].contains("error"));
  EXPECT_EQ(lines[1].at("user"), "bob");
  EXPECT_EQ(lines[1].at("error"), "AccessDeniedException");
  EXPECT_FALSE(lines[2].contains("user"));
  EXPECT_EQ(lines[2].at("error"), "MissingAuthenticationTokenException");
  EXPECT_THAT(text, Not(HasSubstr("secret")));
  EXPECT_THAT(text, Not(HasSubstr("Signature=")));
}

TEST(SigningKeysTest, AreWhatIsDerivedAlsoTheSecondTimeAndForOthers) {
  SigningKeys keys;
  const wire::SignatureScope scope{"20150830", "us-east-1", "kinesis"};
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(keys.Of("secret", scope), wire::SigningKey("secret", scope));
    EXPECT_EQ(keys.Of("another", scope), wire::SigningKey("another", scope));
    for (const auto& [date, region, service] :
         {std::tuple{"20150831", "us-east-1", "kinesis"}, std::tuple{"20150830", "eu-west-1", "kinesis"},
          std::tuple{"20150830", "us-east-1", "kinesisvideo"}}) {
      const wire::SignatureScope other{date, region, service};
      EXPECT_EQ(keys.Of("secret", other), wire::SigningKey("secret", other));
    }
  }
}

TEST(SigningKeysTest, AreAsManyAsOneLikesAndOfAnyScope) {
  SigningKeys keys;
  for (std::size_t i = 0; i < 2 * SigningKeys::kKeysMax; ++i) {
    const wire::SignatureScope scope{"20150830", "region-" + std::to_string(i), "kinesis"};
    ASSERT_EQ(keys.Of("secret", scope), wire::SigningKey("secret", scope));
  }
  const wire::SignatureScope long_one{"20150830", std::string(10'000, 'x'), "kinesis"};
  EXPECT_EQ(keys.Of("secret", long_one), wire::SigningKey("secret", long_one));
}

}  // namespace
}  // namespace millrace::api::testing
