// Goal: however many workers come, go and are cut off, and whatever happens to the shards meanwhile, each
// record has its result once, and those of one key in order. Method: workers against a real server in this
// process, over HTTP.
#include "consumers/worker/worker.h"

#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <map>

#include "api/aws/token_key.h"
#include "api/data_streams/data_stream_catalog.h"
#include "api/http/dispatcher.h"
#include "api/http/origin_policy.h"
#include "api/http/server.h"
#include "api/v1/application_service.h"
#include "api/v1/services.h"
#include "storage/embedded_log.h"
#include "wire/aggregated_record.h"

namespace millrace {
namespace {

template <typename T>
T Get(Result<T> result) {
  if (!result) {
    ADD_FAILURE() << result.error().ToString();
    std::abort();
  }
  return std::move(*result);
}

class WorkerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = ::testing::TempDir() + "millrace-worker-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
    Open();
    Get(log_->CreateStream("in", 2, std::chrono::hours(24)));
    Get(log_->CreateStream("out", 1, std::chrono::hours(24)));
  }
  void TearDown() override {
    Close();
    std::filesystem::remove_all(directory_);
  }
  void Open() {
    storage::EmbeddedLogOptions options;
    options.path = (directory_ / "data").string();
    options.reserve_bytes = 0;
    log_ = Get(storage::EmbeddedLog::Open(options));
    catalog_ = Get(api::DataStreamCatalog::Open(*log_, "millrace-fragments"));
    sealer_ = std::make_unique<wire::TokenSealer>(Get(api::OpenTokenSealer(*log_)));
    leases_ = std::make_unique<api::ApplicationLeases>(*log_, SystemClock());
    pool_ = std::make_unique<api::WorkerPool>(4, 64);
    applications_ = std::make_unique<api::ApplicationServices>(
        api::ApplicationServices{*leases_, *log_, *pool_, budget_, {}});
    router_ = std::make_unique<api::Router>();
    api::AddDataStreamRoutes(*router_, {*catalog_, *sealer_, *pool_, budget_, SystemClock()});
    api::AddApplicationRoutes(*router_, *applications_);
    dispatcher_ = std::make_unique<api::Dispatcher>(*router_, api::CheckCaller);
    api::ServerOptions server;
    server.port = port_;
    server.threads = 1;
    server_ = Get(api::Server::Start(*dispatcher_, server));
    port_ = server_->port();
  }
  void Close() {
    server_.reset();
    dispatcher_.reset();
    pool_.reset();
    log_.reset();
  }
  WorkerOptions Options(const std::string& owner) {
    WorkerOptions options;
    options.endpoint = {"127.0.0.1", port_};
    options.application = "app";
    options.stream = "in";
    options.owner = owner;
    options.start = "TRIM_HORIZON";
    options.lease_length = std::chrono::seconds(1);
    options.poll_interval = std::chrono::milliseconds(20);
    options.read_ahead_records = 3;
    return options;
  }
  void Put(int from, int to) {
    for (int i = from; i < to; ++i) {
      storage::PutRecord record;
      record.partition_key = "key-" + std::to_string(i % 7);
      std::string text = std::to_string(i);
      record.data = SharedBytes(Bytes(text.begin(), text.end()));
      Get(storage::PutAndWait(*log_, "in", std::move(record)));
    }
  }
  static WorkerResult ResultOf(const WorkerRecord& record) {
    WorkerResult result;
    result.stream = "out";
    result.partition_key = record.partition_key;
    result.data = std::string(AsText(record.data));
    return result;
  }
  // Works until there are so many results.
  void WorkUntil(Worker& worker, std::size_t results) {
    auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (Results().size() < results && std::chrono::steady_clock::now() < deadline) {
      auto record = worker.Next(std::chrono::milliseconds(50));
      if (record) (void)worker.Commit(*record, {ResultOf(*record)});
    }
  }
  // The numbers in the order of their results.
  std::vector<int> Results() {
    std::vector<int> numbers;
    std::optional<storage::ShardPosition> next = Get(log_->Seek("out", storage::ShardId{0}, {}));
    while (next) {
      auto batch = Get(log_->Read("out", *next, {}));
      for (const auto& record : batch.records) {
        numbers.push_back(std::stoi(std::string(AsText(record.data.span()))));
      }
      if (batch.records.empty()) break;
      next = batch.next;
    }
    return numbers;
  }
  void ExpectEachOnceInOrder(int count) {
    std::vector<int> numbers = Results();
    EXPECT_EQ(numbers.size(), static_cast<std::size_t>(count));
    std::map<int, int> last;  // of each key
    for (int number : numbers) {
      auto [before, first] = last.try_emplace(number % 7, number);
      if (!first) {
        EXPECT_LT(before->second, number) << "out of order, or twice";
        before->second = number;
      }
    }
  }

