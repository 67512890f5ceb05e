// Failed logins: a peer's share, how it comes back, and that neither other peers nor memory pay for it.
#include "api/access/failed_logins.h"

#include <gtest/gtest.h>

namespace millrace::api {
namespace {

class FailedLoginsTest : public testing::Test {
 protected:
  void Fail(const std::string& peer, int times = FailedLogins::kFailuresMax) {
    for (int i = 0; i < times; ++i) EXPECT_FALSE(logins_.Begin(peer)) << i;
  }
  bool Waits(const std::string& peer) { return logins_.Begin(peer).has_value(); }

  ManualClock clock_{Timestamp::FromSeconds(1'795'240'800)};
  FailedLogins logins_{clock_};
};

TEST_F(FailedLoginsTest, APeerHasTenAndThenOneEachSixSeconds) {
  Fail("192.0.2.1:1000");
  EXPECT_EQ(logins_.Begin("192.0.2.1:1001"), FailedLogins::kFailureEvery);
  EXPECT_EQ(logins_.Begin("192.0.2.1:1000"), FailedLogins::kFailureEvery);  // asking costs nothing more
  clock_.Advance(std::chrono::seconds(4));
  EXPECT_EQ(logins_.Begin("192.0.2.1:1000"), std::chrono::seconds(2));
  clock_.Advance(std::chrono::seconds(2));
  Fail("192.0.2.1:1000", 1);
  EXPECT_TRUE(Waits("192.0.2.1:1000"));
  clock_.Advance(std::chrono::hours(1));
  Fail("192.0.2.1:1000");
  EXPECT_TRUE(Waits("192.0.2.1:1000"));
}

TEST_F(FailedLoginsTest, WhatSucceedsCostsNothing) {
  for (int i = 0; i < 100; ++i) {
    EXPECT_FALSE(logins_.Begin("192.0.2.1:1"));
    logins_.Succeeded("192.0.2.1:1");
  }
  Fail("192.0.2.1:1");
  EXPECT_TRUE(Waits("192.0.2.1:1"));
  logins_.Succeeded("198.51.100.7:1");  // who never tried
}

TEST_F(FailedLoginsTest, PeersAreToldApartByAddress) {
  Fail("192.0.2.1:1");
  EXPECT_TRUE(Waits("::ffff:192.0.2.1:1"));
  EXPECT_FALSE(Waits("192.0.2.11:1"));
  Fail("2001:db8:1:2:3:4:5:6:1000");
  EXPECT_TRUE(Waits("2001:db8:1:2::1:1000"));
  EXPECT_FALSE(Waits("2001:db8:1:3::1:1000"));
  Fail("");
  EXPECT_TRUE(Waits(""));
}

TEST_F(FailedLoginsTest, OfTooManyPeersWhoFailedLeastIsForgotten) {
  const auto peer = [](std::size_t i) {
    return "10." + std::to_string(i >> 16) + "." + std::to_string(i >> 8 & 255) + "." +
           std::to_string(i & 255) + ":1";
  };
  Fail("192.0.2.1:1");
  for (std::size_t i = 0; i < 2 * FailedLogins::kPeersMax; ++i) Fail(peer(i), 1);
  EXPECT_TRUE(Waits("192.0.2.1:1"));
  // The last ones have their one failure still, the first ones are forgotten.
  Fail(peer(2 * FailedLogins::kPeersMax - 1), FailedLogins::kFailuresMax - 1);
  EXPECT_TRUE(Waits(peer(2 * FailedLogins::kPeersMax - 1)));
  Fail(peer(0));
}

}  // namespace
}  // namespace millrace::api
