// A backup gives all of the metadata and no records, of one moment; restored, the log goes on from there.
#include "storage/backup.h"

#include <gmock/gmock.h>

#include "storage/checker.h"
#include "tests/storage/log_fixture.h"
#include "tests/storage/simulated_file_system.h"

namespace millrace::storage {
namespace {

class BackupTest : public testing::Test {
 protected:
  EmbeddedLogOptions Options(const std::string& path) {
    EmbeddedLogOptions options;
    options.path = path;
    options.files = &files_;
    options.clock = &clock_;
    options.sweep_interval = options.budget_interval = std::chrono::hours(1);
    options.index_write_buffer_bytes = 1 << 20;
    options.index_cache_bytes = 1 << 20;
    options.reserve_bytes = 0;
    return options;
  }
  Bytes Make() {
    auto log = Get(EmbeddedLog::Open(Options("/data")));
    Get(log->CreateStream("a", 2, kDay));
    Get(log->CreateStream("b", 1, kDay * 3));
    Get(log->CreateStream("gone", 1, kDay));
    Get(log->SplitShard("b", ShardId{0}, HashKey{1, 1}));
    EXPECT_OK(log->SetPartitionRetention("a", "k", kDay * 7));
    newest_ = Get(PutAndWait(*log, "a", MakeRecord("k", {1, 2, 3}))).sequence_number;
    for (std::uint64_t i = 0; i < 9; ++i) {
      EXPECT_OK(log->PutMetadata("room/" + std::to_string(i), MakeData(i * 10, i)));
    }
    EXPECT_OK(log->PutMetadata("room/3", {9}));
    EXPECT_OK(log->DeleteStream("gone"));
    metadata_ = Get(log->ListMetadata(""));
    EXPECT_OK(log->PutMetadata("local/secret", {'s', 'e', 'c', 'r', 'e', 't'}));
    a_ = Get(log->DescribeStream("a"));
    b_ = Get(log->DescribeStream("b"));
    return Get(log->Backup());
  }

  SimulatedFileSystem files_;
  ManualClock clock_{kTestStart};
  SequenceNumber newest_;
  std::vector<MetadataEntry> metadata_;
  StreamDescription a_, b_;
};

TEST_F(BackupTest, EverythingButTheRecordsComesBack) {
  const Bytes backup = Make();
  clock_.StepTo(kTestStart - kDay);  // also where the new machine's clock is behind
  EXPECT_EQ(AsText(backup).find("secret"), std::string_view::npos);
  auto summary = Get(RestoreBackup(backup, "/new", files_, clock_));
  EXPECT_EQ(summary.streams, 2u);
  EXPECT_EQ(summary.metadata, 9u);
  EXPECT_EQ(summary.created, kTestStart);
  auto log = Get(EmbeddedLog::Open(Options("/new")));
  EXPECT_THAT(log->ListStreams(), testing::ElementsAre("a", "b"));
  auto metadata = Get(log->ListMetadata(""));
  ASSERT_EQ(metadata.size(), metadata_.size());
  for (std::size_t i = 0; i < metadata.size(); ++i) {
    EXPECT_EQ(metadata[i].key, metadata_[i].key);
    EXPECT_EQ(metadata[i].value, metadata_[i].value);
    EXPECT_EQ(metadata[i].version, metadata_[i].version);
  }
  for (const StreamDescription& wanted : {a_, b_}) {
    auto stream = Get(log->DescribeStream(wanted.name));
    EXPECT_EQ(stream.created, wanted.created);
    EXPECT_EQ(stream.retention, wanted.retention);
    ASSERT_EQ(stream.shards.size(), wanted.shards.size());
    for (std::size_t i = 0; i < stream.shards.size(); ++i) {
      EXPECT_EQ(stream.shards[i].hash_keys, wanted.shards[i].hash_keys);
      EXPECT_EQ(stream.shards[i].ending_sequence_number, wanted.shards[i].ending_sequence_number);
    }
  }
  EXPECT_EQ(Get(log->DescribePartition("a", "k")).retention, kDay * 7);
  EXPECT_EQ(Get(log->DescribePartition("a", "k")).records, 0u);
  auto receipt = Get(PutAndWait(*log, "a", MakeRecord("k", {1})));
  EXPECT_GT(receipt.sequence_number, newest_);  // numbers go on
  EXPECT_EQ(ReadAll(*log, "a", receipt.shard).size(), 1u);
  log.reset();
  auto report = CheckDataDirectory("/new", files_, clock_);
  EXPECT_TRUE(report.ok()) << report.ToString();
}

TEST_F(BackupTest, AnyChangedOrMissingByteIsFound) {
  const Bytes backup = Make();
  EXPECT_TRUE(ReadBackup(backup).has_value());
  for (std::size_t at = 0; at < backup.size(); at += 3) {
    Bytes damaged = backup;
    damaged[at] ^= 0x20;
    EXPECT_FALSE(ReadBackup(damaged).has_value()) << at;
    EXPECT_FALSE(RestoreBackup(damaged, "/never", files_, clock_).has_value()) << at;
    EXPECT_EQ(CodeOf(ReadBackup(ByteSpan(backup).first(at))), ErrorCode::kCorruption) << at;
  }
  Bytes longer = backup;
  longer.push_back(0);
  EXPECT_EQ(CodeOf(ReadBackup(longer)), ErrorCode::kCorruption);
  EXPECT_FALSE(files_.Has("/never"));
}

TEST_F(BackupTest, NeverIntoSomethingThatIsThere) {
  const Bytes backup = Make();
  EXPECT_EQ(CodeOf(RestoreBackup(backup, "/data", files_, clock_)), ErrorCode::kAlreadyExists);
  EXPECT_OK(files_.CreateDirectory("/photos"));
  EXPECT_TRUE(files_.Open("/photos/1.jpg", OpenMode::kCreate).has_value());
  EXPECT_EQ(CodeOf(RestoreBackup(backup, "/photos", files_, clock_)), ErrorCode::kFailedPrecondition);
  auto log = Get(EmbeddedLog::Open(Options("/data")));
  EXPECT_EQ(CodeOf(RestoreBackup(backup, "/data", files_, clock_)), ErrorCode::kFailedPrecondition);
  EXPECT_EQ(log->ListStreams().size(), 2u);
}

}  // namespace
}  // namespace millrace::storage
