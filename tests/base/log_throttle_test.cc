// A throttled line: due once in its interval, and nothing that happened is left out of the count.
#include "base/log_throttle.h"

#include <gtest/gtest.h>

namespace millrace {
namespace {

TEST(LogThrottle, OneLineAnIntervalTellsOfAll) {
  ManualClock clock(Timestamp::FromSeconds(1'795'240'800));
  LogThrottle throttle(std::chrono::seconds(1), clock);
  EXPECT_EQ(throttle.Add(3), 3);
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(throttle.Add(2), std::nullopt);
  clock.Advance(std::chrono::milliseconds(999));
  EXPECT_EQ(throttle.Add(1), std::nullopt);
  clock.Advance(std::chrono::milliseconds(1));
  EXPECT_EQ(throttle.Add(1), 2002);
  clock.Advance(std::chrono::hours(1));
  EXPECT_EQ(throttle.Add(5), 5);
  // Setting the machine's clock back holds nothing up.
  clock.StepTo(Timestamp::FromSeconds(0));
  clock.Advance(std::chrono::seconds(1));
  EXPECT_EQ(throttle.Add(1), 1);
}

}  // namespace
}  // namespace millrace
