// Deletions and holds where the power goes, the disk is full, or the budget is used up.
#include <gmock/gmock.h>

#include <algorithm>
#include <future>
#include <utility>

#include "storage/checker.h"
#include "tests/storage/log_fixture.h"
#include "tests/storage/simulated_file_system.h"
#include "tests/wait.h"

namespace millrace::storage {
namespace {

using testing::HasSubstr;

constexpr std::uint64_t kMiB = 1 << 20;

class MarksFaultsTest : public testing::Test {
 protected:
  static constexpr std::size_t kRecord = 64 * 1024;

  EmbeddedLogOptions Options() {
    EmbeddedLogOptions options;
    options.path = "/data";
    options.files = files_.get();
    options.clock = &clock_;
    options.sweep_interval = options.budget_interval = std::chrono::hours(1);
    options.segment_bytes = 4 * kRecord;
    options.index_write_buffer_bytes = 1 << 18;
    options.index_cache_bytes = 1 << 20;
    options.reserve_bytes = reserve_bytes_;
    options.budget.used_bytes_max = budget_;
    return options;
  }
  void Open() { log_ = Get(EmbeddedLog::Open(Options())); }
  void PutUpTo(std::uint64_t end, std::size_t bytes = kRecord) {
    for (; serial_ < end; ++serial_) {
      clock_.Advance(std::chrono::seconds(1));
      EXPECT_OK(PutAndWait(*log_, "s", MakeRecord("k", MakeData(bytes, serial_), {{1, Number(serial_)}})));
    }
  }
  std::vector<std::uint64_t> Stored(std::size_t bytes = kRecord) {
    std::vector<std::uint64_t> serials;
    for (const Record& record : ReadAll(*log_, "s", ShardId{0})) {
      serials.push_back(ReadBigEndian<std::uint64_t>(record.info.Find(1)));
      EXPECT_TRUE(std::ranges::equal(record.data.span(), MakeData(bytes, serials.back())));
    }
    return serials;
  }
  static AttributeRange Range(std::uint64_t from, std::uint64_t to) {
    return {.attribute = 1, .from = Number(from), .to = Number(to)};
  }
  void PlaceHold(const std::string& id, std::uint64_t from, std::uint64_t to) {
    Hold hold;
    hold.id = id;
    hold.ranges = {Range(from, to)};
    EXPECT_OK(log_->PlaceHold("s", "k", hold));
  }
  void RemoveIndex() {
    for (const DirectoryEntry& entry : Get(files_->List("/data/index"))) {
      EXPECT_OK(files_->Remove("/data/index/" + entry.name));
    }
  }
  void ExpectSound() {
    log_.reset();
    const auto report = CheckDataDirectory("/data", *files_, clock_);
    EXPECT_TRUE(report.ok()) << report.ToString();
  }
  std::vector<std::string> LogFiles() {
    std::vector<std::string> paths;
    for (const DirectoryEntry& entry : Get(files_->List("/data/log"))) {
      paths.push_back("/data/log/" + entry.name);
    }
    std::ranges::sort(paths);
    return paths;
  }
  // Whether a piece of the record's data lies in a file of the log.
  bool OnDisk(std::uint64_t serial, std::size_t bytes) {
    const Bytes data = MakeData(bytes, serial);
    for (const std::string& path : LogFiles()) {
      const Bytes file = Get(ReadWholeFile(*files_, path, 64 * kMiB));
      for (std::size_t at = 0; at + 64 <= data.size(); at += 64) {
        const auto piece = ByteSpan(data).subspan(at, 64);
        if (AsText(ByteSpan(file)).find(AsText(piece)) != std::string_view::npos) return true;
      }
    }
    return false;
  }

