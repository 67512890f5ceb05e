// Goal: what is told of a lease that is lost does not touch the same shard's next lease, and the circle of
// the shards has all that have something to be given. Method: the readers against a server, as
// worker_test.cc; the keeper comes in between where it hurts most.
#include "consumers/worker/held_shards.h"

#include <utility>

#include "consumers/worker/polling_reader.h"
#include "consumers/worker/push_reader.h"
#include "tests/consumers/worker/worker_fixture.h"

namespace millrace::consumer {
namespace {

using std::chrono::steady_clock;

const std::string kShard = "shardId-000000000000";
const steady_clock::time_point kForLong = steady_clock::now() + std::chrono::hours(1);

// Tells a reader everything, an end only after `before_end`.
class LateReader final : public ShardReader {
 public:
  LateReader(ShardReader& reader, std::function<void()> before_end)
      : reader_(reader), before_end_(std::move(before_end)) {}
  void Begin(const HeldLease& lease) override { reader_.Begin(lease); }
  void End(const std::string& shard, std::uint64_t counter) override {
    before_end_();
    reader_.End(shard, counter);
  }
  void HasRoomAgain(const std::string& shard, std::uint64_t counter) override {
    reader_.HasRoomAgain(shard, counter);
  }

 private:
  ShardReader& reader_;
  const std::function<void()> before_end_;
};

class HeldShardsTest : public WorkerTest {
 protected:
  template <typename Reader>
  void ExpectReadAfterBeingTakenAgain() {
    const WorkerOptions options = Get(CheckWorkerOptions(Options("a")));
    WorkerState state;
    HeldShards held(options.read_ahead_records, options.read_ahead_bytes);
    Reader reader(options, held, state);
    LateReader late(reader, [&held] { held.Add({kShard, 2, {}, false}, kForLong); });
    held.SetReader(&late);
    held.Add({kShard, 1, {}, false}, kForLong);
    ASSERT_TRUE(held.Remove(kShard, 1));
    ASSERT_EQ(held.Leases().size(), 1u);

    storage::PutRecord record;
    record.partition_key = "a";
    record.explicit_hash_key = storage::HashKey{};
    record.data = SharedBytes(Bytes{'x'});
    Get(storage::PutAndWait(*log_, "in", std::move(record)));
    std::optional<WorkerRecord> read;
    const auto until = steady_clock::now() + test::kPatience;
    while (!read && steady_clock::now() < until) {
      held.Wait(until, held.generation());
      read = held.Take(kShard, 2).record;
    }
    held.SetReader(nullptr);
    ASSERT_TRUE(read) << state.troubles.Any();
    EXPECT_EQ(AsText(read->data), "x");
  }
};

TEST_F(HeldShardsTest, AShardTakenAgainBeforeItsEndIsToldIsPolled) {
  ExpectReadAfterBeingTakenAgain<PollingReader>();
}

TEST_F(HeldShardsTest, AShardTakenAgainBeforeItsEndIsToldIsPushed) {
  ExpectReadAfterBeingTakenAgain<PushReader>();
}

TEST(HeldShards, AShardIsReadyWhileItsRecordIsTakenApart) {
  HeldShards held(10, 1000);
  for (const char* shard : {"a", "b"}) {
    held.Add({shard, 1, {}, false}, kForLong);
    FetchedBatch batch;
    batch.records.resize(1);
    ASSERT_TRUE(held.Put(shard, 1, std::move(batch)));
  }
  EXPECT_TRUE(held.Take("a", 1).record);
  EXPECT_EQ(held.NextReady(""), "b");
  held.SetUnpacking("a", 1, true);
  EXPECT_EQ(held.NextReady(""), "a");
  EXPECT_EQ(held.NextReady("a"), "b");
  EXPECT_FALSE(held.Take("a", 1).record);
  EXPECT_TRUE(held.Take("b", 1).record);
  EXPECT_EQ(held.NextReady("a"), "a");
  held.SetUnpacking("a", 2, false);  // another lease
  EXPECT_EQ(held.NextReady("a"), "a");
  held.SetUnpacking("a", 1, false);
  EXPECT_EQ(held.NextReady("a"), "");
}

}  // namespace
}  // namespace millrace::consumer
