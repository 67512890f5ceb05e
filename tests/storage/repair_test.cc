// Each part of a data directory is damaged, and mended: what is sound is untouched, what is lost is said, and
// afterwards everything works.
#include "storage/repair.h"

#include <gmock/gmock.h>

#include <map>

#include "storage/data_directory.h"
#include "storage/index.h"
#include "tests/storage/log_fixture.h"
#include "tests/storage/simulated_file_system.h"

namespace millrace::storage {
namespace {

class RepairTest : public testing::Test {
 protected:
  static constexpr std::uint64_t kRecords = 40;

  void SetUp() override {
    Open();
    Get(log_->CreateStream("s", 1, kDay));
    for (std::uint64_t i = 0; i < kRecords; ++i) EXPECT_OK(Put(i));
    for (std::uint64_t i = 0; i < 4; ++i) {
      EXPECT_OK(log_->PutMetadata("m/" + std::to_string(i), MakeData(100, i)));
    }
    log_.reset();
  }
  void Open() {
    EmbeddedLogOptions options;
    options.path = "/data";
    options.files = files_.get();
    options.clock = &clock_;
    options.sweep_interval = options.budget_interval = std::chrono::hours(1);
    options.segment_bytes = 20'000;
    options.index_write_buffer_bytes = 1 << 20;
    options.index_cache_bytes = 1 << 20;
    options.reserve_bytes = 0;
    log_ = Get(EmbeddedLog::Open(options));
  }
  Result<PutReceipt> Put(std::uint64_t serial) {
    return PutAndWait(*log_, "s", MakeRecord("k", MakeData(2'000, serial), {{1, Number(serial)}}));
  }
  std::map<std::uint64_t, SequenceNumber> Stored() {
    std::map<std::uint64_t, SequenceNumber> stored;
    for (const Record& record : ReadAll(*log_, "s", ShardId{0})) {
      const auto serial = ReadBigEndian<std::uint64_t>(record.info.Find(1));
      EXPECT_TRUE(std::ranges::equal(record.data.span(), MakeData(2'000, serial)));
      EXPECT_TRUE(stored.emplace(serial, record.info.sequence_number).second);
    }
    return stored;
  }
  std::map<std::string, Bytes> FilesOf(const std::string& directory) {
    std::map<std::string, Bytes> contents;
    for (const DirectoryEntry& entry : Get(files_->List(directory))) {
      contents[entry.name] = Get(ReadWholeFile(*files_, directory + "/" + entry.name, 1 << 24));
    }
    return contents;
  }
  // Mends it; gives the serials that are left. Everything else has its number and works.
  std::vector<std::uint64_t> Mend(std::size_t metadata = 4) {
    auto whole = before_;
    report_ = RepairDataDirectory("/data", *files_, clock_);
    EXPECT_FALSE(report_.before.ok());
    EXPECT_TRUE(report_.ok()) << report_.ToString();
    EXPECT_FALSE(report_.mended.empty());
    if (!report_.ok()) return {};
    Open();
    EXPECT_EQ(Get(log_->ListMetadata("")).size(), metadata);
    std::vector<std::uint64_t> serials;
    for (const auto& [serial, number] : Stored()) {
      serials.push_back(serial);
      auto known = whole.find(serial);
      if (known != whole.end()) {
        EXPECT_EQ(number, known->second);
      }
    }
    EXPECT_EQ(Get(log_->Find("s", "k", {1, {}, {}, false, 1000})).size(), serials.size());
    EXPECT_OK(Put(1000));
    log_.reset();
    auto check = CheckDataDirectory("/data", *files_, clock_);
    EXPECT_TRUE(check.ok()) << check.ToString();
    return serials;
  }
  static std::vector<std::uint64_t> AllBut(const std::vector<std::uint64_t>& gone) {
    std::vector<std::uint64_t> serials;
    for (std::uint64_t i = 0; i < kRecords; ++i) {
      if (std::find(gone.begin(), gone.end(), i) == gone.end()) serials.push_back(i);
    }
    return serials;
  }
  // The segments' files but the changed one are as they were.
  void ExpectUntouched(const std::map<std::string, Bytes>& before, const std::string& changed) {
    auto after = FilesOf("/data/log");
    for (const auto& [name, content] : before) {
      if (name == changed || name.ends_with(".control")) continue;
      // Records were put behind since: into a file that was the open one.
      ASSERT_GE(after[name].size(), content.size()) << name;
      EXPECT_TRUE(std::equal(content.begin(), content.end(), after[name].begin())) << name;
    }
  }
  void RememberNumbers() {
    Open();
    before_ = Stored();
    log_.reset();
  }

  std::unique_ptr<SimulatedFileSystem> files_ = std::make_unique<SimulatedFileSystem>();
  ManualClock clock_{kTestStart};
  std::unique_ptr<EmbeddedLog> log_;
  std::map<std::uint64_t, SequenceNumber> before_;
  RepairReport report_;
};

// A group takes 40 + 56 + 1 + 11 + 2000 bytes; ten of them are in a segment, the first one is 00000002.log.
constexpr std::uint64_t kGroup = 40 + 56 + 1 + 11 + 2'000;
constexpr std::uint64_t GroupAt(std::uint64_t n) { return 64 + n * kGroup; }

TEST_F(RepairTest, WhatIsSoundIsNotTouched) {
  auto before = FilesOf("/data/log");
  auto report = RepairDataDirectory("/data", *files_, clock_);
  EXPECT_TRUE(report.ok());
  EXPECT_THAT(report.mended, testing::IsEmpty());
  EXPECT_EQ(FilesOf("/data/log"), before);
  EXPECT_FALSE(files_->Has("/data/damaged"));
}

TEST_F(RepairTest, DamagedDataOfOneRecord) {
  RememberNumbers();
  auto before = FilesOf("/data/log");
  files_->Damage("/data/log/00000002.log", [](Bytes& bytes) { bytes[GroupAt(3) + 500] ^= 1; });
  EXPECT_EQ(Mend(), AllBut({3}));
  EXPECT_THAT(report_.lost, testing::ElementsAre(testing::HasSubstr("partition key 'k'")));
  ExpectUntouched(before, "00000002.log");
  EXPECT_TRUE(files_->Has("/data/damaged/00000002.log"));
}

TEST_F(RepairTest, DamagedHeadsAndGroupHeaders) {
  RememberNumbers();
  auto before = FilesOf("/data/log");
  files_->Damage("/data/log/00000002.log", [](Bytes& bytes) {
    bytes[GroupAt(2) + 3] ^= 1;   // the group's header
    bytes[GroupAt(5) + 60] ^= 1;  // the entry's head
  });
  EXPECT_EQ(Mend(), AllBut({2, 5}));
  EXPECT_EQ(report_.lost.size(), 2u);
  ExpectUntouched(before, "00000002.log");
}

TEST_F(RepairTest, EveryByteOfASegment) {
  RememberNumbers();
  for (std::size_t at = 0; at < GroupAt(2); at += 37) {
    SCOPED_TRACE(at);
    auto whole = files_->Crash(LossMode::kKeepAll, 0);
    files_->Damage("/data/log/00000002.log", [at](Bytes& bytes) { bytes[at] ^= 0x10; });
    const auto left = Mend();
    EXPECT_GE(left.size(), kRecords - 1);
    if (testing::Test::HasFailure()) return;
    files_ = std::move(whole);
  }
}

TEST_F(RepairTest, DamagedSegmentHeader) {
  files_->Damage("/data/log/00000002.log", [](Bytes& bytes) { bytes[20] ^= 1; });
  EXPECT_EQ(Mend(), AllBut({}));
}

TEST_F(RepairTest, SegmentsThatLostTheirEnd) {
  RememberNumbers();
  files_->Damage("/data/log/00000003.log", [](Bytes& bytes) { bytes.resize(GroupAt(4) + 700); });
  auto left = Mend();
  EXPECT_EQ(left, AllBut({14, 15, 16, 17, 18, 19}));
  EXPECT_THAT(report_.lost, testing::Contains(testing::HasSubstr("at the end of /data/log/00000003.log")));
}

TEST_F(RepairTest, TheNewestSegmentLostItsEnd) {
  files_->Damage("/data/log/00000005.log", [](Bytes& bytes) { bytes.resize(GroupAt(4)); });
  EXPECT_EQ(Mend(), AllBut({34, 35, 36, 37, 38, 39}));
}

TEST_F(RepairTest, AMissingSegment) {
  EXPECT_OK(files_->Remove("/data/log/00000003.log"));
  EXPECT_EQ(Mend(), AllBut({10, 11, 12, 13, 14, 15, 16, 17, 18, 19}));
  EXPECT_THAT(report_.lost, testing::ElementsAre(testing::HasSubstr("00000003.log")));
}

TEST_F(RepairTest, WhereverItIsStoppedTheNextOneLosesNothingMore) {
  RememberNumbers();
  files_->Damage("/data/log/00000002.log", [](Bytes& bytes) { bytes[GroupAt(3) + 500] ^= 1; });
  const auto damaged = files_->Crash(LossMode::kKeepAll, 0);
  bool stopped = true;
  for (std::uint64_t call = 0; stopped; ++call) {
    for (LossMode mode : {LossMode::kKeepAll, LossMode::kDropAll, LossMode::kBlocks}) {
      SCOPED_TRACE(testing::Message() << "call " << call << ", mode " << static_cast<int>(mode));
      files_ = damaged->Crash(LossMode::kKeepAll, 0);
      files_->LosePowerAt(files_->calls() + call);
      RepairDataDirectory("/data", *files_, clock_);
      stopped = files_->power_lost();
      files_ = files_->Crash(mode, call);
      auto report = RepairDataDirectory("/data", *files_, clock_);
      ASSERT_TRUE(report.ok()) << report.ToString();
      Open();
      std::vector<std::uint64_t> left;
      for (const auto& [serial, number] : Stored()) left.push_back(serial);
      log_.reset();
      ASSERT_EQ(left, AllBut({3})) << report.ToString();
    }
  }
}

TEST_F(RepairTest, AnIndexThatSaysSomethingElse) {
  RememberNumbers();
  auto before = FilesOf("/data/log");
  const StoreId store = Get(DataDirectory::OpenForLooking(*files_, "/data")).store;
  {
    auto index = Get(Index::Open(*files_, "/data/index", store, {}));
    IndexBatch batch;
    std::vector<IndexedRecord> records;
    EXPECT_OK(index->ForEachRecord([&](StreamId, const IndexedRecord& record) {
      records.push_back(record);
      return true;
    }));
    batch.RemoveRecord(1, records.at(7));
    IndexedRecord other = records.at(9);
    other.counter += 1;  // of no record that there is
    batch.AddRecord(1, other);
    EXPECT_OK(index->Write(batch));
    EXPECT_OK(index->Flush());
  }
  EXPECT_EQ(Mend(), AllBut({}));
  EXPECT_THAT(report_.lost, testing::IsEmpty());
  EXPECT_FALSE(files_->Has("/data/damaged"));
  ExpectUntouched(before, "");
}

TEST_F(RepairTest, DamagedMarker) {
  files_->Damage("/data/MILLRACE", [](Bytes& bytes) { bytes.assign(10, 'x'); });
  EXPECT_EQ(Mend(), AllBut({}));
}

TEST_F(RepairTest, DamagedChangeInTheControlSegment) {
  const auto size = FilesOf("/data/log").at("00000001.control").size();
  files_->Damage("/data/log/00000001.control", [&](Bytes& bytes) { bytes[size - 300] ^= 1; });
  EXPECT_EQ(Mend(3), AllBut({}));  // one value of the metadata is lost
  EXPECT_THAT(report_.lost, testing::ElementsAre(testing::HasSubstr("metadata")));
  EXPECT_TRUE(files_->Has("/data/damaged/00000001.control"));
}

TEST_F(RepairTest, TheControlSegmentLostItsEndAndWithItSegmentsOfTheList) {
  // Back to the moment when the first segment had been entered.
  const Bytes control = FilesOf("/data/log").at("00000001.control");
  std::size_t end = control.size();
  for (std::size_t cut = control.size(); cut > 64; --cut) {
    auto copy = files_->Crash(LossMode::kKeepAll, 0);
    copy->Damage("/data/log/00000001.control", [cut](Bytes& bytes) { bytes.resize(cut); });
    auto report = CheckDataDirectory("/data", *copy, clock_);
    if (report.segments == 1) end = cut;
    if (report.segments == 0) break;
    cut -= std::min<std::size_t>(cut - 64, 20);
  }
  files_->Damage("/data/log/00000001.control", [end](Bytes& bytes) { bytes.resize(end); });
  EXPECT_EQ(Mend(0), AllBut({}));
  EXPECT_THAT(report_.mended, testing::Contains(testing::HasSubstr("entered into the list again")));
}

TEST_F(RepairTest, WithoutASnapshotTheStreamsAreLostAndItSaysSo) {
  files_->Damage("/data/log/00000001.control", [](Bytes& bytes) { bytes[70] ^= 1; });
  auto before = FilesOf("/data/log");
  auto report = RepairDataDirectory("/data", *files_, clock_);
  ASSERT_TRUE(report.failed.has_value());
  EXPECT_EQ(report.failed->code, ErrorCode::kCorruption);
  EXPECT_THAT(report.failed->message, testing::HasSubstr("backup"));
  EXPECT_FALSE(report.ok());
  EXPECT_EQ(FilesOf("/data/log"), before);
}

TEST_F(RepairTest, RefusesADirectoryThatIsInUseOrNoneOfOurs) {
  files_->Damage("/data/log/00000002.log", [](Bytes& bytes) { bytes[GroupAt(3) + 500] ^= 1; });
  auto before = FilesOf("/data/log");
  auto lock = Get(files_->Lock("/data/LOCK"));
  auto report = RepairDataDirectory("/data", *files_, clock_);
  ASSERT_TRUE(report.failed.has_value());
  EXPECT_EQ(report.failed->code, ErrorCode::kFailedPrecondition);
  EXPECT_TRUE(report.before.problems.empty());
  const auto checked = CheckDataDirectory("/data", *files_, clock_);
  ASSERT_TRUE(checked.refused.has_value());
  EXPECT_EQ(checked.refused->code, ErrorCode::kFailedPrecondition);
  EXPECT_FALSE(checked.ok());
  EXPECT_EQ(FilesOf("/data/log"), before);
  EXPECT_EQ(CodeOf(Result<void>(RepairDataDirectory("/none", *files_, clock_).failed.value_or(Error{}))),
            ErrorCode::kNotFound);
}

}  // namespace
}  // namespace millrace::storage
