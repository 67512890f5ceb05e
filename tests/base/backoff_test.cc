#include "base/backoff.h"

#include <gtest/gtest.h>

#include <set>

namespace millrace {
namespace {

using std::chrono::seconds;

TEST(BackoffTest, DoublesUpToTheLimitWithJitter) {
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    Backoff backoff({seconds(1), seconds(60)}, seed);
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
  for (std::uint64_t seed = 0; seed < 100; ++seed)
    delays.insert(Backoff({seconds(1), seconds(60)}, seed).Next());
  EXPECT_GT(delays.size(), 90U);
}

TEST(BackoffTest, NeverGrowsBeyondTheLimit) {
  Backoff backoff({seconds(1), seconds(60)}, 1);
  for (int i = 0; i < 1000; ++i) EXPECT_LE(backoff.Next(), seconds(60));
}

}  // namespace
}  // namespace millrace
