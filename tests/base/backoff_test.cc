#include "base/backoff.h"

#include <gtest/gtest.h>

#include <set>

namespace millrace {
namespace {

using std::chrono::seconds;

TEST(BackoffTest, DoublesUpToTheLimitWithJitter) {
  for (int i = 0; i < 100; ++i) {
    Backoff backoff({seconds(1), seconds(60)});
    for (int limit : {1, 2, 4, 8, 16, 32, 60, 60, 60}) {
      const Duration delay = backoff.Next();
      EXPECT_GE(delay, Duration(seconds(limit)) / 2);
      EXPECT_LE(delay, seconds(limit));
    }
    backoff.Reset();
    EXPECT_LE(backoff.Next(), seconds(1));
  }
}

TEST(BackoffTest, AFleetDoesNotComeBackTogether) {
  std::set<Duration> delays;
  for (int i = 0; i < 100; ++i) delays.insert(Backoff({seconds(1), seconds(60)}).Next());
  EXPECT_GT(delays.size(), 90U);
}

TEST(BackoffTest, NeverGrowsBeyondTheLimit) {
  Backoff backoff({seconds(1), seconds(60)});
  for (int i = 0; i < 1000; ++i) EXPECT_LE(backoff.Next(), seconds(60));
}

}  // namespace
}  // namespace millrace
