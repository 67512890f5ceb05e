// Goal: the user records of aggregated ones come singly, each once, and are committed singly. Method: as
// worker_test.cc.
#include "tests/consumers/worker/worker_fixture.h"
#include "wire/aggregated_record.h"

namespace millrace {
namespace {

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
    EXPECT_TRUE(test::WaitUntil([&] {
      record = worker.Next(std::chrono::milliseconds(50));
      return record.has_value();
    })) << worker.trouble();
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
  auto worker = Get(Worker::Start(Alone()));
  WorkerRecord plain = Next(*worker);
  EXPECT_EQ(AsText(plain.data), "plain");
  EXPECT_FALSE(plain.sub_sequence);
  ASSERT_TRUE(Commit(*worker, plain));
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
    ASSERT_TRUE(Commit(*worker, record));
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
      ASSERT_TRUE(Commit(*first, record));
      ASSERT_TRUE(Commit(*first, record)) << "a commit may be said again";
    }
    EXPECT_EQ(AsText(Next(*first).data), "2");  // not committed: comes again
  }
  auto second = Get(Worker::Start(Options("b")));
  for (const char* text : {"2", "3", "4", "5"}) {
    WorkerRecord record = Next(*second);
    EXPECT_EQ(AsText(record.data), text);
    ASSERT_TRUE(Commit(*second, record));
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
  auto worker = Get(Worker::Start(Alone()));
  WorkerRecord record = Next(*worker);
  EXPECT_EQ(AsText(record.data), "here");
  EXPECT_EQ(record.sub_sequence, 1u);
  ASSERT_TRUE(Commit(*worker, record));
  record = Next(*worker);
  EXPECT_EQ(AsText(record.data), "after");
  ASSERT_TRUE(Commit(*worker, record));
  EXPECT_EQ(CheckpointPart(), std::nullopt);
}

TEST_F(AggregatedTest, NothingOfOneIsGivenOnceTheLeaseMayHaveRunOut) {
  PutAggregate({"0", "1", "2"});
  WorkerOptions options = Options("a");
  auto worker = Get(Worker::Start(options));
  EXPECT_EQ(AsText(Next(*worker).data), "0");
  Close();  // so that no lease is renewed
  const auto run_out = std::chrono::steady_clock::now() + options.lease_length;
  ASSERT_TRUE(test::WaitUntil([&] { return std::chrono::steady_clock::now() > run_out; }));
  EXPECT_FALSE(worker->Next(Duration{0}));
}

TEST_F(AggregatedTest, UnwantedPartsAreNotComeBackTo) {
  PutAggregate({"skip", "skip", "take", "skip"});
  PutAggregate({"skip"});
  WorkerOptions options = Alone();
  options.wanted = [](const WorkerRecord& record) { return AsText(record.data) == "take"; };
  auto worker = Get(Worker::Start(options));
  WorkerRecord record = Next(*worker);
  EXPECT_EQ(record.sub_sequence, 2u);
  Get(Attempt(*worker, record, 0));
  EXPECT_EQ(CheckpointPart(), 1u) << "those before it are passed over durably";
  ASSERT_TRUE(Commit(*worker, record, {ResultOf(record)}));
  // All of both is passed over after a while.
  auto passed = [&] {
    const auto lease = Get(leases_->List("app")).at(0);
    return !lease.sub_sequence &&
           Get(log_->Read("in", {lease.shard, lease.checkpoint.value_or(storage::SequenceNumber())}, {}))
               .records.empty();
  };
  EXPECT_TRUE(test::WaitUntil([&] {
    (void)worker->Next(std::chrono::milliseconds(50));
    return passed();
  }));
}

TEST_F(AggregatedTest, ComeAsTheyAreStoredWhereAskedFor) {
  PutAggregate({"one", "two"});
  WorkerOptions options = Alone();
  options.deaggregate = false;
  auto worker = Get(Worker::Start(options));
  const WorkerRecord record = Next(*worker);
  EXPECT_EQ(record.partition_key, "a");
  EXPECT_FALSE(record.sub_sequence);
  EXPECT_TRUE(wire::ReadAggregatedRecord(record.data));
}

TEST_F(AggregatedTest, CheckpointsWithinARecordDoNotGoBack) {
  PutAggregate({"0", "1", "2"});
  auto worker = Get(Worker::Start(Alone()));
  std::vector<WorkerRecord> records;
  for (int i = 0; i < 3; ++i) {
    records.push_back(Next(*worker));
    ASSERT_TRUE(Commit(*worker, records.back()));
  }
  for (int i : {0, 1}) {
    auto back = Commit(*worker, records[static_cast<std::size_t>(i)]);
    ASSERT_FALSE(back);
    EXPECT_EQ(back.error().code, ErrorCode::kInvalidArgument);
  }
}

}  // namespace
}  // namespace millrace
