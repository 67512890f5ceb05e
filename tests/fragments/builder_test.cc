#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "fragments/decode_times.h"
#include "tests/fragments/frames.h"

namespace millrace {
namespace {

using test::AudioFrame;
using test::AudioPacket;
using test::AudioTrack;
using test::BaselineTrack;
using test::CheckRuns;
using test::KeepingSink;
using test::kStartMs;
using test::VideoFrame;
using test::VideoTrack;

class BuilderTest : public testing::Test {
 protected:
  void Start(std::vector<TrackInfo> tracks, BuilderLimits limits = {}) {
    builder_ = std::make_unique<FragmentBuilder>(sink_, limits);
    ASSERT_TRUE(builder_->StartRun(std::move(tracks), ClockSource::kArrival));
  }
  void Push(Frame frame) {
    const auto pushed = builder_->Push(std::move(frame));
    ASSERT_TRUE(pushed) << pushed.error().ToString();
  }
  std::vector<std::int64_t> Starts() const {
    std::vector<std::int64_t> starts;
    for (const Fragment& fragment : sink_.fragments)
      starts.push_back(fragment.facts.start.millis() - kStartMs);
    return starts;
  }
  std::vector<std::int64_t> Durations() const {
    std::vector<std::int64_t> durations;
    for (const Fragment& fragment : sink_.fragments)
      durations.push_back(fragment.facts.duration.count() / 1'000'000);
    return durations;
  }
  std::vector<std::size_t> FrameCounts(std::uint32_t track) const {
    std::vector<std::size_t> counts;
    for (const auto& frames : sink_.frames) counts.push_back(test::PtsOf(frames, track).size());
    return counts;
  }

