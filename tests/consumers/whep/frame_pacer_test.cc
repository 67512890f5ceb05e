// Goal: frames that come a fragment at a time go on as they were taken, whatever their sources' times do.
#include "consumers/whep/frame_pacer.h"

#include <gtest/gtest.h>

namespace millrace::test {
namespace {

using std::chrono::milliseconds;

class FramePacerTest : public testing::Test {
 protected:
  // When the frame at `ms` of its source goes that is there at `now`, both in ms.
  std::int64_t Place(std::int64_t ms, std::int64_t now, bool leads = true) {
    const FramePacer::SteadyTime start{};
    const auto due =
        pacer_.Place(Timestamp::FromMillis(1'700'000'000'000 + ms), leads, start + milliseconds(now));
    return std::chrono::duration_cast<milliseconds>(due - start).count();
  }
  FramePacer pacer_;
};

TEST_F(FramePacerTest, FramesOfAFragmentGoAtTheirDistances) {
  EXPECT_EQ(Place(0, 500), 500);
  EXPECT_EQ(Place(40, 500), 540);
  EXPECT_EQ(Place(80, 541), 580);
}

TEST_F(FramePacerTest, WhatIsALittleLateGoesAtOnceAndMovesNothing) {
  EXPECT_EQ(Place(0, 0), 0);
  EXPECT_EQ(Place(1000, 1090), 1090);
  EXPECT_EQ(Place(1040, 1090), 1090);
  EXPECT_EQ(Place(1200, 1090), 1200);
}

TEST_F(FramePacerTest, AFragmentThatComesLateMovesWhatFollows) {
  EXPECT_EQ(Place(0, 0), 0);
  EXPECT_EQ(Place(1000, 1500), 1500);
  EXPECT_EQ(Place(1040, 1500), 1540);
}

TEST_F(FramePacerTest, SoundThatLagsBehindItsPicturesMovesNothing) {
  EXPECT_EQ(Place(0, 0), 0);
  EXPECT_EQ(Place(1000, 0), 1000);
  EXPECT_EQ(Place(500, 1000, false), 1000);
  EXPECT_EQ(Place(1040, 1000), 1040);
}

TEST_F(FramePacerTest, AJumpOfTheTimesIsNotWaitedFor) {
  EXPECT_EQ(Place(0, 0), 0);
  EXPECT_EQ(Place(3'600'000, 40), 40);
  EXPECT_EQ(Place(3'600'040, 40), 80);
  EXPECT_EQ(Place(7'200'000, 80, false), 80);
  EXPECT_EQ(Place(3'600'080, 80), 120);
  EXPECT_EQ(Place(0, 120), 120);  // back
  EXPECT_EQ(Place(40, 120), 160);
}

TEST_F(FramePacerTest, AfterAResetTheNextFrameGoesAtOnce) {
  EXPECT_EQ(Place(0, 0), 0);
  pacer_.Reset();
  EXPECT_EQ(Place(5000, 10), 10);
}

}  // namespace
}  // namespace millrace::test
