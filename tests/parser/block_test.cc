#include "parser/block.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ostream>
#include <string>
#include <vector>

namespace millrace::testing {
namespace {

using ::testing::ElementsAre;

// RFC 9559 section 10.1: the block's header.
TEST(Rfc9559Section10, BlockHeader) {
  const Bytes payload{0x81, 0xFF, 0xD8, 0x81, 'f'};
  const std::optional<Block> block = DecodeBlock(payload);
  ASSERT_TRUE(block);
  EXPECT_EQ(block->track, 1u);
  EXPECT_EQ(block->relative_timestamp, -40);
  EXPECT_TRUE(block->key_frame);
  EXPECT_TRUE(block->discardable);
  EXPECT_EQ(block->lacing, Lacing::kNone);
  EXPECT_EQ(AsText(block->body), "f");
}

TEST(Rfc9559Section10, TrackNumbersOfSeveralBytes) {
  const Bytes payload{0x41, 0x00, 0, 0, 0, 'f'};
  const std::optional<Block> block = DecodeBlock(payload);
  ASSERT_TRUE(block);
  EXPECT_EQ(block->track, 256u);
}

TEST(Rfc9559Section10, MalformedHeaders) {
  for (const Bytes& payload :
       {Bytes{}, Bytes{0x81}, Bytes{0x81, 0, 0}, Bytes{0x80, 0, 0, 0}, Bytes{0xFF, 0, 0, 0},
        Bytes{0x00, 0, 0, 0}, Bytes{0x40, 0x01, 0, 0}, Bytes{0x01, 2, 3, 4}}) {
    EXPECT_FALSE(DecodeBlock(payload)) << payload.size();
  }
}

struct LacingCase {
  const char* name;
  Lacing lacing;
  Bytes body;
  std::vector<std::size_t> sizes;  // empty: malformed
};
void PrintTo(const LacingCase& tested, std::ostream* out) { *out << tested.name; }
class Rfc9559Section10Lacing : public ::testing::TestWithParam<LacingCase> {};

TEST_P(Rfc9559Section10Lacing, Split) {
  const Block block{.track = 1, .lacing = GetParam().lacing, .body = GetParam().body};
  std::vector<ByteSpan> frames{AsBytes("left from before")};
  const Result<void> split = SplitLacing(block, frames);
  EXPECT_EQ(split.has_value(), !GetParam().sizes.empty());
  if (!split) {
    EXPECT_EQ(split.error().code, ErrorCode::kCorruption);
    return;
  }
  std::vector<std::size_t> sizes;
  for (const ByteSpan frame : frames) {
    sizes.push_back(frame.size());
    EXPECT_GE(frame.data(), block.body.data());
    EXPECT_LE(frame.data() + frame.size(), block.body.data() + block.body.size());
  }
  EXPECT_EQ(sizes, GetParam().sizes);
}

Bytes WithFrames(Bytes head, std::size_t frame_bytes) {
  head.insert(head.end(), frame_bytes, 'f');
  return head;
}

INSTANTIATE_TEST_SUITE_P(
    Lacings, Rfc9559Section10Lacing,
    ::testing::Values(
        LacingCase{"None", Lacing::kNone, WithFrames({}, 5), {5}},
        // RFC 9559's own example: frames of 800, 500 and 1000 bytes.
        LacingCase{"XiphOfTheRfc",
                   Lacing::kXiph,
                   WithFrames({2, 255, 255, 255, 35, 255, 245}, 2300),
                   {800, 500, 1000}},
        LacingCase{"XiphOfOneFrame", Lacing::kXiph, WithFrames({0}, 7), {7}},
        LacingCase{"XiphOfMultiplesOf255", Lacing::kXiph, WithFrames({1, 255, 0}, 256), {255, 1}},
        LacingCase{"XiphWithEmptyFrames", Lacing::kXiph, WithFrames({2, 0, 0}, 0), {0, 0, 0}},
        LacingCase{"XiphWithoutCount", Lacing::kXiph, {}, {}},
        LacingCase{"XiphCutInTheSizes", Lacing::kXiph, {2, 255, 255}, {}},
        LacingCase{"XiphWithoutSizes", Lacing::kXiph, {255}, {}},
        LacingCase{"XiphThatRunsPastTheEnd", Lacing::kXiph, WithFrames({1, 10}, 9), {}},
        LacingCase{
            "EbmlOfTheRfc", Lacing::kEbml, WithFrames({2, 0x43, 0x20, 0x5E, 0xD3}, 2300), {800, 500, 1000}},
        LacingCase{"EbmlOfEqualFrames", Lacing::kEbml, WithFrames({2, 0x84, 0xBF}, 12), {4, 4, 4}},
        LacingCase{"EbmlLargestDifference", Lacing::kEbml, WithFrames({2, 0x80, 0xFF}, 64), {0, 64, 0}},
        LacingCase{"EbmlWithoutCount", Lacing::kEbml, {}, {}},
        LacingCase{"EbmlWithoutSizes", Lacing::kEbml, {3}, {}},
        LacingCase{"EbmlCutInTheSizes", Lacing::kEbml, {2, 0x84, 0x5E}, {}},
        LacingCase{"EbmlUnknownFirstSize", Lacing::kEbml, WithFrames({1, 0xFF}, 9), {}},
        LacingCase{"EbmlNegativeSize", Lacing::kEbml, WithFrames({2, 0x81, 0x80}, 9), {}},
        LacingCase{"EbmlThatRunsPastTheEnd", Lacing::kEbml, WithFrames({1, 0x8A}, 9), {}},
        LacingCase{"EbmlHugeFirstSize",
                   Lacing::kEbml,
                   WithFrames({2, 0x01, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFE, 0x01, 0xFF, 0xFF, 0xFF,
                               0xFF, 0xFF, 0xFF, 0xFE},
                              9),
                   {}},
        LacingCase{"Fixed", Lacing::kFixed, WithFrames({2}, 9), {3, 3, 3}},
        LacingCase{"FixedOfEmptyFrames", Lacing::kFixed, {1}, {0, 0}},
        LacingCase{"FixedWithoutCount", Lacing::kFixed, {}, {}},
        LacingCase{"FixedThatDoesNotDivide", Lacing::kFixed, WithFrames({2}, 10), {}}),
    [](const auto& tested) { return std::string(tested.param.name); });

TEST(Rfc9559Section11, ClusterTimestamps) {
  EXPECT_EQ(ClusterTimestampNs(1000, 1'000'000), 1'000'000'000);
  EXPECT_EQ(ClusterTimestampNs(0, 1), 0);
  // A block may still come 32767 ticks later.
  EXPECT_EQ(ClusterTimestampNs(std::uint64_t{1} << 62, 2), std::nullopt);
  EXPECT_EQ(ClusterTimestampNs(~std::uint64_t{0}, 1), std::nullopt);
  EXPECT_EQ(ClusterTimestampNs(0, std::numeric_limits<std::int64_t>::max()), std::nullopt);
}

}  // namespace
}  // namespace millrace::testing
