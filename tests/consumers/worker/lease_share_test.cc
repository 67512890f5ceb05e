// Workers that each follow ChooseLeases alone end up with even shares, and then leave each other alone.
#include "consumers/worker/lease_share.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

namespace millrace {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

std::string Shard(int i) { return "shard-" + std::to_string(i); }

std::vector<SeenLease> Free(int count) {
  std::vector<SeenLease> leases;
  for (int i = 0; i < count; ++i) leases.push_back({Shard(i), "", 0, false, true});
  return leases;
}

TEST(ChooseLeases, AloneTakesAllThatAreReady) {
  auto leases = Free(5);
  leases[2].ready = false;
  auto wishes = ChooseLeases(leases, "me", {});
  EXPECT_THAT(wishes, SizeIs(4));
  for (const LeaseWish& wish : wishes) EXPECT_NE(wish.shard, Shard(2));
  EXPECT_THAT(ChooseLeases({}, "me", {}), IsEmpty());
}

TEST(ChooseLeases, TakesWhatHasRunOutAndWhatWasItsOwn) {
  std::vector<SeenLease> leases = {{"a", "gone", 3, true, true}, {"b", "me", 4, false, true}};
  EXPECT_THAT(ChooseLeases(leases, "me", {}), SizeIs(2));
  EXPECT_THAT(ChooseLeases(leases, "me", {"a", "b"}), IsEmpty());
}

TEST(ChooseLeases, StealsOneFromWhoeverHoldsMost) {
  std::vector<SeenLease> leases = {{"a", "big", 3, false, true},
                                   {"b", "big", 4, false, true},
                                   {"c", "big", 5, false, true},
                                   {"d", "small", 6, false, true}};
  auto wishes = ChooseLeases(leases, "me", {});
  ASSERT_THAT(wishes, SizeIs(1));
  EXPECT_TRUE(wishes[0].steal_counter);
  EXPECT_NE(wishes[0].shard, "d");
  EXPECT_THAT(ChooseLeases({{"a", "big", 3, false, true}}, "me", {}), IsEmpty());  // one is nobody's share
}

// Any number of workers and shards, from any start: even shares, and no lease changes hands for ever.
TEST(ChooseLeases, SettlesEvenly) {
  for (int shards = 1; shards <= 12; ++shards) {
    for (int workers = 1; workers <= 5; ++workers) {
      std::vector<SeenLease> leases = Free(shards);
      int changes = 0;
      for (int round = 0; round < 40; ++round) {
        changes = 0;
        for (int w = 0; w < workers; ++w) {
          const std::string me = "worker-" + std::to_string(w);
          std::set<std::string> held;
          for (const SeenLease& lease : leases) {
            if (lease.owner == me) held.insert(lease.shard);
          }
          for (const LeaseWish& wish : ChooseLeases(leases, me, held)) {
            for (SeenLease& lease : leases) {
              if (lease.shard != wish.shard) continue;
              ASSERT_TRUE(lease.owner.empty() || wish.steal_counter == lease.counter);
              lease.owner = me;
              ++lease.counter;
              ++changes;
            }
          }
        }
      }
      EXPECT_EQ(changes, 0) << shards << " shards, " << workers << " workers";
      std::map<std::string, int> count;
      for (int w = 0; w < workers; ++w) count["worker-" + std::to_string(w)] = 0;
      for (const SeenLease& lease : leases) ++count[lease.owner];
      for (const auto& [owner, held] : count) {
        EXPECT_GE(held, shards / workers) << owner << " of " << workers << " with " << shards << " shards";
        EXPECT_LE(held, (shards + workers - 1) / workers) << owner;
      }
    }
  }
}

}  // namespace
}  // namespace millrace
