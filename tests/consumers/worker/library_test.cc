// Goal: what the library promises besides exactly one result: checkpoints that are noted, batches, shards
// that come and go and are told, leases handed over, metrics, clear errors. Method: as worker_test.cc.
#include <gmock/gmock.h>

#include <atomic>
#include <set>
#include <thread>

#include "tests/consumers/worker/worker_fixture.h"

namespace millrace {
namespace {

using ::testing::HasSubstr;
using Kind = ShardEvent::Kind;

class LibraryTest : public WorkerTest {
 protected:
  // Whatever comes, up to so many.
  std::vector<WorkerRecord> Take(Worker& worker, std::size_t count, std::size_t at_a_time = 1) {
    std::vector<WorkerRecord> all;
    const auto deadline = std::chrono::steady_clock::now() + test::kPatience;
    while (all.size() < count && std::chrono::steady_clock::now() < deadline) {
      auto batch = worker.NextBatch(std::chrono::milliseconds(50), at_a_time);
      for (const WorkerRecord& record : batch) EXPECT_EQ(record.shard, batch.front().shard);
      EXPECT_LE(batch.size(), at_a_time);
      std::move(batch.begin(), batch.end(), std::back_inserter(all));
    }
    return all;
  }
  std::size_t NotDone() {
    std::size_t records = 0;
    for (const api::ShardLease& lease : Get(leases_->List("app"))) {
      auto next =
          Get(log_->Read("in", {lease.shard, lease.checkpoint.value_or(storage::SequenceNumber())}, {}));
      records += next.records.size();
    }
    return records;
  }
};

TEST_F(LibraryTest, WhatIsNotedIsCommittedAfterAWhile) {
  Put(0, 30);
  WorkerOptions options = Alone();
  options.checkpoint_interval = std::chrono::milliseconds(100);
  auto worker = Get(Worker::Start(options));
  for (const WorkerRecord& record : Take(*worker, 30)) worker->Done(record);
  EXPECT_TRUE(test::WaitUntil([&] {
    (void)worker->Next(std::chrono::milliseconds(20));
    return NotDone() == 0;
  }));
  EXPECT_LT(worker->metrics().commits, 10u) << "not one a record";
}

TEST_F(LibraryTest, CloseCommitsWhatIsNotedAndHandsTheShardsOver) {
  Put(0, 30);
  WorkerOptions options = Options("a");
  options.checkpoint_interval = std::chrono::hours(1);
  options.lease_length = std::chrono::minutes(10);
  std::vector<ShardEvent> events;
  options.shard_event = [&](const ShardEvent& event) { events.push_back(event); };
  {
    auto worker = Get(Worker::Start(options));
    for (const WorkerRecord& record : Take(*worker, 30, 7)) worker->Done(record);
    EXPECT_EQ(NotDone(), 30u);
    worker->Close();
    EXPECT_EQ(worker->Next(std::chrono::milliseconds(1)), std::nullopt);
  }
  EXPECT_EQ(NotDone(), 0u);
  ASSERT_EQ(events.size(), 4u);
  for (std::size_t i = 0; i < 4; ++i) EXPECT_EQ(events[i].kind, i < 2 ? Kind::kTaken : Kind::kReleased);
  for (const api::ShardLease& lease : Get(leases_->List("app"))) EXPECT_EQ(lease.owner, "");
  auto next = Get(Worker::Start(Options("b")));
  Put(30, 40);
  EXPECT_EQ(Take(*next, 10).size(), 10u);
}

TEST_F(LibraryTest, CommittingTheLastOfABatchCommitsAll) {
  Put(0, 40);
  {
    auto worker = Get(Worker::Start(Alone()));
    std::map<std::string, WorkerRecord> last;
    for (const WorkerRecord& record : Take(*worker, 40, 5)) last[record.shard] = record;
    EXPECT_EQ(last.size(), 2u);
    for (const auto& [shard, record] : last) EXPECT_TRUE(Commit(*worker, record));
  }
  EXPECT_EQ(NotDone(), 0u);
}

TEST_F(LibraryTest, WhatIsNotDoneComesAgain) {
  Put(0, 20);
  std::set<std::string> done;
  {
    auto worker = Get(Worker::Start(Options("a")));
    auto records = Take(*worker, 20, 20);
    std::map<std::string, int> of_shard;
    for (const WorkerRecord& record : records) {
      if (++of_shard[record.shard] > 3) continue;
      worker->Done(record);
      done.insert(record.sequence_number);
    }
    EXPECT_TRUE(test::WaitUntil([&] {
      worker->Flush();
      return NotDone() == 20 - done.size();
    }));
  }
  auto worker = Get(Worker::Start(Options("b")));
  const auto again = Take(*worker, 20 - done.size(), 20);
  EXPECT_EQ(again.size(), 20 - done.size());
  for (const WorkerRecord& record : again) EXPECT_FALSE(done.contains(record.sequence_number));
}

TEST_F(LibraryTest, AShardEndsOnlyWhenAllOfItIsDone) {
  Put(0, 10);
  std::vector<ShardEvent> events;
  WorkerOptions options = Alone();
  options.shard_event = [&](const ShardEvent& event) { events.push_back(event); };
  auto worker = Get(Worker::Start(options));
  auto records = Take(*worker, 10, 10);
  Get(log_->SplitShard("in", storage::ShardId{0}, storage::HashKey{std::uint64_t{1} << 62, 0}));
  Put(10, 20);
  const auto ended = [&] {
    (void)worker->Next(std::chrono::milliseconds(20));
    return std::any_of(events.begin(), events.end(),
                       [](const auto& event) { return event.kind == Kind::kEnded; });
  };
  for (int i = 0; i < 20; ++i) EXPECT_FALSE(ended());
  for (const WorkerRecord& record : records) worker->Done(record);
  EXPECT_TRUE(test::WaitUntil(ended));
  EXPECT_EQ(worker->metrics().shards_ended, 1u);
}

TEST_F(LibraryTest, ALostLeaseIsTold) {
  Put(0, 4);
  std::vector<ShardEvent> events;
  WorkerOptions options = Options("late");
  options.shard_event = [&](const ShardEvent& event) { events.push_back(event); };
  auto worker = Get(Worker::Start(options));
  auto records = Take(*worker, 4, 4);
  for (const api::ShardLease& lease : Get(leases_->List("app"))) {
    Get(leases_->Take("app", "in", lease.shard, "thief", std::chrono::seconds(600), lease.counter));
  }
  EXPECT_TRUE(test::WaitUntil([&] {
    (void)worker->Next(std::chrono::milliseconds(20));
    return std::count_if(events.begin(), events.end(), [](const auto& e) { return e.kind == Kind::kLost; }) ==
           2;
  }));
  // It takes one back meanwhile: the records of the lease that was lost are still not its own.
  worker->Done(records.front());  // says nothing to anybody
  EXPECT_EQ(worker->Commit(records.front()).error().code, ErrorCode::kFailedPrecondition);
  EXPECT_EQ(worker->Attempt(records.front(), "x").error().code, ErrorCode::kFailedPrecondition);
  EXPECT_GE(worker->metrics().leases_lost, 2u);
}

TEST_F(LibraryTest, TakesNoMoreLeasesThanItMay) {
  WorkerOptions options = Alone();
  options.leases_max = 1;
  auto worker = Get(Worker::Start(options));
  EXPECT_TRUE(test::WaitUntil([&] { return worker->shards() == 1; }));
  options.owner = "b";
  options.leases_max = 2;
  auto other = Get(Worker::Start(options));
  EXPECT_TRUE(test::WaitUntil([&] { return other->shards() == 1; }));
  EXPECT_EQ(worker->shards(), 1u);
}

TEST_F(LibraryTest, MetricsSayWhatWasDone) {
  Put(0, 30);
  WorkerOptions options = Alone();
  options.wanted = [](const WorkerRecord& record) { return record.partition_key != "key-0"; };
  auto worker = Get(Worker::Start(options));
  for (const WorkerRecord& record : Take(*worker, 25))
    ASSERT_TRUE(Commit(*worker, record, {ResultOf(record)}));
  EXPECT_TRUE(test::WaitUntil([&] {  // the last ones that are not wanted
    (void)worker->Next(std::chrono::milliseconds(20));
    return worker->metrics().records_passed == 5;
  }));
  const WorkerMetrics metrics = worker->metrics();
  EXPECT_EQ(metrics.records, 25u);
  EXPECT_EQ(metrics.records_passed, 5u);
  EXPECT_EQ(metrics.bytes, 10u + 2 * 20);
  EXPECT_EQ(metrics.results, 25u);
  EXPECT_GE(metrics.commits, 25u);
  EXPECT_GT(metrics.requests, 0u);
  EXPECT_EQ(metrics.leases, 2u);
  EXPECT_EQ(metrics.leases_taken, 2u);
  EXPECT_EQ(metrics.behind.size(), 2u);
  const std::string text = worker->PrometheusText();
  EXPECT_THAT(
      text,
      HasSubstr("millrace_consumer_records_total{application=\"app\",stream=\"in\",worker=\"a\"} 25\n"));
  EXPECT_THAT(text, HasSubstr("# TYPE millrace_consumer_behind_seconds gauge\n"));
}

TEST_F(LibraryTest, BehindGrowsWhileRecordsWait) {
  auto worker = Get(Worker::Start(Alone()));
  EXPECT_TRUE(test::WaitUntil([&] { return worker->metrics().behind.size() == 2; }));
  EXPECT_EQ(worker->metrics().behind_max(), Duration{0});
  Put(0, 10);
  EXPECT_TRUE(
      test::WaitUntil([&] { return worker->metrics().behind_max() > std::chrono::milliseconds(50); }));
  for (const WorkerRecord& record : Take(*worker, 10)) worker->Done(record);
  EXPECT_TRUE(test::WaitUntil([&] { return worker->metrics().behind_max() == Duration{0}; }));
}

TEST_F(LibraryTest, SaysWhatIsWrong) {
  WorkerOptions options = Options("a");
  options.stream = "nowhere";
  auto worker = Get(Worker::Start(options));
  EXPECT_TRUE(test::WaitUntil([&] { return worker->trouble().find("not_found") == 0; })) << worker->trouble();
  EXPECT_EQ(worker->Next(std::chrono::milliseconds(10)), std::nullopt);
  Get(log_->CreateStream("nowhere", 1, std::chrono::hours(24)));
  EXPECT_TRUE(test::WaitUntil([&] { return worker->shards() == 1 && worker->trouble().empty(); }));
}

TEST_F(LibraryTest, RefusesResultsThatTheServerRefuses) {
  Put(0, 1);
  auto worker = Get(Worker::Start(Alone()));
  const auto records = Take(*worker, 1);
  ASSERT_EQ(records.size(), 1u);
  WorkerResult result = ResultOf(records.front());
  result.partition_key = "";
  EXPECT_EQ(Commit(*worker, records.front(), {result}).error().code, ErrorCode::kInvalidArgument);
  result = ResultOf(records.front());
  result.stream = "nowhere";
  EXPECT_EQ(Commit(*worker, records.front(), {result}).error().code, ErrorCode::kNotFound);
  EXPECT_TRUE(Commit(*worker, records.front(), {ResultOf(records.front())}));
  EXPECT_EQ(Results().size(), 1u);
}

TEST_F(LibraryTest, StopEndsANextThatWaits) {
  auto worker = Get(Worker::Start(Options("a")));
  std::thread stopper([&] { worker->Stop(); });
  EXPECT_EQ(worker->Next(test::kPatience), std::nullopt);
  stopper.join();
}

// ---- options

struct BadOption {
  const char* named;
  void (*change)(WorkerOptions&);
};

class WorkerOptionsTest : public ::testing::TestWithParam<BadOption> {};

TEST_P(WorkerOptionsTest, AreRefused) {
  WorkerOptions options;
  options.application = "app";
  ASSERT_TRUE(CheckWorkerOptions(options));
  GetParam().change(options);
  const auto worker = Worker::Start(options);
  ASSERT_FALSE(worker);
  EXPECT_EQ(worker.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(worker.error().message, HasSubstr(GetParam().named));
}

INSTANTIATE_TEST_SUITE_P(
    Bad, WorkerOptionsTest,
    ::testing::Values(
        BadOption{"application", [](WorkerOptions& o) { o.application = ""; }},
        BadOption{"application", [](WorkerOptions& o) { o.application = "a/b"; }},
        BadOption{"application", [](WorkerOptions& o) { o.application = std::string(129, 'a'); }},
        BadOption{"stream", [](WorkerOptions& o) { o.stream = ""; }},
        BadOption{"stream", [](WorkerOptions& o) { o.stream = "a b"; }},
        BadOption{"owner", [](WorkerOptions& o) { o.owner = "me?"; }},
        BadOption{"consumer", [](WorkerOptions& o) { o.consumer = "\n"; }},
        BadOption{"start", [](WorkerOptions& o) { o.start = "yesterday"; }},
        BadOption{"lease_length", [](WorkerOptions& o) { o.lease_length = Duration{1}; }},
        BadOption{"lease_length", [](WorkerOptions& o) { o.lease_length = std::chrono::hours(1); }},
        BadOption{"read_ahead_records", [](WorkerOptions& o) { o.read_ahead_records = 0; }},
        BadOption{"read_ahead_records", [](WorkerOptions& o) { o.read_ahead_records = 10'001; }},
        BadOption{"read_ahead_bytes", [](WorkerOptions& o) { o.read_ahead_bytes = 0; }},
        BadOption{"pollers", [](WorkerOptions& o) { o.pollers = 0; }},
        BadOption{"pollers", [](WorkerOptions& o) { o.pollers = 65; }},
        BadOption{"leases_max", [](WorkerOptions& o) { o.leases_max = 0; }},
        BadOption{"poll_interval", [](WorkerOptions& o) { o.poll_interval = Duration{0}; }},
        BadOption{"subscription_length", [](WorkerOptions& o) { o.subscription_length = Duration{0}; }}));

}  // namespace
}  // namespace millrace
