#include "fragments/decode_times.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace millrace {
namespace {

std::vector<Timestamp> Millis(std::initializer_list<std::int64_t> times) {
  std::vector<Timestamp> out;
  for (const std::int64_t ms : times) out.push_back(Timestamp::FromMillis(ms));
  return out;
}

TrackFacts Video(std::uint32_t frames, std::uint32_t depth, std::int64_t first_ms, std::int64_t end_ms) {
  return {.track = 1,
          .frames = frames,
          .reorder_depth = depth,
          .first_dts = Timestamp::FromMillis(first_ms),
          .end_dts = Timestamp::FromMillis(end_ms)};
}

std::vector<std::int64_t> DtsMillis(const std::vector<VideoTime>& times) {
  std::vector<std::int64_t> out;
  for (const VideoTime& time : times) out.push_back(time.dts.millis());
  return out;
}

TEST(VideoDecodeTimes, WithoutReorderingTheyAreThePresentationTimes) {
  const auto times = VideoDecodeTimes(Video(3, 0, 1000, 1120), Millis({1000, 1040, 1080}));
  ASSERT_TRUE(times);
  EXPECT_EQ(DtsMillis(*times), (std::vector<std::int64_t>{1000, 1040, 1080}));
  for (const VideoTime& time : *times) EXPECT_EQ(time.duration, std::chrono::milliseconds(40));
}

TEST(VideoDecodeTimes, BFramesRunBehindByTheDepth) {
  // I0 P3 B1 B2 P6 B4 B5, 40 ms each, depth 1... B1 and B2 wait for one frame only.
  const auto times =
      VideoDecodeTimes(Video(7, 1, 960, 1240), Millis({1000, 1120, 1040, 1080, 1240, 1160, 1200}));
  ASSERT_TRUE(times);
  EXPECT_EQ(DtsMillis(*times), (std::vector<std::int64_t>{960, 1000, 1040, 1080, 1120, 1160, 1200}));
  EXPECT_EQ(times->back().duration, std::chrono::milliseconds(40));
}

TEST(VideoDecodeTimes, TheFirstOnesAreSpreadEvenly) {
  const auto times = VideoDecodeTimes(Video(4, 3, 900, 1100), Millis({1000, 1300, 1200, 1100}));
  ASSERT_TRUE(times) << times.error().ToString();
  EXPECT_EQ((*times)[1].dts.ns, 933'333'333);
  EXPECT_EQ((*times)[2].dts.ns, 966'666'666);
  EXPECT_EQ((*times)[3].dts.ns, 1'000'000'000);
}

TEST(VideoDecodeTimes, FewerFramesThanTheDepth) {
  const auto times = VideoDecodeTimes(Video(1, 4, 900, 950), Millis({1000}));
  ASSERT_TRUE(times);
  EXPECT_EQ(times->front(), (VideoTime{Timestamp::FromMillis(900), std::chrono::milliseconds(50)}));
  EXPECT_TRUE(VideoDecodeTimes(Video(0, 4, 900, 900), {})->empty());
}

struct BadVideo {
  const char* name;
  TrackFacts facts;
  std::vector<Timestamp> pts;
};

TEST(VideoDecodeTimes, RefusesFactsThatContradictTheFrames) {
  const std::vector<BadVideo> cases = {
      {"fewer frames", Video(3, 0, 1000, 1120), Millis({1000, 1040})},
      {"more frames", Video(1, 0, 1000, 1120), Millis({1000, 1040})},
      {"two at one time", Video(2, 0, 1000, 1120), Millis({1000, 1000})},
      {"deeper than said", Video(3, 0, 1000, 1120), Millis({1000, 1080, 1040})},
      {"ends too early", Video(2, 0, 1000, 1040), Millis({1000, 1040})},
      {"first after shown", Video(2, 1, 1010, 1040), Millis({1000, 1040})},
      {"no room for the first", Video(2, 1, 1000, 1040), Millis({1000, 1040})},
      {"absurd depth", Video(2, 4'000'000'000, 900, 1040), Millis({1000, 1040})},
      {"absurd first", {.frames = 1, .reorder_depth = 1, .first_dts = Timestamp{INT64_MIN}}, Millis({1000})},
      {"absurd end", {.frames = 1, .end_dts = Timestamp{INT64_MAX}}, {Timestamp{INT64_MIN}}},
  };
  for (const BadVideo& bad : cases) {
    const auto times = VideoDecodeTimes(bad.facts, bad.pts);
    ASSERT_FALSE(times) << bad.name;
    EXPECT_EQ(times.error().code, ErrorCode::kCorruption) << bad.name;
  }
}

TEST(AudioSamples, CountOnFromTheAnchors) {
  const auto spans =
      AudioSamples({.frames = 4, .samples_per_frame = 1024, .anchors = {{0, 5000}, {2, 8000}}});
  ASSERT_TRUE(spans);
  EXPECT_EQ(*spans, (std::vector<AudioSpan>{{5000, 1024}, {6024, 1976}, {8000, 1024}, {9024, 1024}}));
  EXPECT_TRUE(AudioSamples({.frames = 0, .samples_per_frame = 1024})->empty());
}

TEST(AudioSamples, RefusesFactsThatContradictThemselves) {
  const std::vector<TrackFacts> cases = {
      {.frames = 2, .samples_per_frame = 1024},
      {.frames = 2, .samples_per_frame = 0, .anchors = {{0, 0}}},
      {.frames = 2, .samples_per_frame = 1024, .anchors = {{1, 0}}},
      {.frames = 2, .samples_per_frame = 1024, .anchors = {{0, 0}, {2, 4096}}},
      {.frames = 2, .samples_per_frame = 1024, .anchors = {{0, 0}, {1, 1023}}},
      {.frames = 2, .samples_per_frame = 1024, .anchors = {{0, 0}, {1, 2048}, {1, 4096}}},
      {.frames = 2, .samples_per_frame = 1024, .anchors = {{0, UINT64_MAX}}},
      {.frames = 0, .samples_per_frame = 1024, .anchors = {{0, 0}}},
      {.frames = 4'294'967'295, .samples_per_frame = 1024, .anchors = {{0, 0}}},
  };
  for (const TrackFacts& facts : cases) {
    const auto spans = AudioSamples(facts);
    ASSERT_FALSE(spans);
    EXPECT_EQ(spans.error().code, ErrorCode::kCorruption);
  }
}

}  // namespace
}  // namespace millrace
