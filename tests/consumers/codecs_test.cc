// Goal: every codec plays as the design's table says: what producers put comes out of fragmented MP4 frame by
// frame as the source decodes, and what cannot go that way is refused with the way round. Method: files of
// each codec made here by ffmpeg's encoders, through the assembler and remuxed; both decoded by ffmpeg.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ostream>

#include "consumers/hls/codec_string.h"
#include "consumers/hls/fmp4.h"
#include "consumers/player_audio.h"
#include "facts_maker.h"
#include "stored_mkv.h"
#include "test_media.h"
#include "tests/hex.h"

namespace millrace {
namespace {

using testing::AacTrack;
using testing::H264Track;
using testing::MemoryFragmentStore;
using testing::TemporaryDirectory;

constexpr Timestamp kStart = Timestamp::FromMillis(1'763'690'820'250);

struct CodecCase {
  const char* name;
  const char* encode;  // ffmpeg's options for the picture and the sound
  Codec video;
  std::optional<Codec> audio;
  std::string codecs;  // a regular expression
  std::uint32_t depth = 0;
  bool exact_sound = true;
};
void PrintTo(const CodecCase& codec, std::ostream* out) { *out << codec.name; }

class Codecs : public ::testing::TestWithParam<CodecCase> {
 protected:
  // Pictures of 160x120, 25 a second, with a key frame each second; some sound.
  void Encode(const std::string& options, const std::string& path) {
    const std::string command =
        "ffmpeg -v error -nostdin -y -f lavfi -i testsrc2=size=160x120:rate=25:duration=4 -f lavfi -i "
        "\"aevalsrc=0.4*sin(2*PI*t*(200+90*t)):s=48000:d=4\" " +
        options + " -cluster_time_limit 20000 " + path;
    const auto made = testing::RunCommand(directory_, command);
    ASSERT_EQ(made.exit_code, 0) << command << "\n" << made.errors;
  }

  // All of the stored fragments behind one init segment.
  void Remux(const std::vector<FragmentFacts>& stored, const std::string& path) {
    auto tracks = PlayableTracks(stored.front().tracks);
    ASSERT_TRUE(tracks) << tracks.error().ToString();
    auto init = MakeInitSegment(*tracks);
    ASSERT_TRUE(init) << init.error().ToString();
    std::vector<SharedBytes> parts{SharedBytes(std::move(*init))};
    for (const FragmentFacts& facts : stored) {
      EXPECT_EQ(facts.tracks_id, stored.front().tracks_id);
      auto fragment = ReadForPlayers(store_, "door", facts.number);
      ASSERT_TRUE(fragment) << fragment.error().ToString();
      auto segment = MakeMediaSegment(fragment->facts, fragment->frames);
      ASSERT_TRUE(segment) << segment.error().ToString();
      parts.insert(parts.end(), segment->parts.begin(), segment->parts.end());
    }
    testing::WriteFile(path, parts);
  }

