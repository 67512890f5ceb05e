// Goal: runs hold what belongs together. Method: frames of tracks that show up, change and jump, one at a
// time.
#include "ingest/run_builder.h"

#include <gtest/gtest.h>

#include "tests/ingest/collectors.h"
#include "tests/ingest/fake_source.h"

namespace millrace::test {
namespace {

const Timestamp kStart = Timestamp::FromSeconds(1'800'000'000);

class RunBuilderTest : public testing::Test {
 protected:
  ArrivalTime Now() const {
    return {kStart + Duration{now_ns},
            std::chrono::steady_clock::time_point(std::chrono::nanoseconds(now_ns))};
  }
  void Video(bool key, std::uint32_t width = 320) {
    runs.OnFrame(video, VideoTrack(width), static_cast<std::uint32_t>(now_ns / 1000 * 9 / 100), Now(),
                 MakeFrame(9, key));
    now_ns += 40'000'000;
  }
  void Audio() {
    runs.OnFrame(audio, AudioTrack(), static_cast<std::uint32_t>(now_ns / 1000 * 48 / 1000), Now(),
                 MakeFrame(9, true));
  }
  void AddBoth() {
    video = runs.AddTrack(TrackKind::kVideo, 90000, std::chrono::seconds(10));
    audio = runs.AddTrack(TrackKind::kAudio, 48000, std::chrono::seconds(10));
    runs.Expect(2);
  }
  Received Got() const { return events.inbox.Get(); }

  explicit RunBuilderTest(bool wait_for_reports = false) : runs(events, 1 << 20, wait_for_reports) {}

  CollectingEvents events;
  RunBuilder runs;
  std::size_t video = 0;
  std::size_t audio = 0;
  std::int64_t now_ns = 100'000'000'000;
};

TEST_F(RunBuilderTest, WaitsForAllTracksAndLosesNothing) {
  AddBoth();
  Video(true);
  Video(false);
  EXPECT_TRUE(Got().runs.empty());
  Audio();
  ASSERT_EQ(Got().runs.size(), 1U);
  EXPECT_EQ(Got().runs[0].tracks.size(), 2U);
  EXPECT_EQ(Got().runs[0].frames.size(), 3U);
  EXPECT_EQ(Got().runs[0].frames[0].track, 1U);
}

TEST_F(RunBuilderTest, ATrackThatIsStillToComeIsWaitedFor) {
  runs.Expect(2);
  audio = runs.AddTrack(TrackKind::kAudio, 48000, std::chrono::seconds(10));
  Audio();
  EXPECT_TRUE(Got().runs.empty());
  video = runs.AddTrack(TrackKind::kVideo, 90000, std::chrono::seconds(10));
  Audio();
  EXPECT_TRUE(Got().runs.empty());
  Video(true);
  ASSERT_EQ(Got().runs.size(), 1U);
  EXPECT_EQ(Got().runs[0].tracks.size(), 2U);
  EXPECT_EQ(Got().runs[0].frames.size(), 3U);
}

TEST_F(RunBuilderTest, ASilentTrackIsNotWaitedForLong) {
  AddBoth();
  for (int i = 0; i < 60; ++i) Video(i % 25 == 0);
  ASSERT_EQ(Got().runs.size(), 1U);
  EXPECT_EQ(Got().runs[0].tracks.size(), 1U);
  EXPECT_EQ(Got().frames(), 60U);
}

TEST_F(RunBuilderTest, ALateTrackJoinsAtAKeyFrame) {
  AddBoth();
  for (int i = 0; i < 60; ++i) Video(i == 0);
  Audio();
  EXPECT_EQ(Got().runs.size(), 1U);
  Video(false);
  Video(true);
  Audio();
  ASSERT_EQ(Got().runs.size(), 2U);
  EXPECT_EQ(Got().runs[1].tracks.size(), 2U);
  EXPECT_TRUE(Got().runs[1].frames[0].key_frame);
  EXPECT_EQ(Got().runs[1].frames.size(), 2U);
}

TEST_F(RunBuilderTest, AChangedPictureSizeIsAnotherRun) {
  video = runs.AddTrack(TrackKind::kVideo, 90000, std::chrono::seconds(10));
  runs.Expect(1);
  Video(true);
  Video(false);
  Video(true, 640);
  Video(false, 640);
  ASSERT_EQ(Got().runs.size(), 2U);
  EXPECT_EQ(Got().runs[0].frames.size(), 2U);
  EXPECT_EQ(Got().runs[1].tracks[0].width, 640U);
  EXPECT_EQ(Got().runs[1].frames.size(), 2U);
}

TEST_F(RunBuilderTest, ParameterSetsThatFlapWithoutAChangeAreOneRun) {
  video = runs.AddTrack(TrackKind::kVideo, 90000, std::chrono::seconds(10));
  runs.Expect(1);
  TrackInfo info = VideoTrack();
  info.codec_private = {1,    66,   0xC0, 10,   0xFF, 0xE1, 0, 23, 0x67, 66,   0xC0, 10,   0xD9,
                        0x04, 0x26, 0xC0, 0x44, 0,    0,    3, 0,  4,    0,    0,    3,    0,
                        0xC8, 0x3C, 0x48, 0x99, 0x20, 1,    0, 5,  0x68, 0xCB, 0x83, 0xCB, 0x20};
  const TrackInfo first = info;
  const auto push = [&](bool key) {
    runs.OnFrame(video, info, static_cast<std::uint32_t>(now_ns / 1000 * 9 / 100), Now(), MakeFrame(9, key));
    now_ns += 40'000'000;
  };
  for (int i = 0; i < 50; ++i) {
    info.codec_private[11] = static_cast<std::uint8_t>(10 + i / 5 % 2);  // level_idc
    push(i % 25 == 0);
  }
  ASSERT_EQ(Got().runs.size(), 1U);
  EXPECT_EQ(Got().runs[0].tracks[0], first);
  EXPECT_EQ(Got().frames(), 50U);
  info.codec_private[12] ^= 0x20;  // what decides how slices are read
  push(true);
  EXPECT_EQ(Got().runs.size(), 2U);
}

TEST_F(RunBuilderTest, WhatWaitedGetsTheTimeThatIsKnownByThen) {
  AddBoth();
  // The first pictures wait for the connection to be set up, and come in a row.
  const auto push = [&](std::int64_t taken_ns, bool key) {
    runs.OnFrame(video, VideoTrack(), static_cast<std::uint32_t>(taken_ns / 1000 * 9 / 100), Now(),
                 MakeFrame(9, key));
  };
  const std::int64_t begin_ns = now_ns;
  now_ns += 160'000'000;
  for (std::int64_t i = 0; i < 5; ++i) push(begin_ns + i * 40'000'000, i == 0);
  Audio();
  ASSERT_EQ(Got().runs.size(), 1U);
  const Received got = Got();
  ASSERT_EQ(got.frames(), 6U);
  for (std::size_t i = 0; i < 5; ++i) {
    const Timestamp taken = kStart + Duration{begin_ns + static_cast<std::int64_t>(i) * 40'000'000};
    EXPECT_NEAR(static_cast<double>((got.runs[0].frames[i].pts - taken).count()), 0, 1e5) << i;
  }
}

// Those of before the restart are not moved by what the stamps jumped.
TEST_F(RunBuilderTest, StampsMayRestartWhileFramesWait) {
  AddBoth();
  for (std::uint32_t i = 0; i < 40; ++i) {
    const std::uint32_t restarted = i < 20 ? 0 : 0x20000000;
    runs.OnFrame(video, VideoTrack(), static_cast<std::uint32_t>(now_ns / 1000 * 9 / 100) + restarted, Now(),
                 MakeFrame(9, i == 0));
    now_ns += 40'000'000;
  }
  EXPECT_TRUE(Got().runs.empty());
  Audio();
  const Received got = Got();
  ASSERT_EQ(got.runs.size(), 1U);
  EXPECT_EQ(got.jumps, 1U);
  ASSERT_EQ(got.frames(), 41U);
  for (const Frame& frame : got.runs[0].frames) {
    EXPECT_NEAR(static_cast<double>((frame.pts - frame.arrival).count()), 0, 50e6);
  }
}

class RunBuilderWithReportsTest : public RunBuilderTest {
 protected:
  RunBuilderWithReportsTest() : RunBuilderTest(true) { AddBoth(); }
  // The sender's clock is ahead by `ahead`.
  void Report(std::size_t track, std::int64_t ticks_per_ms, Duration ahead) {
    runs.OnSenderReport(track, Now().wall + ahead,
                        static_cast<std::uint32_t>(now_ns / 1'000'000 * ticks_per_ms), Now());
  }
};

TEST_F(RunBuilderWithReportsTest, SoundAndPictureAreInStepFromTheFirstFrame) {
  for (int i = 0; i < 10; ++i) {
    Audio();
    Video(i == 0);
    if (i == 3) Report(video, 90, std::chrono::milliseconds(-5));
  }
  EXPECT_TRUE(Got().runs.empty());
  Report(audio, 48, std::chrono::milliseconds(-60));
  Video(false);
  ASSERT_EQ(Got().runs.size(), 1U);
  EXPECT_EQ(Got().runs[0].clock, ClockSource::kCamera);
  const Received got = Got();
  ASSERT_EQ(got.frames(), 21U);
  for (const Frame& frame : got.runs[0].frames) {
    const double ahead_ns = frame.track == 1 ? -5e6 : -60e6;
    EXPECT_NEAR(static_cast<double>((frame.pts - frame.arrival).count()), ahead_ns, 1e6);
  }
}

TEST_F(RunBuilderWithReportsTest, ReportsAreNotWaitedForLong) {
  for (int i = 0; i < 60; ++i) {
    Audio();
    Video(i == 0);
  }
  ASSERT_EQ(Got().runs.size(), 1U);
  EXPECT_EQ(Got().runs[0].tracks.size(), 2U);
  EXPECT_EQ(Got().frames(), 120U);
  EXPECT_EQ(Got().runs[0].clock, ClockSource::kArrival);
}

TEST_F(RunBuilderTest, TracksWhoseReportsDisagreeKeepTogether) {
  AddBoth();
  for (int i = 0; i < 300; ++i) {
    if (i % 25 == 0) {
      runs.OnSenderReport(video, Now().wall, static_cast<std::uint32_t>(now_ns / 1000 * 9 / 100), Now());
      runs.OnSenderReport(audio, Now().wall + std::chrono::seconds(3),
                          static_cast<std::uint32_t>(now_ns / 1000 * 48 / 1000), Now());
    }
    Audio();
    Video(i % 25 == 0);
  }
  ASSERT_EQ(Got().runs.size(), 1U);
  EXPECT_EQ(Got().runs[0].clock, ClockSource::kArrival);
  const Received got = Got();
  for (const Frame& frame : got.runs[0].frames) {
    EXPECT_NEAR(static_cast<double>((frame.pts - frame.arrival).count()), 0, 50e6);
  }
}

TEST_F(RunBuilderTest, AClockThatStepsIsFollowedAtAKeyFrame) {
  video = runs.AddTrack(TrackKind::kVideo, 90000, std::chrono::seconds(10));
  runs.Expect(1);
  Duration error{0};
  for (int i = 0; i < 400; ++i) {
    if (i == 200) error = std::chrono::seconds(6);
    if (i % 25 == 10) {
      runs.OnSenderReport(video, Now().wall + error, static_cast<std::uint32_t>(now_ns / 1000 * 9 / 100),
                          Now());
    }
    Video(i % 25 == 0);
  }
  ASSERT_EQ(Got().runs.size(), 2U);
  EXPECT_EQ(Got().jumps, 1U);
  EXPECT_TRUE(Got().runs[1].frames[0].key_frame);
  EXPECT_EQ(Got().frames(), 400U);
  const Received got = Got();
  const Frame& last = got.runs[1].frames.back();
  EXPECT_NEAR(static_cast<double>((last.pts - last.arrival).count()), 6e9, 50e6);
}

}  // namespace
}  // namespace millrace::test
