#include "parser/ebml.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <ostream>
#include <string>
#include <vector>

#include "parser/ebml_writer.h"

namespace millrace::testing {
namespace {

// RFC 8794 section 4: variable-size integers.
struct VintCase {
  const char* name;
  Bytes bytes;
  int length;
  std::uint64_t value;
};
void PrintTo(const VintCase& tested, std::ostream* out) { *out << tested.name; }
class Rfc8794Section4 : public ::testing::TestWithParam<VintCase> {};

TEST_P(Rfc8794Section4, Vint) {
  const DecodedVint vint = DecodeVint(GetParam().bytes);
  EXPECT_EQ(vint.length, GetParam().length);
  if (vint.length > 0) {
    EXPECT_EQ(vint.value, GetParam().value);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Vints, Rfc8794Section4,
    ::testing::Values(
        VintCase{"Zero", {0x80}, 1, 0}, VintCase{"OneByte", {0x82}, 1, 2},
        VintCase{"TwoBytesOfTheSame", {0x40, 0x02}, 2, 2},
        VintCase{"FourBytesOfTheSame", {0x10, 0x00, 0x00, 0x02}, 4, 2},
        VintCase{"LargestOfOneByte", {0xFE}, 1, 126}, VintCase{"SmallestThatNeedsTwo", {0x40, 0x7F}, 2, 127},
        VintCase{"LargestOfTwo", {0x7F, 0xFE}, 2, 16382},
        VintCase{"EightBytes", {0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08}, 8, 0x02030405060708},
        VintCase{"LargestOfAll", {0x01, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFE}, 8, kVintMax},
        VintCase{"UnknownInOneByte", {0xFF}, 1, kUnknownSize},
        VintCase{"UnknownInTwo", {0x7F, 0xFF}, 2, kUnknownSize},
        VintCase{"UnknownInEight", {0x01, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF}, 8, kUnknownSize},
        VintCase{"BytesAfterItDoNotCount", {0x81, 0x55}, 1, 1}, VintCase{"Nothing", {}, kNeedMoreBytes, 0},
        VintCase{"CutAfterOne", {0x40}, kNeedMoreBytes, 0},
        VintCase{"CutAfterSeven", {0x01, 2, 3, 4, 5, 6, 7}, kNeedMoreBytes, 0},
        VintCase{"NineBytes", {0x00, 0x80, 0, 0, 0, 0, 0, 0, 0}, kMalformedVint, 0}),
    [](const auto& tested) { return std::string(tested.param.name); });

TEST(Rfc8794Section4, WrittenVintsReadBack) {
  for (const std::uint64_t value :
       {std::uint64_t{0}, std::uint64_t{126}, std::uint64_t{127}, std::uint64_t{16382}, std::uint64_t{16383},
        std::uint64_t{1} << 40, kVintMax}) {
    for (int length = VintLength(value); length <= 8; ++length) {
      Bytes out;
      AppendVint(out, value, length);
      ASSERT_EQ(out.size(), static_cast<std::size_t>(length));
      EXPECT_EQ(DecodeVint(out).value, value);
      EXPECT_EQ(DecodeVint(out).length, length);
    }
  }
  for (int length = 1; length <= 8; ++length) {
    Bytes out;
    AppendUnknownSize(out, length);
    EXPECT_EQ(DecodeVint(out).length, length);
    EXPECT_EQ(DecodeVint(out).value, kUnknownSize);
  }
}

// RFC 8794 section 5: element ids.
class Rfc8794Section5 : public ::testing::TestWithParam<VintCase> {};

TEST_P(Rfc8794Section5, ElementId) {
  const DecodedVint id = DecodeElementId(GetParam().bytes);
  EXPECT_EQ(id.length, GetParam().length);
  if (id.length > 0) {
    EXPECT_EQ(id.value, GetParam().value);
  }
}

INSTANTIATE_TEST_SUITE_P(Ids, Rfc8794Section5,
                         ::testing::Values(VintCase{"OneByte", {0xA3}, 1, 0xA3},
                                           VintCase{"TwoBytes", {0x42, 0x86}, 2, 0x4286},
                                           VintCase{"ThreeBytes", {0x2A, 0xD7, 0xB1}, 3, 0x2AD7B1},
                                           VintCase{"FourBytes", {0x1A, 0x45, 0xDF, 0xA3}, 4, 0x1A45DFA3},
                                           VintCase{"TwoBytesBecauseOneIsReserved", {0x40, 0x7F}, 2, 0x407F},
                                           VintCase{"Nothing", {}, kNeedMoreBytes, 0},
                                           VintCase{"Cut", {0x1A, 0x45}, kNeedMoreBytes, 0},
                                           VintCase{"AllZeros", {0x80}, kMalformedVint, 0},
                                           VintCase{"AllOnes", {0xFF}, kMalformedVint, 0},
                                           VintCase{"AllOnesInTwo", {0x7F, 0xFF}, kMalformedVint, 0},
                                           VintCase{"AllZerosInFour", {0x10, 0, 0, 0}, kMalformedVint, 0},
                                           VintCase{"LongerThanNeeded", {0x40, 0x23}, kMalformedVint, 0},
                                           VintCase{"FiveBytes", {0x08, 1, 2, 3, 4}, kMalformedVint, 0},
                                           VintCase{"NoMarker", {0x00}, kMalformedVint, 0}),
                         [](const auto& tested) { return std::string(tested.param.name); });

TEST(Rfc8794Section5, EveryKnownIdIsWellFormedAndWrittenAsItStands) {
  for (const ElementId id :
       {ElementId::kEbml, ElementId::kTimestampScale, ElementId::kEbmlVersion, ElementId::kVoid,
        ElementId::kCluster, ElementId::kSimpleBlock, ElementId::kTagString}) {
    Bytes out;
    AppendElementId(out, id);
    const DecodedVint read = DecodeElementId(out);
    EXPECT_EQ(read.length, static_cast<int>(out.size())) << ElementName(id);
    EXPECT_EQ(read.value, static_cast<std::uint64_t>(id)) << ElementName(id);
    ASSERT_NE(FindElement(id), nullptr);
    EXPECT_EQ(FindElement(id)->id, id);
  }
  EXPECT_EQ(FindElement(static_cast<ElementId>(0x4FFF)), nullptr);
  EXPECT_EQ(ElementName(static_cast<ElementId>(0x4FFF)), "element 0x4FFF");
}

// RFC 8794 section 7: values.
TEST(Rfc8794Section7, Unsigned) {
  EXPECT_EQ(DecodeUnsigned({}), 0u);
  EXPECT_EQ(DecodeUnsigned(Bytes{0x01, 0x00}), 256u);
  EXPECT_EQ(DecodeUnsigned(Bytes(8, 0xFF)), std::numeric_limits<std::uint64_t>::max());
  EXPECT_EQ(DecodeUnsigned(Bytes(9, 0)), std::nullopt);
}

TEST(Rfc8794Section7, Signed) {
  EXPECT_EQ(DecodeSigned({}), 0);
  EXPECT_EQ(DecodeSigned(Bytes{0xFF}), -1);
  EXPECT_EQ(DecodeSigned(Bytes{0x00, 0xFF}), 255);
  EXPECT_EQ(DecodeSigned(Bytes{0x80, 0, 0, 0, 0, 0, 0, 0}), std::numeric_limits<std::int64_t>::min());
  EXPECT_EQ(DecodeSigned(Bytes(9, 0)), std::nullopt);
  for (const std::int64_t value :
       {std::int64_t{0}, std::int64_t{-1}, std::int64_t{127}, std::int64_t{128}, std::int64_t{-128},
        std::int64_t{-129}, std::numeric_limits<std::int64_t>::max(),
        std::numeric_limits<std::int64_t>::min()}) {
    Bytes out;
    AppendSigned(out, ElementId::kReferenceBlock, value);
    EXPECT_EQ(DecodeSigned(ByteSpan(out).subspan(2)), value);
  }
}

TEST(Rfc8794Section7, Float) {
  EXPECT_EQ(DecodeFloat({}), 0.0);
  EXPECT_EQ(DecodeFloat(Bytes{0x3F, 0x80, 0, 0}), 1.0);
  EXPECT_EQ(DecodeFloat(Bytes{0x40, 0xE7, 0x70, 0, 0, 0, 0, 0}), 48000.0);
  EXPECT_EQ(DecodeFloat(Bytes{0x3F}), std::nullopt);
  EXPECT_EQ(DecodeFloat(Bytes(10, 0)), std::nullopt);
  EXPECT_TRUE(std::isnan(DecodeFloat(Bytes{0x7F, 0xC0, 0, 0}).value()));
}

TEST(Rfc8794Section13, TextEndsAtTheFirstZero) {
  EXPECT_EQ(DecodeText(AsBytes(std::string_view("webm\0\0x", 7))), "webm");
  EXPECT_EQ(DecodeText(AsBytes("webm")), "webm");
  EXPECT_EQ(DecodeText({}), "");
}

TEST(EbmlWriter, FillsInAMastersSize) {
  Bytes out;
  const std::size_t mark = BeginMaster(out, ElementId::kVideo, 2);
  AppendUnsigned(out, ElementId::kPixelWidth, 1920);
  EndMaster(out, mark, 2);
  EXPECT_EQ(out, (Bytes{0xE0, 0x40, 0x04, 0xB0, 0x82, 0x07, 0x80}));
}

TEST(EbmlWriter, WritesASimpleBlock) {
  Bytes out;
  AppendSimpleBlockHeader(out, {.track = 1, .relative_timestamp = -2, .key_frame = true}, 10);
  EXPECT_EQ(out, (Bytes{0xA3, 0x8E, 0x81, 0xFF, 0xFE, 0x80}));
}

}  // namespace
}  // namespace millrace::testing