  std::filesystem::path directory_;
  std::uint16_t port_ = 0;
  api::ByteBudget budget_{64 << 20};
  std::unique_ptr<storage::EmbeddedLog> log_;
  std::unique_ptr<api::DataStreamCatalog> catalog_;
  std::unique_ptr<wire::TokenSealer> sealer_;
  std::unique_ptr<api::ApplicationLeases> leases_;
  std::unique_ptr<api::WorkerPool> pool_;
  std::unique_ptr<api::ApplicationServices> applications_;
  std::unique_ptr<api::Router> router_;
  std::unique_ptr<api::Dispatcher> dispatcher_;
  std::unique_ptr<api::Server> server_;
};

TEST_F(WorkerTest, FollowsReshardingParentsFirst) {
  Put(0, 40);
  Get(log_->SplitShard("in", storage::ShardId{0}, storage::HashKey{std::uint64_t{1} << 62, 0}));
  Put(40, 80);
  auto worker = Get(Worker::Start(Options("a")));
  WorkUntil(*worker, 50);
  Get(log_->MergeShards("in", storage::ShardId{2}, storage::ShardId{3}));
  Put(80, 120);
  WorkUntil(*worker, 120);
  ExpectEachOnceInOrder(120);
}

TEST_F(WorkerTest, TwoWorkersShareAndOneTakesOver) {
  Put(0, 60);
  std::atomic<bool> stop{false};
  auto first = Get(Worker::Start(Options("a")));
  std::thread other([&] {
    auto second = Get(Worker::Start(Options("b")));
    while (!stop) {
      auto record = second->Next(std::chrono::milliseconds(20));
      if (record) (void)second->Commit(*record, {ResultOf(*record)});
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

TEST_F(WorkerTest, LateWorkerCommitsNothing) {
  Put(0, 4);
  auto late = Get(Worker::Start(Options("late")));
  std::optional<WorkerRecord> record;
  for (int i = 0; i < 200 && !record; ++i) record = late->Next(std::chrono::milliseconds(50));
  ASSERT_TRUE(record);
  // Everything is taken from it while it works.
  for (const api::ShardLease& lease : Get(leases_->List("app"))) {
    if (lease.owner == "late") {
      Get(leases_->Take("app", "in", lease.shard, "thief", std::chrono::seconds(1), lease.counter));
    }
  }
  auto committed = late->Commit(*record, {ResultOf(*record)});
  ASSERT_FALSE(committed);
  EXPECT_EQ(committed.error().code, ErrorCode::kFailedPrecondition);
  EXPECT_TRUE(Results().empty());
  WorkUntil(*late, 4);  // the thief does nothing, and its leases run out
  ExpectEachOnceInOrder(4);
}

TEST_F(WorkerTest, WaitsForAServerThatRestarts) {
  Put(0, 30);
  auto worker = Get(Worker::Start(Options("a")));
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

TEST_F(WorkerTest, PassesOverWhatIsNotWantedAndDoesNotComeBackToIt) {
  Put(0, 50);
  WorkerOptions options = Options("a");
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
    for (int i = 0; i < 200 && !passed(); ++i) (void)worker->Next(std::chrono::milliseconds(50));
    EXPECT_TRUE(passed());
  }
  const int before = asked;
  auto again = Get(Worker::Start(options));
  Put(50, 53);  // 52 is key-3
  WorkUntil(*again, 8);
  EXPECT_LE(asked, before + 3);  // about the new ones alone
}

TEST_F(WorkerTest, WhatComesAfterAnOwnerThatWasLostIsSuspect) {
  Put(0, 14);
  auto worker = Get(Worker::Start(Options("a")));
  auto next = [&](Worker& of) {
    std::optional<WorkerRecord> record;
    for (int i = 0; i < 200 && !record; ++i) record = of.Next(std::chrono::milliseconds(50));
    EXPECT_TRUE(record);
    return *record;
  };
  WorkerRecord record = next(*worker);
  EXPECT_FALSE(record.suspect);
  worker->GiveUp(record);  // as if it had ended: the lease is taken anew without having been released
  std::optional<WorkerRecord> suspect;
  while (!suspect) {
    WorkerRecord each = next(*worker);
    if (each.sequence_number == record.sequence_number) {
      suspect = each;
    } else {
      ASSERT_TRUE(worker->Commit(each, {}));
    }
  }
  ASSERT_TRUE(suspect);
  EXPECT_TRUE(suspect->suspect);
  EXPECT_EQ(Get(worker->Attempt(*suspect, "x")), 1u);
  EXPECT_EQ(Get(worker->Attempt(*suspect, "x")), 2u);
  ASSERT_TRUE(worker->Commit(*suspect, {}));
}

TEST_F(WorkerTest, StreamMadeAgainIsReadFromItsBeginning) {
  Put(0, 10);
  auto worker = Get(Worker::Start(Options("a")));
  WorkUntil(*worker, 10);
  ASSERT_TRUE(log_->DeleteStream("in"));
  Get(log_->CreateStream("in", 3, std::chrono::hours(24)));
  Put(10, 25);
  WorkUntil(*worker, 25);
  ExpectEachOnceInOrder(25);
}

// ---- aggregated records

class AggregatedTest : public WorkerTest {
 protected:
  // One aggregated record with these texts; the shard is that of `hash_key`, and so are their keys.
  void PutAggregate(const std::vector<std::string>& texts, storage::HashKey hash_key = {}) {
    const std::string explicit_key = hash_key.ToString();
    std::vector<wire::UserRecord> parts;
    for (const std::string& text : texts) parts.push_back({"user", explicit_key, AsBytes(text)});
    PutBytes(wire::WriteAggregatedRecord(parts), hash_key);
  }
  void PutBytes(Bytes bytes, storage::HashKey hash_key = {}) {
    storage::PutRecord record;
    record.partition_key = "a";
    record.explicit_hash_key = hash_key;
    record.data = SharedBytes(std::move(bytes));
    Get(storage::PutAndWait(*log_, "in", std::move(record)));
  }
  WorkerRecord Next(Worker& worker) {
    std::optional<WorkerRecord> record;
    for (int i = 0; i < 200 && !record; ++i) record = worker.Next(std::chrono::milliseconds(50));
    EXPECT_TRUE(record) << worker.trouble();
    return record.value_or(WorkerRecord());
  }
  std::optional<std::uint64_t> CheckpointPart() {
    for (const api::ShardLease& lease : Get(leases_->List("app"))) {
      if (lease.shard.index == 0) return lease.sub_sequence;
    }
    return std::nullopt;
  }
};

TEST_F(AggregatedTest, ComeAsSingleRecords) {
  PutBytes({'p', 'l', 'a', 'i', 'n'});
  PutAggregate({"one", "two", "three"});
  PutBytes({0xf3, 0x89, 0x9a, 0xc2, 1, 2, 3});  // not one, though it begins like one
  auto worker = Get(Worker::Start(Options("a")));
  WorkerRecord plain = Next(*worker);
  EXPECT_EQ(AsText(plain.data), "plain");
  EXPECT_FALSE(plain.sub_sequence);
  ASSERT_TRUE(worker->Commit(plain, {}));
  std::string sequence_number;
  std::uint64_t index = 0;
  for (const char* text : {"one", "two", "three"}) {
    WorkerRecord record = Next(*worker);
    EXPECT_EQ(AsText(record.data), text);
    EXPECT_EQ(record.partition_key, "user");
    EXPECT_EQ(record.sub_sequence, index);
    EXPECT_EQ(record.last_of_record, index == 2);
    EXPECT_TRUE(index == 0 || record.sequence_number == sequence_number);
    sequence_number = record.sequence_number;
    ASSERT_TRUE(worker->Commit(record, {}));
    EXPECT_EQ(CheckpointPart(), index == 2 ? std::nullopt : std::optional(index));
    ++index;
  }
  EXPECT_EQ(Next(*worker).data.size(), 7u);
}

TEST_F(AggregatedTest, AnotherWorkerGoesOnInTheMiddleOfOne) {
  PutAggregate({"0", "1", "2", "3"});
  PutAggregate({"4", "5"});
  {
    auto first = Get(Worker::Start(Options("a")));
    for (const char* text : {"0", "1"}) {
      WorkerRecord record = Next(*first);
      EXPECT_EQ(AsText(record.data), text);
      ASSERT_TRUE(first->Commit(record, {}));
      ASSERT_TRUE(first->Commit(record, {})) << "a commit may be said again";
    }
    EXPECT_EQ(AsText(Next(*first).data), "2");  // not committed: comes again
  }
  auto second = Get(Worker::Start(Options("b")));
  for (const char* text : {"2", "3", "4", "5"}) {
    WorkerRecord record = Next(*second);
    EXPECT_EQ(AsText(record.data), text);
    ASSERT_TRUE(second->Commit(record, {}));
  }
}

TEST_F(AggregatedTest, WhatIsAnotherShardsIsLeftOut) {
  const storage::HashKey upper = storage::HashKey::Max();
  const std::string low = "0";
  const std::string high = upper.ToString();
  const std::vector<wire::UserRecord> parts{
      {"k", high, AsBytes("not here")}, {"k", low, AsBytes("here")}, {"k", high, AsBytes("nor this")}};
  PutBytes(wire::WriteAggregatedRecord(parts));
  PutAggregate({"after"});
  auto worker = Get(Worker::Start(Options("a")));
  WorkerRecord record = Next(*worker);
  EXPECT_EQ(AsText(record.data), "here");
  EXPECT_EQ(record.sub_sequence, 1u);
  ASSERT_TRUE(worker->Commit(record, {}));
  record = Next(*worker);
  EXPECT_EQ(AsText(record.data), "after");
  ASSERT_TRUE(worker->Commit(record, {}));
  EXPECT_EQ(CheckpointPart(), std::nullopt);
}

TEST_F(AggregatedTest, UnwantedPartsAreNotComeBackTo) {
  PutAggregate({"skip", "skip", "take", "skip"});
  PutAggregate({"skip"});
  WorkerOptions options = Options("a");
  options.wanted = [](const WorkerRecord& record) { return AsText(record.data) == "take"; };
  auto worker = Get(Worker::Start(options));
  WorkerRecord record = Next(*worker);
  EXPECT_EQ(record.sub_sequence, 2u);
  EXPECT_EQ(Get(worker->Attempt(record, "x")), 1u);
  EXPECT_EQ(CheckpointPart(), 1u) << "those before it are passed over durably";
  ASSERT_TRUE(worker->Commit(record, {ResultOf(record)}));
  // All of both is passed over after a while.
  auto passed = [&] {
    const auto lease = Get(leases_->List("app")).at(0);
    return !lease.sub_sequence &&
           Get(log_->Read("in", {lease.shard, lease.checkpoint.value_or(storage::SequenceNumber())}, {}))
               .records.empty();
  };
  for (int i = 0; i < 200 && !passed(); ++i) (void)worker->Next(std::chrono::milliseconds(50));
  EXPECT_TRUE(passed());
}

TEST_F(AggregatedTest, ComeAsTheyAreStoredWhereAskedFor) {
  PutAggregate({"one", "two"});
  WorkerOptions options = Options("a");
  options.deaggregate = false;
  auto worker = Get(Worker::Start(options));
  const WorkerRecord record = Next(*worker);
  EXPECT_EQ(record.partition_key, "a");
  EXPECT_FALSE(record.sub_sequence);
  EXPECT_TRUE(wire::ReadAggregatedRecord(record.data));
}

TEST_F(AggregatedTest, CheckpointsWithinARecordDoNotGoBack) {
  PutAggregate({"0", "1", "2"});
  auto worker = Get(Worker::Start(Options("a")));
  std::vector<WorkerRecord> records;
  for (int i = 0; i < 3; ++i) {
    records.push_back(Next(*worker));
    ASSERT_TRUE(worker->Commit(records.back(), {}));
  }
  for (int i : {0, 1}) {
    auto back = worker->Commit(records[static_cast<std::size_t>(i)], {});
    ASSERT_FALSE(back);
    EXPECT_EQ(back.error().code, ErrorCode::kInvalidArgument);
  }
}

TEST(Worker, NeedsNames) {
  EXPECT_FALSE(Worker::Start({}));
  WorkerOptions options;
  options.application = "app";
  options.lease_length = std::chrono::milliseconds(10);
  EXPECT_FALSE(Worker::Start(options));
}

}  // namespace
}  // namespace millrace