  TemporaryDirectory directory_;
  MemoryFragmentStore store_;
};

TEST_P(Codecs, DecodeToTheSource) {
  const CodecCase& codec = GetParam();
  const std::string source = directory_.File("source.mkv");
  ASSERT_NO_FATAL_FAILURE(Encode(codec.encode, source));
  const std::vector<FragmentFacts> stored = testing::StoreMkv(store_, "door", source, kStart);
  ASSERT_GE(stored.size(), 3U);

  const FragmentFacts& facts = stored.front();
  ASSERT_EQ(facts.tracks.size(), codec.audio ? 2U : 1U);
  EXPECT_EQ(facts.tracks[0].codec, codec.video);
  EXPECT_EQ(facts.tracks[0].width, 160U);
  EXPECT_EQ(facts.tracks[0].height, 120U);
  if (codec.audio) {
    EXPECT_EQ(facts.tracks[1].codec, *codec.audio);
  }
  for (const FragmentFacts& each : stored) {
    EXPECT_TRUE(each.independent);
    EXPECT_EQ(each.track_facts[0].reorder_depth, codec.depth);
  }
  std::string names;
  const auto playable = PlayableTracks(facts.tracks);
  ASSERT_TRUE(playable) << playable.error().ToString();
  for (const TrackInfo& track : *playable) names += *CodecString(track) + ",";
  EXPECT_THAT(names, ::testing::MatchesRegex(codec.codecs + ","));

  const std::string remuxed = directory_.File("all.mp4");
  ASSERT_NO_FATAL_FAILURE(Remux(stored, remuxed));
  const auto pictures = testing::DecodedMd5(directory_, source, "v", "error");  // it guesses a channel layout
  ASSERT_EQ(pictures.size(), 100U);
  EXPECT_EQ(testing::DecodedMd5(directory_, remuxed, "v"), pictures);
  if (codec.audio && codec.exact_sound) {
    EXPECT_EQ(testing::DecodedMd5(directory_, remuxed, "a"), testing::DecodedMd5(directory_, source, "a"));
  }
  for (std::size_t i = 0; i + 1 < stored.size(); ++i) {
    EXPECT_EQ(stored[i].track_facts[0].end_dts, stored[i + 1].track_facts[0].first_dts);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Each, Codecs,
    ::testing::Values(
        CodecCase{"H264Aac", "-c:v libx264 -preset ultrafast -bf 2 -g 25 -c:a aac -aac_pns 0", Codec::kH264,
                  Codec::kAac, "avc1\\.[0-9a-f]+,mp4a\\.40\\.2", 2},
        CodecCase{"H265Aac",
                  "-c:v libx265 -preset ultrafast -x265-params "
                  "log-level=none:keyint=25:min-keyint=25:bframes=0:pools=1:open-gop=0 -c:a aac -aac_pns 0",
                  Codec::kH265, Codec::kAac, "hvc1\\.1\\.6\\.L[0-9]+\\.9[0-9A-F.]*,mp4a\\.40\\.2"},
        CodecCase{"H265BFrames",
                  "-an -c:v libx265 -preset ultrafast -x265-params "
                  "log-level=none:keyint=25:min-keyint=25:bframes=3:b-pyramid=1:b-adapt=0:pools=1:open-gop=0",
                  Codec::kH265, std::nullopt, "hvc1\\.1\\.6\\.L[0-9]+\\.9[0-9A-F.]*", 2},
        CodecCase{"H265Main10",
                  "-an -pix_fmt yuv420p10le -c:v libx265 -preset ultrafast -x265-params "
                  "log-level=none:keyint=25:min-keyint=25:bframes=0:pools=1",
                  Codec::kH265, std::nullopt, "hvc1\\.2\\.4\\.L[0-9]+\\.9[0-9A-F.]*"},
        CodecCase{"Vp9Opus", "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -g 25 -c:a libopus", Codec::kVp9,
                  Codec::kOpus, "vp09\\.00\\.10\\.08,opus", 0, false},
        CodecCase{"Vp9Profile1", "-an -pix_fmt yuv444p -c:v libvpx-vp9 -deadline realtime -cpu-used 8 -g 25",
                  Codec::kVp9, std::nullopt, "vp09\\.01\\.10\\.08\\.03\\.02\\.02\\.02\\.00"},
        CodecCase{"Av1Libaom", "-an -c:v libaom-av1 -usage realtime -cpu-used 8 -g 25", Codec::kAv1,
                  std::nullopt, "av01\\.0\\.00M\\.08"},
        CodecCase{"Av1SvtTenBit", "-an -pix_fmt yuv420p10le -c:v libsvtav1 -preset 12 -g 25", Codec::kAv1,
                  std::nullopt, "av01\\.0\\.00M\\.10"},
        CodecCase{"Mulaw", "-c:v libx264 -preset ultrafast -bf 0 -g 25 -c:a pcm_mulaw -ar 8000", Codec::kH264,
                  Codec::kPcmMulaw, "avc1\\.[0-9a-f]+,mp4a\\.40\\.2", 0, false},
        CodecCase{"AlawStereo", "-c:v libx264 -preset ultrafast -bf 0 -g 25 -c:a pcm_alaw -ar 16000 -ac 2",
                  Codec::kH264, Codec::kPcmAlaw, "avc1\\.[0-9a-f]+,mp4a\\.40\\.2", 0, false}),
    [](const auto& tested) { return std::string(tested.param.name); });

using Vp8 = Codecs;

TEST_F(Vp8, IsStoredAndRefusedWithTheWayRound) {
  const std::string source = directory_.File("source.mkv");
  ASSERT_NO_FATAL_FAILURE(
      Encode("-c:v libvpx -deadline realtime -cpu-used 8 -b:v 200k -g 25 -c:a libopus", source));
  const auto stored = testing::StoreMkv(store_, "door", source, kStart);
  ASSERT_GE(stored.size(), 3U);
  EXPECT_EQ(stored[0].tracks[0].codec, Codec::kVp8);
  EXPECT_TRUE(stored[0].independent);
  auto tracks = PlayableTracks(stored[0].tracks);
  ASSERT_FALSE(tracks);
  EXPECT_EQ(tracks.error().code, ErrorCode::kUnsupported);
  EXPECT_THAT(tracks.error().message,
              ::testing::AllOf(::testing::HasSubstr("vp8"), ::testing::HasSubstr("WHEP"),
                               ::testing::HasSubstr("MKV")));
}

TEST(CodecNames, ComeFromTheConfiguration) {
  TrackInfo track = H264Track();
  track.codec = Codec::kH265;
  // 1080p, Main 10, high tier: an hvcC whose only array has an SPS.
  track.codec_private = test::FromHex("01220000000090000000000099f000fcfdfafa00000f01a1000100064201012000ff");
  EXPECT_EQ(*CodecString(track), "hvc1.2.0.H153.90");
  track.codec_private[1] = 0x41;
  track.codec_private[2] = 0x60;
  track.codec_private[6] = 0;
  EXPECT_EQ(*CodecString(track), "hvc1.A1.6.L153");
  track.codec = Codec::kAv1;
  track.codec_private = test::FromHex("812de000");
  EXPECT_EQ(*CodecString(track), "av01.1.13H.12");
  track.codec = Codec::kVp9;
  track.codec_private = test::FromHex("01010202013303010a040101");
  EXPECT_EQ(*CodecString(track), "vp09.02.51.10");
  TrackInfo opus = AacTrack();
  opus.codec = Codec::kOpus;
  opus.codec_private = test::FromHex("4f707573486561640102380180bb0000000000");
  EXPECT_EQ(*CodecString(opus), "opus");
}

TEST(CodecNames, AMissingConfigurationIsAnError) {
  for (const Codec codec :
       {Codec::kH264, Codec::kH265, Codec::kAv1, Codec::kVp9, Codec::kAac, Codec::kOpus}) {
    for (const char* bytes : {"", "00", "01", "4f707573486561640100380180bb0000000000",
                              "4f707573486561640102380180bb00000000ff"}) {
      TrackInfo track = KindOf(codec) == TrackKind::kVideo ? H264Track() : AacTrack();
      track.codec = codec;
      track.codec_private = test::FromHex(bytes);
      const auto name = CodecString(track);
      if (codec == Codec::kAac && track.codec_private.size() > 2) continue;  // any two bytes name a type
      ASSERT_FALSE(name) << ToString(codec) << " " << bytes;
      EXPECT_EQ(name.error().code, ErrorCode::kInvalidArgument);
      EXPECT_FALSE(MakeInitSegment({track}));
    }
  }
}

}  // namespace
}  // namespace millrace
