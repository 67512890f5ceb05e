// CBOR as the AWS protocols use it: every form of the RFC becomes the document that JSON would, times and
// blobs take AWS's forms, and no bytes crash, hang or take memory that they did not bring.
#include "wire/cbor.h"

#include <gtest/gtest.h>

#include <boost/json/serialize.hpp>

#include "tests/hex.h"

namespace millrace::wire {
namespace {

using test::FromHex;
using test::ToHex;

struct Good {
  const char* name;
  const char* hex;
  const char* json;
};

class CborIsRead : public testing::TestWithParam<Good> {};

TEST_P(CborIsRead, AsTheDocumentOfJson) {
  const auto value = DecodeCbor(FromHex(GetParam().hex), 16);
  ASSERT_TRUE(value) << value.error().ToString();
  EXPECT_EQ(boost::json::serialize(*value), GetParam().json);
}

// RFC 8949 appendix A, and what that leaves out.
INSTANTIATE_TEST_SUITE_P(
    Rfc8949AppendixA, CborIsRead,
    testing::Values(Good{"Zero", "00", "0"}, Good{"TwentyThree", "17", "23"},
                    Good{"TwentyFour", "1818", "24"}, Good{"Thousand", "1903e8", "1000"},
                    Good{"Million", "1a000f4240", "1000000"},
                    Good{"Trillion", "1b000000e8d4a51000", "1000000000000"},
                    Good{"LongerThanNeedBe", "1b0000000000000001", "1"},
                    Good{"MaxUnsigned", "1bffffffffffffffff", "18446744073709551615"},
                    Good{"MinusOne", "20", "-1"}, Good{"MinusThousand", "3903e7", "-1000"},
                    Good{"MinSigned", "3b7fffffffffffffff", "-9223372036854775808"},
                    Good{"BelowMinSigned", "3bffffffffffffffff", "-1.8446744073709552E19"},
                    Good{"HalfZero", "f90000", "0E0"}, Good{"HalfOneAndAHalf", "f93e00", "1.5E0"},
                    Good{"HalfSmallest", "f90001", "5.960464477539063E-8"}, Good{"Half", "f9c400", "-4E0"},
                    Good{"Single", "fa47c35000", "1E5"}, Good{"Double", "fbc010666666666666", "-4.1E0"},
                    Good{"False", "f4", "false"}, Good{"True", "f5", "true"}, Good{"Null", "f6", "null"},
                    Good{"Undefined", "f7", "null"}, Good{"EmptyText", "60", "\"\""},
                    Good{"Text", "6449455446", "\"IETF\""}, Good{"TextOfTwoBytes", "62c3bc", "\"\xC3\xBC\""},
                    Good{"TextInChunks", "7f657374726561646d696e67ff", "\"streaming\""},
                    Good{"TextOfNoChunks", "7fff", "\"\""}, Good{"EmptyArray", "80", "[]"},
                    Good{"Array", "8301820203820405", "[1,[2,3],[4,5]]"},
                    Good{"IndefiniteArray", "9f018202039f0405ffff", "[1,[2,3],[4,5]]"},
                    Good{"LongCount", "9a0000000101", "[1]"}, Good{"EmptyMap", "a0", "{}"},
                    Good{"Map", "a26161016162820203", "{\"a\":1,\"b\":[2,3]}"},
                    Good{"IndefiniteMap", "bf61610161629f0203ffff", "{\"a\":1,\"b\":[2,3]}"},
                    Good{"KeyInChunks", "a17f61616162ff01", "{\"ab\":1}"},
                    Good{"EqualKeys", "a2616101616102", "{\"a\":2}"},
                    Good{"Millis", "c11b000001a1fcb0affa", "1.79524080025E9"},
                    Good{"MillisBefore1970", "c12a", "-1.1E-2"},
                    Good{"MillisAsDouble", "c1fb4097700000000000", "1.5E0"},
                    Good{"OtherTag", "d7426162",
                         "\"\xFF"
                         "ab\""},
                    Good{"LargeTag", "da0000ffff01", "1"}),
    [](const auto& one) { return one.param.name; });

TEST(CborBytes, AreToldFromText) {
  const auto read = [](const char* hex) {
    const auto value = DecodeCbor(FromHex(hex), 16);
    EXPECT_TRUE(value);
    return std::string(value->as_string().c_str(), value->as_string().size());
  };
  EXPECT_EQ(AsText(*CborBytesOf(read("43ff0061"))), std::string("\xFF\0a", 3));
  EXPECT_EQ(AsText(*CborBytesOf(read("5f42010243030405ff"))), "\x01\x02\x03\x04\x05");
  EXPECT_TRUE(CborBytesOf(read("40"))->empty());
  EXPECT_TRUE(CborBytesOf(read("5fff"))->empty());
  EXPECT_FALSE(CborBytesOf(read("6161")));
  EXPECT_FALSE(CborBytesOf(""));
}

struct Bad {
  const char* name;
  const char* hex;
};

class CborIsRefused : public testing::TestWithParam<Bad> {};

TEST_P(CborIsRefused, WithAnError) {
  const auto value = DecodeCbor(FromHex(GetParam().hex), 16);
  ASSERT_FALSE(value) << boost::json::serialize(*value);
  EXPECT_EQ(value.error().code, ErrorCode::kInvalidArgument);
}

INSTANTIATE_TEST_SUITE_P(
    Bytes, CborIsRefused,
    testing::Values(
        Bad{"Nothing", ""}, Bad{"NoArgument", "18"}, Bad{"HalfAnArgument", "1903"},
        Bad{"ReservedLength", "1c"}, Bad{"ReservedLengthOfText", "7d"}, Bad{"IndefiniteNumber", "1f"},
        Bad{"IndefiniteNegative", "3f"}, Bad{"IndefiniteTag", "df00"}, Bad{"TextCutShort", "6261"},
        Bad{"BytesLongerThanEverything", "5bffffffffffffffff00"}, Bad{"TextIsNoUtf8", "61ff"},
        Bad{"TextWithASurrogate", "63eda080"}, Bad{"CharacterAcrossChunks", "7f61c361bcff"},
        Bad{"ChunksWithoutEnd", "7f6161"}, Bad{"BytesInText", "7f4161ff"}, Bad{"TextInBytes", "5f6161ff"},
        Bad{"ChunksInChunks", "5f5f4101ffff"}, Bad{"ArrayCutShort", "830102"},
        Bad{"ArrayOfEverything", "9bffffffffffffffff"}, Bad{"ArrayWithoutEnd", "9f01"},
        Bad{"MapCutShort", "a16161"}, Bad{"MapWithoutEnd", "bf616101"}, Bad{"MapEndsBehindAKey", "bf6161ff"},
        Bad{"MapOfEverything", "bbffffffffffffffff"}, Bad{"NumberAsKey", "a10102"},
        Bad{"BytesAsKey", "a1416101"}, Bad{"BreakAlone", "ff"}, Bad{"BreakInADefiniteArray", "81ff"},
        Bad{"TagOnNothing", "c1"}, Bad{"UnassignedSimple", "f0"}, Bad{"SimpleOfTwoBytes", "f8ff"},
        Bad{"HalfNan", "f97e00"}, Bad{"HalfInfinity", "f97c00"}, Bad{"Nan", "fb7ff8000000000000"},
        Bad{"Infinity", "faff800000"}, Bad{"TwoItems", "0000"}, Bad{"SomethingBehind", "a000"}),
    [](const auto& one) { return one.param.name; });

TEST(CborDepth, IsBounded) {
  for (const std::uint8_t opener : Bytes{0x81, 0x9F, 0xC1}) {
    EXPECT_FALSE(DecodeCbor(Bytes(1'000'000, opener), 16)) << int(opener);
    Bytes deep(15, opener);
    deep.push_back(0x01);
    if (opener == 0x9F) deep.insert(deep.end(), 15, 0xFF);
    EXPECT_TRUE(DecodeCbor(deep, 16)) << int(opener);
    EXPECT_FALSE(DecodeCbor(deep, 15)) << int(opener);
  }
}

TEST(CborWriter, WritesMapsOfIndefiniteLengthAndTheShortestHeads) {
  CborWriter writer;
  writer.BeginObject().Key("n").BeginArray();
  for (const std::int64_t number : {0L, 23L, 24L, 255L, 256L, 65'536L, 4'294'967'296L, -1L, -25L}) {
    writer.Integer(number);
  }
  writer.Unsigned(~std::uint64_t{0}).EndArray();
  writer.Key("t").Time(Timestamp::FromMillis(1'795'240'800'250)).Key("b").Blob(Bytes{1, 0xFF});
  writer.Key("f").Bool(false).EndObject();
  const std::string bytes = std::move(writer).Take();
  EXPECT_EQ(ToHex(bytes),
            "bf616e9f0017181818ff1901001a000100001b00000001000000002038181bffffffffffffffffff"
            "6174c11b000001a1fcb0affa61624201ff6166f4ff");
  const auto again = DecodeCbor(AsBytes(bytes), 16);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->at("t").as_double(), 1'795'240'800.250);
}

TEST(CborWriter, IsReadBackAtEveryLength) {
  for (std::size_t length : {0, 1, 23, 24, 255, 256, 65'535, 65'536, 100'000}) {
    CborWriter writer(length);
    writer.BeginArray().String(std::string(length, 'x')).Blob(Bytes(length, 0xFF)).EndArray();
    const std::string bytes = std::move(writer).Take();
    const auto again = DecodeCbor(AsBytes(bytes), 16);
    ASSERT_TRUE(again) << length;
    EXPECT_EQ(again->as_array()[0].as_string().size(), length);
    const auto& blob = again->as_array()[1].as_string();
    EXPECT_EQ(CborBytesOf({blob.data(), blob.size()})->size(), length);
  }
}

}  // namespace
}  // namespace millrace::wire
