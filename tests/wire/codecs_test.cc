// Base64, the JSON writer and sealed tokens: what goes in comes out, and what nobody sealed is refused.
#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <set>

#include "wire/base64.h"
#include "wire/json_writer.h"
#include "wire/sealed_token.h"

namespace millrace::wire {
namespace {

Bytes FromText(std::string_view text) { return Bytes(text.begin(), text.end()); }

// RFC 4648 section 10.
TEST(Base64, HasTheVectorsOfTheRfc) {
  const std::pair<const char*, const char*> vectors[] = {{"", ""},
                                                         {"f", "Zg=="},
                                                         {"fo", "Zm8="},
                                                         {"foo", "Zm9v"},
                                                         {"foob", "Zm9vYg=="},
                                                         {"fooba", "Zm9vYmE="},
                                                         {"foobar", "Zm9vYmFy"}};
  for (const auto& [plain, text] : vectors) {
    EXPECT_EQ(EncodeBase64(AsBytes(plain)), text);
    const auto decoded = DecodeBase64(text);
    ASSERT_TRUE(decoded) << text;
    EXPECT_EQ(*decoded, FromText(plain));
  }
}

TEST(Base64, TakesBackWhatItGaveAtEveryLength) {
  Bytes bytes;
  for (int length = 0; length < 300; ++length) {
    const std::string text = EncodeBase64(bytes);
    EXPECT_EQ(text.size(), Base64Length(bytes.size()));
    const auto decoded = DecodeBase64(text);
    ASSERT_TRUE(decoded) << length;
    EXPECT_EQ(*decoded, bytes);
    bytes.push_back(static_cast<std::uint8_t>(length * 37));
  }
}

TEST(Base64, AppendsBehindWhatIsThere) {
  std::string text = "x:";
  AppendBase64(text, AsBytes("foo"));
  AppendBase64(text, {});
  EXPECT_EQ(text, "x:Zm9v");
}

struct BadBase64 {
  const char* name;
  const char* text;
  const char* says;
};

class Base64Refuses : public testing::TestWithParam<BadBase64> {};

TEST_P(Base64Refuses, InTheServicesWords) {
  const auto decoded = DecodeBase64(GetParam().text);
  ASSERT_FALSE(decoded);
  EXPECT_EQ(decoded.error().code, ErrorCode::kInvalidArgument);
  EXPECT_NE(decoded.error().message.find(GetParam().says), std::string::npos) << decoded.error().message;
}

INSTANTIATE_TEST_SUITE_P(
    Cases, Base64Refuses,
    testing::Values(BadBase64{"Short", "abc", "multiple of 4 bytes but found: 3"},
                    BadBase64{"OneMore", "Zm9vY", "multiple of 4 bytes but found: 5"},
                    BadBase64{"PaddingAlone", "====", "Invalid Base64 character: '='"},
                    BadBase64{"ThreePads", "Z===", "Invalid Base64 character: '='"},
                    BadBase64{"PaddingInside", "Zg==Zg==", "Invalid Base64 character: '='"},
                    BadBase64{"Space", "Zm9 Zm9v", "Invalid Base64 character: ' '"},
                    BadBase64{"Newline", "Zm9\nZm9v", "Invalid Base64 character"},
                    BadBase64{"UrlAlphabet", "Zm-_", "Invalid Base64 character: '-'"},
                    BadBase64{"NotAscii", "Zm9\xC3\xA9Zm9", "Invalid Base64 character: '?'"},
                    BadBase64{"BitsBehindOneByte", "Zh==", "Invalid last non-pad"},
                    BadBase64{"BitsBehindTwoBytes", "Zm9=", "Invalid last non-pad"}),
    [](const auto& one) { return one.param.name; });

TEST(JsonWriter, WritesWhatAParserReads) {
  JsonWriter json;
  json.BeginObject();
  json.Key("text").String("a \"quoted\" \n \xC3\xA9");
  json.Key("list").BeginArray().Integer(-7).Unsigned(18'446'744'073'709'551'615U).Bool(true);
  json.BeginObject().EndObject().BeginArray().EndArray().EndArray();
  json.Key("blob").Base64(AsBytes("foob"));
  json.EndObject();
  const std::string text = std::move(json).Take();
  EXPECT_EQ(text,
            "{\"text\":\"a \\\"quoted\\\" \\n \xC3\xA9\",\"list\":[-7,18446744073709551615,true,{},[]],"
            "\"blob\":\"Zm9vYg==\"}");
  boost::system::error_code ec;
  EXPECT_TRUE(boost::json::parse(text, ec).is_object());
  EXPECT_FALSE(ec);
}

TEST(JsonWriter, HasTimesAsSecondsWithoutAnExponent) {
  EXPECT_EQ(SecondsText(Timestamp::FromMillis(1'763'690'820'250)), "1763690820.250");
  EXPECT_EQ(SecondsText(Timestamp::FromMillis(0)), "0.000");
  EXPECT_EQ(SecondsText(Timestamp::FromMillis(7)), "0.007");
  EXPECT_EQ(SecondsText(Timestamp::FromMillis(-1)), "-0.001");
  EXPECT_EQ(SecondsText(Timestamp::FromMillis(-1'500)), "-1.500");
  EXPECT_EQ(SecondsText(Timestamp{1'999'999}), "0.001") << "rounded towards the past";
}

class SealedToken : public testing::Test {
 protected:
  const TokenSealer::Key key_ = TokenSealer::MakeKey();
  const TokenSealer sealer_{key_};
};

TEST_F(SealedToken, OpensToWhatWasSealed) {
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{13}, std::size_t{14},
                                 std::size_t{15}, std::size_t{200}, TokenSealer::kContentsBytesMax}) {
    Bytes contents(size, 0xA5);
    const auto opened = sealer_.Open("test", sealer_.Seal("test", contents));
    ASSERT_TRUE(opened) << size;
    EXPECT_EQ(*opened, contents);
  }
}

// Clients' test suites look for this form.
TEST_F(SealedToken, LooksAsTheServicesTokensDo) {
  for (std::size_t size = 0; size < 64; ++size) {
    const auto bytes = DecodeBase64(sealer_.Seal("test", Bytes(size, 7)));
    ASSERT_TRUE(bytes);
    EXPECT_EQ(Bytes(bytes->begin(), bytes->begin() + 8), (Bytes{0, 0, 0, 0, 0, 0, 0, 1}));
    EXPECT_EQ((bytes->size() - 8) % 16, 0U);
  }
}

TEST_F(SealedToken, IsNeverTheSameTwice) {
  std::set<std::string> tokens;
  for (int i = 0; i < 100; ++i) tokens.insert(sealer_.Seal("test", {}));
  EXPECT_EQ(tokens.size(), 100U);
}

TEST_F(SealedToken, IsRefusedWithAnyBitChanged) {
  const std::string token = sealer_.Seal("test", AsBytes("stream and place"));
  const Bytes sealed = *DecodeBase64(token);
  for (std::size_t bit = 0; bit < sealed.size() * 8; ++bit) {
    Bytes changed = sealed;
    changed[bit / 8] = static_cast<std::uint8_t>(changed[bit / 8] ^ (1 << (bit % 8)));
    EXPECT_FALSE(sealer_.Open("test", EncodeBase64(changed))) << bit;
  }
}

TEST_F(SealedToken, IsRefusedAtEveryOtherLength) {
  const std::string token = sealer_.Seal("test", AsBytes("stream and place"));
  for (std::size_t length = 0; length < token.size(); ++length) {
    EXPECT_FALSE(sealer_.Open("test", token.substr(0, length))) << length;
  }
  EXPECT_FALSE(sealer_.Open("test", token + token));
  EXPECT_FALSE(sealer_.Open("test", std::string(1 << 20, 'A')));
}

TEST_F(SealedToken, IsRefusedForAnotherPurposeAndByAnotherKey) {
  const std::string token = sealer_.Seal("test", AsBytes("x"));
  EXPECT_FALSE(sealer_.Open("tes", token));
  EXPECT_FALSE(sealer_.Open("", token));
  EXPECT_FALSE(TokenSealer(TokenSealer::MakeKey()).Open("test", token));
  EXPECT_TRUE(TokenSealer(key_).Open("test", token)) << "the same key in another process";
}

}  // namespace
}  // namespace millrace::wire
