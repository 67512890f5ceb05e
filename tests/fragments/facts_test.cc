#include <gtest/gtest.h>

#include <random>

#include "fragments/fragment.h"

namespace millrace {
namespace {

FragmentFacts Example() {
  FragmentFacts facts;
  facts.number = {.counter = 42, .server_ms = 1'763'690'820'250, .random = 0x1234567};
  facts.start = Timestamp::FromMillis(1'763'690'820'000);
  facts.duration = std::chrono::milliseconds(2'000);
  facts.server_start = Timestamp{1'763'690'820'250'000'321};
  facts.bytes = 1'048'576;
  facts.run = 7;
  facts.run_start = Timestamp::FromMillis(1'763'690'800'000);
  facts.independent = false;
  facts.clock = ClockSource::kCamera;
  facts.end = FragmentEnd::kSize;
  facts.tracks = {
      {.number = 1, .codec = Codec::kH264, .codec_private = {1, 100, 0, 40}, .width = 1920, .height = 1080},
      {.number = 2,
       .codec = Codec::kAac,
       .codec_private = {0x11, 0x90},
       .sample_rate = 48'000,
       .channels = 2}};
  facts.tracks_id = TracksId(facts.tracks);
  facts.track_facts = {
      {.track = 1,
       .frames = 50,
       .reorder_depth = 2,
       .first_dts = Timestamp::FromMillis(1'763'690'819'920),
       .end_dts = Timestamp::FromMillis(1'763'690'821'920)},
      {.track = 2, .frames = 94, .samples_per_frame = 1024, .anchors = {{0, 960'000}, {50, 1'020'000}}}};
  return facts;
}

TEST(FragmentFacts, AreReadBackAsTheyWereWritten) {
  const FragmentFacts facts = Example();
  const auto decoded = DecodeFacts(EncodeFacts(facts));
  ASSERT_TRUE(decoded) << decoded.error().ToString();
  EXPECT_EQ(*decoded, facts);
  const auto empty = DecodeFacts(EncodeFacts(FragmentFacts{}));
  ASSERT_TRUE(empty);
  EXPECT_EQ(*empty, FragmentFacts{});
}

TEST(FragmentFacts, OnlyWhatNeedsANewVersionHasOne) {
  FragmentFacts facts = Example();
  Bytes bytes = EncodeFacts(facts);
  EXPECT_EQ(bytes[0], 1);
  facts.damaged = true;
  bytes = EncodeFacts(facts);
  EXPECT_EQ(bytes[0], 2);
  const auto decoded = DecodeFacts(bytes);
  ASSERT_TRUE(decoded) << decoded.error().ToString();
  EXPECT_EQ(*decoded, facts);
  bytes[0] = 1;  // which knows of no damage
  EXPECT_EQ(DecodeFacts(bytes).error().code, ErrorCode::kCorruption);
}

TEST(FragmentFacts, SpanIsReadWithoutTheRest) {
  const FragmentFacts facts = Example();
  const auto span = DecodeFactsSpan(EncodeFacts(facts));
  ASSERT_TRUE(span);
  EXPECT_EQ(span->start, facts.start);
  EXPECT_EQ(span->end, facts.end_time());
  EXPECT_EQ(span->run, facts.run);
}

TEST(FragmentFacts, CutShortAnywhereAreDamaged) {
  const Bytes bytes = EncodeFacts(Example());
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    const auto decoded = DecodeFacts(ByteSpan(bytes).first(length));
    ASSERT_FALSE(decoded) << length;
    EXPECT_EQ(decoded.error().code, ErrorCode::kCorruption) << length;
  }
  Bytes longer = bytes;
  longer.push_back(0);
  EXPECT_FALSE(DecodeFacts(longer));
}

TEST(FragmentFacts, NewerVersionIsNamed) {
  Bytes bytes = EncodeFacts(Example());
  bytes[0] = 9;
  for (const ErrorCode code : {DecodeFacts(bytes).error().code, DecodeFactsSpan(bytes).error().code}) {
    EXPECT_EQ(code, ErrorCode::kUnsupported);
  }
  bytes[0] = 0;
  EXPECT_EQ(DecodeFacts(bytes).error().code, ErrorCode::kCorruption);
}

// Goal: no bytes make the decoder read outside them, crash, or set aside more than they could hold.
TEST(FragmentFacts, AnyDamageIsAnErrorOrOtherFacts) {
  const Bytes good = EncodeFacts(Example());
  std::mt19937 random(11);
  for (int i = 0; i < 20'000; ++i) {
    Bytes bytes = good;
    for (unsigned flips = 1 + random() % 4; flips > 0; --flips) {
      bytes[random() % bytes.size()] = static_cast<std::uint8_t>(random());
    }
    bytes.resize(random() % 8 == 0 ? random() % (bytes.size() + 1) : bytes.size());
    const auto decoded = DecodeFacts(bytes);
    if (decoded) {
      EXPECT_EQ(EncodeFacts(*decoded), bytes);
    }
  }
}

TEST(TracksId, IsStableOnDiskAndSeesEveryField) {
  const std::vector<TrackInfo> tracks = Example().tracks;
  const std::uint64_t id = TracksId(tracks);
  EXPECT_EQ(id, 15401815595844774825u);  // changes only with the format of what is stored
  std::vector<std::vector<TrackInfo>> changed(7, tracks);
  changed[0][0].number = 3;
  changed[1][0].codec = Codec::kH265;
  changed[2][0].codec_private[3] = 41;
  changed[3][0].width = 1280;
  changed[4][1].sample_rate = 44'100;
  changed[5][1].channels = 1;
  changed[6].pop_back();
  for (const auto& other : changed) EXPECT_NE(TracksId(other), id);
}

}  // namespace
}  // namespace millrace
