// What goes and when: retention of streams and partitions, purges, deleted streams, and the space that comes
// back.
#include <gmock/gmock.h>

#include "storage/checker.h"
#include "tests/storage/log_fixture.h"

namespace millrace::storage {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

class RetentionTest : public LogTest {
 protected:
  void SetUp() override { Open(SmallSegments()); }
  EmbeddedLogOptions SmallSegments() {
    auto options = Options();
    options.segment_bytes = 100'000;
    return options;
  }
  void ReopenSmall(bool without_index = false) {
    log_.reset();
    if (without_index) std::filesystem::remove_all(directory_.path() + "/data/index");
    Open(SmallSegments());
  }
  std::size_t CountOf(const std::string& stream) {
    std::size_t count = 0;
    for (const auto& shard : Get(log_->DescribeStream(stream)).shards)
      count += ReadAll(*log_, stream, shard.id).size();
    return count;
  }
  // What the segments take on the disk.
  std::uint64_t DiskBytes() {
    std::uint64_t bytes = 0;
    for (const auto& entry : std::filesystem::directory_iterator(directory_.path() + "/data/log")) {
      auto file = Get(PosixFileSystem().Open(entry.path().string(), OpenMode::kRead));
      bytes += Get(file->AllocatedBytes());
    }
    return bytes;
  }
  void Check() {
    log_.reset();
    auto report = CheckDataDirectory(directory_.path() + "/data", PosixFileSystem(), clock_);
    EXPECT_TRUE(report.ok()) << report.ToString();
    EXPECT_THAT(report.notes, testing::IsEmpty());
  }
};

TEST_F(RetentionTest, ExpiredRecordsAreInvisibleAtOnceAndTheirSpaceComesBack) {
  Get(log_->CreateStream("s", 1, kDay));
  auto old = Put("s", "k", MakeData(300'000, 1), {{1, Number(1)}});
  clock_.Advance(hours(12));
  auto young = Put("s", "k", MakeData(50'000, 2), {{1, Number(2)}});
  EXPECT_EQ(CountOf("s"), 2u);
  clock_.Advance(hours(12) + seconds(1));
  EXPECT_EQ(CountOf("s"), 1u);
  EXPECT_EQ(CodeOf(log_->Fetch("s", old.shard, old.sequence_number)), ErrorCode::kOutOfRange);
  EXPECT_EQ(Get(log_->Find("s", "k", {1, {}, {}, false, 10})).size(), 1u);
  auto at_old = Get(log_->Seek("s", ShardId{0}, {IteratorType::kAtSequenceNumber, old.sequence_number, {}}));
  EXPECT_EQ(Get(log_->Read("s", at_old, {})).records.at(0).info.sequence_number, young.sequence_number);
  std::uint64_t before = DiskBytes();
  EXPECT_OK(log_->Sweep());
  EXPECT_LT(DiskBytes() + 290'000, before);
  EXPECT_EQ(Get(log_->DescribePartition("s", "k")).records, 1u);
  EXPECT_EQ(Get(log_->DescribePartition("s", "k")).data_bytes, 50'000u);
  EXPECT_EQ(CodeOf(log_->Fetch("s", old.shard, old.sequence_number)), ErrorCode::kOutOfRange);
  ReopenSmall(true);
  EXPECT_EQ(CountOf("s"), 1u);
  EXPECT_EQ(Get(log_->DescribePartition("s", "k")).records, 1u);
  Check();
}

TEST_F(RetentionTest, WholeSegmentsGoAndTheirFilesWithThem) {
  Get(log_->CreateStream("s", 2, kDay));
  for (std::uint64_t i = 0; i < 20; ++i) {
    Put("s", "k" + std::to_string(i), MakeData(40'000, i));
    clock_.Advance(std::chrono::minutes(10));
  }
  std::uint64_t full = DiskBytes();
  EXPECT_GT(full, 800'000u);
  clock_.Advance(kDay + hours(4));
  EXPECT_OK(log_->Sweep());
  EXPECT_EQ(CountOf("s"), 0u);
  EXPECT_LT(DiskBytes(), 100'000u);
  Put("s", "k", {1});
  ReopenSmall();
  EXPECT_EQ(CountOf("s"), 1u);
  Check();
}

TEST_F(RetentionTest, PartitionRulesAreLongerOrShorterThanTheStreams) {
  Get(log_->CreateStream("s", 2, kDay));
  EXPECT_OK(log_->SetPartitionRetention("s", "long", kDay * 3));
  EXPECT_OK(log_->SetPartitionRetention("s", "short", hours(1)));
  for (const char* key : {"long", "short", "plain"}) Put("s", key, MakeData(20'000, 1), {{1, Number(1)}});
  auto left = [&](const std::string& key) {
    return Get(log_->Find("s", key, {1, {}, {}, false, 10})).size();
  };
  clock_.Advance(hours(1) + seconds(1));
  EXPECT_EQ(left("short"), 0u);
  EXPECT_EQ(left("plain"), 1u);
  EXPECT_OK(log_->Sweep());
  clock_.Advance(kDay);
  EXPECT_EQ(left("plain"), 0u);
  EXPECT_EQ(left("long"), 1u);
  EXPECT_OK(log_->Sweep());
  ReopenSmall(true);
  EXPECT_EQ(left("short") + left("plain"), 0u);
  EXPECT_EQ(left("long"), 1u);
  EXPECT_OK(log_->SetPartitionRetention("s", "long", std::nullopt));  // as the stream: it has expired
  EXPECT_EQ(left("long"), 0u);
  EXPECT_OK(log_->Sweep());
  Check();
}

TEST_F(RetentionTest, WhatHasExpiredNeverComesBack) {
  Get(log_->CreateStream("s", 1, hours(2)));
  Put("s", "k", {1});
  Put("s", "own", {1});
  clock_.Advance(hours(3));
  EXPECT_EQ(CountOf("s"), 0u);
  EXPECT_OK(log_->SetRetention("s", kDay));
  EXPECT_OK(log_->SetPartitionRetention("s", "own", kDay));
  EXPECT_EQ(CountOf("s"), 0u);
  Put("s", "k", {2});
  clock_.Advance(hours(3));
  EXPECT_EQ(CountOf("s"), 1u);
  EXPECT_OK(log_->SetRetention("s", hours(1)));
  EXPECT_OK(log_->SetRetention("s", kDay));
  EXPECT_EQ(CountOf("s"), 0u);
  ReopenSmall(true);
  EXPECT_EQ(CountOf("s"), 0u);
  clock_.StepTo(kTestStart);  // nor when the clock steps back
  EXPECT_OK(log_->Sweep());
  EXPECT_EQ(CountOf("s"), 0u);
}

// A bad time server sets the clock ten years ahead, and an hour later somebody notices.
TEST_F(RetentionTest, AClockThatLeapsAheadDeletesNothingAtOnce) {
  Get(log_->CreateStream("s", 1, kDay));
  Put("s", "k", MakeData(300'000, 1));
  const std::uint64_t full = DiskBytes();
  EXPECT_OK(log_->Sweep());
  clock_.Advance(hours(1));
  clock_.StepTo(kTestStart + 3650 * kDay);
  for (int i = 0; i < 5; ++i) {
    EXPECT_OK(log_->Sweep());
    clock_.Advance(std::chrono::minutes(10));
  }
  EXPECT_EQ(CountOf("s"), 0u);
  EXPECT_EQ(DiskBytes(), full);
  clock_.StepTo(kTestStart + hours(2));
  EXPECT_OK(log_->Sweep());
  EXPECT_EQ(CountOf("s"), 1u);
  // From there retention goes on as ever.
  clock_.Advance(kDay);
  EXPECT_OK(log_->Sweep());
  EXPECT_LT(DiskBytes(), full);
}

// Opened while the clock is wrong: what the index is made of is what the log says, not the clock.
TEST_F(RetentionTest, AnIndexThatIsMadeAgainUnderAWrongClockLacksNothing) {
  Get(log_->CreateStream("s", 1, kDay));
  for (std::uint64_t i = 0; i < 5; ++i) Put("s", "k", MakeData(100, i));
  clock_.StepTo(kTestStart + 3650 * kDay);
  ReopenSmall(true);
  EXPECT_EQ(CountOf("s"), 0u);
  clock_.StepTo(kTestStart + hours(1));
  EXPECT_EQ(CountOf("s"), 5u);
  Check();
}

// More records than are removed at once, of keys with and without a retention of their own.
TEST_F(RetentionTest, ALargeSegmentGoesPieceByPiece) {
  Get(log_->CreateStream("s", 1, kDay));
  EXPECT_OK(log_->SetPartitionRetention("s", "short", hours(1)));
  EXPECT_OK(log_->SetPartitionRetention("s", "long", 10 * kDay));
  for (std::uint64_t i = 0; i < 1500; ++i) {
    Put("s", i % 3 == 0 ? "short" : i % 3 == 1 ? "plain" : "long", MakeData(10, i), {{1, Number(i)}});
  }
  clock_.Advance(hours(2));
  EXPECT_OK(log_->Sweep());
  EXPECT_EQ(CountOf("s"), 1000u);
  clock_.Advance(kDay);
  EXPECT_OK(log_->Sweep());
  EXPECT_EQ(CountOf("s"), 500u);
  ReopenSmall(true);
  EXPECT_EQ(CountOf("s"), 500u);
  EXPECT_OK(log_->SetRetention("s", 365 * kDay));
  EXPECT_OK(log_->SetPartitionRetention("s", "short", 365 * kDay));
  EXPECT_EQ(CountOf("s"), 500u);
  Check();
}

TEST_F(RetentionTest, ALeapOfTheClockThatLastsIsBelieved) {
  Get(log_->CreateStream("s", 1, kDay));
  Put("s", "k", MakeData(300'000, 1));
  const std::uint64_t full = DiskBytes();
  clock_.StepTo(kTestStart + 30 * kDay);
  EXPECT_OK(log_->Sweep());
  clock_.Advance(hours(1));
  EXPECT_OK(log_->Sweep());
  EXPECT_LT(DiskBytes(), full);
}

TEST_F(RetentionTest, PurgeTakesOnePartitionAtOnceAndForGood) {
  Get(log_->CreateStream("s", 1, kDay));
  for (std::uint64_t i = 0; i < 5; ++i) {
    Put("s", "gone", MakeData(60'000, i), {{1, Number(i)}, {2, Number(i)}});
    Put("s", "stays", MakeData(100, i), {{1, Number(i)}});
    Put("s", "gone", MakeData(10, i));  // without an indexed attribute
  }
  std::uint64_t before = DiskBytes();
  EXPECT_OK(log_->DeletePartition("s", "gone"));
  EXPECT_LT(DiskBytes() + 250'000, before);
  EXPECT_EQ(CountOf("s"), 5u);
  EXPECT_EQ(Get(log_->DescribePartition("s", "gone")).records, 0u);
  EXPECT_TRUE(Get(log_->Find("s", "gone", {1, {}, {}, false, 10})).empty());
  Put("s", "gone", MakeData(10, 77), {{1, Number(77)}});
  EXPECT_EQ(Get(log_->DescribePartition("s", "gone")).records, 1u);
  ReopenSmall(true);
  EXPECT_EQ(CountOf("s"), 6u);
  EXPECT_EQ(Get(log_->Find("s", "gone", {1, {}, {}, false, 10})).size(), 1u);
  EXPECT_EQ(CodeOf(log_->DeletePartition("none", "k")), ErrorCode::kNotFound);
  EXPECT_OK(log_->DeletePartition("s", "never put"));
  Check();
}

TEST_F(RetentionTest, DeletedStreamDoesNotShowThroughItsSuccessor) {
  Get(log_->CreateStream("s", 2, kDay));
  for (std::uint64_t i = 0; i < 10; ++i)
    Put("s", "k" + std::to_string(i), MakeData(50'000, i), {{1, Number(i)}});
  auto waiting = Get(log_->Seek("s", ShardId{0}, {}));
  EXPECT_OK(log_->DeleteStream("s"));
  EXPECT_EQ(CodeOf(log_->DescribeStream("s")), ErrorCode::kNotFound);
  EXPECT_EQ(CodeOf(log_->DeleteStream("s")), ErrorCode::kNotFound);
  EXPECT_EQ(CodeOf(log_->Read("s", waiting, {})), ErrorCode::kNotFound);
  EXPECT_EQ(CodeOf(PutAndWait(*log_, "s", MakeRecord("k", {1}))), ErrorCode::kNotFound);
  EXPECT_THAT(log_->ListStreams(), testing::IsEmpty());
  Get(log_->CreateStream("s", 2, kDay));
  EXPECT_EQ(CountOf("s"), 0u);
  EXPECT_EQ(Get(log_->DescribePartition("s", "k1")).records, 0u);
  Put("s", "k1", {1}, {{1, Number(1)}});
  ReopenSmall(true);
  EXPECT_EQ(CountOf("s"), 1u);
  std::uint64_t before = DiskBytes();
  EXPECT_OK(log_->Sweep());
  EXPECT_LT(DiskBytes() + 400'000, before);
  EXPECT_EQ(Get(log_->Find("s", "k1", {1, {}, {}, false, 10})).size(), 1u);
  Check();
}

TEST_F(RetentionTest, ClosedShardsGoWhenNothingOfThemIsKept) {
  Get(log_->CreateStream("s", 1, kDay));
  Put("s", "k", {1});
  Get(log_->SplitShard("s", ShardId{0}, HashKey{1, 1}));
  EXPECT_OK(log_->Sweep());
  EXPECT_EQ(Get(log_->DescribeStream("s")).shards.size(), 3u);
  clock_.Advance(kDay + seconds(2));
  EXPECT_OK(log_->Sweep());
  auto shards = Get(log_->DescribeStream("s")).shards;
  ASSERT_EQ(shards.size(), 2u);
  EXPECT_EQ(shards[0].id, ShardId{1});
  EXPECT_EQ(shards[0].parent, ShardId{0});
  EXPECT_EQ(CodeOf(log_->Seek("s", ShardId{0}, {})), ErrorCode::kNotFound);
  Put("s", "k", {2});
  ReopenSmall(true);
  EXPECT_EQ(Get(log_->DescribeStream("s")).shards.size(), 2u);
  EXPECT_EQ(CountOf("s"), 1u);
  Check();
}

TEST_F(RetentionTest, ReaderThatHoldsASegmentReadsOnWhileItGoes) {
  Get(log_->CreateStream("s", 1, kDay));
  auto receipt = Put("s", "k", MakeData(30'000, 1));
  auto data = Get(log_->Fetch("s", receipt.shard, receipt.sequence_number));
  clock_.Advance(kDay * 2);
  EXPECT_OK(log_->Sweep());
  EXPECT_TRUE(std::ranges::equal(data.span(), MakeData(30'000, 1)));
}

}  // namespace
}  // namespace millrace::storage
