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
    runs.SetComplete();
  }
  Received Got() const { return events.inbox.Get(); }

  CollectingEvents events;
  RunBuilder runs{events};
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
  runs.SetComplete();
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
  runs.SetComplete();
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
  runs.SetComplete();
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
