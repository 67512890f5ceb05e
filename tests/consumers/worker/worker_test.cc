// Goal: however many workers come, go and are cut off, and whatever happens to the shards meanwhile, each
// record has its result once, and those of one key in order; by polling and by push. Method: workers against
// a real server in this process.
#include <atomic>
#include <thread>

#include "tests/consumers/worker/worker_fixture.h"

namespace millrace {
namespace {

class WorkerReadsTest : public WorkerTest, public ::testing::WithParamInterface<ReadBy> {
 protected:
  WorkerOptions Reading(const std::string& owner) {
    WorkerOptions options = Options(owner);
    options.read_by = GetParam();
    return options;
  }
};

TEST_P(WorkerReadsTest, FollowsReshardingParentsFirst) {
  Put(0, 40);
  Get(log_->SplitShard("in", storage::ShardId{0}, storage::HashKey{std::uint64_t{1} << 62, 0}));
  Put(40, 80);
  auto worker = Get(Worker::Start(Reading("a")));
  WorkUntil(*worker, 50);
  Get(log_->MergeShards("in", storage::ShardId{2}, storage::ShardId{3}));
  Put(80, 120);
  WorkUntil(*worker, 120);
  ExpectEachOnceInOrder(120);
}

TEST_P(WorkerReadsTest, TwoWorkersShareAndOneTakesOver) {
  Put(0, 60);
  std::atomic<bool> stop{false};
  auto first = Get(Worker::Start(Reading("a")));
  std::thread other([&] {
    auto second = Get(Worker::Start(Reading("b")));
    while (!stop) {
      auto record = second->Next(std::chrono::milliseconds(20));
      if (record) (void)Commit(*second, *record, {ResultOf(*record)});
    }
    // Goes with a record in its hands: it was not committed, and comes again.
    auto held = second->Next(std::chrono::milliseconds(200));
  });
  WorkUntil(*first, 60);
  Put(60, 120);
  WorkUntil(*first, 100);
  stop = true;
  other.join();
  WorkUntil(*first, 120);
  Put(120, 140);
  WorkUntil(*first, 140);
  ExpectEachOnceInOrder(140);
}

TEST_P(WorkerReadsTest, LateWorkerCommitsNothing) {
  Put(0, 4);
  auto late = Get(Worker::Start(Reading("late")));
  std::optional<WorkerRecord> record;
  ASSERT_TRUE(test::WaitUntil([&] {
    record = late->Next(std::chrono::milliseconds(50));
    return record.has_value();
  }));
  // Everything is taken from it while it works.
  for (const api::ShardLease& lease : Get(leases_->List("app"))) {
    if (lease.owner == "late") {
      Get(leases_->Take("app", "in", lease.shard, "thief", std::chrono::seconds(1), lease.counter));
    }
  }
  auto committed = Commit(*late, *record, {ResultOf(*record)});
  ASSERT_FALSE(committed);
  EXPECT_EQ(committed.error().code, ErrorCode::kFailedPrecondition);
  EXPECT_TRUE(Results().empty());
  WorkUntil(*late, 4);  // the thief does nothing, and its leases run out
  ExpectEachOnceInOrder(4);
}

TEST_P(WorkerReadsTest, WaitsForAServerThatRestarts) {
  Put(0, 30);
  auto worker = Get(Worker::Start(Reading("a")));
  WorkUntil(*worker, 10);
  Close();
  auto ahead = worker->Next(std::chrono::milliseconds(300));  // what it has read ahead, or nothing
  if (ahead) worker->GiveUp(*ahead);
  Open();
  WorkUntil(*worker, 30);
  Put(30, 40);
  WorkUntil(*worker, 40);
  ExpectEachOnceInOrder(40);
}

TEST_P(WorkerReadsTest, PassesOverWhatIsNotWantedAndDoesNotComeBackToIt) {
  Put(0, 50);
  WorkerOptions options = Reading("a");
  std::atomic<int> asked{0};
  options.wanted = [&](const WorkerRecord& record) {
    ++asked;
    return record.partition_key == "key-3";
  };
  {
    auto worker = Get(Worker::Start(options));
    WorkUntil(*worker, 7);
    EXPECT_EQ(Results(), (std::vector<int>{3, 10, 17, 24, 31, 38, 45}));
    // What lies behind is passed over durably after a while.
    auto passed = [&] {
      bool all = true;
      for (const api::ShardLease& lease : Get(leases_->List("app"))) {
        auto next =
            Get(log_->Read("in", {lease.shard, lease.checkpoint.value_or(storage::SequenceNumber())}, {}));
        all = all && next.records.empty();
      }
      return all;
    };
    EXPECT_TRUE(test::WaitUntil([&] {
      (void)worker->Next(std::chrono::milliseconds(50));
      return passed();
    }));
  }
  const int before = asked;
  auto again = Get(Worker::Start(options));
  Put(50, 53);  // 52 is key-3
  WorkUntil(*again, 8);
  EXPECT_LE(asked, before + 3);  // about the new ones alone
}

TEST_P(WorkerReadsTest, WhatComesAfterAnOwnerThatWasLostIsSuspect) {
  Put(0, 14);
  auto worker = Get(Worker::Start(Reading("a")));
  auto next = [&](Worker& of) {
    std::optional<WorkerRecord> record;
    EXPECT_TRUE(test::WaitUntil([&] {
      record = of.Next(std::chrono::milliseconds(50));
      return record.has_value();
    }));
    return record.value();
  };
  WorkerRecord record = next(*worker);
  // Where the answer to the first try was too long in coming, the lease was taken anew already.
  EXPECT_EQ(record.suspect, record.lease > 1);
  worker->GiveUp(record);  // as if it had ended: the lease is taken anew without having been released
  std::optional<WorkerRecord> suspect;
  while (!suspect) {
    WorkerRecord each = next(*worker);
    if (each.sequence_number == record.sequence_number) {
      suspect = each;
    } else {
      ASSERT_TRUE(Commit(*worker, each));
    }
  }
  ASSERT_TRUE(suspect);
  EXPECT_TRUE(suspect->suspect);
  const std::uint64_t first = Get(Attempt(*worker, *suspect, 0));
  Get(Attempt(*worker, *suspect, first));
  ASSERT_TRUE(Commit(*worker, *suspect));
}

TEST_P(WorkerReadsTest, StreamMadeAgainIsReadFromItsBeginning) {
  Put(0, 10);
  auto worker = Get(Worker::Start(Reading("a")));
  WorkUntil(*worker, 10);
  ASSERT_TRUE(log_->DeleteStream("in"));
  Get(log_->CreateStream("in", 3, std::chrono::hours(24)));
  Put(10, 25);
  WorkUntil(*worker, 25);
  ExpectEachOnceInOrder(25);
}

INSTANTIATE_TEST_SUITE_P(By, WorkerReadsTest, ::testing::Values(ReadBy::kPolling, ReadBy::kPush),
                         [](const auto& test) { return test.param == ReadBy::kPush ? "Push" : "Polling"; });

}  // namespace
}  // namespace millrace
