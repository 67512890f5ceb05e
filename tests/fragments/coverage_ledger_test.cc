// Goal: causes are remembered as they were told, over restarts, in bounded space, with few writes, and while
// the disk refuses. Method: a log in memory under a clock that the test sets.
#include "fragments/coverage_ledger.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fragments/gap_list.h"
#include "tests/fragments/memory_log.h"

namespace millrace {
namespace {

using std::chrono::hours;
using std::chrono::seconds;
using test::MemoryLog;
using C = GapCause;

constexpr Timestamp kStart = Timestamp::FromSeconds(1'763'690'000);
constexpr Timestamp At(std::int64_t s) { return kStart + seconds(s); }

class CoverageLedgerTest : public testing::Test {
 protected:
  CoverageLedgerTest() {
    FragmentStore::Options options;
    options.clock = &clock_;
    store_ = std::move(*FragmentStore::Open(log_, options));
    EXPECT_TRUE(store_->CreateStream("door", hours(168)));
    Open();
  }
  void Open() {
    CoverageLedger::Options options;
    options.clock = &clock_;
    options.heartbeat = hours(1);
    auto ledger = CoverageLedger::Open(log_, *store_, options);
    ASSERT_TRUE(ledger) << ledger.error().ToString();
    ledger_ = std::move(*ledger);
  }
  void Go(std::int64_t s) { clock_.Advance(At(s) - clock_.Now()); }
  std::string Report(const std::string& stream, std::int64_t from, std::int64_t to) {
    auto spans = ledger_->Report(stream, At(from), At(to), 10'000);
    if (!spans) return spans.error().ToString();
    std::string text;
    for (const CoverageSpan& span : *spans) {
      if (!text.empty()) text += ' ';
      text += std::to_string((span.start - kStart).count() / 1'000'000'000) + "-" +
              std::to_string((span.end - kStart).count() / 1'000'000'000) + ":" +
              std::string(span.state == CoverageState::kGap ? ToString(span.cause) : ToString(span.state));
    }
    return text;
  }
  std::vector<storage::MetadataEntry> Rows(const char* prefix = kGapMetadataPrefix) {
    return *log_.ListMetadata(prefix);
  }

  ManualClock clock_{kStart};
  MemoryLog log_;
  std::unique_ptr<FragmentStore> store_;
  std::unique_ptr<CoverageLedger> ledger_;
};

TEST_F(CoverageLedgerTest, CausesAreReportedAsTheyWereTold) {
  ledger_->BeginGap("door", C::kConnecting, At(0), "");
  ledger_->BeginGap("door", C::kUnreachable, At(10), "connection refused");
  ledger_->BeginGap("door", C::kConnecting, At(20), "");  // again: it is still away
  ledger_->BeginGap("door", C::kUnauthorized, At(30), "");
  ledger_->EndGap("door", At(100));
  Go(101);
  EXPECT_EQ(Report("door", 0, 200), "0-30:unreachable 30-100:unauthorized 100-101:pending");
  ledger_->BeginGap("door", C::kDisabled, At(101), "");
  ledger_->BeginGap("door", C::kConnecting, At(150), "");
  Go(160);
  EXPECT_EQ(Report("door", 101, 200), "101-150:disabled 150-160:connecting");
  EXPECT_EQ(ledger_->Report("door", At(0), At(160), 1)->size(), 1u);
  EXPECT_EQ(ledger_->Report("door", At(0), At(160), 5)->at(0).detail, "connection refused");
}

TEST_F(CoverageLedgerTest, StreamsThatDoNotExistAreNotFound) {
  ledger_->BeginGap("nope", C::kDisabled, At(0), "");
  EXPECT_EQ(ledger_->Report("nope", At(0), At(1), 10).error().code, ErrorCode::kNotFound);
}

TEST_F(CoverageLedgerTest, TheTimeTheServerWasDownIsAGapOfEveryStream) {
  ASSERT_TRUE(store_->CreateStream("yard", hours(1)));
  ledger_->BeginGap("door", C::kUnreachable, At(10), "away");
  Go(100);
  ledger_.reset();
  Go(200);
  Open();
  Go(210);
  ledger_->BeginGap("door", C::kUnauthorized, At(205), "");
  EXPECT_EQ(Report("door", 10, 999), "10-100:unreachable 100-205:server_down 205-210:unauthorized");
}

TEST_F(CoverageLedgerTest, ACrashIsDatedFromTheLastSignOfLife) {
  Go(50);
  ledger_->BeginGap("door", C::kUnreachable, At(50), "");
  ASSERT_TRUE(ledger_->Flush());
  // As a process that is killed leaves it: another one reads what stands in the log.
  Go(300);
  CoverageLedger::Options options;
  options.clock = &clock_;
  auto next = CoverageLedger::Open(log_, *store_, options);
  ASSERT_TRUE(next);
  const auto spans = (*next)->Report("door", At(100), At(300), 10);
  ASSERT_EQ(spans->size(), 1u);
  EXPECT_EQ(spans->front().cause, C::kServerDown);
}

TEST_F(CoverageLedgerTest, AClockSetBackMakesNoGapThatEndsBeforeItStarts) {
  Go(100);
  ledger_->BeginGap("door", C::kSilent, At(100), "");
  clock_.StepTo(At(40));
  ledger_->EndGap("door", At(40));
  ledger_->BeginGap("door", C::kSilent, At(41), "");
  ledger_.reset();
  clock_.StepTo(At(20));
  Open();
  EXPECT_EQ(Rows(kServerDownMetadataPrefix).size(), 0u);
  for (const auto& row : Rows()) EXPECT_EQ(row.value[0], 1);
}

TEST_F(CoverageLedgerTest, AFlappingCameraIsOneRow) {
  for (int i = 0; i < 1000; ++i) {
    ledger_->BeginGap("door", C::kNetworkLoss, At(i * 10), "");
    ledger_->EndGap("door", At(i * 10 + 5));
  }
  ASSERT_TRUE(ledger_->Flush());
  EXPECT_EQ(Rows().size(), 1u);
  EXPECT_LE(Rows()[0].version, 20u);  // not a write for every change
}

TEST_F(CoverageLedgerTest, RowsAreBounded) {
  for (int i = 0; i < 5000; ++i) {
    ledger_->BeginGap("door", C::kNetworkLoss, At(i * 100), "");
    ledger_->EndGap("door", At(i * 100 + 5));
  }
  ASSERT_TRUE(ledger_->Flush());
  EXPECT_EQ(Rows().size(), kGapsMax);
  Go(5000 * 100);
  EXPECT_THAT(Report("door", 0, 5), "0-5:network_loss");
}

TEST_F(CoverageLedgerTest, WhatIsOlderThanTheRetentionIsDropped) {
  ASSERT_TRUE(store_->SetRetention("door", hours(1)));
  ledger_->BeginGap("door", C::kSilent, At(0), "");
  ledger_->BeginGap("gone", C::kDisabled, At(0), "the camera was removed");
  ledger_->EndGap("door", At(10));
  ASSERT_TRUE(ledger_->Flush());
  EXPECT_EQ(Rows().size(), 2u);
  Go(7200);
  ledger_.reset();
  Open();
  EXPECT_EQ(Rows().size(), 1u);  // of what has no stream, an hour after its end
  Go(7200 + 3601);
  ledger_.reset();
  Open();
  EXPECT_EQ(Rows().size(), 0u);
  EXPECT_EQ(Report("door", -10, 7200 - 3600), "-10-0:not_recorded 0-3600:retention");
}

TEST_F(CoverageLedgerTest, ADiskThatRefusesLosesNoCause) {
  log_.FailMetadata(true);
  ledger_->Add("door", {.start = At(1), .end = At(9), .cause = C::kDiskRefused, .detail = "full"});
  ledger_->Add("door", {.start = At(9), .end = At(20), .cause = C::kDiskRefused, .detail = "full"});
  EXPECT_EQ(ledger_->Flush().error().code, ErrorCode::kIo);
  Go(20);
  EXPECT_EQ(Report("door", 1, 20), "1-20:disk_refused");
  log_.FailMetadata(false);
  ASSERT_TRUE(ledger_->Flush());
  ledger_.reset();
  Open();
  EXPECT_EQ(Report("door", 1, 20), "1-20:disk_refused");
}

TEST_F(CoverageLedgerTest, AnAdderMayOutliveTheLedger) {
  const auto add = ledger_->Adder();
  add("door", {.start = At(1), .end = At(2), .cause = C::kDiskRefused, .detail = ""});
  ledger_.reset();
  add("door", {.start = At(100), .end = At(200), .cause = C::kDiskRefused, .detail = ""});
  EXPECT_EQ(Rows().size(), 1u);
}

TEST_F(CoverageLedgerTest, RowsThatCannotBeReadAreLeftAlone) {
  const std::string prefix = kGapMetadataPrefix;
  const Bytes good = EncodeGap({.start = At(0), .end = At(9), .cause = C::kSilent, .detail = ""});
  for (const std::string key : {"door/xyz", "door/", "/", "door", "door/8000000000000000 "}) {
    ASSERT_TRUE(log_.PutMetadata(prefix + key, good, std::nullopt));
  }
  ASSERT_TRUE(log_.PutMetadata(prefix + "door/9000000000000000", Bytes{}, std::nullopt));
  ASSERT_TRUE(log_.PutMetadata(kAliveMetadataKey, Bytes{1, 2, 3}, std::nullopt));
  ledger_.reset();
  Open();
  EXPECT_EQ(Rows().size(), 6u);
}

TEST(GapRowTest, RoundTripsAndRefusesWhatIsDamaged) {
  const Gap gap{.start = At(5), .end = At(9), .cause = C::kUnauthorized, .detail = "401"};
  EXPECT_EQ(*DecodeGap(At(5), EncodeGap(gap)), gap);
  const Gap open{.start = At(5), .end = kGapOpenEnd, .cause = C::kSilent, .detail = ""};
  EXPECT_EQ(*DecodeGap(At(5), EncodeGap(open)), open);
  const Bytes whole = EncodeGap(gap);
  for (std::size_t size = 0; size < 10; ++size) {
    EXPECT_EQ(DecodeGap(At(5), ByteSpan(whole).first(size)).error().code, ErrorCode::kCorruption) << size;
  }
  EXPECT_EQ(DecodeGap(At(10), whole).error().code, ErrorCode::kCorruption);  // ends before it starts
  Bytes other = whole;
  other[0] = 2;
  EXPECT_EQ(DecodeGap(At(5), other).error().code, ErrorCode::kUnsupported);
  other = whole;
  other[1] = 200;
  EXPECT_EQ(DecodeGap(At(5), other)->cause, C::kUnknown);
  other = whole;
  other.resize(1000);
  EXPECT_EQ(DecodeGap(At(5), other).error().code, ErrorCode::kCorruption);
  const Gap wordy{.start = At(5), .end = At(9), .cause = C::kSilent, .detail = std::string(5000, 'x')};
  EXPECT_EQ(DecodeGap(At(5), EncodeGap(wordy))->detail.size(), kGapDetailBytesMax);
}

TEST(GapListTest, WithoutTwoOfOneCauseTheShortestIsForgotten) {
  GapList list([](Timestamp) {});
  for (int i = 0; i < 1000; ++i) {
    list.Begin(i % 2 == 0 ? C::kSilent : C::kNetworkLoss, At(i * 100), "");
    list.End(At(i * 100 + (i == 500 ? 1 : 10)));
  }
  EXPECT_EQ(list.gaps().size(), kGapsMax);
  list.Begin(C::kUnreachable, At(1'000'000), "");
  EXPECT_EQ(list.gaps().size(), kGapsMax);
  EXPECT_TRUE(list.Find(At(1'000'000))->open());
}

}  // namespace
}  // namespace millrace
