// Goal: what frames and configuration records say is read right, and no bytes crash a reader. Method: headers
// that x265, libvpx, libaom and SVT-AV1 wrote, cut short at every place and damaged at random.
#include "media/bitstream.h"

#include <gtest/gtest.h>

#include <random>

#include "media/av1.h"
#include "media/g711.h"
#include "media/h265.h"
#include "media/vpx.h"
#include "tests/hex.h"

namespace millrace {
namespace {

// 160x90, 25 frames a second. x265, Main, with B-frames: an hvcC.
const Bytes kHevc = test::FromHex(
    "0101600000009000000000001ef000fcfdf8f800000f03a00001001840010c01ffff01600000030090000003000003001e959409"
    "a10001"
    "002a42010101600000030090000003000003001ea0142061f26595952930bc05a02000000300200000030321a2000100064401c0"
    "73c189");
const Bytes kAv1Config = test::FromHex("81000c000a0a00000003b4fd936be401");
// The beginnings of key frames: libvpx VP8, VP9 profile 0, VP9 profile 3 (4:2:2, 10 bits), libaom, SVT-AV1 of
// 10 bits.
const Bytes kVp8 = test::FromHex("7043009d012aa0005a0000070885858885848802");
const Bytes kVp9 = test::FromHex("824983420009f005960238241c184a0006107fd5");
const Bytes kVp9Profile3 = test::FromHex("b124c1a102004f802cb031c120e0c2c00039007f");
const Bytes kAv1 = test::FromHex("12000a0a00000003b4fd936be40132051710008400");
const Bytes kAv1TenBit = test::FromHex("12000a0a00000003b4fd93efe501320510140021e8");

TrackInfo Track(Codec codec, Bytes codec_private = {}) {
  TrackInfo track;
  track.number = 1;
  track.codec = codec;
  track.codec_private = std::move(codec_private);
  return track;
}

TEST(Bitstream, H265AsX265WritesIt) {
  const auto config = ParseHevcConfig(kHevc);
  ASSERT_TRUE(config) << config.error().ToString();
  EXPECT_EQ(config->profile.idc, 1);
  EXPECT_EQ(config->profile.compatibility, 0x60000000u);
  EXPECT_EQ(config->profile.level_idc, 30);
  EXPECT_EQ(config->nal_length_bytes, 4);
  ASSERT_EQ(config->vps.size(), 1u);
  ASSERT_EQ(config->sps.size(), 1u);
  ASSERT_EQ(config->pps.size(), 1u);
  const auto sps = ParseH265Sps(config->sps[0]);
  ASSERT_TRUE(sps) << sps.error().ToString();
  EXPECT_EQ(sps->profile, config->profile);
  EXPECT_EQ(sps->width, 160u);
  EXPECT_EQ(sps->height, 90u);
  EXPECT_EQ(sps->bit_depth_luma, 8);
  EXPECT_EQ(sps->max_num_reorder, 2u);
  TrackInfo track = Track(Codec::kH265, kHevc);
  EXPECT_EQ(ReorderDepthByHeaders(track), 2u);
  CompleteTrack(track);
  EXPECT_EQ(track.width, 160u);
  EXPECT_EQ(track.height, 90u);
  EXPECT_FALSE(ParseH265Sps(config->pps[0]));
}

TEST(Bitstream, H265RandomAccessIsToldByTheFirstSlice) {
  const auto frame = [](std::uint8_t type) {
    return Bytes{0, 0, 0, 3, 35 << 1, 1, 0x50, 0, 0, 0, 3, static_cast<std::uint8_t>(type << 1), 1, 0x80};
  };
  const TrackInfo track = Track(Codec::kH265, kHevc);
  for (int type = 0; type < 48; ++type) {
    const Bytes bytes = frame(static_cast<std::uint8_t>(type));
    EXPECT_EQ(HasH265Slice(bytes, 4), type < 32) << type;
    EXPECT_EQ(KeyFrameByBitstream(track, bytes), type >= 16 && type <= 23) << type;
    EXPECT_EQ(IsH265WithoutLeading(bytes, 4), type == 18 || type == 20) << type;
  }
  EXPECT_FALSE(HasH265Slice({}, 4));
  EXPECT_FALSE(HasH265Slice(Bytes{0, 0, 0, 200, 40, 1}, 4));
  EXPECT_FALSE(HasH265Slice(Bytes{0, 0, 0, 1, 40, 0, 0, 0, 0}, 4));
}

TEST(Bitstream, Vp8AndVp9KeyFramesSayThePicture) {
  TrackInfo vp8 = Track(Codec::kVp8);
  CompleteTrack(vp8, kVp8);
  EXPECT_EQ(vp8.width, 160u);
  EXPECT_EQ(vp8.height, 90u);
  EXPECT_TRUE(vp8.codec_private.empty());
  EXPECT_EQ(KeyFrameByBitstream(vp8, kVp8), true);
  Bytes inter = kVp8;
  inter[0] |= 1;
  EXPECT_EQ(KeyFrameByBitstream(vp8, inter), false);

  TrackInfo vp9 = Track(Codec::kVp9);
  CompleteTrack(vp9, kVp9);
  EXPECT_EQ(vp9.width, 160u);
  EXPECT_EQ(vp9.height, 90u);
  EXPECT_EQ(vp9.codec_private, test::FromHex("01010002010a030108040101"));
  inter = kVp9;
  inter[0] |= 4;  // frame_type
  EXPECT_EQ(KeyFrameByBitstream(vp9, inter), false);

  const auto deep = ReadVp9KeyFrame(kVp9Profile3);
  ASSERT_TRUE(deep);
  EXPECT_EQ(deep->profile, 3);
  EXPECT_EQ(deep->bit_depth, 10);
  EXPECT_TRUE(deep->subsampling_x);
  EXPECT_FALSE(deep->subsampling_y);
  EXPECT_EQ(deep->width, 160u);
  EXPECT_EQ(FeaturesOf(*deep).chroma_subsampling, 2);
}

TEST(Bitstream, Vp9FeaturesThatAreWrongAreReplacedOthersStay) {
  TrackInfo track = Track(Codec::kVp9, test::FromHex("010100020133030108040100"));
  CompleteTrack(track, kVp9);
  EXPECT_EQ(DecodeVp9Features(track.codec_private)->level, 0x33) << "the producer knows its frame rate";
  track.codec_private = test::FromHex("01010202010a03010a040101");
  CompleteTrack(track, kVp9);
  EXPECT_EQ(DecodeVp9Features(track.codec_private)->profile, 0);
  for (const char* bad :
       {"", "0101", "010100", "01010002010a0301080402", "010104020a0103010804010101",
        "01010402010a030108040101", "01010002010a030109040101", "05010002010a030108040101"}) {
    EXPECT_FALSE(DecodeVp9Features(test::FromHex(bad))) << bad;
  }
  struct Size {
    std::uint32_t width, height;
    std::uint8_t level;
  };
  for (const Size size :
       {Size{1280, 720, 31}, Size{1920, 1080, 40}, Size{3840, 2160, 50}, Size{65'536, 65'536, 62}}) {
    EXPECT_EQ(FeaturesOf({.width = size.width, .height = size.height}).level, size.level) << size.width;
  }
}

TEST(Bitstream, Av1SequenceHeadersMakeTheConfiguration) {
  const auto sequence = FindAv1Sequence(kAv1);
  ASSERT_TRUE(sequence) << sequence.error().ToString();
  EXPECT_EQ(sequence->profile, 0);
  EXPECT_EQ(sequence->bit_depth, 8);
  EXPECT_EQ(sequence->width, 160u);
  EXPECT_EQ(sequence->height, 90u);
  EXPECT_EQ(MakeAv1Config(*sequence), kAv1Config) << "as ffmpeg makes it";
  EXPECT_EQ(*ParseAv1Config(kAv1Config), ConfigOf(*sequence));
  EXPECT_EQ(FindAv1Sequence(kAv1TenBit)->bit_depth, 10);

  TrackInfo track = Track(Codec::kAv1, kAv1Config);
  EXPECT_EQ(KeyFrameByBitstream(track, kAv1), true);
  CompleteTrack(track, kAv1TenBit);
  EXPECT_EQ(ParseAv1Config(track.codec_private)->bit_depth, 10);
  EXPECT_EQ(KeyFrameByBitstream(track, ByteSpan(kAv1).subspan(14)), false) << "no sequence header";
  Bytes inter = kAv1;
  inter[16] = 0x30;  // frame_type: inter
  EXPECT_EQ(KeyFrameByBitstream(track, inter), false);
  EXPECT_EQ(FindAv1Sequence(ByteSpan(kAv1).first(2)).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(ParseAv1Config(test::FromHex("01000c00")).error().code, ErrorCode::kUnsupported);
  EXPECT_FALSE(ParseAv1Config(test::FromHex("81000c")));
}

TEST(Bitstream, OpusRunsAt48KilohertzAndG711NamesItself) {
  TrackInfo opus = Track(Codec::kOpus);
  opus.sample_rate = 16'000;
  opus.channels = 2;
  CompleteTrack(opus);
  EXPECT_EQ(opus.sample_rate, 48'000u);
  EXPECT_EQ(opus.codec_private, test::FromHex("4f707573486561640102000080bb0000000000"));

  for (const Codec codec : {Codec::kPcmMulaw, Codec::kPcmAlaw}) {
    TrackInfo track = Track(codec);
    track.sample_rate = 8000;
    track.channels = 1;
    CompleteTrack(track);
    EXPECT_EQ(track.codec_private.size(), 18u);
    EXPECT_EQ(CodecFromMatroska("A_MS/ACM", track.codec_private), codec);
    EXPECT_EQ(MatroskaCodecId(codec), "A_MS/ACM");
  }
  EXPECT_EQ(MakeWaveFormat(Codec::kPcmMulaw, 8000, 1), test::FromHex("07000100401f0000401f0000010008000000"));
  for (const char* other : {"", "06", "0106", "5500010044ac0000"}) {
    EXPECT_FALSE(CodecOfWaveFormat(test::FromHex(other))) << other;
  }
}

// The corner values of G.711's tables 1 and 2.
TEST(Bitstream, G711Samples) {
  struct Case {
    Codec codec;
    std::uint8_t byte;
    int sample;
  };
  for (const Case& each :
       {Case{Codec::kPcmMulaw, 0x00, -32'124}, Case{Codec::kPcmMulaw, 0x80, 32'124},
        Case{Codec::kPcmMulaw, 0xFF, 0}, Case{Codec::kPcmMulaw, 0x7F, 0}, Case{Codec::kPcmMulaw, 0xFE, 8},
        Case{Codec::kPcmAlaw, 0xD5, 8}, Case{Codec::kPcmAlaw, 0x55, -8}, Case{Codec::kPcmAlaw, 0xAA, 32'256},
        Case{Codec::kPcmAlaw, 0x2A, -32'256}, Case{Codec::kPcmAlaw, 0xC5, 264}}) {
    EXPECT_EQ(G711Sample(each.codec, each.byte), each.sample) << ToString(each.codec) << int{each.byte};
  }
}

TEST(Bitstream, CutShortAnywhereIsAnErrorNeverACrash) {
  for (std::size_t length = 0; length < kHevc.size(); ++length) {
    EXPECT_FALSE(ParseHevcConfig(Bytes(kHevc.begin(), kHevc.begin() + static_cast<std::ptrdiff_t>(length))))
        << length;
  }
  const Bytes sps(kHevc.begin() + 52, kHevc.begin() + 52 + 28);
  for (std::size_t length = 0; length < sps.size(); ++length) {
    EXPECT_FALSE(ParseH265Sps(Bytes(sps.begin(), sps.begin() + static_cast<std::ptrdiff_t>(length))))
        << length;
  }
  for (std::size_t length = 0; length < 9; ++length) {
    EXPECT_FALSE(ReadVp9KeyFrame(Bytes(kVp9.begin(), kVp9.begin() + static_cast<std::ptrdiff_t>(length))))
        << length;
    EXPECT_FALSE(ReadVp8KeyFrame(Bytes(kVp8.begin(), kVp8.begin() + static_cast<std::ptrdiff_t>(length))))
        << length;
  }
  for (std::size_t length = 0; length < 14; ++length) {
    EXPECT_FALSE(FindAv1Sequence(Bytes(kAv1.begin(), kAv1.begin() + static_cast<std::ptrdiff_t>(length))))
        << length;
  }
}

TEST(Bitstream, AnyDamageIsReadOrRefused) {
  std::minstd_rand random(7);
  const Bytes sps(kHevc.begin() + 52, kHevc.begin() + 52 + 42);
  for (int i = 0; i < 20'000; ++i) {
    for (const Bytes* whole : {&kHevc, &sps, &kVp8, &kVp9, &kVp9Profile3, &kAv1, &kAv1TenBit}) {
      Bytes bytes = *whole;
      bytes[random() % bytes.size()] = static_cast<std::uint8_t>(random());
      bytes[random() % bytes.size()] = static_cast<std::uint8_t>(random());
      if (const auto parsed = ParseH265Sps(bytes)) {
        EXPECT_GT(parsed->width, 0u);
        EXPECT_LE(parsed->max_num_reorder, 16u);
      }
      for (const Codec codec : {Codec::kH264, Codec::kH265, Codec::kAv1, Codec::kVp8, Codec::kVp9}) {
        TrackInfo track = Track(codec, bytes);
        (void)KeyFrameByBitstream(track, bytes);
        (void)ReorderDepthByHeaders(track);
        CompleteTrack(track, bytes);
      }
    }
  }
}

}  // namespace
}  // namespace millrace