  std::unique_ptr<SimulatedFileSystem> files_ = std::make_unique<SimulatedFileSystem>();
  std::optional<std::uint64_t> budget_;
  std::uint64_t reserve_bytes_ = 0;
  ManualClock clock_{kTestStart};
  std::unique_ptr<EmbeddedLog> log_;
  std::uint64_t serial_ = 0;
};

// What was answered is gone, and off the disk; what was not is wholly there or wholly gone.
TEST_F(MarksFaultsTest, PowerGoesAtEveryCallOfADeletion) {
  constexpr std::size_t kSmall = 9'000;
  const LossMode modes[] = {LossMode::kDropAll, LossMode::kKeepAll, LossMode::kTornPrefix, LossMode::kSectors,
                            LossMode::kBlocks};
  bool lost = true;
  for (std::uint64_t call = 0; lost && !HasFailure(); ++call) {
    SCOPED_TRACE("power goes at call " + std::to_string(call));
    files_ = std::make_unique<SimulatedFileSystem>();
    serial_ = 0;
    Open();
    Get(log_->CreateStream("s", 1, kDay));
    PutUpTo(8, kSmall);
    files_->LosePowerAt(files_->calls() + call);
    const auto deleted = log_->DeleteRecords("s", "k", {Range(2, 5)});
    lost = files_->power_lost();
    log_.reset();
    files_ = files_->Crash(modes[call % 5], call);
    if (deleted) {
      for (std::uint64_t serial = 2; serial <= 5; ++serial) EXPECT_FALSE(OnDisk(serial, kSmall)) << serial;
    }
    if (call % 2 == 0) RemoveIndex();
    Open();
    const std::vector<std::uint64_t> gone = {0, 1, 6, 7};
    auto stored = Stored(kSmall);
    EXPECT_TRUE(stored == gone || (!deleted && stored.size() == 8)) << stored.size();
    EXPECT_OK(log_->Sweep());
    EXPECT_EQ(Stored(kSmall), stored);
    // Said again, it is whole.
    EXPECT_OK(log_->DeleteRecords("s", "k", {Range(2, 5)}));
    EXPECT_EQ(Stored(kSmall), gone);
    for (std::uint64_t serial = 2; serial <= 5; ++serial) EXPECT_FALSE(OnDisk(serial, kSmall)) << serial;
    ExpectSound();
  }
}

TEST_F(MarksFaultsTest, DeletesOnADiskWithoutAByteLeft) {
  files_->SetCapacity(32 * kMiB);
  reserve_bytes_ = 4 * kMiB;
  Open();
  Get(log_->CreateStream("s", 1, kDay));
  EXPECT_OK(log_->Sweep());  // fills the reserve
  PutUpTo(100);
  files_->SetOthers(32 * kMiB - files_->UsedBytes());
  const std::uint64_t before = files_->UsedBytes();
  const auto deleted = log_->DeleteRecords("s", "k", {Range(10, 89)});
  ASSERT_TRUE(deleted) << deleted.error().ToString();
  EXPECT_EQ(deleted->records, 80u);
  EXPECT_LT(files_->UsedBytes() + 4 * kMiB, before);
  EXPECT_FALSE(OnDisk(40, kRecord));
  EXPECT_EQ(Stored().size(), 20u);
  files_->SetOthers(0);
  ExpectSound();
  Open();
  EXPECT_EQ(Stored().size(), 20u);
}

TEST_F(MarksFaultsTest, ASyncThatFailsIsNotTakenForDone) {
  Open();
  Get(log_->CreateStream("s", 1, kDay));
  PutUpTo(4);
  auto failures = std::make_shared<int>(1);
  files_->SetFault([failures](FileCall call, const std::string& path) -> std::optional<Error> {
    if (call != FileCall::kSync || !path.ends_with(".log") || (*failures)-- <= 0) return std::nullopt;
    return Error{ErrorCode::kIo, "syncing " + path + ": input/output error"};
  });
  const auto deleted = log_->DeleteRecords("s", "k", {Range(1, 2)});
  ASSERT_FALSE(deleted);
  EXPECT_THAT(deleted.error().message, HasSubstr("gone for readers"));
  EXPECT_EQ(Stored(), (std::vector<std::uint64_t>{0, 3}));
  EXPECT_OK(log_->Sweep());
  EXPECT_FALSE(OnDisk(1, kRecord));
  ExpectSound();
}

// One segment that cannot be written to keeps nothing else on the disk.
TEST_F(MarksFaultsTest, ADeletionThatCannotBeErasedStopsNothingElse) {
  Open();
  Get(log_->CreateStream("s", 1, std::chrono::hours(1)));
  PutUpTo(4);  // a segment; the others follow
  const std::string bad = LogFiles().back();
  PutUpTo(20);
  auto failing = std::make_shared<bool>(true);
  files_->SetFault([failing, bad](FileCall call, const std::string& path) -> std::optional<Error> {
    if (!*failing || path != bad || (call != FileCall::kPunch && call != FileCall::kSync))
      return std::nullopt;
    return Error{ErrorCode::kIo, "writing " + path + ": input/output error"};
  });
  EXPECT_THAT(log_->DeleteRecords("s", "k", {Range(1, 2)}).error().message, HasSubstr("gone for readers"));
  // A later deletion is done all the same, and the answer says that the earlier one is not.
  EXPECT_FALSE(log_->DeleteRecords("s", "k", {Range(10, 11)}));
  EXPECT_TRUE(OnDisk(1, kRecord) || OnDisk(2, kRecord));
  EXPECT_FALSE(OnDisk(10, kRecord) || OnDisk(11, kRecord));
  // So is what has expired elsewhere.
  clock_.Advance(kDay);
  PutUpTo(24);
  const auto swept = log_->Sweep();
  ASSERT_FALSE(swept);
  EXPECT_THAT(swept.error().message, HasSubstr("input/output error"));
  EXPECT_FALSE(OnDisk(6, kRecord) || OnDisk(16, kRecord));
  *failing = false;
  EXPECT_OK(log_->Sweep());
  EXPECT_FALSE(OnDisk(1, kRecord) || OnDisk(2, kRecord));
  EXPECT_EQ(Stored(), (std::vector<std::uint64_t>{20, 21, 22, 23}));
  ExpectSound();
}

// Whatever takes the rows of what a deletion could not erase erases it first: a hole leaves the edges.
TEST_F(MarksFaultsTest, AnotherSweepLeavesNoBytesOfWhatWasDeleted) {
  constexpr std::size_t kSmall = 9'000;
  Open();
  Get(log_->CreateStream("s", 1, kDay));
  PutUpTo(8, kSmall);
  auto failures = std::make_shared<int>(1);
  const std::string segment = LogFiles().back();
  files_->SetFault([failures, segment](FileCall call, const std::string& path) -> std::optional<Error> {
    if (call != FileCall::kWrite || path != segment || (*failures)-- <= 0) return std::nullopt;
    return Error{ErrorCode::kIo, "writing " + path + ": input/output error"};
  });
  EXPECT_FALSE(log_->DeleteRecords("s", "k", {Range(2, 5)}));
  EXPECT_TRUE(OnDisk(5, kSmall));
  EXPECT_OK(log_->DeletePartition("s", "k"));
  EXPECT_TRUE(OnDisk(6, kSmall));  // purged, not deleted: in part
  for (std::uint64_t serial = 2; serial <= 5; ++serial) EXPECT_FALSE(OnDisk(serial, kSmall)) << serial;
  EXPECT_OK(log_->Sweep());
  ExpectSound();
}

thread_local bool deletes_here = false;

TEST_F(MarksFaultsTest, ALongDeletionKeepsNoHoldWaiting) {
  Open();
  Get(log_->CreateStream("s", 1, kDay));
  PutUpTo(8);
  EXPECT_OK(log_->DeleteRecords("s", "k", {Range(0, 0)}));  // the format is raised
  std::promise<void> stalled;
  std::promise<void> go;
  bool once = false;  // the deletion's thread only
  files_->SetStall([&](FileCall) {
    if (!deletes_here || std::exchange(once, true)) return;
    stalled.set_value();
    go.get_future().wait();
  });
  auto deleted = std::async(std::launch::async, [&] {
    deletes_here = true;
    return log_->DeleteRecords("s", "k", {Range(2, 5)});
  });
  stalled.get_future().wait();
  Hold hold;
  hold.id = "h";
  hold.ranges = {Range(6, 7)};
  auto placed = std::async(std::launch::async, [&] { return log_->PlaceHold("s", "k", hold); });
  EXPECT_EQ(placed.wait_for(test::kPatience), std::future_status::ready);
  EXPECT_EQ(Stored(), (std::vector<std::uint64_t>{1, 6, 7}));
  go.set_value();
  EXPECT_OK(placed.get());
  EXPECT_OK(deleted.get());
  files_->SetStall({});
  EXPECT_FALSE(OnDisk(4, kRecord));
  ExpectSound();
}

TEST_F(MarksFaultsTest, TheBudgetTakesWhatIsNotHeld) {
  budget_ = 12 * kMiB;
  Open();
  Get(log_->CreateStream("s", 1, kDay));
  PutUpTo(20);
  PlaceHold("h", 5, 9);
  EXPECT_OK(log_->Sweep());
  for (int i = 0; i < 60; ++i) {
    PutUpTo(serial_ + 8);
    EXPECT_OK(log_->Sweep());
  }
  auto stored = Stored();
  ASSERT_GT(stored.size(), 40u);
  EXPECT_EQ((std::vector<std::uint64_t>(stored.begin(), stored.begin() + 5)),
            (std::vector<std::uint64_t>{5, 6, 7, 8, 9}));
  EXPECT_GT(stored[5], 100u);  // what lay beside them has gone
  EXPECT_LE(log_->Status().used_bytes, *budget_);
  EXPECT_EQ(log_->Status().held_bytes, 5 * kRecord);
  EXPECT_EQ(log_->Status().state, StorageState::kEvicting);
  log_.reset();
  RemoveIndex();
  Open();
  EXPECT_EQ(Stored(), stored);
  EXPECT_OK(log_->ReleaseHold("s", "k", "h"));
  EXPECT_EQ(Stored().front(), stored[5]);
  EXPECT_OK(log_->Sweep());
  EXPECT_FALSE(OnDisk(7, kRecord));
  ExpectSound();
}

TEST_F(MarksFaultsTest, HoldsThatLeaveNoRoomAreSaid) {
  budget_ = 12 * kMiB;
  Open();
  Get(log_->CreateStream("s", 1, kDay));
  PlaceHold("everything", 0, 1'000'000);
  PutUpTo(200);  // 12.5 MiB
  EXPECT_OK(log_->Sweep());
  EXPECT_EQ(Stored().size(), 200u);
  EXPECT_OK(log_->Sweep());
  const auto status = log_->Status();
  EXPECT_EQ(status.state, StorageState::kHeld);
  EXPECT_FALSE(TakesWrites(status.state));
  EXPECT_THAT(status.message, HasSubstr("Release holds"));
  EXPECT_OK(log_->ReleaseHold("s", "k", "everything"));
  EXPECT_OK(log_->Sweep());
  EXPECT_OK(log_->Sweep());
  EXPECT_TRUE(TakesWrites(log_->Status().state)) << log_->Status().message;
  EXPECT_LE(log_->Status().used_bytes, *budget_);
  ExpectSound();
}

// Looking again and again makes no new segments for a few bytes beside what is held.
TEST_F(MarksFaultsTest, AStoreFullOfHoldsIsNotCutIntoSegments) {
  budget_ = 12 * kMiB;
  Open();
  Get(log_->CreateStream("s", 1, kDay));
  PlaceHold("everything", 0, 1'000'000);
  PutUpTo(196);
  const std::size_t before = LogFiles().size();
  for (int look = 0; look < 20; ++look) {
    PutUpTo(serial_ + 1);
    EXPECT_OK(log_->Sweep());
  }
  EXPECT_EQ(log_->Status().state, StorageState::kHeld);
  EXPECT_LE(LogFiles().size(), before + 6);  // a segment takes four records
  ExpectSound();
}

TEST_F(MarksFaultsTest, PowerGoesAtEveryCallOfAHoldAndItsEviction) {
  bool lost = true;
  for (std::uint64_t call = 0; lost && !HasFailure(); call += 3) {
    SCOPED_TRACE("power goes at call " + std::to_string(call));
    files_ = std::make_unique<SimulatedFileSystem>();
    serial_ = 0;
    budget_.reset();
    Open();
    Get(log_->CreateStream("s", 1, kDay));
    PutUpTo(60);
    log_.reset();
    budget_ = 2 * kMiB;
    Open();
    files_->LosePowerAt(files_->calls() + call);
    Hold hold;
    hold.id = "h";
    hold.ranges = {Range(5, 6), Range(20, 20)};
    const bool placed = log_->PlaceHold("s", "k", hold).has_value();
    const bool swept = placed && log_->Sweep().has_value();
    lost = files_->power_lost();
    log_.reset();
    files_ = files_->Crash(call % 2 == 0 ? LossMode::kDropAll : LossMode::kSectors, call);
    if (call % 4 == 0) RemoveIndex();
    Open();
    if (placed) {
      const auto stored = Stored();
      for (const std::uint64_t serial : {5u, 6u, 20u}) {
        EXPECT_THAT(stored, testing::Contains(serial));
      }
      EXPECT_OK(log_->Sweep());
      EXPECT_THAT(Stored(), testing::Contains(20u));
      if (swept) {
        EXPECT_LT(stored.size(), 60u);
      }
    }
    ExpectSound();
  }
}

}  // namespace
}  // namespace millrace::storage
