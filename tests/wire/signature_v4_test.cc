// Signature V4: the published examples, what is refused and in which words, and bodies in signed chunks,
// whole and byte by byte.
#include "wire/signature_v4.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "wire/signature_claim.h"
#include "wire/signed_chunks.h"

namespace millrace::wire {
namespace {

using ::testing::HasSubstr;
using Field = SignedParts::Field;
using Fields = std::vector<Field>;

const AccessKey kKey{"AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"};
constexpr std::string_view kServices[] = {"service", "kinesis"};
constexpr char kTime[] = "20150830T123600Z";

Timestamp Now() { return *ParseSignatureTime(kTime); }

// The examples of AWS's own test suite for signers: key AKIDEXAMPLE, us-east-1, "service".
struct Example {
  const char* name;
  const char* method;
  const char* path;
  Fields query;
  Fields headers;
  std::vector<std::string> signed_headers;
  const char* signature;
};

void PrintTo(const Example& example, std::ostream* out) { *out << example.name; }

class PublishedExamples : public ::testing::TestWithParam<Example> {};

TEST_P(PublishedExamples, HaveTheirSignature) {
  const Example& example = GetParam();
  SignedParts parts{example.method, example.path, example.query, example.headers, "example.amazonaws.com"};
  const SignatureScope scope{"20150830", "us-east-1", "service"};
  EXPECT_EQ(SignRequest(SigningKey(kKey.secret, scope), kTime, scope,
                        CanonicalRequest(parts, example.signed_headers, kEmptyPayloadHash)),
            example.signature);
}

INSTANTIATE_TEST_SUITE_P(
    AwsSigV4TestSuite, PublishedExamples,
    ::testing::Values(
        Example{"get_vanilla",
                "GET",
                "/",
                {},
                {{"X-Amz-Date", kTime}},
                {"host", "x-amz-date"},
                "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
        Example{"post_vanilla",
                "POST",
                "/",
                {},
                {{"X-Amz-Date", kTime}},
                {"host", "x-amz-date"},
                "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"},
        Example{"get_vanilla_query_order_key_case",
                "GET",
                "/",
                {{"Param2", "value2"}, {"Param1", "value1"}},
                {{"X-Amz-Date", kTime}},
                {"host", "x-amz-date"},
                "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"},
        Example{"get_header_value_trim",
                "GET",
                "/",
                {},
                {{"My-Header1", " value1"}, {"My-Header2", " \"a   b   c\""}, {"X-Amz-Date", kTime}},
                {"host", "my-header1", "my-header2", "x-amz-date"},
                "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736"}),
    [](const auto& one) { return std::string(one.param.name); });

TEST(SignatureV4, EscapesThePathOnceMore) {
  SignedParts parts{"GET", "/hls//a%2Fb/x.m3u8", {}, {}, "h"};
  const std::vector<std::string> names{"host"};
  EXPECT_THAT(CanonicalRequest(parts, names, kEmptyPayloadHash),
              HasSubstr("GET\n/hls/a%252Fb/x.m3u8\n\nhost:h\n"));
}

TEST(SignatureV4, JoinsHeadersThatRepeat) {
  const Fields headers{{"A", "1"}, {"a", " 2  3 "}};
  SignedParts parts{"GET", "/", {}, headers, "h"};
  const std::vector<std::string> names{"a", "host"};
  EXPECT_THAT(CanonicalRequest(parts, names, kEmptyPayloadHash), HasSubstr("a:1,2 3\nhost:h\n\na;host\n"));
}

TEST(SignatureV4, TimesGoBothWays) {
  EXPECT_EQ(FormatSignatureTime(Now()), kTime);
  for (const char* bad : {"", "20150830T123600", "20150830 123600Z", "20150230T123600Z", "20151330T123600Z",
                          "20150830T126000Z", "2015083aT123600Z", "00000000T000000Z", "20150830T123600Zx",
                          "19691231T235959Z", "22010101T000000Z", "99991231T235959Z"}) {
    EXPECT_FALSE(ParseSignatureTime(bad)) << bad;
  }
  EXPECT_EQ(FormatSignatureTime(*ParseSignatureTime("22001231T235959Z")), "22001231T235959Z");
}

// -- claims

Fields SignedHeaders(const Fields& headers = {{"X-Amz-Target", "Kinesis_20131202.ListStreams"}},
                     std::string_view payload_hash = kEmptyPayloadHash) {
  SignedParts parts{"POST", "/", {}, headers, "localhost:4567"};
  Fields all = headers;
  for (Field& field : SignatureHeaders(kKey, "us-east-1", "kinesis", Now(), parts, payload_hash))
    all.push_back(std::move(field));
  return all;
}

// "type: message" of the refusal; "" for a claim.
std::string Refusal(const Fields& headers, const Fields& query = {}) {
  const ClaimOrRefusal read = ReadClaim(headers, query);
  const auto* refusal = std::get_if<SignatureRefusal>(&read);
  return refusal == nullptr ? "" : refusal->type + ": " + refusal->message;
}

SignatureClaim Claim(const Fields& headers, const Fields& query = {}) {
  ClaimOrRefusal read = ReadClaim(headers, query);
  EXPECT_TRUE(std::holds_alternative<SignatureClaim>(read)) << Refusal(headers, query);
  return std::holds_alternative<SignatureClaim>(read) ? std::get<SignatureClaim>(read) : SignatureClaim();
}

bool Matches(const Fields& headers, const char* method = "POST", const char* path = "/",
             const char* host = "localhost:4567", const Fields& query = {},
             std::string_view payload_hash = kEmptyPayloadHash) {
  const SignatureClaim claim = Claim(headers, query);
  SignedParts parts{method, path, query, headers, host};
  return SignatureMatches(claim, SigningKey(kKey.secret, claim.scope), parts, payload_hash);
}

TEST(SignatureClaim, WhatWeSignWeTake) {
  const Fields headers = SignedHeaders();
  EXPECT_TRUE(Matches(headers));
  EXPECT_EQ(Claim(headers).key_id, "AKIDEXAMPLE");
  EXPECT_FALSE(CheckClaim(Claim(headers), Now(), kServices));
}

TEST(SignatureClaim, AnyChangeIsNoticed) {
  const Fields headers = SignedHeaders();
  EXPECT_FALSE(Matches(headers, "PUT"));
  EXPECT_FALSE(Matches(headers, "POST", "/x"));
  EXPECT_FALSE(Matches(headers, "POST", "/", "localhost:4568"));
  EXPECT_FALSE(Matches(headers, "POST", "/", "localhost:4567", {{"a", "b"}}));
  EXPECT_FALSE(Matches(headers, "POST", "/", "localhost:4567", {}, kUnsignedPayload));
  Fields changed = headers;
  changed[0].second = "Kinesis_20131202.DeleteStream";
  EXPECT_FALSE(Matches(changed));
  changed = headers;
  changed[1].second = "20150830T123601Z";
  EXPECT_FALSE(Matches(changed));
  const SignatureClaim claim = Claim(headers);
  SignedParts parts{"POST", "/", {}, headers, "localhost:4567"};
  EXPECT_FALSE(SignatureMatches(claim, SigningKey("another", claim.scope), parts, kEmptyPayloadHash));
}

TEST(SignatureClaim, TakesAHostThatWasSignedWithoutItsPort) {
  for (const auto& [signed_host, sent] : {std::pair{"localhost", "localhost:4567"},
                                          std::pair{"[::1]", "[::1]:4567"}, std::pair{"::1", "::1"}}) {
    SignedParts parts{"POST", "/putMedia", {}, {}, signed_host};
    const Fields headers = SignatureHeaders(kKey, "us-east-1", "kinesis", Now(), parts, kEmptyPayloadHash);
    EXPECT_TRUE(Matches(headers, "POST", "/putMedia", sent)) << sent;
    EXPECT_FALSE(Matches(headers, "POST", "/putMedia", "elsewhere:4567"));
  }
}

TEST(SignatureClaim, TakesTheAuthorityForTheHost) {
  const std::vector<std::string> names{":authority", "x-amz-date"};
  const SignatureScope scope{"20150830", "us-east-1", "kinesis"};
  const Fields dated{{"x-amz-date", kTime}};
  SignedParts parts{"POST", "/", {}, dated, "localhost:4567"};
  const std::string signature = SignRequest(SigningKey(kKey.secret, scope), kTime, scope,
                                            CanonicalRequest(parts, names, kEmptyPayloadHash));
  Fields headers = dated;
  headers.emplace_back("authorization", "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/" + scope.ToString() +
                                            ", SignedHeaders=:authority;x-amz-date, Signature=" + signature);
  EXPECT_TRUE(Matches(headers));
  EXPECT_FALSE(Matches(headers, "POST", "/", "evil:4567"));
}

TEST(SignatureClaim, PresignedQueries) {
  const Fields asked{{"start", "2015-08-30T12:00:00Z"}};
  SignedParts parts{"GET", "/hls/door/index.m3u8", asked, {}, "localhost:4567"};
  const std::string text =
      PresignedQuery(kKey, "us-east-1", "kinesis", Now(), std::chrono::seconds(60), parts);
  EXPECT_THAT(text,
              HasSubstr("X-Amz-Credential=AKIDEXAMPLE%2F20150830%2Fus-east-1%2Fkinesis%2Faws4_request"));
  Fields query = asked;
  query.insert(query.end(), {{"X-Amz-Algorithm", "AWS4-HMAC-SHA256"},
                             {"X-Amz-Credential", "AKIDEXAMPLE/20150830/us-east-1/kinesis/aws4_request"},
                             {"X-Amz-Date", kTime},
                             {"X-Amz-Expires", "60"},
                             {"X-Amz-SignedHeaders", "host"},
                             {"X-Amz-Signature", text.substr(text.rfind('=') + 1)}});
  EXPECT_TRUE(Matches({}, "GET", "/hls/door/index.m3u8", "localhost:4567", query));
  EXPECT_FALSE(Matches({}, "GET", "/hls/yard/index.m3u8", "localhost:4567", query));
  const SignatureClaim claim = Claim({}, query);
  EXPECT_FALSE(CheckClaim(claim, Now() + std::chrono::seconds(60), kServices));
  const auto expired = CheckClaim(claim, Now() + std::chrono::seconds(61), kServices);
  ASSERT_TRUE(expired);
  EXPECT_THAT(expired->message, HasSubstr("Signature expired"));
  query[0].second = "1970-01-01T00:00:00Z";
  EXPECT_FALSE(Matches({}, "GET", "/hls/door/index.m3u8", "localhost:4567", query));
  for (std::size_t i = 1; i < query.size(); ++i) {
    Fields fewer = query;
    fewer.erase(fewer.begin() + static_cast<std::ptrdiff_t>(i));
    if (query[i].first == "X-Amz-Algorithm") {
      EXPECT_THAT(Refusal({}, fewer), HasSubstr("MissingAuthenticationToken"));
    } else {
      EXPECT_EQ(Refusal({}, fewer),
                "IncompleteSignatureException: AWS query-string parameters must include '" + query[i].first +
                    "'. Re-examine the query-string parameters.");
    }
  }
  for (const char* expires : {"0", "-1", "604801", "x", "1x", "99999999999999999999"}) {
    Fields other = query;
    other[4].second = expires;
    EXPECT_THAT(Refusal({}, other), HasSubstr("X-Amz-Expires")) << expires;
  }
  Fields twice = query;
  twice.push_back(query[2]);
  EXPECT_THAT(Refusal({}, twice), HasSubstr("once"));
}

TEST(SignatureClaim, RefusesInTheServicesWords) {
  const Fields good = SignedHeaders();
  const std::string authorization = good.back().second;
  const auto with = [&](const std::string& value) {
    Fields headers = good;
    headers.back().second = value;
    return Refusal(headers);
  };
  EXPECT_EQ(Refusal({}), "MissingAuthenticationTokenException: Missing Authentication Token");
  EXPECT_EQ(Refusal(good, {{"X-Amz-Algorithm", "AWS4-HMAC-SHA256"}}),
            "InvalidSignatureException: Found both 'X-Amz-Algorithm' as a query-string param and "
            "'Authorization' as "
            "HTTP header.");
  EXPECT_EQ(with("AWS4-HMAC-SHA256 a=b"),
            "IncompleteSignatureException: Authorization header requires 'Credential' parameter. "
            "Authorization header "
            "requires 'Signature' parameter. Authorization header requires 'SignedHeaders' parameter. "
            "Authorization=AWS4-HMAC-SHA256 a=b");
  Fields undated = good;
  undated.erase(undated.begin() + 1);
  EXPECT_THAT(
      Refusal(undated),
      HasSubstr("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. "));
  EXPECT_THAT(with("AWS4-HMAC-SHA256 Credential=a, nonsense"), HasSubstr("missing equal-sign"));
  EXPECT_THAT(with("AWS4-ECDSA-P256-SHA256 Credential=a"), HasSubstr("Unsupported AWS 'algorithm'"));
  EXPECT_THAT(with("Basic YTpi"), HasSubstr("IncompleteSignatureException"));
  const auto replaced = [&](const std::string& from, const std::string& to) {
    std::string text = authorization;
    text.replace(text.find(from), from.size(), to);
    return with(text);
  };
  EXPECT_THAT(replaced("/aws4_request", "/aws5_request"), HasSubstr("Credential must have exactly 5"));
  EXPECT_THAT(replaced("AKIDEXAMPLE/", ""), HasSubstr("Credential must have exactly 5"));
  EXPECT_THAT(replaced("host;", ""), HasSubstr("'Host' or ':authority' must be a 'SignedHeader'"));
  EXPECT_THAT(replaced(";x-amz-target", ""), HasSubstr("'x-amz-target' must be a 'SignedHeader'"));
  EXPECT_THAT(replaced("host;", "host;host;"), HasSubstr("'SignedHeaders' must be"));
  EXPECT_THAT(replaced("host;", "Host;"), HasSubstr("'SignedHeaders' must be"));
  EXPECT_THAT(replaced("Signature=", "Signature=0"), HasSubstr("does not match"));
  EXPECT_THAT(with(authorization + ", Signature=" + std::string(64, '0')), HasSubstr("twice"));
  Fields misdated = good;
  for (const char* bad :
       {"yesterday", "99991231T235959Z", "Fri, 31 Dec 9999 23:59:59 GMT", "Wed, 31 Dec 1969 23:59:59 GMT",
        "Mon, 30 Aug 2015 12:36:00 GMT", "Mon, 30 Feb 2015 12:36:00 GMT", "sun, 30 Aug 2015 12:36:00 GMT",
        "Sunday, 30 Aug 2015 12:36:00 GMT", "Sun, 30 Aug 2015 12:36:60 GMT", "Sun, 30 Aug 2015  12:36:00 GMT",
        "Sun, 30 Aug 15 12:36:00 GMT"}) {
    misdated[1].second = bad;
    EXPECT_THAT(Refusal(misdated), HasSubstr("Date must be in ISO-8601")) << bad;
  }
}

TEST(SignatureClaim, TakesADateHeader) {
  const Fields headers{
      {"Date", "Sun, 30 Aug 2015 12:36:00 GMT"},
      {"Authorization",
       "AWS4-HMAC-SHA256 Credential=a/20150830/r/kinesis/aws4_request,SignedHeaders=date;host,"
       "Signature=" +
           std::string(64, 'a')}};
  EXPECT_EQ(Claim(headers).time_text, kTime);
}

TEST(SignatureClaim, ItsTimeIsWithinFifteenMinutes) {
  const SignatureClaim claim = Claim(SignedHeaders());
  const auto check = [&](std::chrono::seconds later) {
    const auto refused = CheckClaim(claim, Now() + later, kServices);
    return refused ? refused->type + ": " + refused->message : "";
  };
  EXPECT_EQ(check(std::chrono::minutes(15)), "");
  EXPECT_EQ(check(-std::chrono::minutes(15)), "");
  EXPECT_EQ(
      check(std::chrono::seconds(901)),
      "InvalidSignatureException: Signature expired: 20150830T123600Z is now earlier than 20150830T123601Z "
      "(20150830T125101Z - 15 min.)");
  EXPECT_EQ(check(-std::chrono::seconds(901)),
            "InvalidSignatureException: Signature not yet current: 20150830T123600Z is still later than "
            "20150830T123559Z (20150830T122059Z + 15 min.)");
}

TEST(SignatureClaim, ItsScopeIsOfItsDayAndService) {
  SignatureClaim claim = Claim(SignedHeaders());
  claim.scope.service = "s3";
  EXPECT_THAT(CheckClaim(claim, Now(), kServices)->message,
              HasSubstr("scoped to correct service: 'service'"));
  claim.scope.date = "20150831";
  EXPECT_THAT(CheckClaim(claim, Now(), kServices)->message, HasSubstr("'20150831' != '20150830'"));
}

// -- chunks

// The example of the specification: 66560 times "a", in chunks of 64 KiB, 1 KiB and nothing.
struct ChunkedExample {
  SignatureClaim claim;
  Digest key;
  std::string body;

  ChunkedExample() {
    claim.scope = {"20130524", "us-east-1", "s3"};
    claim.time_text = "20130524T000000Z";
    claim.signature = "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9";
    key = SigningKey("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", claim.scope);
    body = "10000;chunk-signature=ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648\r\n" +
           std::string(65536, 'a') + "\r\n" +
           "400;chunk-signature=0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497\r\n" +
           std::string(1024, 'a') + "\r\n" +
           "0;chunk-signature=b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9\r\n\r\n";
  }

  // What a reader makes of it in pieces of this size; "!" and the error's code where it fails.
  std::string Read(const std::string& text, std::size_t step,
                   ChunkedPayload kind = ChunkedPayload::kSigned) const {
    SignedChunkReader reader(kind, claim, key);
    std::string out;
    for (std::size_t at = 0; at < text.size(); at += step) {
      auto got = reader.Append(AsBytes(std::string_view(text).substr(at, step)));
      if (!got) return "!" + std::string(ToString(got.error().code));
      out += AsText(*got);
    }
    return reader.done() ? out : "!not done";
  }
};

TEST(SignedChunks, TheSpecificationsExample) {
  const ChunkedExample example;
  for (const std::size_t step : {std::size_t{1}, std::size_t{7}, std::size_t{65536}, example.body.size()}) {
    EXPECT_EQ(example.Read(example.body, step), std::string(66560, 'a')) << step;
  }
}

TEST(SignedChunks, RefusesWhatWasChanged) {
  const ChunkedExample example;
  const auto changed = [&](std::size_t at, char to) {
    std::string body = example.body;
    body[at] = to;
    return example.Read(body, body.size());
  };
  EXPECT_EQ(changed(100, 'b'), "!unauthenticated");                      // of the first chunk's data
  EXPECT_EQ(changed(30, 'f'), "!unauthenticated");                       // of its signature
  EXPECT_EQ(changed(example.body.size() - 5, '0'), "!unauthenticated");  // of the last one's
  EXPECT_EQ(changed(0, 'g'), "!invalid_argument");                       // its length
  EXPECT_EQ(changed(30, 'G'), "!invalid_argument");
  EXPECT_EQ(example.Read(example.body.substr(0, example.body.size() - 2), 1000), "!not done");
  EXPECT_EQ(example.Read(example.body.substr(0, 66000), 1000), "!not done");
  EXPECT_EQ(example.Read(example.body + "x", example.body.size()), "!invalid_argument");
  EXPECT_EQ(example.Read(example.body + "x", example.body.size() + 1), "!invalid_argument");
  EXPECT_EQ(example.Read("100001;chunk-signature=" + std::string(64, 'a') + "\r\n", 100),
            "!invalid_argument");
  EXPECT_EQ(example.Read(std::string(600, '1'), 600), "!invalid_argument");
  EXPECT_EQ(example.Read("5\r\nhello\r\n0\r\n\r\n", 100), "!invalid_argument");
  // Chunks of the example in another order.
  const std::size_t second = example.body.find("400;");
  EXPECT_EQ(example.Read(example.body.substr(second), 100), "!unauthenticated");
}

TEST(SignedChunks, UnsignedWithTrailers) {
  const ChunkedExample example;
  const auto read = [&](const std::string& text) {
    return example.Read(text, text.size(), ChunkedPayload::kUnsignedTrailer);
  };
  EXPECT_EQ(read("5\r\nhello\r\n1\r\n!\r\n0\r\nx-amz-checksum-crc32:abc=\r\n\r\n"), "hello!");
  EXPECT_EQ(read("5\r\nhelloxx0\r\n\r\n"), "!invalid_argument");
  EXPECT_EQ(read("5\r\nhello\r\n0\r\nnocolon\r\n\r\n"), "!invalid_argument");
  EXPECT_EQ(read("\r\n"), "!invalid_argument");
  EXPECT_EQ(read("-1\r\n\r\n"), "!invalid_argument");
}

TEST(SignedChunks, SignedTrailers) {
  const ChunkedExample example;
  const auto sign = [&](const std::string& algorithm, const std::string& previous, const std::string& rest) {
    return Hex(HmacSha256(example.key, algorithm + "\n" + example.claim.time_text + "\n" +
                                           example.claim.scope.ToString() + "\n" + previous + "\n" + rest));
  };
  const auto chunk = [&](const std::string& previous, const std::string& data) {
    return sign("AWS4-HMAC-SHA256-PAYLOAD", previous,
                std::string(kEmptyPayloadHash) + "\n" + Hex(Sha256Of(AsBytes(data))));
  };
  const std::string first = chunk(example.claim.signature, "hi");
  const std::string last = chunk(first, "");
  const std::string trailer =
      sign("AWS4-HMAC-SHA256-TRAILER", last, Hex(Sha256Of(AsBytes("x-amz-checksum-crc32:abc=\n"))));
  const std::string begin = "2;chunk-signature=" + first + "\r\nhi\r\n0;chunk-signature=" + last + "\r\n";
  const auto read = [&](const std::string& text) {
    return example.Read(text, 3, ChunkedPayload::kSignedTrailer);
  };
  EXPECT_EQ(read(begin + "x-amz-checksum-crc32:abc=\r\nx-amz-trailer-signature:" + trailer + "\r\n\r\n"),
            "hi");
  EXPECT_EQ(read(begin + "x-amz-checksum-crc32:abd=\r\nx-amz-trailer-signature:" + trailer + "\r\n\r\n"),
            "!unauthenticated");
  EXPECT_EQ(read(begin + "x-amz-checksum-crc32:abc=\r\n\r\n"), "!invalid_argument");
  EXPECT_EQ(read(begin + "x-amz-trailer-signature:nothex\r\n\r\n"), "!invalid_argument");
}

}  // namespace
}  // namespace millrace::wire
