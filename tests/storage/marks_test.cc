// Deleting records by the values of their attributes, and holding them against every other way to go.
#include <gmock/gmock.h>

#include <algorithm>
#include <fstream>

#include "storage/backup.h"
#include "storage/checker.h"
#include "storage/repair.h"
#include "tests/storage/log_fixture.h"
#include "tests/storage/simulated_file_system.h"

namespace millrace::storage {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr std::size_t kRecord = 20'000;

AttributeRange Range(std::uint64_t from, std::uint64_t to) {
  AttributeRange range;
  range.attribute = 1;
  range.from = Number(from);
  range.to = Number(to);
  return range;
}

class MarksTest : public LogTest {
 protected:
  // Attribute 1 counts from 0 for each key; 200 is one more, carried alone.
  void PutSome(const std::string& key, std::uint64_t count, const std::string& stream = "s") {
    for (std::uint64_t i = 0; i < count; ++i) {
      const std::uint64_t serial = serial_[key]++;
      clock_.Advance(std::chrono::seconds(1));
      Put(stream, key, MakeData(kRecord, serial * 7 + key.size()),
          {{1, Number(serial)}, {200, Number(serial + 1)}});
    }
  }
  std::vector<std::uint64_t> Stored(const std::string& key, const std::string& stream = "s") {
    std::vector<std::uint64_t> serials;
    for (const Record& record : ReadAll(*log_, stream, ShardId{0})) {
      if (record.info.partition_key != key) continue;
      serials.push_back(ReadBigEndian<std::uint64_t>(record.info.Find(1)));
      EXPECT_TRUE(std::ranges::equal(record.data.span(), MakeData(kRecord, serials.back() * 7 + key.size())));
    }
    return serials;
  }
  std::string WholeLog() {
    std::string all;
    for (const auto& file : std::filesystem::directory_iterator(directory_.path() + "/data/log")) {
      std::ifstream in(file.path(), std::ios::binary);
      all.append(std::istreambuf_iterator<char>(in), {});
    }
    return all;
  }
  // Whether any stretch of 64 bytes of the record's data lies in the log's files.
  static bool LiesIn(const std::string& log, const Bytes& data) {
    for (std::size_t at = 0; at + 64 <= data.size(); at += 64) {
      if (log.find(std::string(AsText(ByteSpan(data).subspan(at, 64)))) != std::string::npos) return true;
    }
    return false;
  }
  void RemoveIndex() {
    std::filesystem::remove_all(directory_.path() + "/data/index");
    std::filesystem::create_directory(directory_.path() + "/data/index");
  }
  void ExpectSound() {
    log_.reset();
    const auto report = CheckDataDirectory(directory_.path() + "/data", PosixFileSystem(), clock_);
    EXPECT_TRUE(report.ok()) << report.ToString();
    EXPECT_THAT(report.notes, IsEmpty());
    Open();
  }
  Hold PlaceHold(const std::string& id, std::vector<AttributeRange> ranges, const std::string& key = "a") {
    Hold hold;
    hold.id = id;
    hold.ranges = std::move(ranges);
    hold.note = {1, 2, 3};
    return Get(log_->PlaceHold("s", key, hold));
  }