  KeepingSink sink_;
  std::unique_ptr<FragmentBuilder> builder_;
};

using testing::Each;
using testing::ElementsAre;

TEST_F(BuilderTest, CutsAtTheFirstKeyFrameAfterTheLeastDuration) {
  Start({BaselineTrack()});
  for (int i = 0; i < 100; ++i) Push(VideoFrame(i * 40, i % 10 == 0));  // a key frame every 400 ms
  builder_->EndRun();
  EXPECT_EQ(CheckRuns(sink_), "");
  EXPECT_THAT(Starts(), ElementsAre(0, 1200, 2400, 3600));
  EXPECT_THAT(Durations(), ElementsAre(1200, 1200, 1200, 400));
  EXPECT_THAT(FrameCounts(1), ElementsAre(30, 30, 30, 10));
  EXPECT_EQ(sink_.fragments[0].facts.end, FragmentEnd::kKeyFrame);
  EXPECT_EQ(sink_.fragments[3].facts.end, FragmentEnd::kRunEnded);
  for (const Fragment& fragment : sink_.fragments) EXPECT_TRUE(fragment.facts.independent);
  EXPECT_EQ(builder_->counters().frames, 100u);
  EXPECT_EQ(builder_->counters().frames_dropped, 0u);
  EXPECT_EQ(builder_->counters().times_corrected, 0u);
}

TEST_F(BuilderTest, AHoleIsSeenWhereFramesMayBeReordered) {
  Start({VideoTrack()});  // its headers leave that open
  for (int i = 0; i < 10; ++i) Push(VideoFrame(i * 40, i == 0));
  for (int i = 0; i < 10; ++i) Push(VideoFrame(5000 + i * 40, false));
  Push(VideoFrame(9000, false));  // another one, and a key frame at once
  Push(VideoFrame(9040, true));
  Push(VideoFrame(9080, false));
  builder_->EndRun();
  EXPECT_EQ(sink_.runs, 1U);
  EXPECT_THAT(Starts(), ElementsAre(0, 5000, 9000));
  EXPECT_THAT(Durations(), ElementsAre(400, 400, 120));
  EXPECT_EQ(builder_->counters().frames_dropped, 0U);
}

TEST_F(BuilderTest, AHoleInTimeEndsTheFragmentWithItsLastFrame) {
  Start({BaselineTrack()});
  for (int i = 0; i < 10; ++i) Push(VideoFrame(i * 40, i == 0));
  Push(VideoFrame(5000, false));  // 4.6 s without anything; what comes refers to what was
  Push(VideoFrame(5040, false));
  Push(VideoFrame(9000, true));
  Push(VideoFrame(9040, false));
  builder_->EndRun();
  EXPECT_EQ(sink_.runs, 1U);
  EXPECT_THAT(Starts(), ElementsAre(0, 5000, 9000));
  EXPECT_THAT(Durations(), ElementsAre(400, 80, 80));
  EXPECT_TRUE(sink_.fragments[0].facts.independent);
  EXPECT_FALSE(sink_.fragments[1].facts.independent);
  EXPECT_TRUE(sink_.fragments[2].facts.independent);
  // For a decoder the last picture stands until the next one.
  EXPECT_EQ(sink_.fragments[0].facts.track_facts[0].end_dts, Timestamp::FromMillis(kStartMs + 5000));
  EXPECT_EQ(builder_->counters().frames_dropped, 0U);
}

TEST_F(BuilderTest, AHoleIsSeenWhereSoundComesFirstBehindIt) {
  Start({BaselineTrack(), AudioTrack()});
  for (int i = 0; i < 25; ++i) Push(VideoFrame(i * 40, i == 0));
  for (int n = 0; n < 47; ++n) Push(AudioPacket(n));  // 1 s
  for (int n = 235; n < 282; ++n)
    Push(AudioPacket(n));  // from 5.013 s on, a second of it ahead of the picture
  for (int i = 125; i < 150; ++i) Push(VideoFrame(i * 40, false));
  builder_->EndRun();
  EXPECT_EQ(CheckRuns(sink_), "");
  EXPECT_THAT(Starts(), ElementsAre(0, 5000));
  EXPECT_LE(Durations()[0], 1050);
  EXPECT_THAT(FrameCounts(2), ElementsAre(47, 47));
  EXPECT_EQ(builder_->counters().frames_dropped, 0U);
}

TEST_F(BuilderTest, PicturesThatAreAlwaysFarApartAreNoHoles) {
  Start({BaselineTrack()});
  for (int i = 0; i < 60; ++i) Push(VideoFrame(i * 4000, i % 5 == 0));
  builder_->EndRun();
  std::size_t holes = 0;
  for (std::size_t i = 1; i < sink_.fragments.size(); ++i) {
    holes += sink_.fragments[i].facts.start != sink_.fragments[i - 1].facts.end_time() ? 1U : 0U;
  }
  EXPECT_GE(holes, 1U);  // until that is seen
  EXPECT_LE(holes, 6U);
}

TEST_F(BuilderTest, SoundThatGoesOnIsNoHole) {
  Start({BaselineTrack(), AudioTrack()});
  for (int i = 0; i < 25; ++i) Push(VideoFrame(i * 40, i == 0));
  for (int n = 0; n < 250; ++n) Push(AudioPacket(n));  // 5.3 s
  Push(VideoFrame(5200, false));
  builder_->EndRun();
  for (std::size_t i = 1; i < sink_.fragments.size(); ++i) {
    EXPECT_EQ(sink_.fragments[i].facts.start, sink_.fragments[i - 1].facts.end_time());
  }
}

TEST_F(BuilderTest, ALossMarksWhatRefersToIt) {
  Start({BaselineTrack()});
  const auto group = [&](int number) {
    Push(VideoFrame(number * 1000, true));
    for (int i = 1; i < 25; ++i) Push(VideoFrame(number * 1000 + i * 40, false));
  };
  group(0);
  group(1);
  builder_->MarkLoss(TrackKind::kVideo);
  Push(VideoFrame(2000 - 20, false));
  group(2);
  builder_->MarkLoss(TrackKind::kVideo);  // of the key frame itself
  group(3);
  group(4);
  builder_->EndRun();
  std::vector<bool> damaged;
  for (const Fragment& fragment : sink_.fragments) damaged.push_back(fragment.facts.damaged);
  EXPECT_THAT(damaged, ElementsAre(false, true, true, true, false));
}

TEST_F(BuilderTest, AFrameBehindALossMarksWhatRefersToIt) {
  Start({BaselineTrack()});
  const auto group = [&](int number, bool key_frame_after_loss) {
    Frame key_frame = VideoFrame(number * 1000, true);
    key_frame.after_loss = key_frame_after_loss;
    Push(std::move(key_frame));
    for (int i = 1; i < 25; ++i) Push(VideoFrame(number * 1000 + i * 40, false));
  };
  group(0, true);  // lost before the run began
  group(1, false);
  group(2, false);
  group(3, true);
  group(4, false);
  builder_->EndRun();
  std::vector<bool> damaged;
  for (const Fragment& fragment : sink_.fragments) damaged.push_back(fragment.facts.damaged);
  EXPECT_THAT(damaged, ElementsAre(true, false, true, true, false));
}

TEST_F(BuilderTest, DurationLimitCutsWithoutAKeyFrame) {
  Start({BaselineTrack()}, {.duration_max = std::chrono::seconds(2)});
  for (int i = 0; i < 125; ++i) Push(VideoFrame(i * 40, i == 0));
  Push(VideoFrame(5000, true));
  builder_->EndRun();
  EXPECT_EQ(CheckRuns(sink_), "");
  EXPECT_THAT(Starts(), ElementsAre(0, 2000, 4000, 5000));
  EXPECT_EQ(sink_.fragments[0].facts.end, FragmentEnd::kDuration);
  EXPECT_TRUE(sink_.fragments[0].facts.independent);
  EXPECT_FALSE(sink_.fragments[1].facts.independent);
  EXPECT_FALSE(sink_.fragments[2].facts.independent);
  EXPECT_EQ(sink_.fragments[2].facts.end, FragmentEnd::kKeyFrame);
  EXPECT_TRUE(sink_.fragments[3].facts.independent);
}

TEST_F(BuilderTest, SizeLimitHoldsForEveryDocument) {
  Start({BaselineTrack()}, {.bytes_max = 100'000});
  for (int i = 0; i < 200; ++i) Push(VideoFrame(i * 40, i == 0, 7'000));
  builder_->EndRun();
  EXPECT_EQ(CheckRuns(sink_), "");
  ASSERT_GT(sink_.fragments.size(), 10u);
  for (const Fragment& fragment : sink_.fragments) EXPECT_LE(fragment.mkv.size(), 100'000u);
  EXPECT_EQ(sink_.fragments[0].facts.end, FragmentEnd::kSize);
  EXPECT_FALSE(sink_.fragments[1].facts.independent);
  EXPECT_EQ(builder_->counters().frames, 200u);
}

TEST_F(BuilderTest, SizeLimitInTheMiddleOfBFramesMovesTimesRatherThanBreakTheRule) {
  Start({VideoTrack()}, {.bytes_max = 20'000});
  int frames = 0;
  for (int gop = 0; gop < 20; ++gop) {
    for (const int at : {3, 1, 2}) {
      Push(VideoFrame(gop * 120 + at * 40, gop == 0 && at == 3, 6'000));
      ++frames;
    }
  }
  builder_->EndRun();
  EXPECT_EQ(CheckRuns(sink_), "");
  for (const Fragment& fragment : sink_.fragments) EXPECT_LE(fragment.mkv.size(), 20'000u);
  EXPECT_EQ(builder_->counters().frames + builder_->counters().frames_dropped, static_cast<unsigned>(frames));
}

// I P B b b pattern of depth 2: 0 4 2 1 3 | 8 6 5 7 …
TEST_F(BuilderTest, DurationLimitWithBFramesCutsWhereNothingReachesBack) {
  Start({VideoTrack()}, {.duration_max = std::chrono::seconds(2)});
  Push(VideoFrame(0, true));
  for (int group = 0; group < 40; ++group) {
    for (const int at : {4, 2, 1, 3}) Push(VideoFrame((group * 4 + at) * 40, false));
  }
  builder_->EndRun();
  EXPECT_EQ(CheckRuns(sink_), "");
  ASSERT_GE(sink_.fragments.size(), 3u);
  EXPECT_EQ(builder_->counters().times_corrected, 0u);
  EXPECT_EQ(builder_->counters().frames, 161u);
  for (const Fragment& fragment : sink_.fragments) {
    EXPECT_LE(fragment.facts.duration, std::chrono::milliseconds(2160));
    EXPECT_EQ(fragment.facts.track_facts[0].reorder_depth, 2u);
  }
}

TEST_F(BuilderTest, DecodeTimesAreThoseOfOneLongRemux) {
  Start({VideoTrack()});
  std::vector<Timestamp> all;
  for (int gop = 0; gop < 5; ++gop) {
    Push(VideoFrame(gop * 1000, true));
    for (int group = 0; group < 6; ++group) {
      for (const int at : {4, 2, 1, 3}) Push(VideoFrame(gop * 1000 + (group * 4 + at) * 40, false));
    }
  }
  builder_->EndRun();
  ASSERT_EQ(CheckRuns(sink_), "");
  ASSERT_EQ(sink_.fragments.size(), 5u);
  std::int64_t at = 0;
  for (std::size_t i = 0; i < 5; ++i) {
    const auto times =
        VideoDecodeTimes(sink_.fragments[i].facts.track_facts[0], test::PtsOf(sink_.frames[i], 1));
    ASSERT_TRUE(times);
    for (const VideoTime& time : *times) {
      EXPECT_EQ(time.dts.millis(), kStartMs + (at - 2) * 40);
      EXPECT_EQ(time.duration, std::chrono::milliseconds(40));
      ++at;
    }
  }
  EXPECT_EQ(sink_.fragments[4].facts.run_start.millis(), kStartMs - 80);
}

TEST_F(BuilderTest, FramesBeforeTheFirstKeyFrameAreDropped) {
  Start({BaselineTrack(), AudioTrack()});
  for (int i = 0; i < 10; ++i) {
    Push(AudioFrame(i * 40 - 500));
    Push(VideoFrame(i * 40 - 400, false));
  }
  Push(VideoFrame(0, true));
  builder_->EndRun();
  EXPECT_EQ(CheckRuns(sink_), "");
  EXPECT_THAT(FrameCounts(1), ElementsAre(1));
  EXPECT_EQ(builder_->counters().frames_dropped, 20u);
}

TEST_F(BuilderTest, AudioThatCameBeforeTheKeyFrameIsKept) {
  Start({BaselineTrack(), AudioTrack()});
  for (int i = -5; i < 20; ++i) Push(AudioPacket(i));
  Push(VideoFrame(0, true));
  Push(VideoFrame(1000, true));
  builder_->EndRun();
  EXPECT_EQ(CheckRuns(sink_), "");
  EXPECT_THAT(FrameCounts(2), ElementsAre(20, 0));
  EXPECT_EQ(builder_->counters().frames_dropped, 5u);
}

// Audio before, with, and behind the video by up to half a second goes to the fragment of its time.
TEST_F(BuilderTest, AudioIsCutByItsOwnTime) {
  for (const int lag_ms : {-500, -100, 0, 100, 500}) {
    sink_ = KeepingSink();
    Start({BaselineTrack(), AudioTrack()});
    std::int64_t packet = 0;
    for (int ms = 0; ms < 10'000; ms += 20) {
      if (ms % 40 == 0) Push(VideoFrame(ms, ms % 2000 == 0));
      while ((packet + 1) * 1024 / 48 <= ms - lag_ms && packet * 1024 / 48 < 10'000)
        Push(AudioPacket(packet++));
    }
    for (; packet * 1024 / 48 < 10'000; ++packet) Push(AudioPacket(packet));
    builder_->EndRun();
    EXPECT_EQ(CheckRuns(sink_), "") << lag_ms;
    ASSERT_EQ(sink_.fragments.size(), 5u) << lag_ms;
    std::uint64_t next_sample = 0;
    for (std::size_t i = 0; i < 5; ++i) {
      const FragmentFacts& facts = sink_.fragments[i].facts;
      for (const Timestamp pts : test::PtsOf(sink_.frames[i], 2)) {
        EXPECT_GE(pts, facts.start) << lag_ms;
        EXPECT_LT(pts, facts.end_time()) << lag_ms;
      }
      ASSERT_EQ(facts.track_facts[1].anchors.size(), 1u);
      EXPECT_EQ(facts.track_facts[1].anchors[0].sample, next_sample);
      next_sample += facts.track_facts[1].frames * 1024ull;
    }
    EXPECT_EQ(builder_->counters().frames_dropped, 0u);
  }
}

TEST_F(BuilderTest, AudioJitterIsSmoothedAndAGapIsKept) {
  Start({BaselineTrack(), AudioTrack()});
  std::minstd_rand random(3);
  Push(VideoFrame(0, true));
  for (int i = 0; i < 80; ++i) {
    if (i >= 40 && i < 50) continue;  // 213 ms are missing
    Frame frame = AudioPacket(i);
    if (i % 40 != 0) frame.pts = frame.pts + std::chrono::milliseconds(static_cast<int>(random() % 41) - 20);
    Push(std::move(frame));
  }
  Push(VideoFrame(1800, false));
  builder_->EndRun();
  EXPECT_EQ(CheckRuns(sink_), "");
  const auto& anchors = sink_.fragments.at(0).facts.track_facts[1].anchors;
  ASSERT_EQ(anchors.size(), 2u);
  EXPECT_EQ(anchors[0], (AudioAnchor{0, 0}));
  EXPECT_EQ(anchors[1].frame_index, 40u);
  EXPECT_NEAR(static_cast<double>(anchors[1].sample), 50 * 1024, 48 * 21);
}

TEST_F(BuilderTest, AudioWhoseClockDriftsIsReAnchoredWithinBounds) {
  for (const double drift : {0.999, 1.001}) {
    sink_ = KeepingSink();
    Start({BaselineTrack(), AudioTrack()});
    double audio_ms = 0;
    for (int ms = 0; ms < 300'000; ms += 40) {
      Push(VideoFrame(ms, ms % 2000 == 0));
      for (; audio_ms < ms; audio_ms += 1024 / 48.0 * drift) Push(AudioFrame(audio_ms));
    }
    builder_->EndRun();
    EXPECT_EQ(CheckRuns(sink_), "");
    const auto& last = sink_.fragments.back();
    const Timestamp heard = test::PtsOf(sink_.frames.back(), 2).back();
    EXPECT_NEAR(static_cast<double>((heard - last.facts.start).count()) / 1e6, 1960, 120);
  }
}

TEST_F(BuilderTest, AudioThatStopsDoesNotHoldUpTheVideo) {
  Start({BaselineTrack(), AudioTrack()});
  std::size_t closed_late = 0;
  for (int i = 0; i < 500; ++i) {
    Push(VideoFrame(i * 40, i % 50 == 0));
    if (i * 40 < 3000) Push(AudioPacket(i * 40 * 48 / 1024));
    const std::size_t due = static_cast<std::size_t>(i / 50);
    if (i * 40 > 6000 && sink_.fragments.size() < due) ++closed_late;
  }
  EXPECT_EQ(closed_late, 0u);  // once it is known to be gone, fragments close with their last picture
  builder_->EndRun();
  EXPECT_EQ(CheckRuns(sink_), "");
  EXPECT_EQ(sink_.fragments.size(), 10u);
}

TEST_F(BuilderTest, VideoThatStopsDoesNotHoldUpTheAudio) {
  for (const bool reordered : {false, true}) {
    sink_ = KeepingSink();
    Start({reordered ? VideoTrack() : BaselineTrack(), AudioTrack()},
          {.duration_max = std::chrono::seconds(4)});
    for (int i = 0; i < 25; ++i) Push(VideoFrame(i * 40, i == 0));
    int i = 0;
    for (; i < 1000; ++i) Push(AudioPacket(i));
    EXPECT_GE(sink_.fragments.size(), 3u);
    for (int ms = i * 1024 / 48; ms < 30'000; ms += 40) Push(VideoFrame(ms, false));
    Push(VideoFrame(30'000, true));
    builder_->EndRun();
    EXPECT_EQ(CheckRuns(sink_), "");
    EXPECT_LE(builder_->counters().frames_dropped, 0u);
  }
}

TEST_F(BuilderTest, AudioAloneIsCutByDuration) {
  Start({AudioTrack()});
  for (int i = 0; i < 200; ++i) Push(AudioPacket(i));
  builder_->EndRun();
  EXPECT_EQ(CheckRuns(sink_), "");
  ASSERT_EQ(sink_.fragments.size(), 5u);
  for (const Fragment& fragment : sink_.fragments) EXPECT_TRUE(fragment.facts.independent);
  EXPECT_EQ(sink_.fragments[1].facts.start.millis() - kStartMs, 1003);
  EXPECT_EQ(sink_.fragments[0].facts.duration, std::chrono::milliseconds(1003));
  EXPECT_EQ(sink_.fragments[0].facts.run_start, sink_.fragments[0].facts.start);
}

TEST_F(BuilderTest, AJumpIsBridgedToTheNextKeyFrameAndStartsARunThere) {
  for (const double jump : {3'600'000.0, -3'600'000.0, 15'000.0, -5'000.0}) {
    for (const bool reordered : {false, true}) {
      sink_ = KeepingSink();
      Start({reordered ? VideoTrack() : BaselineTrack(), AudioTrack()});
      std::int64_t packet = 0;
      for (int i = 0; i < 200; ++i) {
        const double moved = i >= 70 ? jump : 0;
        Push(VideoFrame(i * 40 + moved, i % 50 == 0));
        for (; packet * 1024 / 48 < i * 40; ++packet) {
          Frame frame = AudioPacket(packet);
          frame.pts = frame.pts + std::chrono::milliseconds(static_cast<std::int64_t>(moved));
          Push(std::move(frame));
        }
      }
      builder_->EndRun();
      EXPECT_EQ(CheckRuns(sink_), "") << jump;
      ASSERT_EQ(sink_.fragments.size(), 4u) << jump;
      EXPECT_THAT(FrameCounts(1), Each(50u));
      EXPECT_EQ(sink_.fragments[1].facts.run, 1u);
      EXPECT_EQ(sink_.fragments[1].facts.end, FragmentEnd::kRunEnded);
      EXPECT_EQ(sink_.fragments[1].facts.duration, std::chrono::milliseconds(2000));
      EXPECT_EQ(sink_.fragments[2].facts.run, 2u);
      EXPECT_EQ(sink_.fragments[2].facts.start.millis(), kStartMs + 4000 + static_cast<std::int64_t>(jump));
      EXPECT_GE(builder_->counters().times_corrected, 30u);
    }
  }
}

TEST_F(BuilderTest, AClockThatStumblesKeepsTheRun) {
  Start({BaselineTrack()});
  for (int i = 0; i < 200; ++i) Push(VideoFrame(i * 40 - (i >= 70 ? 100 : 0), i % 50 == 0));
  builder_->EndRun();
  EXPECT_EQ(CheckRuns(sink_), "");
  EXPECT_EQ(sink_.runs,
            2u);  // a stream without reordering that seems to reorder: its headers are distrusted once
  EXPECT_EQ(builder_->counters().frames, 200u);
}

TEST_F(BuilderTest, ReorderingDeeperThanAssumedGrows) {
  Start({VideoTrack()});
  for (int gop = 0; gop < 4; ++gop) {
    Push(VideoFrame(gop * 1080, true));
    for (int group = 0; group < 3; ++group) {
      const double base = gop * 1080 + group * 320;
      const std::vector<int> order =
          gop < 2 ? std::vector<int>{1, 2, 3, 4, 5, 6, 7, 8} : std::vector<int>{8, 7, 6, 5, 4, 3, 2, 1};
      for (const int at : order) Push(VideoFrame(base + at * 40, false));
    }
  }
  builder_->EndRun();
  EXPECT_EQ(CheckRuns(sink_), "");
  EXPECT_EQ(sink_.runs, 1u);
  EXPECT_EQ(sink_.fragments.front().facts.track_facts[0].reorder_depth, 2u);
  EXPECT_EQ(sink_.fragments.back().facts.track_facts[0].reorder_depth, 7u);
  EXPECT_EQ(builder_->counters().times_corrected, 0u);
}

TEST_F(BuilderTest, HeadersThatDenyReorderingAreFollowedUntilTheNextKeyFrame) {
  Start({BaselineTrack()});
  for (int gop = 0; gop < 4; ++gop) {
    Push(VideoFrame(gop * 1200, true));
    for (int group = 0; group < 7; ++group) {
      for (const int at : {4, 2, 1, 3}) Push(VideoFrame(gop * 1200 + (group * 4 + at) * 40, false));
    }
  }
  builder_->EndRun();
  EXPECT_EQ(CheckRuns(sink_), "");
  EXPECT_EQ(sink_.runs, 2u);
  EXPECT_EQ(sink_.fragments.back().facts.track_facts[0].reorder_depth, 2u);
  EXPECT_EQ(builder_->counters().frames, 116u);
}

TEST_F(BuilderTest, StampsThatStumbleByLessThanAFrameAreNoReordering) {
  Start({BaselineTrack()});
  for (int i = 0; i < 100; ++i) {
    const int back_ms = i % 5 == 3 ? 40 + i % 3 * 8 : 0;  // equal to the one before it, or a little earlier
    Push(VideoFrame(i * 40 - back_ms, i % 25 == 0));
  }
  builder_->EndRun();
  EXPECT_EQ(sink_.runs, 1U);
  EXPECT_THAT(FrameCounts(1), ElementsAre(25, 25, 25, 25));
  EXPECT_THAT(Durations(), Each(1000));
  CheckRuns(sink_);
  const std::vector<Timestamp> pts = test::PtsOf(sink_.frames[0], 1);
  EXPECT_EQ((pts[3] - pts[2]).count(), 1'000'000);
  EXPECT_EQ((pts[4] - pts[2]).count(), 80'000'000);
}

TEST_F(BuilderTest, OpenGroupsOfPicturesKeepTheirLeadingFrames) {
  Start({VideoTrack(), AudioTrack()});
  std::int64_t packet = 0;
  for (int gop = 0; gop < 4; ++gop) {
    const double base = gop * 1200;
    Frame key = VideoFrame(base + 80, true);
    key.data = VideoFrame(0, false).data;  // a recovery point, not an IDR
    Push(std::move(key));
    Push(VideoFrame(base, false));
    Push(VideoFrame(base + 40, false));
    for (int i = 3; i < 30; ++i) Push(VideoFrame(base + i * 40, false));
    for (; packet * 1024 / 48 < gop * 1200 + 1160; ++packet) Push(AudioPacket(packet));
  }
  builder_->EndRun();
  EXPECT_EQ(CheckRuns(sink_), "");
  // Those of the first refer to what is not there; the others' come before their key frame.
  EXPECT_THAT(Starts(), ElementsAre(80, 1200, 2400, 3600));
  EXPECT_THAT(FrameCounts(1), ElementsAre(28, 30, 30, 30));
}

TEST_F(BuilderTest, ChangedTracksStartARun) {
  Start({BaselineTrack()});
  Push(VideoFrame(0, true));
  ASSERT_TRUE(builder_->StartRun({BaselineTrack()}, ClockSource::kArrival));  // the same: goes on
  Push(VideoFrame(40, false));
  TrackInfo other = BaselineTrack();
  other.width = 128;
  ASSERT_TRUE(builder_->StartRun({other}, ClockSource::kArrival));
  Push(VideoFrame(80, false));  // dropped: the new run needs a key frame
  Push(VideoFrame(120, true));
  ASSERT_TRUE(builder_->StartRun({other}, ClockSource::kCamera));
  Push(VideoFrame(160, true));
  builder_->EndRun();
  EXPECT_EQ(CheckRuns(sink_), "");
  ASSERT_EQ(sink_.fragments.size(), 3u);
  EXPECT_EQ(sink_.fragments[2].facts.clock, ClockSource::kCamera);
  EXPECT_NE(sink_.fragments[0].facts.tracks_id, sink_.fragments[1].facts.tracks_id);
  EXPECT_EQ(builder_->counters().frames_dropped, 1u);
}

TEST_F(BuilderTest, RefusesTracksThatCannotBeRecorded) {
  FragmentBuilder builder(sink_, {});
  const auto code = [&](std::vector<TrackInfo> tracks) {
    const auto started = builder.StartRun(std::move(tracks), ClockSource::kArrival);
    EXPECT_FALSE(builder.started());
    return started ? ErrorCode::kInternal : started.error().code;
  };
  TrackInfo no_size = VideoTrack();
  no_size.height = 0;
  TrackInfo zero = VideoTrack();
  zero.number = 0;
  TrackInfo large = VideoTrack();
  large.codec_private.resize(9000);
  TrackInfo no_rate = AudioTrack();
  no_rate.sample_rate = 0;
  TrackInfo second = VideoTrack();
  second.number = 3;
  EXPECT_EQ(code({}), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code({no_size}), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code({zero}), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code({large}), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code({no_rate}), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code({VideoTrack(), VideoTrack()}), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code({VideoTrack(), second}), ErrorCode::kUnsupported);
  EXPECT_EQ(code(std::vector<TrackInfo>(5, AudioTrack())), ErrorCode::kInvalidArgument);
  EXPECT_EQ(builder.Push(VideoFrame(0, true)).error().code, ErrorCode::kFailedPrecondition);
}

TEST_F(BuilderTest, HostileFramesAreDroppedAndCounted) {
  Start({BaselineTrack(), AudioTrack()}, {.bytes_max = 50'000});
  Push(VideoFrame(0, true));
  Frame empty = VideoFrame(40, false);
  empty.data = SharedBytes();
  Push(std::move(empty));
  Push(VideoFrame(80, false));          // dropped too: it may refer to the lost one
  Push(VideoFrame(120, true, 60'000));  // larger than a fragment may be
  Push(VideoFrame(160, true));
  Frame past = VideoFrame(200, true);
  past.pts = Timestamp{-1};
  Push(std::move(past));
  Frame future = VideoFrame(200, true);
  future.pts = Timestamp{INT64_MAX};
  Push(std::move(future));
  Push(VideoFrame(240, true));
  Push(AudioFrame(200'000));
  Frame unknown = VideoFrame(280, true);
  unknown.track = 9;
  EXPECT_EQ(builder_->Push(std::move(unknown)).error().code, ErrorCode::kInvalidArgument);
  builder_->EndRun();
  EXPECT_EQ(CheckRuns(sink_), "");
  EXPECT_EQ(builder_->counters().frames, 3u);
  EXPECT_EQ(builder_->counters().frames_dropped, 7u);
}

TEST_F(BuilderTest, ManyTinyFramesStayBounded) {
  Start({VideoTrack()});
  for (int i = 0; i < 100'000; ++i) Push(VideoFrame(0, i == 0, 6));
  builder_->EndRun();
  EXPECT_EQ(CheckRuns(sink_), "");
  for (const auto& frames : sink_.frames) EXPECT_LE(frames.size(), FragmentBuilder::kFramesMax);
  EXPECT_EQ(builder_->counters().frames, 100'000u);
}

TEST_F(BuilderTest, AStoreThatRefusesLosesFramesAndNothingElse) {
  Start({BaselineTrack(), AudioTrack()});
  sink_.fail = true;
  EXPECT_FALSE(builder_->Push(VideoFrame(0, true)));
  Push(VideoFrame(40, false));
  sink_.fail = false;
  Push(VideoFrame(80, true));
  Push(AudioFrame(90));
  Push(VideoFrame(120, false));
  sink_.fail = true;
  EXPECT_FALSE(builder_->Push(VideoFrame(1080, true)));
  EXPECT_EQ(sink_.fragments.size(), 1u);
  sink_.fail = false;
  Push(VideoFrame(2080, true));
  builder_->EndRun();
  EXPECT_EQ(CheckRuns(sink_), "");
  EXPECT_THAT(Starts(), ElementsAre(80, 2080));
  EXPECT_EQ(builder_->counters().frames + builder_->counters().frames_dropped, 7u);
}

// Goal: whatever frames come, what is promised of fragments holds, and every frame is accounted for.
TEST_F(BuilderTest, AnyInputKeepsThePromises) {
  for (unsigned seed = 1; seed <= 300; ++seed) {
    std::minstd_rand engine(seed);
    const auto random = [&engine] { return static_cast<unsigned>(engine()); };
    sink_ = KeepingSink();
    const bool video = random() % 8 != 0;
    const bool baseline = random() % 2 == 0;
    std::vector<TrackInfo> tracks;
    if (video) tracks.push_back(baseline ? BaselineTrack() : VideoTrack());
    if (!video || random() % 4 != 0) tracks.push_back(AudioTrack());
    Start(tracks, {.duration_min = std::chrono::milliseconds(random() % 2000),
                   .duration_max = std::chrono::milliseconds(500 + random() % 4000),
                   .bytes_max = 5'000 + random() % 60'000});
    const unsigned wild = random() % 30;  // in a thousand
    const double jitter = random() % 3 == 0 ? random() % 60 : 0;
    double clock = 0;
    std::uint64_t pushed = 0;
    std::uint64_t failed = 0;
    for (int i = 0; i < 600; ++i) {
      clock += random() % 50;
      if (random() % 1000 < wild) clock += static_cast<double>(random() % 60'000) - 30'000;
      const double noise = jitter > 0 ? static_cast<double>(random() % 1000) * jitter / 1000 : 0;
      const bool audio = !video || (tracks.size() > 1 && random() % 2 == 0);
      const double back = !baseline && random() % 3 == 0 ? static_cast<double>(random() % 200) : 0;
      Frame frame = audio ? AudioFrame(clock + noise)
                          : VideoFrame(clock + noise - back, random() % 25 == 0, 50 + random() % 2000);
      if (!audio && random() % 50 == 0) frame.key_frame = true;  // not an IDR
      ++pushed;
      if (!builder_->Push(std::move(frame))) ++failed;
    }
    builder_->EndRun();
    ASSERT_EQ(CheckRuns(sink_), "") << "seed " << seed;
    const BuilderCounters counters = builder_->counters();
    ASSERT_EQ(failed, 0u) << "seed " << seed;
    ASSERT_EQ(counters.frames + counters.frames_dropped, pushed) << "seed " << seed;
    std::size_t kept = 0;
    for (const auto& frames : sink_.frames) kept += frames.size();
    ASSERT_EQ(kept, counters.frames) << "seed " << seed;
  }
}

}  // namespace
}  // namespace millrace
