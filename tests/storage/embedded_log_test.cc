// The log as its users see it: streams, puts, metadata, finding, and that all of it is there after reopening.
#include "storage/embedded_log.h"

#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>
#include <set>

#include "tests/storage/log_fixture.h"

namespace millrace::storage {
namespace {

using EmbeddedLogTest = LogTest;

TEST_F(EmbeddedLogTest, PutReadFindFetchAndReopen) {
  Open();
  auto stream = Get(log_->CreateStream("video", 2, kDay));
  ASSERT_EQ(stream.shards.size(), 2u);
  std::vector<PutReceipt> receipts;
  for (std::uint64_t i = 0; i < 20; ++i) {
    clock_.Advance(std::chrono::milliseconds(500));
    receipts.push_back(
        Put("video", "camera", MakeData(1000 + i, i), {{1, Number(100 + i)}, {77, Bytes{1, 2, 3}}}));
  }
  EXPECT_EQ(log_->StreamCreated("audio").error().code, ErrorCode::kNotFound);
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(Get(log_->StreamCreated("video")), stream.created);
    ShardId shard = receipts[0].shard;
    auto records = ReadAll(*log_, "video", shard);
    ASSERT_EQ(records.size(), 20u);
    for (std::uint64_t i = 0; i < 20; ++i) {
      EXPECT_EQ(records[i].info.sequence_number, receipts[i].sequence_number);
      EXPECT_EQ(records[i].info.arrival, receipts[i].arrival);
      EXPECT_EQ(records[i].info.partition_key, "camera");
      EXPECT_EQ(records[i].info.attributes,
                (std::vector<Attribute>{{1, Number(100 + i)}, {77, Bytes{1, 2, 3}}}));
      Bytes expected = MakeData(1000 + i, i);
      EXPECT_TRUE(std::ranges::equal(records[i].data.span(), expected));
      EXPECT_TRUE(
          std::ranges::equal(Get(log_->Fetch("video", shard, receipts[i].sequence_number)).span(), expected));
    }
    EXPECT_TRUE(ReadAll(*log_, "video", ShardId{1 - shard.index}).empty());

    auto found = Get(log_->Find("video", "camera", {1, Number(105), Number(107), true, 10}));
    ASSERT_EQ(found.size(), 3u);
    EXPECT_EQ(found[0].sequence_number, receipts[7].sequence_number);
    EXPECT_EQ(found[2].sequence_number, receipts[5].sequence_number);
    EXPECT_EQ(found[2].data_bytes, 1005u);
    EXPECT_EQ(Get(log_->Find("video", "camera", {1, std::nullopt, Number(107), true, 1}))[0].sequence_number,
              receipts[7].sequence_number);

    auto usage = Get(log_->DescribePartition("video", "camera"));
    EXPECT_EQ(usage.records, 20u);
    EXPECT_EQ(usage.data_bytes, 20u * 1000 + 190);
    Reopen();
  }
}

TEST_F(EmbeddedLogTest, IndexThatIsGoneIsMadeAgainFromTheLog) {
  Open();
  Get(log_->CreateStream("video", 3, kDay));
  EXPECT_EQ(Get(log_->PutMetadata("cameras/door", {1, 2, 3})), 1u);
  for (std::uint64_t i = 0; i < 50; ++i)
    Put("video", "k" + std::to_string(i % 7), MakeData(i * 37, i), {{2, Number(i)}});
  log_.reset();
  std::filesystem::remove_all(directory_.path() + "/data/index");
  Open();
  std::size_t records = 0;
  for (std::uint32_t shard = 0; shard < 3; ++shard) records += ReadAll(*log_, "video", ShardId{shard}).size();
  EXPECT_EQ(records, 50u);
  EXPECT_EQ(Get(log_->Find("video", "k3", {2, {}, {}, false, 100})).size(), 7u);
  EXPECT_EQ(Get(log_->DescribePartition("video", "k0")).records, 8u);
  EXPECT_EQ(Get(log_->GetMetadata("cameras/door")).value, (Bytes{1, 2, 3}));
}

TEST_F(EmbeddedLogTest, MetadataIsVersioned) {
  Open();
  EXPECT_EQ(CodeOf(log_->GetMetadata("a/b/c")), ErrorCode::kNotFound);
  EXPECT_EQ(CodeOf(log_->PutMetadata("a/b/c", {1}, 1)), ErrorCode::kFailedPrecondition);
  EXPECT_EQ(Get(log_->PutMetadata("a/b/c", {1}, 0)), 1u);
  EXPECT_EQ(CodeOf(log_->PutMetadata("a/b/c", {1}, 0)), ErrorCode::kFailedPrecondition);
  EXPECT_EQ(Get(log_->PutMetadata("a/b/c", {2})), 2u);
  EXPECT_EQ(Get(log_->PutMetadata("a/b/c", {3}, 2)), 3u);
  EXPECT_EQ(Get(log_->PutMetadata("a/b/d", {4})), 1u);
  EXPECT_EQ(Get(log_->PutMetadata("a/c", {5})), 1u);
  Reopen();
  auto entry = Get(log_->GetMetadata("a/b/c"));
  EXPECT_EQ(entry.value, Bytes{3});
  EXPECT_EQ(entry.version, 3u);
  EXPECT_EQ(Get(log_->ListMetadata("a/b/")).size(), 2u);
  EXPECT_OK(log_->DeleteMetadata("a/b/c"));
  EXPECT_OK(log_->DeleteMetadata("a/b/c"));
  Reopen();
  EXPECT_EQ(CodeOf(log_->GetMetadata("a/b/c")), ErrorCode::kNotFound);
  EXPECT_EQ(Get(log_->PutMetadata("a/b/c", {1}, 0)), 1u);
  EXPECT_EQ(CodeOf(log_->PutMetadata("", {1})), ErrorCode::kInvalidArgument);
  EXPECT_EQ(CodeOf(log_->PutMetadata("big", Bytes((1 << 20) + 1))), ErrorCode::kInvalidArgument);
}

TEST_F(EmbeddedLogTest, BatchIsCommittedAsOneAndFencedByVersions) {
  Open();
  Get(log_->CreateStream("results", 2, kDay));
  Get(log_->CreateStream("audit", 1, std::chrono::hours(1)));
  EXPECT_EQ(Get(log_->PutMetadata("leases/a", {1})), 1u);
  Put("results", "before", {0});
  auto batch = [](std::uint64_t expected) {
    CommitBatch made;
    made.metadata.push_back({"leases/a", Bytes{2}, expected});
    made.metadata.push_back({"checkpoints/a", Bytes{3}, 0});
    made.records.push_back({"results", MakeRecord("door", {1, 2}, {{1, Number(7)}})});
    made.records.push_back({"audit", MakeRecord("door", {})});
    made.records.push_back({"results", MakeRecord("gate", {4})});
    return made;
  };
  EXPECT_EQ(CodeOf(log_->Commit(batch(2))), ErrorCode::kFailedPrecondition);
  EXPECT_EQ(CodeOf(log_->GetMetadata("checkpoints/a")), ErrorCode::kNotFound);
  CommitReceipt receipt = Get(log_->Commit(batch(1)));
  EXPECT_EQ(receipt.versions, (std::vector<std::uint64_t>{2, 1}));
  ASSERT_EQ(receipt.records.size(), 3u);
  EXPECT_LT(receipt.records[0].sequence_number.fields().counter,
            receipt.records[2].sequence_number.fields().counter);
  EXPECT_EQ(CodeOf(log_->Commit(batch(1))), ErrorCode::kFailedPrecondition);  // said again
  Put("results", "after", {9});
  for (int round = 0; round < 3; ++round) {
    std::size_t records = 0;
    for (std::uint32_t shard = 0; shard < 2; ++shard)
      records += ReadAll(*log_, "results", ShardId{shard}).size();
    EXPECT_EQ(records, 4u);
    EXPECT_EQ(ReadAll(*log_, "audit", ShardId{0}).size(), 1u);
    EXPECT_EQ(Get(log_->Find("results", "door", {1, {}, {}, false, 9})).size(), 1u);
    EXPECT_EQ(Get(log_->GetMetadata("checkpoints/a")).value, Bytes{3});
    EXPECT_EQ(Get(log_->GetMetadata("leases/a")).version, 2u);
    log_.reset();
    if (round == 1) std::filesystem::remove_all(directory_.path() + "/data/index");
    Open();
  }
}

TEST_F(EmbeddedLogTest, IndexThatCannotBeOpenedIsMadeAgain) {
  Open();
  Get(log_->CreateStream("video", 2, kDay));
  for (std::uint8_t i = 0; i < 20; ++i) Put("video", "k" + std::to_string(i % 3), {i});
  log_.reset();
  const std::filesystem::path index = directory_.path() + "/data/index";
  int damaged = 0;
  for (const auto& entry : std::filesystem::directory_iterator(index)) {
    if (!entry.path().filename().string().starts_with("MANIFEST-")) continue;
    std::fstream file(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(12);
    file.write("torn by a power loss", 20);
    ++damaged;
  }
  ASSERT_GT(damaged, 0);
  Open();
  std::size_t records = 0;
  for (std::uint32_t shard = 0; shard < 2; ++shard) records += ReadAll(*log_, "video", ShardId{shard}).size();
  EXPECT_EQ(records, 20u);
  EXPECT_EQ(Get(log_->DescribePartition("video", "k0")).records, 7u);
}

TEST_F(EmbeddedLogTest, AnotherStoresIndexIsRefusedAndKept) {
  const std::filesystem::path root = directory_.path();
  Open();
  log_.reset();
  std::filesystem::rename(root / "data", root / "other");
  Open();
  log_.reset();
  std::filesystem::remove_all(root / "data/index");
  std::filesystem::copy(root / "other/index", root / "data/index");
  EmbeddedLogOptions options;
  options.path = root / "data";
  EXPECT_EQ(CodeOf(EmbeddedLog::Open(options)), ErrorCode::kFailedPrecondition);
  EXPECT_TRUE(std::filesystem::exists(root / "data/index/CURRENT"));
}

TEST_F(EmbeddedLogTest, BatchThatCannotBeMadeChangesNothing) {
  Open();
  Get(log_->CreateStream("results", 1, kDay));
  auto refused = [&](auto spoil) {
    CommitBatch batch;
    batch.metadata.push_back({"a/b", Bytes{1}, std::nullopt});
    batch.records.push_back({"results", MakeRecord("door", {1})});
    spoil(batch);
    return CodeOf(log_->Commit(std::move(batch)));
  };
  const auto kInvalid = ErrorCode::kInvalidArgument;
  EXPECT_EQ(refused([](CommitBatch& b) { b.records[0].stream = "no-such-stream"; }), ErrorCode::kNotFound);
  EXPECT_EQ(refused([](CommitBatch& b) { b.records[0].record.partition_key.clear(); }), kInvalid);
  EXPECT_EQ(refused([](CommitBatch& b) { b.records[0].record.attributes = {{1, {}}, {1, {}}}; }), kInvalid);
  EXPECT_EQ(refused([](CommitBatch& b) { b.metadata.push_back(b.metadata[0]); }), kInvalid);
  EXPECT_EQ(refused([](CommitBatch& b) { b.metadata[0].key.clear(); }), kInvalid);
  EXPECT_EQ(refused([](CommitBatch& b) { b.metadata[0].value = Bytes((1 << 20) + 1); }), kInvalid);
  EXPECT_EQ(refused([](CommitBatch& b) { b.records.resize(kBatchRecordsMax + 1); }), kInvalid);
  EXPECT_EQ(refused([](CommitBatch& b) { b.metadata.resize(kBatchMetadataMax + 1); }), kInvalid);
  EXPECT_EQ(CodeOf(log_->GetMetadata("a/b")), ErrorCode::kNotFound);
  EXPECT_TRUE(ReadAll(*log_, "results", ShardId{0}).empty());
  EXPECT_OK(log_->Commit({}));
}

}  // namespace
}  // namespace millrace::storage