  std::map<std::string, std::uint64_t> serial_;
};

TEST_F(MarksTest, WhatIsDeletedIsGoneFromReadersIndexAndDisk) {
  Open();
  Get(log_->CreateStream("s", 1, kDay));
  PutSome("a", 10);
  PutSome("b", 3);
  const std::string before = WholeLog();
  const auto removed = Get(log_->DeleteRecords("s", "a", {Range(3, 5), Range(5, 6)}));
  EXPECT_EQ(removed.records, 4u);
  EXPECT_EQ(removed.data_bytes, 4 * kRecord);
  EXPECT_THAT(Stored("a"), ElementsAre(0, 1, 2, 7, 8, 9));
  EXPECT_EQ(Stored("b").size(), 3u);
  EXPECT_EQ(Get(log_->DescribePartition("s", "a")).records, 6u);
  const std::string after = WholeLog();
  for (std::uint64_t serial = 0; serial < 10; ++serial) {
    const Bytes data = MakeData(kRecord, serial * 7 + 1);
    EXPECT_TRUE(LiesIn(before, data)) << serial;
    EXPECT_EQ(LiesIn(after, data), serial < 3 || serial > 6) << serial;
  }
  // New records in the range are new records.
  Put("s", "a", MakeData(kRecord, 4 * 7 + 1), {{1, Number(4)}});
  EXPECT_THAT(Stored("a"), ElementsAre(0, 1, 2, 7, 8, 9, 4));
  for (int round = 0; round < 3; ++round) {
    SCOPED_TRACE(round);
    log_.reset();
    if (round > 0) RemoveIndex();  // the log alone does not bring them back
    Open();
    EXPECT_THAT(Stored("a"), ElementsAre(0, 1, 2, 7, 8, 9, 4));
    EXPECT_OK(log_->Sweep());
  }
  ExpectSound();
  // Nothing has to be remembered when the segments of then are gone.
  clock_.Advance(kDay * 3);
  PutSome("b", 1);
  EXPECT_OK(log_->Sweep());
  EXPECT_OK(log_->Sweep());
  EXPECT_THAT(Stored("a"), IsEmpty());
  ExpectSound();
}

TEST_F(MarksTest, ARangeHasOpenEndsAndAnotherAttributesLeast) {
  Open();
  Get(log_->CreateStream("s", 1, kDay));
  PutSome("a", 10);
  Put("s", "a", MakeData(kRecord, 10 * 7 + 1), {{1, Number(10)}});  // without the other attribute: it is in
  AttributeRange range = Range(4, 0);
  range.to.reset();
  range.at_least = Attribute{200, Number(8)};
  EXPECT_EQ(Get(log_->DeleteRecords("s", "a", {range})).records, 4u);  // 7, 8, 9 have it, and 10
  EXPECT_THAT(Stored("a"), ElementsAre(0, 1, 2, 3, 4, 5, 6));
  AttributeRange all;
  all.attribute = 1;
  EXPECT_EQ(Get(log_->DeleteRecords("s", "a", {all})).records, 7u);
  EXPECT_THAT(Stored("a"), IsEmpty());
  EXPECT_EQ(Get(log_->DeleteRecords("s", "a", {all})).records, 0u);
  ExpectSound();
}

TEST_F(MarksTest, SmallAndEncryptedRecordsLeaveNothingOnTheDisk) {
  auto options = Options();
  options.master_keys = MakeMasterKeys({"key-1"});
  options.encrypt_new_stream = [](const std::string& name) { return name == "sealed"; };
  Open(options);
  Get(log_->CreateStream("s", 1, kDay));
  Get(log_->CreateStream("sealed", 1, kDay));
  const Bytes small = MakeData(300, 9);
  Put("s", "a", small, {{1, Number(0)}});
  const std::string plain = WholeLog();
  Put("sealed", "a", MakeData(kRecord, 1), {{1, Number(0)}});
  const std::string with_sealed = WholeLog();
  EXPECT_EQ(Get(log_->DeleteRecords("s", "a", {Range(0, 0)})).records, 1u);
  EXPECT_EQ(Get(log_->DeleteRecords("sealed", "a", {Range(0, 0)})).records, 1u);
  const std::string after = WholeLog();
  EXPECT_TRUE(LiesIn(plain, small));
  EXPECT_FALSE(LiesIn(after, small));
  // All but the heads is zeros: the ciphertext cannot be named, but what is not zero can be counted.
  const auto nonzero = [](const std::string& log) {
    return std::ranges::count_if(log, [](char byte) { return byte != 0; });
  };
  EXPECT_GT(nonzero(with_sealed), static_cast<std::ptrdiff_t>(kRecord));
  EXPECT_LT(nonzero(after), static_cast<std::ptrdiff_t>(kRecord / 4));
}

TEST_F(MarksTest, ReaderThatHoldsAPositionGoesOnBehindWhatWasDeleted) {
  Open();
  Get(log_->CreateStream("s", 1, kDay));
  PutSome("a", 4);
  const auto infos = Get(log_->Find("s", "a", AttributeQuery{.attribute = 1, .from = {}, .to = {}}));
  ReadLimits one;
  one.records_max = 1;
  auto batch = Get(log_->Read("s", Get(log_->Seek("s", ShardId{0}, {})), one));
  Get(log_->DeleteRecords("s", "a", {Range(0, 2)}));
  EXPECT_EQ(CodeOf(log_->Fetch("s", ShardId{0}, infos[1].sequence_number)), ErrorCode::kNotFound);
  batch = Get(log_->Read("s", *batch.next, one));
  ASSERT_EQ(batch.records.size(), 1u);
  EXPECT_EQ(batch.records[0].info.Find(1).back(), 3);
}

struct BadRanges {
  std::string name;
  std::vector<AttributeRange> ranges;
};
class BadRangesTest : public MarksTest, public testing::WithParamInterface<BadRanges> {};
TEST_P(BadRangesTest, AreRefused) {
  Open();
  Get(log_->CreateStream("s", 1, kDay));
  EXPECT_EQ(CodeOf(log_->DeleteRecords("s", "a", GetParam().ranges)), ErrorCode::kInvalidArgument);
  Hold hold;
  hold.id = "h";
  hold.ranges = GetParam().ranges;
  EXPECT_EQ(CodeOf(log_->PlaceHold("s", "a", hold)), ErrorCode::kInvalidArgument);
}
INSTANTIATE_TEST_SUITE_P(
    Cases, BadRangesTest,
    testing::Values(BadRanges{"none", {}},
                    BadRanges{"too_many", std::vector<AttributeRange>(1001, Range(0, 1))},
                    BadRanges{"not_indexed", {AttributeRange{16, {}, {}, {}}}},
                    BadRanges{"long_from", {AttributeRange{1, Bytes(65), {}, {}}}},
                    BadRanges{"long_to", {AttributeRange{1, {}, Bytes(65), {}}}},
                    BadRanges{"long_least", {AttributeRange{1, {}, {}, Attribute{200, Bytes(65)}}}}),
    [](const auto& tested) { return tested.param.name; });

TEST_F(MarksTest, WhatIsNotThereIsNamed) {
  Open();
  Get(log_->CreateStream("s", 1, kDay));
  EXPECT_EQ(CodeOf(log_->DeleteRecords("none", "a", {Range(0, 1)})), ErrorCode::kNotFound);
  EXPECT_EQ(CodeOf(log_->DeleteRecords("s", "", {Range(0, 1)})), ErrorCode::kInvalidArgument);
  EXPECT_EQ(Get(log_->DeleteRecords("s", "nobody", {Range(0, 1)})).records, 0u);
  EXPECT_EQ(CodeOf(log_->ReleaseHold("s", "a", "none")), ErrorCode::kNotFound);
  EXPECT_EQ(CodeOf(log_->ListHolds("none", "a")), ErrorCode::kNotFound);
  Hold hold;
  hold.ranges = {Range(0, 1)};
  EXPECT_EQ(CodeOf(log_->PlaceHold("s", "a", hold)), ErrorCode::kInvalidArgument);  // no id
  hold.id = std::string(129, 'x');
  EXPECT_EQ(CodeOf(log_->PlaceHold("s", "a", hold)), ErrorCode::kInvalidArgument);
  hold.id = "h";
  EXPECT_EQ(CodeOf(log_->PlaceHold("none", "a", hold)), ErrorCode::kNotFound);
  hold.note = Bytes(4097);
  EXPECT_EQ(CodeOf(log_->PlaceHold("s", "a", hold)), ErrorCode::kInvalidArgument);
}

// ---- holds

TEST_F(MarksTest, HeldRecordsOutliveRetentionAndGoWhenTheyAreReleased) {
  Open();
  Get(log_->CreateStream("s", 1, std::chrono::hours(1)));
  PutSome("a", 6);
  PutSome("b", 6);
  const Hold placed = PlaceHold("case-7", {Range(2, 3)});
  EXPECT_EQ(placed.created, clock_.Now());
  clock_.Advance(kDay);
  EXPECT_THAT(Stored("a"), ElementsAre(2, 3));
  EXPECT_OK(log_->Sweep());
  EXPECT_THAT(Stored("a"), ElementsAre(2, 3));
  EXPECT_EQ(Get(log_->DescribePartition("s", "a")).records, 2u);
  EXPECT_EQ(log_->Status().held_records, 2u);
  EXPECT_EQ(log_->Status().held_bytes, 2 * kRecord);
  EXPECT_OK(log_->SetRetention("s", std::chrono::minutes(1)));
  EXPECT_OK(log_->SetPartitionRetention("s", "a", std::chrono::minutes(2)));
  EXPECT_OK(log_->TrimPartition("s", "a", clock_.Now()));
  EXPECT_OK(log_->Sweep());
  ExpectSound();
  EXPECT_THAT(Stored("a"), ElementsAre(2, 3));
  log_.reset();
  RemoveIndex();
  Open();
  EXPECT_THAT(Stored("a"), ElementsAre(2, 3));
  EXPECT_THAT(Stored("b"), IsEmpty());
  ASSERT_EQ(Get(log_->ListHolds("s", "a")).size(), 1u);
  EXPECT_EQ(Get(log_->ListHolds("s", "a"))[0].note, (Bytes{1, 2, 3}));
  EXPECT_OK(log_->ReleaseHold("s", "a", "case-7"));
  EXPECT_THAT(Stored("a"), IsEmpty());
  EXPECT_OK(log_->Sweep());
  EXPECT_EQ(Get(log_->DescribePartition("s", "a")).records, 0u);
  EXPECT_EQ(log_->Status().held_records, 0u);
  ExpectSound();
}

TEST_F(MarksTest, AHoldMayWaitForRecordsThatAreStillToCome) {
  Open();
  Get(log_->CreateStream("s", 1, std::chrono::hours(1)));
  AttributeRange open = Range(4, 0);
  open.to.reset();
  PlaceHold("h", {open});
  PutSome("a", 6);
  clock_.Advance(kDay);
  EXPECT_OK(log_->Sweep());
  EXPECT_THAT(Stored("a"), ElementsAre(4, 5));
  ExpectSound();
}

TEST_F(MarksTest, AHoldDoesNotBringBackWhatIsGone) {
  Open();
  Get(log_->CreateStream("s", 1, std::chrono::hours(1)));
  PutSome("a", 4);
  clock_.Advance(std::chrono::minutes(59));
  PutSome("a", 4);
  clock_.Advance(std::chrono::minutes(2));
  Get(log_->DeleteRecords("s", "a", {Range(5, 5)}));
  EXPECT_OK(log_->Sweep());
  EXPECT_THAT(Stored("a"), ElementsAre(4, 6, 7));
  PlaceHold("h", {Range(0, 100)});
  for (int round = 0; round < 2; ++round) {
    clock_.Advance(kDay);
    EXPECT_OK(log_->Sweep());
    EXPECT_THAT(Stored("a"), ElementsAre(4, 6, 7));
    log_.reset();
    RemoveIndex();
    Open();
  }
  ExpectSound();
}

TEST_F(MarksTest, WhatIsHeldIsNotDeleted) {
  Open();
  Get(log_->CreateStream("s", 1, kDay));
  PutSome("a", 6);
  PlaceHold("case-7", {Range(2, 3)});
  const auto refused = log_->DeleteRecords("s", "a", {Range(0, 2)});
  EXPECT_EQ(CodeOf(refused), ErrorCode::kFailedPrecondition);
  EXPECT_THAT(refused.error().message, HasSubstr("case-7"));
  EXPECT_EQ(CodeOf(log_->DeletePartition("s", "a")), ErrorCode::kFailedPrecondition);
  EXPECT_EQ(CodeOf(log_->DeleteStream("s")), ErrorCode::kFailedPrecondition);
  EXPECT_EQ(Stored("a").size(), 6u);
  EXPECT_EQ(Get(log_->DeleteRecords("s", "a", {Range(0, 1), Range(4, 9)})).records, 4u);
  EXPECT_OK(log_->ReleaseHold("s", "a", "case-7"));
  EXPECT_EQ(Get(log_->DeleteRecords("s", "a", {Range(0, 9)})).records, 2u);
  EXPECT_OK(log_->DeletePartition("s", "a"));
  EXPECT_OK(log_->DeleteStream("s"));
  ExpectSound();
}

TEST_F(MarksTest, AHoldTakesOverWhatAnEarlierOneHasKept) {
  Open();
  Get(log_->CreateStream("s", 1, std::chrono::hours(1)));
  PutSome("a", 6);
  PlaceHold("first", {Range(0, 2)});
  clock_.Advance(kDay);
  EXPECT_OK(log_->Sweep());
  EXPECT_OK(log_->TrimPartition("s", "a", clock_.Now()));
  PlaceHold("second", {Range(1, 4)});  // of these, 3 and 4 are gone
  EXPECT_OK(log_->ReleaseHold("s", "a", "first"));
  EXPECT_THAT(Stored("a"), ElementsAre(1, 2));
  PlaceHold("first", {Range(2, 9)});  // the id is free again
  EXPECT_OK(log_->ReleaseHold("s", "a", "second"));
  for (int round = 0; round < 2; ++round) {
    EXPECT_OK(log_->Sweep());
    EXPECT_THAT(Stored("a"), ElementsAre(2));
    EXPECT_EQ(Get(log_->ListHolds("s", "a")).size(), 1u);
    log_.reset();
    RemoveIndex();
    Open();
  }
  EXPECT_OK(log_->ReleaseHold("s", "a", "first"));
  EXPECT_OK(log_->Sweep());
  EXPECT_THAT(Stored("a"), IsEmpty());
  ExpectSound();
}

TEST_F(MarksTest, AnIdNamesOneHold) {
  Open();
  Get(log_->CreateStream("s", 1, kDay));
  Hold hold = PlaceHold("h", {Range(0, 1)});
  clock_.Advance(std::chrono::hours(1));
  hold.note = {9};
  const Hold again = Get(log_->PlaceHold("s", "a", hold));
  EXPECT_EQ(again.created, kTestStart);
  EXPECT_EQ(Get(log_->ListHolds("s", "a"))[0].note, Bytes{9});
  hold.ranges = {Range(0, 2)};
  EXPECT_EQ(CodeOf(log_->PlaceHold("s", "a", hold)), ErrorCode::kAlreadyExists);
  PlaceHold("h", {Range(0, 2)}, "b");  // another partition key's
  for (std::size_t i = 1; i < kHoldsMax; ++i) PlaceHold("h" + std::to_string(i), {Range(0, 1)});
  hold.id = "one-too-many";
  EXPECT_EQ(CodeOf(log_->PlaceHold("s", "a", hold)), ErrorCode::kResourceExhausted);
}

TEST_F(MarksTest, ABackupKeepsHoldsAndNoDeletions) {
  Open();
  Get(log_->CreateStream("s", 1, kDay));
  PutSome("a", 3);
  Get(log_->DeleteRecords("s", "a", {Range(1, 1)}));
  PlaceHold("h", {Range(0, 9)});
  const Bytes backup = Get(log_->Backup());
  const std::string path = directory_.path() + "/restored";
  Get(RestoreBackup(backup, path, PosixFileSystem(), clock_));
  auto options = Options();
  options.path = path;
  Open(options);
  EXPECT_EQ(Get(log_->ListHolds("s", "a")).size(), 1u);
  Put("s", "a", MakeData(kRecord, 8), {{1, Number(1)}});
  clock_.Advance(kDay * 2);
  EXPECT_OK(log_->Sweep());
  EXPECT_EQ(Stored("a"), std::vector<std::uint64_t>{1});
}

// ---- trims

TEST_F(MarksTest, ATrimTakesWhatArrivedBefore) {
  Open();
  Get(log_->CreateStream("s", 1, kDay));
  EXPECT_OK(log_->SetPartitionRetention("s", "a", std::chrono::minutes(5)));
  PutSome("a", 6);
  PutSome("b", 6);
  EXPECT_OK(log_->TrimPartition("s", "a", kTestStart + std::chrono::seconds(4)));
  EXPECT_THAT(Stored("a"), ElementsAre(3, 4, 5));
  EXPECT_EQ(Stored("b").size(), 6u);
  EXPECT_EQ(Get(log_->DescribePartition("s", "a")).records, 3u);
  EXPECT_OK(log_->TrimPartition("s", "a", kTestStart));  // an earlier one brings nothing back
  EXPECT_THAT(Stored("a"), ElementsAre(3, 4, 5));
  log_.reset();
  RemoveIndex();
  Open();
  EXPECT_THAT(Stored("a"), ElementsAre(3, 4, 5));
  EXPECT_EQ(CodeOf(log_->TrimPartition("none", "a", kTestStart)), ErrorCode::kNotFound);
  ExpectSound();
}

}  // namespace
}  // namespace millrace::storage
