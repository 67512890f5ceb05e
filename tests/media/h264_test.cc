#include "media/h264.h"

#include <gtest/gtest.h>

#include <random>

namespace millrace {
namespace {

// avcC as x264 wrote them: 64x64, 25 frames a second; High with B-frames, Baseline.
const Bytes kHigh = {0x01, 0x64, 0x00, 0x0a, 0xff, 0xe1, 0x00, 0x18, 0x67, 0x64, 0x00, 0x0a,
                     0xac, 0xd9, 0x44, 0x26, 0xc0, 0x44, 0x00, 0x00, 0x03, 0x00, 0x04, 0x00,
                     0x00, 0x03, 0x00, 0xc8, 0x3c, 0x48, 0x96, 0x58, 0x01, 0x00, 0x06, 0x68,
                     0xeb, 0xe3, 0xcb, 0x22, 0xc0, 0xfd, 0xf8, 0xf8, 0x00};
const Bytes kBaseline = {0x01, 0x42, 0xc0, 0x0a, 0xff, 0xe1, 0x00, 0x17, 0x67, 0x42, 0xc0, 0x0a, 0xd9,
                         0x04, 0x26, 0xc0, 0x44, 0x00, 0x00, 0x03, 0x00, 0x04, 0x00, 0x00, 0x03, 0x00,
                         0xc8, 0x3c, 0x48, 0x99, 0x20, 0x01, 0x00, 0x05, 0x68, 0xcb, 0x83, 0xcb, 0x20};

TEST(H264, ReadsWhatX264Writes) {
  const auto config = ParseAvcConfig(kHigh);
  ASSERT_TRUE(config);
  EXPECT_EQ(config->profile_idc, 100);
  EXPECT_EQ(config->nal_length_bytes, 4);
  ASSERT_EQ(config->sps.size(), 1u);
  ASSERT_EQ(config->pps.size(), 1u);
  const auto sps = ParseH264Sps(config->sps[0]);
  ASSERT_TRUE(sps);
  EXPECT_EQ(sps->width, 64u);
  EXPECT_EQ(sps->height, 64u);
  EXPECT_TRUE(sps->frame_mbs_only);
  EXPECT_EQ(sps->frame_rate_numerator, 25u * sps->frame_rate_denominator);
  EXPECT_EQ(H264ReorderDepth(*sps), 2u);
  const auto baseline = ParseH264Sps(ParseAvcConfig(kBaseline)->sps[0]);
  ASSERT_TRUE(baseline);
  EXPECT_EQ(H264ReorderDepth(*baseline), 0u);
}

TEST(H264, DepthIsOpenWithoutARestriction) {
  H264Sps sps;
  sps.profile_idc = 77;
  EXPECT_EQ(H264ReorderDepth(sps), std::nullopt);
  sps.pic_order_cnt_type = 2;
  EXPECT_EQ(H264ReorderDepth(sps), 0u);
  sps = {.profile_idc = 100, .constraints = 0x10};  // High Intra
  EXPECT_EQ(H264ReorderDepth(sps), 0u);
}

TEST(H264, ConfigurationCutShortAnywhereIsAnError) {
  for (std::size_t length = 0; length < kHigh.size() - 4; ++length) {
    EXPECT_FALSE(ParseAvcConfig(ByteSpan(kHigh).first(length))) << length;
  }
  Bytes other = kHigh;
  other[0] = 2;
  EXPECT_EQ(ParseAvcConfig(other).error().code, ErrorCode::kUnsupported);
  other = kHigh;
  other[4] = 0xFE;  // three-byte lengths
  EXPECT_EQ(ParseAvcConfig(other).error().code, ErrorCode::kCorruption);
  other = kHigh;
  other[5] = 0xE0;  // no SPS
  EXPECT_FALSE(ParseAvcConfig(other));
  EXPECT_FALSE(ParseH264Sps(Bytes{0x68, 1, 2, 3, 4}));  // a PPS
  EXPECT_FALSE(ParseH264Sps({}));
}

// Goal: no bytes make the readers crash, hang or report a picture of absurd size.
TEST(H264, AnyDamageIsAnErrorOrAnotherPicture) {
  std::minstd_rand random(5);
  for (int i = 0; i < 50'000; ++i) {
    Bytes bytes(kHigh.begin() + 8, kHigh.begin() + 32);
    for (unsigned flips = 1 + static_cast<unsigned>(random()) % 6; flips > 0; --flips) {
      bytes[1 + static_cast<std::size_t>(random()) % (bytes.size() - 1)] =
          static_cast<std::uint8_t>(random());
    }
    const auto sps = ParseH264Sps(bytes);
    if (!sps) continue;
    EXPECT_GE(sps->width, 1u);
    EXPECT_LE(sps->width, 65'536u);
    EXPECT_LE(sps->height, 131'072u);
    EXPECT_LE(H264ReorderDepth(*sps).value_or(0), 16u);
  }
}

TEST(H264, LevelConstraintsAndVuiDoNotChangeHowSlicesDecode) {
  constexpr std::size_t kSps = 8;  // of the SPS in kHigh
  EXPECT_TRUE(DecodesAlike(kHigh, kHigh));
  Bytes other = kHigh;
  other[kSps + 2] = 0x04;  // constraint_set5_flag
  other[kSps + 3] = 0x1F;  // level
  EXPECT_TRUE(DecodesAlike(kHigh, other));
  other = kHigh;
  other[kSps + 22] ^=
      0x20;  // near the VUI's end, behind its reorder depth or not: alike as long as that holds
  const auto sps = ParseH264Sps(ParseAvcConfig(other)->sps[0]);
  ASSERT_TRUE(sps);
  EXPECT_EQ(DecodesAlike(kHigh, other), H264ReorderDepth(*sps) == 2u);
}

TEST(H264, OtherParametersDoNotDecodeAlike) {
  EXPECT_FALSE(DecodesAlike(kHigh, kBaseline));
  Bytes other = kHigh;
  other.at(8 + 6) ^= 0x10;  // within the coding part of the SPS
  EXPECT_FALSE(DecodesAlike(kHigh, other));
  other = kHigh;
  other[other.size() - 6] ^= 0x40;  // the PPS
  EXPECT_FALSE(DecodesAlike(kHigh, other));
  EXPECT_FALSE(DecodesAlike(kHigh, {}));
  EXPECT_FALSE(DecodesAlike({}, {}));
  for (std::size_t length = 0; length < kHigh.size() - 4; ++length) {
    EXPECT_FALSE(DecodesAlike(kHigh, ByteSpan(kHigh).first(length))) << length;
  }
}

TEST(H264, KnowsFramesWithoutAPicture) {
  const Bytes sei = {0, 0, 0, 2, 0x06, 0x80};
  Bytes frame = sei;
  EXPECT_FALSE(HasH264Slice(frame, 4));
  frame.insert(frame.end(), {0, 0, 0, 2, 0x41, 0x9A});
  EXPECT_TRUE(HasH264Slice(frame, 4));
  EXPECT_FALSE(HasH264Slice({}, 4));
  EXPECT_FALSE(HasH264Slice(Bytes{0, 0, 0, 9, 0x65, 1}, 4));  // longer than the frame
}

TEST(H264, KnowsIdrFrames) {
  const Bytes idr = {0, 0, 0, 2, 0x09, 0xF0, 0, 0, 0, 2, 0x65, 0x88};
  const Bytes other = {0, 0, 0, 2, 0x06, 0x01, 0, 0, 0, 2, 0x41, 0x9A};
  EXPECT_TRUE(IsH264Idr(idr, 4));
  EXPECT_FALSE(IsH264Idr(other, 4));
  EXPECT_TRUE(IsH264Idr(Bytes{2, 0x65, 0x88}, 1));
  EXPECT_FALSE(IsH264Idr({}, 4));
  EXPECT_FALSE(IsH264Idr(Bytes{0, 0, 0, 9, 0x65}, 4));                 // cut short
  EXPECT_FALSE(IsH264Idr(Bytes{0xFF, 0xFF, 0xFF, 0xFF, 0x65, 0}, 4));  // an absurd length
  EXPECT_FALSE(IsH264Idr(Bytes{0, 0, 0, 0, 0, 0, 0, 0}, 4));           // empty units
}

}  // namespace
}  // namespace millrace
