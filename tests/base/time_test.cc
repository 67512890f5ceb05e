#include "base/time.h"

#include <gtest/gtest.h>

namespace millrace {
namespace {

struct TimeCase {
  const char* name;
  const char* text;
  std::int64_t ns;  // -1: an error
};

class ParseTimeTest : public testing::TestWithParam<TimeCase> {};

TEST_P(ParseTimeTest, ReadsOrRefuses) {
  Result<Timestamp> time = ParseTime(GetParam().text);
  if (GetParam().ns == -1) {
    ASSERT_FALSE(time);
    EXPECT_EQ(time.error().code, ErrorCode::kInvalidArgument);
  } else {
    ASSERT_TRUE(time) << time.error().ToString();
    EXPECT_EQ(time->ns, GetParam().ns);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Rfc3339, ParseTimeTest,
    testing::Values(
        TimeCase{"Epoch", "1970-01-01T00:00:00Z", 0},
        TimeCase{"Fraction", "1970-01-01T00:00:01.25Z", 1'250'000'000},
        TimeCase{"ManyDigits", "1970-01-01T00:00:00.1234567899Z", 123'456'789},
        TimeCase{"Offset", "1970-01-01T02:00:00+02:00", 0}, TimeCase{"LowerCase", "1970-01-01t00:00:00z", 0},
        TimeCase{"LeapDay", "2024-02-29T00:00:00Z", 1'709'164'800'000'000'000},
        TimeCase{"EpochSeconds", "1763690820.25", 1'763'690'820'250'000'000},
        TimeCase{"WholeEpochSeconds", "0", 0}, TimeCase{"Empty", "", -1},
        TimeCase{"NoLeapDay", "2023-02-29T00:00:00Z", -1}, TimeCase{"NoZone", "1970-01-01T00:00:00", -1},
        TimeCase{"Hour24", "1970-01-01T24:00:00Z", -1}, TimeCase{"Tail", "1970-01-01T00:00:00Zx", -1},
        TimeCase{"PointWithoutDigits", "1970-01-01T00:00:00.Z", -1},
        TimeCase{"TooLate", "2262-12-31T00:00:00Z", -1}, TimeCase{"TooLateInSeconds", "9214646400", -1},
        TimeCase{"LastSecond", "9214646399", 9'214'646'399'000'000'000},
        TimeCase{"TooEarlyByItsOffset", "1678-01-01T00:00:00+23:59", -1},
        TimeCase{"TooManySeconds", "99999999999999", -1}, TimeCase{"Negative", "-5", -1},
        TimeCase{"Exponent", "1e9", -1}, TimeCase{"Words", "yesterday", -1}),
    [](const auto& test) { return test.param.name; });

TEST(FormatRfc3339, WritesMillisecondsAndRoundsDown) {
  EXPECT_EQ(FormatRfc3339(Timestamp{1'763'690'820'250'999'999}), "2025-11-21T02:07:00.250Z");
  EXPECT_EQ(FormatRfc3339(Timestamp{-1}), "1969-12-31T23:59:59.999Z");
}

TEST(Timestamp, MillisKeepOrderBeforeTheEpoch) {
  EXPECT_EQ(Timestamp{-1}.millis(), -1);
  EXPECT_EQ(Timestamp{1'999'999}.millis(), 1);
}

TEST(ManualClock, StepsTheWallTimeAlone) {
  ManualClock clock(Timestamp::FromSeconds(100));
  auto steady = clock.SteadyNow();
  clock.StepTo(Timestamp::FromSeconds(50));
  EXPECT_EQ(clock.Now(), Timestamp::FromSeconds(50));
  EXPECT_EQ(clock.SteadyNow(), steady);
  clock.Advance(std::chrono::seconds(2));
  EXPECT_EQ(clock.Now(), Timestamp::FromSeconds(52));
  EXPECT_EQ(clock.SteadyNow() - steady, std::chrono::seconds(2));
}

}  // namespace
}  // namespace millrace
