// Goal: G.711 sounds the same as AAC, at its time, and a fragment's AAC does not depend on what else is asked
// for: fragments made one by one equal one long encode, packet by packet. Method: a sweep with bursts of
// noise, whose attacks make the encoder change its windows, recorded in fragments of many lengths.
#include "consumers/player_audio.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "consumers/hls/codec_string.h"
#include "consumers/hls/fmp4.h"
#include "facts_maker.h"
#include "fragments/decode_times.h"
#include "media/bitstream.h"
#include "media/g711.h"
#include "memory_fragment_store.h"
#include "test_media.h"

namespace millrace {
namespace {

using testing::H264Track;
using testing::kFactsStart;
using testing::MemoryFragmentStore;
using testing::TestRecorder;

constexpr std::size_t kPacket = 160;  // 20 ms at 8 kHz
constexpr std::uint64_t kAacBlock = 1024;

TrackInfo Mulaw(std::uint32_t rate = 8000, std::uint32_t channels = 1) {
  TrackInfo track;
  track.number = 2;
  track.codec = Codec::kPcmMulaw;
  track.sample_rate = rate;
  track.channels = channels;
  CompleteTrack(track);
  return track;
}

Bytes Sound(std::size_t samples) {
  std::array<std::uint8_t, 512> code_of{};  // of a sample's highest bits
  for (std::size_t i = 0; i < code_of.size(); ++i) {
    const int wanted = (static_cast<int>(i) - 256) * 128;
    int best = 0;
    for (int byte = 0; byte < 256; ++byte) {
      const auto off = [&](int b) {
        return std::abs(G711Sample(Codec::kPcmMulaw, static_cast<std::uint8_t>(b)) - wanted);
      };
      if (off(byte) < off(best)) best = byte;
    }
    code_of[i] = static_cast<std::uint8_t>(best);
  }
  std::minstd_rand random(3);
  Bytes sound(samples);
  std::size_t burst_left = 0;
  for (std::size_t i = 0; i < samples; ++i) {
    if (burst_left == 0 && random() % 3000 == 0) burst_left = 200 + random() % 300;
    const double t = static_cast<double>(i) / 8000;
    double value = 0.25 * std::sin(2 * M_PI * t * (200 + 40 * std::fmod(t, 8)));
    if (burst_left > 0) {
      --burst_left;
      value += (static_cast<double>(random() % 2000) / 1000 - 1) * 0.6;
    }
    sound[i] = code_of[static_cast<std::size_t>(std::clamp(value, -0.99, 0.99) * 256 + 256)];
  }
  return sound;
}

// In packets of 20 ms from kFactsStart + `start` on.
std::vector<Frame> Packets(const Bytes& sound, Duration start = Duration{0}) {
  std::vector<Frame> frames;
  for (std::size_t at = 0; at + kPacket <= sound.size(); at += kPacket) {
    Frame frame;
    frame.track = 2;
    frame.pts = kFactsStart + start + Duration{static_cast<std::int64_t>(at) * 125'000};
    frame.arrival = frame.pts;
    frame.key_frame = true;
    const auto from = sound.begin() + static_cast<std::ptrdiff_t>(at);
    frame.data = SharedBytes(Bytes(from, from + kPacket));
    frames.push_back(std::move(frame));
  }
  return frames;
}

struct AacPacket {
  std::uint64_t sample = 0;
  Bytes data;
  friend bool operator==(const AacPacket&, const AacPacket&) = default;
};

class PlayerAudio : public ::testing::Test {
 protected:
  std::vector<FragmentFacts> Record(const std::string& name, const std::vector<Frame>& frames,
                                    int fragment_ms) {
    EXPECT_TRUE(store_.CreateStream(name, std::chrono::hours(1)));
    TestRecorder(
        store_, *store_.GetStream(name),
        {.duration_min = std::chrono::milliseconds(fragment_ms), .duration_max = std::chrono::seconds(20)})
        .Record({Mulaw()}, frames);
    return *store_.List(name, {.order = FragmentOrder::kNumber});
  }
  std::vector<AacPacket> AacOf(const std::string& name, const FragmentNumber& number) {
    std::vector<AacPacket> packets;
    auto fragment = ReadForPlayers(store_, name, number);
    EXPECT_TRUE(fragment) << fragment.error().ToString();
    if (!fragment) return packets;
    auto spans = AudioSamples(fragment->facts.track_facts[0]);
    EXPECT_TRUE(spans) << spans.error().ToString();
    EXPECT_EQ(spans->size(), fragment->frames.size());
    for (std::size_t i = 0; i < std::min(spans->size(), fragment->frames.size()); ++i) {
      const ByteSpan data = fragment->frames[i].data.span();
      packets.push_back({(*spans)[i].sample, Bytes(data.begin(), data.end())});
    }
    return packets;
  }
  std::vector<AacPacket> AllOf(const std::string& name, const std::vector<FragmentFacts>& fragments) {
    std::vector<AacPacket> all;
    for (const FragmentFacts& facts : fragments) {
      const auto packets = AacOf(name, facts.number);
      all.insert(all.end(), packets.begin(), packets.end());
    }
    return all;
  }

  testing::TemporaryDirectory directory_;
  MemoryFragmentStore store_;
};

TEST_F(PlayerAudio, FragmentsMadeOneByOneEqualOneLongEncode) {
  const std::vector<Frame> sound = Packets(Sound(8000 * 18));
  const auto whole = Record("whole", sound, 20'000);
  ASSERT_EQ(whole.size(), 1U);
  const std::vector<AacPacket> expected = AacOf("whole", whole[0].number);
  ASSERT_EQ(expected.size(), 8000U * 18 / kAacBlock + 1);
  EXPECT_EQ(expected.front().sample, 0U);
  for (const int fragment_ms : {300, 1000, 1720, 4000, 9000}) {
    const std::string name = "cut-" + std::to_string(fragment_ms);
    const auto fragments = Record(name, sound, fragment_ms);
    ASSERT_GT(fragments.size(), 1U);
    const std::vector<AacPacket> cut = AllOf(name, fragments);
    ASSERT_EQ(cut.size(), expected.size()) << name;
    for (std::size_t i = 0; i < cut.size(); ++i) {
      ASSERT_EQ(cut[i].sample, expected[i].sample) << name << " packet " << i;
      ASSERT_EQ(cut[i].data, expected[i].data) << name << " packet " << i;
    }
  }
}

TEST_F(PlayerAudio, AFragmentDoesNotDependOnWhatWasAskedForBefore) {
  const auto fragments = Record("door", Packets(Sound(8000 * 8)), 1000);
  const auto forwards = AllOf("door", fragments);
  for (auto facts = fragments.rbegin(); facts != fragments.rend(); ++facts)
    (void)AacOf("door", facts->number);
  EXPECT_EQ(AllOf("door", fragments), forwards);
}

TEST_F(PlayerAudio, SoundsAsTheSourceAtItsTime) {
  const Bytes sound = Sound(8000 * 8);
  const auto fragments = Record("door", Packets(sound), 1000);
  std::vector<SharedBytes> parts;
  auto tracks = PlayableTracks(fragments[0].tracks);
  ASSERT_TRUE(tracks);
  parts.emplace_back(*MakeInitSegment(*tracks));
  for (const FragmentFacts& facts : fragments) {
    auto fragment = ReadForPlayers(store_, "door", facts.number);
    ASSERT_TRUE(fragment);
    auto segment = MakeMediaSegment(fragment->facts, fragment->frames);
    ASSERT_TRUE(segment) << segment.error().ToString();
    parts.insert(parts.end(), segment->parts.begin(), segment->parts.end());
  }
  testing::WriteFile(directory_.File("all.mp4"), parts);
  const auto decoded = testing::RunCommand(
      directory_, "ffmpeg -v warning -nostdin -i " + directory_.File("all.mp4") + " -f s16le -");
  ASSERT_EQ(decoded.errors, "");
  ASSERT_GE(decoded.output.size(), 2 * sound.size());
  double signal = 0, noise = 0;
  for (std::size_t i = kAacBlock; i < sound.size(); ++i) {  // the first block has nothing to overlap with
    const double source = G711Sample(Codec::kPcmMulaw, sound[i]);
    const auto low = static_cast<std::uint8_t>(decoded.output[2 * i]);
    const auto high = static_cast<std::uint8_t>(decoded.output[2 * i + 1]);
    const double heard = static_cast<std::int16_t>(low | high << 8);
    signal += source * source;
    noise += (source - heard) * (source - heard);
  }
  EXPECT_GT(10 * std::log10(signal / noise), 10) << "dB";
}

TEST_F(PlayerAudio, ALongSilenceIsLeftOutAndWhatFollowsKeepsItsTime) {
  std::vector<Frame> frames = Packets(Sound(8000 * 3));
  const std::vector<Frame> later = Packets(Sound(8000 * 3), std::chrono::seconds(8));
  frames.insert(frames.end(), later.begin(), later.end());
  const auto fragments = Record("door", frames, 1000);
  const std::vector<AacPacket> packets = AllOf("door", fragments);
  ASSERT_FALSE(packets.empty());
  std::size_t holes = 0;
  for (std::size_t i = 1; i < packets.size(); ++i) {
    ASSERT_EQ(packets[i].sample % kAacBlock, 0U);
    if (packets[i].sample == packets[i - 1].sample + kAacBlock) continue;
    ++holes;
    EXPECT_GE(packets[i - 1].sample + kAacBlock, 8000U * 3) << "all of the sound before the hole";
    EXPECT_LE(packets[i].sample, 8000U * 8);
    EXPECT_GT(packets[i].sample + 2 * kAacBlock, 8000U * 8);
  }
  EXPECT_EQ(holes, 1U);
  EXPECT_GE(packets.back().sample + kAacBlock, 8000U * 11) << "the end of the run is heard";
}

TEST_F(PlayerAudio, BeginsAnewWhereWhatCameBeforeIsGone) {
  const auto fragments = Record("door", Packets(Sound(8000 * 6)), 1000);
  store_.Remove("door", fragments[2].number.counter);
  EXPECT_FALSE(AacOf("door", fragments[3].number).empty());
  for (const std::size_t i : {0u, 1u}) store_.Remove("door", fragments[i].number.counter);
  EXPECT_FALSE(AacOf("door", fragments[3].number).empty());
}

TEST_F(PlayerAudio, OtherTracksStayAsTheyAre) {
  PlayerFragment fragment;
  fragment.facts = testing::MakeFacts(1, 0, 1000, 1, {H264Track()});
  const FragmentFacts facts = fragment.facts;
  auto same = MakePlayerFragment(std::move(fragment), {});
  ASSERT_TRUE(same);
  EXPECT_EQ(same->facts, facts);
  EXPECT_FALSE(NeedsPlayerAudio(facts.tracks));
}

TEST_F(PlayerAudio, TracksSayWhatIsMade) {
  EXPECT_TRUE(NeedsPlayerAudio({H264Track(), Mulaw()}));
  const TrackInfo track = PlayerTrack(Mulaw());
  EXPECT_EQ(track.codec, Codec::kAac);
  EXPECT_EQ(track.codec_private, (Bytes{0x15, 0x88}));  // AAC-LC, 8 kHz, one channel
  EXPECT_EQ(track.number, 2U);
  EXPECT_EQ(*CodecString(track), "mp4a.40.2");
  EXPECT_EQ(PlayerTrack(Mulaw(48'000, 2)).codec_private, (Bytes{0x11, 0x90}));
  for (const TrackInfo& odd : {Mulaw(12'345), Mulaw(8000, 3)}) {
    EXPECT_EQ(PlayerTrack(odd), odd);
    EXPECT_EQ(PlayableTracks({H264Track(), odd})->size(), 1U) << "the picture can be watched";
    EXPECT_EQ(PlayableTracks({odd}).error().code, ErrorCode::kUnsupported);
  }
}

TEST_F(PlayerAudio, FactsThatLieAreErrors) {
  const auto fragments = Record("door", Packets(Sound(8000 * 2)), 5000);
  const Fragment stored = *store_.Read("door", fragments[0].number);
  const auto made = [&](auto&& lie) {
    FragmentFacts facts = stored.facts;
    std::vector<Frame> frames = Packets(Sound(8000 * 2));
    lie(facts, frames);
    const auto fragment = MakePlayerFragment({facts, frames}, {});
    return fragment ? ErrorCode::kInternal : fragment.error().code;
  };
  EXPECT_EQ(made([](auto&, auto& frames) { frames.pop_back(); }), ErrorCode::kCorruption);
  EXPECT_EQ(made([](auto&, auto& frames) { frames.push_back(frames.back()); }), ErrorCode::kCorruption);
  EXPECT_EQ(made([](auto& facts, auto&) { facts.track_facts[0].samples_per_frame = 0; }),
            ErrorCode::kCorruption);
  EXPECT_EQ(made([](auto& facts, auto&) { facts.track_facts[0].anchors[0].sample = ~0ULL; }),
            ErrorCode::kCorruption);
}

}  // namespace
}  // namespace millrace
