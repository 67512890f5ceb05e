// Segments as pure functions: their layout, what they copy, and facts that lie.
#include "consumers/hls/fmp4.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "consumers/hls/codec_string.h"
#include "facts_maker.h"

namespace millrace {
namespace {

using testing::AacTrack;
using testing::H264Track;
using testing::kFactsStart;
using testing::MakeFacts;

Bytes Join(const MediaSegment& segment) {
  Bytes all;
  for (const SharedBytes& part : segment.parts) all.insert(all.end(), part.span().begin(), part.span().end());
  return all;
}

// The payload of the box at `path` ("moof", "traf", …), the first of each type.
ByteSpan Box(ByteSpan bytes, std::initializer_list<std::string_view> path) {
  for (std::string_view type : path) {
    bool found = false;
    while (bytes.size() >= 8) {
      const auto size = ReadBigEndian<std::uint32_t>(bytes);
      if (size < 8 || size > bytes.size()) return {};
      if (AsText(bytes.subspan(4, 4)) == type) {
        bytes = bytes.subspan(8, size - 8);
        found = true;
        break;
      }
      bytes = bytes.subspan(size);
    }
    if (!found) return {};
  }
  return bytes;
}

class Fmp4 : public ::testing::Test {
 protected:
  // Ten frames of video in I B P B P … order (depth 1), and 47 of audio from sample 96 on.
  void SetUp() override {
    facts_ = MakeFacts(9, 3'000, 400, 1, {H264Track(), AacTrack()});
    TrackFacts& video = facts_.track_facts[0];
    video.reorder_depth = 1;
    video.first_dts = facts_.start - std::chrono::milliseconds(40);
    video.end_dts = facts_.end_time() - std::chrono::milliseconds(40);
    TrackFacts& audio = facts_.track_facts[1];
    audio.frames = 19;
    audio.samples_per_frame = 1024;
    audio.anchors = {{0, 144'096}};
    for (int i = 0; i < 10; ++i) {
      const int shown = i == 0 || i == 9 ? i : (i % 2 == 1 ? i + 1 : i - 1);
      Frame frame;
      frame.track = 1;
      frame.pts = facts_.start + std::chrono::milliseconds(40 * shown);
      frame.key_frame = i == 0;
      frame.data = SharedBytes(Bytes(i == 0 ? 20'000 : 1000, static_cast<std::uint8_t>(i)));
      frames_.push_back(frame);
    }
    for (int i = 0; i < 19; ++i) {
      Frame frame;
      frame.track = 2;
      frame.key_frame = true;
      frame.data = SharedBytes(Bytes(200, static_cast<std::uint8_t>(100 + i)));
      frames_.push_back(frame);
    }
  }

  FragmentFacts facts_;
  std::vector<Frame> frames_;
};

TEST_F(Fmp4, SaysTimesSizesAndFlagsExactly) {
  auto segment = MakeMediaSegment(facts_, frames_);
  ASSERT_TRUE(segment) << segment.error().ToString();
  const Bytes bytes = Join(*segment);
  EXPECT_EQ(bytes.size(), segment->bytes);
  EXPECT_EQ(ReadBigEndian<std::uint32_t>(Box(bytes, {"moof", "mfhd"}).subspan(4)), 9U);

  ByteSpan tfdt = Box(bytes, {"moof", "traf", "tfdt"});
  EXPECT_EQ(tfdt[0], 1);  // 64 bits
  const auto first_dts = static_cast<std::uint64_t>((kFactsStart.millis() + 2'960) * 90);
  EXPECT_EQ(ReadBigEndian<std::uint64_t>(tfdt.subspan(4)), first_dts);
  ByteSpan tfhd = Box(bytes, {"moof", "traf", "tfhd"});
  EXPECT_EQ(ReadBigEndian<std::uint32_t>(tfhd) & 0x020001, 0x020000U);  // default-base-is-moof

  ByteSpan trun = Box(bytes, {"moof", "traf", "trun"});
  EXPECT_EQ(trun[0], 1);  // signed composition offsets
  EXPECT_EQ(ReadBigEndian<std::uint32_t>(trun.subspan(4)), 10U);
  // size, flags, offset of the first three samples: all last 40 ms, so that is said once
  const std::uint32_t expected[3][3] = {
      {20'000, 0x02000000, 3600}, {1000, 0x01010000, 7200}, {1000, 0x01010000, 0}};
  for (std::size_t i = 0; i < 3; ++i) {
    for (std::size_t j = 0; j < 3; ++j) {
      EXPECT_EQ(ReadBigEndian<std::uint32_t>(trun.subspan(12 + i * 12 + j * 4)), expected[i][j])
          << i << " " << j;
    }
  }
  EXPECT_EQ(ReadBigEndian<std::uint32_t>(tfhd.subspan(8)), 3600U);
  // data_offset counts from moof's first byte to the first frame's.
  const std::size_t styp = ReadBigEndian<std::uint32_t>(bytes);
  const std::size_t data = styp + ReadBigEndian<std::uint32_t>(trun.subspan(8));
  EXPECT_EQ(AsText(ByteSpan(bytes).subspan(data - 4, 4)), "mdat");
  EXPECT_EQ(ByteSpan(bytes).size() - data, 20'000U + 9 * 1000 + 19 * 200);
}

TEST_F(Fmp4, LargeFramesAreNotCopied) {
  auto segment = MakeMediaSegment(facts_, frames_);
  ASSERT_TRUE(segment);
  ASSERT_EQ(segment->parts.size(), 3U);  // header, the large frame, the small ones together
  EXPECT_EQ(segment->parts[1].data(), frames_[0].data.data());
  EXPECT_EQ(segment->copied_bytes, segment->bytes - 20'000);
}

TEST_F(Fmp4, ATrackAloneHasItsTimesAndItsFramesOnly) {
  auto sound = MakeMediaSegment(facts_, frames_, {.track = 2});
  ASSERT_TRUE(sound) << sound.error().ToString();
  const Bytes bytes = Join(*sound);
  EXPECT_EQ(ReadBigEndian<std::uint32_t>(Box(bytes, {"moof", "traf", "tfhd"}).subspan(4)), 2U);
  EXPECT_EQ(ReadBigEndian<std::uint32_t>(Box(bytes, {"moof", "traf", "trun"}).subspan(4)), 19U);
  EXPECT_EQ(Box(bytes, {"mdat"}).size(), 19U * 200);

  auto none = MakeMediaSegment(facts_, frames_, {.track = 3});
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, ErrorCode::kNotFound);
}

TEST_F(Fmp4, PiecesNextToEachOtherEqualTheWhole) {
  auto whole = MakeTrackRuns(facts_, frames_);
  ASSERT_TRUE(whole) << whole.error().ToString();
  for (std::uint32_t pieces = 1; pieces <= 24; ++pieces) {
    std::vector<std::vector<const Frame*>> joined(2);
    for (std::uint32_t piece = 0; piece < pieces; ++piece) {
      auto part = MakeTrackRuns(facts_, frames_, {.piece = piece, .pieces = pieces});
      ASSERT_TRUE(part) << part.error().ToString();
      ASSERT_EQ(part->size(), 2U);
      for (std::size_t i = 0; i < 2; ++i) {
        std::uint64_t time = (*whole)[i].decode_time;
        for (std::size_t j = 0; j < joined[i].size(); ++j) time += (*whole)[i].samples[j].duration;
        if (!(*part)[i].samples.empty()) {
          EXPECT_EQ((*part)[i].decode_time, time) << pieces << " " << piece;
        }
        for (const TrackSample& sample : (*part)[i].samples) joined[i].push_back(sample.frame);
      }
      EXPECT_TRUE(MakeMediaSegment(facts_, frames_, {.piece = piece, .pieces = pieces}));
    }
    for (std::size_t i = 0; i < 2; ++i) {
      ASSERT_EQ(joined[i].size(), (*whole)[i].samples.size());
      for (std::size_t j = 0; j < joined[i].size(); ++j)
        EXPECT_EQ(joined[i][j], (*whole)[i].samples[j].frame);
    }
  }
  for (SegmentSelection no : {SegmentSelection{.piece = 2, .pieces = 2}, SegmentSelection{.pieces = 0}}) {
    auto refused = MakeMediaSegment(facts_, frames_, no);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::kInvalidArgument);
  }
}

TEST_F(Fmp4, G711HasToBeMadeAacBefore) {
  facts_.tracks[1].codec = Codec::kPcmMulaw;
  const auto segment = MakeMediaSegment(facts_, frames_);
  ASSERT_FALSE(segment);
  EXPECT_EQ(segment.error().code, ErrorCode::kInvalidArgument);
  EXPECT_TRUE(MakeMediaSegment(facts_, frames_, {.track = 1}));
}

TEST_F(Fmp4, FactsThatLieAreErrors) {
  struct Lie {
    const char* name;
    std::function<void(FragmentFacts&, std::vector<Frame>&)> tell;
  };
  const Lie lies[] = {
      {"a frame too few", [](auto&, auto& frames) { frames.erase(frames.begin() + 3); }},
      {"sound too few", [](auto&, auto& frames) { frames.pop_back(); }},
      {"no frames", [](auto&, auto& frames) { frames.clear(); }},
      {"no facts of a track", [](auto& facts, auto&) { facts.track_facts.pop_back(); }},
      {"no facts of any", [](auto& facts, auto&) { facts.track_facts.clear(); }},
      {"depth", [](auto& facts, auto&) { facts.track_facts[0].reorder_depth = 0; }},
      {"depth beyond all", [](auto& facts, auto&) { facts.track_facts[0].reorder_depth = ~0U; }},
      {"end before the last frame", [](auto& facts, auto&) { facts.track_facts[0].end_dts = facts.start; }},
      {"times before the run", [](auto& facts, auto&) { facts.run_start = facts.start; }},
      {"a run of centuries", [](auto& facts, auto&) { facts.run_start = Timestamp{0}; }},
      {"times that overflow", [](auto& facts, auto&) { facts.run_start = Timestamp{INT64_MIN}; }},
      {"a frame of another age", [](auto&, auto& frames) { frames[4].pts = Timestamp{INT64_MAX}; }},
      {"no samples", [](auto& facts, auto&) { facts.track_facts[1].samples_per_frame = 0; }},
      {"no anchor", [](auto& facts, auto&) { facts.track_facts[1].anchors.clear(); }},
      {"an anchor that goes back",
       [](auto& facts, auto&) {
         facts.track_facts[1].anchors.push_back({3, 5});
       }},
      {"an anchor far away",
       [](auto& facts, auto&) {
         facts.track_facts[1].anchors.push_back({3, 1ULL << 40});
       }},
  };
  for (const Lie& lie : lies) {
    FragmentFacts facts = facts_;
    std::vector<Frame> frames = frames_;
    lie.tell(facts, frames);
    auto segment = MakeMediaSegment(facts, frames);
    ASSERT_FALSE(segment) << lie.name;
    EXPECT_EQ(segment.error().code, ErrorCode::kCorruption) << lie.name;
  }
}

TEST_F(Fmp4, InitSegmentsOfBadTracksAreErrors) {
  struct Case {
    const char* name;
    std::function<void(std::vector<TrackInfo>&)> spoil;
    ErrorCode code;
  };
  const Case cases[] = {
      {"none", [](auto& tracks) { tracks.clear(); }, ErrorCode::kInvalidArgument},
      {"number 0", [](auto& tracks) { tracks[0].number = 0; }, ErrorCode::kInvalidArgument},
      {"twice", [](auto& tracks) { tracks[1].number = 1; }, ErrorCode::kInvalidArgument},
      {"no avcC", [](auto& tracks) { tracks[0].codec_private.clear(); }, ErrorCode::kInvalidArgument},
      {"annex B", [](auto& tracks) { tracks[0].codec_private = {0, 0, 0, 1, 0x67, 1, 2, 3}; },
       ErrorCode::kInvalidArgument},
      {"huge avcC", [](auto& tracks) { tracks[0].codec_private.resize(100'000); },
       ErrorCode::kInvalidArgument},
      {"no width", [](auto& tracks) { tracks[0].width = 0; }, ErrorCode::kInvalidArgument},
      {"width", [](auto& tracks) { tracks[0].width = 70'000; }, ErrorCode::kInvalidArgument},
      {"no rate", [](auto& tracks) { tracks[1].sample_rate = 0; }, ErrorCode::kInvalidArgument},
      {"no channels", [](auto& tracks) { tracks[1].channels = 0; }, ErrorCode::kInvalidArgument},
      {"no config", [](auto& tracks) { tracks[1].codec_private.clear(); }, ErrorCode::kInvalidArgument},
      {"vp8", [](auto& tracks) { tracks[0].codec = Codec::kVp8; }, ErrorCode::kUnsupported},
      {"opus without its head", [](auto& tracks) { tracks[1].codec = Codec::kOpus; },
       ErrorCode::kInvalidArgument},
      {"G.711 as it is stored", [](auto& tracks) { tracks[1].codec = Codec::kPcmAlaw; },
       ErrorCode::kUnsupported},
  };
  for (const Case& bad : cases) {
    std::vector<TrackInfo> tracks = facts_.tracks;
    bad.spoil(tracks);
    auto init = MakeInitSegment(tracks);
    ASSERT_FALSE(init) << bad.name;
    EXPECT_EQ(init.error().code, bad.code) << bad.name;
  }
  EXPECT_TRUE(MakeInitSegment(facts_.tracks));
}

TEST(CodecString, NamesOfRfc6381) {
  EXPECT_EQ(*CodecString(H264Track(0x28)), "avc1.640028");
  EXPECT_EQ(*CodecString(AacTrack()), "mp4a.40.2");
  TrackInfo he_aac = AacTrack();
  he_aac.codec_private = {0x2b, 0x92, 0x08, 0x00};
  EXPECT_EQ(*CodecString(he_aac), "mp4a.40.5");
  TrackInfo usac = AacTrack();
  usac.codec_private = {0xf9, 0x46};  // escape: 32 + 10
  EXPECT_EQ(*CodecString(usac), "mp4a.40.42");
}

}  // namespace
}  // namespace millrace
