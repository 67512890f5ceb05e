// Goal: whatever stamps and reports come, times stay sane: near the truth, and without holes of their own
// making. Method: a camera of 25 frames a second on clocks that the test sets; every fault at its place.
#include "ingest/track_clock.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <vector>

namespace millrace {
namespace {

constexpr std::uint32_t kRate = 90000;
constexpr std::uint32_t kFrameTicks = 3600;
constexpr std::int64_t kFrameNs = 40'000'000;
constexpr std::int64_t kSecondNs = 1'000'000'000;
const Timestamp kStart = Timestamp::FromSeconds(1'800'000'000);

// Truth: at `now_ns` after kStart, the server's clock is right and the camera's stamp is base + now.
class Rig {
 public:
  explicit Rig(std::uint32_t base = 4'000'000'000U, bool reordered = true)
      : base_(base), clock_(kRate, std::chrono::seconds(10), reordered) {}

  ArrivalTime Arrival(std::int64_t late_ns = 0) const {
    const std::int64_t ns = now_ns + late_ns;
    return {kStart + Duration{ns + server_step_ns},
            std::chrono::steady_clock::time_point(std::chrono::nanoseconds(ns + 77 * kSecondNs))};
  }
  std::uint32_t Rtp(std::int64_t shift_ns = 0) const {
    return base_ + static_cast<std::uint32_t>((now_ns + shift_ns) / 1000 * 9 / 100);
  }
  void Report(std::int64_t error_ns = 0) {
    clock_.OnSenderReport(kStart + Duration{now_ns + error_ns}, Rtp(stamp_shift_ns), Arrival());
  }
  // One frame; returns by how much its time is off the truth.
  std::int64_t Step(std::int64_t shift_ns = 0, std::int64_t late_ns = 0) {
    const Timestamp time = clock_.Map(Rtp(stamp_shift_ns + shift_ns), Arrival(late_ns));
    times.push_back(time);
    const std::int64_t off = (time - (kStart + Duration{now_ns})).count();
    now_ns += kFrameNs;
    return off;
  }
  void Run(int frames) {
    for (int i = 0; i < frames; ++i) {
      if (report_every > 0 && i % report_every == 0) Report(camera_error_ns);
      last_off_ns = Step();
    }
  }
  void ExpectRising() const {
    for (std::size_t i = 1; i < times.size(); ++i) EXPECT_GT(times[i].ns, times[i - 1].ns) << i;
  }
  TrackClock& clock() { return clock_; }

  std::int64_t now_ns = 0;
  std::int64_t server_step_ns = 0;
  std::int64_t stamp_shift_ns = 0;
  std::int64_t camera_error_ns = 0;
  int report_every = 0;  // frames
  std::int64_t last_off_ns = 0;
  std::vector<Timestamp> times;

 private:
  std::uint32_t base_;
  TrackClock clock_;
};

TEST(TrackClockTest, ReportsGiveTheCamerasTime) {
  Rig rig;
  rig.Report(250'000'000);  // its clock is a quarter of a second ahead
  for (int i = 0; i < 100; ++i) EXPECT_NEAR(static_cast<double>(rig.Step(0, 30'000'000)), 250e6, 20e3);
  EXPECT_EQ(rig.clock().source(), ClockSource::kCamera);
  EXPECT_EQ(rig.clock().corrected(), 0U);
}

TEST(TrackClockTest, WithoutReportsTheFastestArrivalsCount) {
  Rig rig;
  rig.Step(0, 5'000'000);
  for (int i = 0; i < 500; ++i) rig.last_off_ns = rig.Step(0, i % 10 * 20'000'000);
  EXPECT_EQ(rig.clock().source(), ClockSource::kArrival);
  EXPECT_LT(std::abs(rig.last_off_ns), 20'000'000);
  for (std::size_t i = 1; i < rig.times.size(); ++i) {
    EXPECT_NEAR(static_cast<double>((rig.times[i] - rig.times[i - 1]).count()), 40e6, 11e6);
  }
}

TEST(TrackClockTest, StampsWrapAfterThirteenHours) {
  Rig rig(0xFFFFFFFFU - 10 * kFrameTicks);
  rig.report_every = 125;
  rig.Run(1000);
  rig.ExpectRising();
  EXPECT_LT(std::abs(rig.last_off_ns), 1'000'000);
  EXPECT_EQ(rig.clock().corrected(), 0U);
}

TEST(TrackClockTest, StampZeroAndReportBeforeTheFirstFrame) {
  Rig rig(0);
  rig.Report();
  EXPECT_LT(std::abs(rig.Step()), 1'000'000);
}

struct SpikeCase {
  const char* name;
  std::int64_t seconds;
};
class SpikeTest : public testing::TestWithParam<SpikeCase> {};

TEST_P(SpikeTest, OneWildFrameGetsTheTimeItWouldHaveHad) {
  Rig rig;
  rig.report_every = 125;
  rig.Run(100);
  for (int round = 0; round < 20; ++round) {
    EXPECT_LT(std::abs(rig.Step(GetParam().seconds * kSecondNs)), 5'000'000);
    rig.Run(50);
  }
  EXPECT_EQ(rig.clock().corrected(), 20U);
  EXPECT_EQ(rig.clock().rebased(), 0U);
  rig.ExpectRising();
  EXPECT_LT(std::abs(rig.last_off_ns), 5'000'000);
}

INSTANTIATE_TEST_SUITE_P(Spikes, SpikeTest,
                         testing::Values(SpikeCase{"HoursAhead", 7200}, SpikeCase{"HoursBack", -7200},
                                         SpikeCase{"TwoSecondsAhead", 2}, SpikeCase{"ThreeSecondsBack", -3},
                                         SpikeCase{"HalfTheCircle", 23860}, SpikeCase{"OneDay", 86400}),
                         [](const auto& each) { return each.param.name; });

class ShiftTest : public testing::TestWithParam<SpikeCase> {};

TEST_P(ShiftTest, StampsThatGoOnFromANewPlaceMakeNoHole) {
  Rig rig;
  rig.report_every = 125;
  rig.Run(200);
  rig.stamp_shift_ns = GetParam().seconds * kSecondNs;
  rig.Run(500);
  EXPECT_EQ(rig.clock().rebased(), 1U);
  rig.ExpectRising();
  for (std::size_t i = 1; i < rig.times.size(); ++i)
    EXPECT_LT((rig.times[i] - rig.times[i - 1]).count(), 60'000'000);
  EXPECT_LT(std::abs(rig.last_off_ns), 20'000'000);
  EXPECT_EQ(rig.clock().source(), ClockSource::kCamera);
}

INSTANTIATE_TEST_SUITE_P(Shifts, ShiftTest,
                         testing::Values(SpikeCase{"HoursAhead", 7200}, SpikeCase{"HoursBack", -7200},
                                         SpikeCase{"TwoSecondsAhead", 2}, SpikeCase{"FiveSecondsBack", -5}),
                         [](const auto& each) { return each.param.name; });

TEST(TrackClockTest, ACameraFromNineteenSeventyIsNotBelieved) {
  Rig rig;
  rig.camera_error_ns = -1'800'000'000 * kSecondNs;
  rig.report_every = 50;
  rig.Run(500);
  EXPECT_EQ(rig.clock().source(), ClockSource::kArrival);
  EXPECT_EQ(rig.clock().reports_refused(), 10U);
  EXPECT_LT(std::abs(rig.last_off_ns), 20'000'000);
}

TEST(TrackClockTest, ALateReportIsFollowedWithoutAHole) {
  Rig rig;
  rig.Run(100);
  rig.camera_error_ns = 400'000'000;
  rig.report_every = 125;
  rig.Run(500);
  EXPECT_EQ(rig.clock().source(), ClockSource::kCamera);
  rig.ExpectRising();
  EXPECT_NEAR(static_cast<double>(rig.last_off_ns), 400e6, 15e6);
  for (std::size_t i = 1; i < rig.times.size(); ++i)
    EXPECT_LT((rig.times[i] - rig.times[i - 1]).count(), 51'000'000);
}

TEST(TrackClockTest, ACameraClockThatStepsWantsAJumpAndGetsIt) {
  Rig rig;
  rig.report_every = 25;
  rig.Run(100);
  rig.camera_error_ns = 5 * kSecondNs;
  rig.Run(30);
  EXPECT_LT(std::abs(rig.last_off_ns), 20'000'000);  // not yet: only the owner can start another run
  rig.Run(100);
  ASSERT_TRUE(rig.clock().wants_jump());
  rig.clock().Jump();
  rig.Run(10);
  EXPECT_NEAR(static_cast<double>(rig.last_off_ns), 5e9, 15e6);
  EXPECT_FALSE(rig.clock().wants_jump());
}

TEST(TrackClockTest, TheServersClockStepsAndIsFollowedByAJump) {
  Rig rig;
  rig.Run(100);
  rig.server_step_ns = -3600 * kSecondNs;
  rig.Run(100);
  EXPECT_EQ(rig.clock().corrected(), 0U);
  ASSERT_TRUE(rig.clock().wants_jump());
  rig.clock().Jump();
  rig.Run(10);
  EXPECT_NEAR(static_cast<double>(rig.last_off_ns), -3600e9, 20e6);
}

TEST(TrackClockTest, FewerFramesThanDeclaredFollowTheWallClock) {
  Rig rig;
  // 21 frames a second arrive with the stamps of 25.
  std::uint32_t rtp = 5;
  for (int i = 0; i < 21 * 120; ++i, rtp += kFrameTicks) {
    rig.times.push_back(rig.clock().Map(rtp, rig.Arrival()));
    rig.last_off_ns = (rig.times.back() - (kStart + Duration{rig.now_ns})).count();
    rig.now_ns += kSecondNs / 21;
  }
  rig.ExpectRising();
  EXPECT_LT(std::abs(rig.last_off_ns), 2'100'000'000);
}

TEST(TrackClockTest, AStalledNetworkChangesNoTime) {
  Rig rig;
  rig.report_every = 0;
  rig.Run(200);
  for (int i = 0; i < 200; ++i)
    rig.Step(0, std::max<std::int64_t>(0, 6 * kSecondNs - i * kFrameNs));  // then a burst
  rig.Run(200);
  EXPECT_EQ(rig.clock().corrected(), 0U);
  rig.ExpectRising();
}

// Behind the stall, or between frames that it kept apart, come some of earlier times than the one before.
TEST(TrackClockTest, AStallAmongBFramesChangesNoTime) {
  for (const int stalled : {99, 100, 101}) {  // P, the first B, the second B
    SCOPED_TRACE(stalled);
    Rig rig;
    rig.Report();
    for (int i = 0; i < 300; ++i) {
      const std::int64_t shift = i % 3 == 0 ? 2 * kFrameNs : -kFrameNs;  // sent as P B B
      const std::int64_t late =
          i < stalled ? 0 : std::max<std::int64_t>(0, 15 * kSecondNs - (i - stalled) * kFrameNs);
      EXPECT_NEAR(static_cast<double>(rig.Step(shift, late)), static_cast<double>(shift), 1e6) << i;
    }
    EXPECT_EQ(rig.clock().corrected(), 0U);
    EXPECT_EQ(rig.clock().source(), ClockSource::kCamera);
  }
}

TEST(TrackClockTest, FrozenStampsStillGiveTimes) {
  Rig rig(1000, false);
  rig.Run(10);
  const std::uint32_t frozen = rig.Rtp();
  for (int i = 0; i < 2000; ++i, rig.now_ns += kFrameNs)
    rig.times.push_back(rig.clock().Map(frozen, rig.Arrival()));
  rig.ExpectRising();
  EXPECT_GT(rig.clock().corrected(), 0U);
}

TEST(TrackClockTest, AudioNeverStandsStill) {
  Rig rig(7, false);
  const std::uint32_t rtp = rig.Rtp();
  for (int i = 0; i < 10; ++i) rig.times.push_back(rig.clock().Map(rtp, rig.Arrival()));
  rig.ExpectRising();
}

TEST(TrackClockTest, AnySequenceOfStampsGivesTimesNearTheServers) {
  for (std::uint32_t seed = 1; seed <= 50; ++seed) {
    SCOPED_TRACE(seed);
    Rig rig(seed);
    std::uint32_t random = seed;
    for (int i = 0; i < 2000; ++i) {
      random = random * 1664525 + 1013904223;
      const Timestamp time = rig.clock().Map(random, rig.Arrival());
      ASSERT_LT(std::abs((time - (kStart + Duration{rig.now_ns})).count()), 60 * kSecondNs) << i;
      rig.now_ns += kFrameNs;
    }
  }
}

}  // namespace
}  // namespace millrace
