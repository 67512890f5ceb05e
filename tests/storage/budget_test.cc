// The disk budget: what may be taken, what goes when it is used up, and that this works on a disk without a
// byte left.
#include <gmock/gmock.h>
#include <sys/mount.h>

#include <algorithm>
#include <deque>

#include "storage/checker.h"
#include "storage/disk_budget.h"
#include "tests/storage/log_fixture.h"
#include "tests/storage/simulated_file_system.h"

namespace millrace::storage {
namespace {

constexpr std::uint64_t kMiB = 1 << 20;
constexpr std::uint64_t kGiB = 1 << 30;

struct BudgetCase {
  std::string name;
  DiskBudget budget;
  DiskSpace space;
  std::uint64_t used;
  std::uint64_t least;
  std::uint64_t allowed;
};
class AllowedBytesTest : public testing::TestWithParam<BudgetCase> {};

TEST_P(AllowedBytesTest, IsTheTighterLimit) {
  const BudgetCase& c = GetParam();
  EXPECT_EQ(AllowedBytes(c.budget, c.space, c.used, c.least), c.allowed);
}

INSTANTIATE_TEST_SUITE_P(
    Cases, AllowedBytesTest,
    testing::Values(
        BudgetCase{"percent",
                   {{}, 5 * kGiB, 10},
                   {1000 * kGiB, 400 * kGiB, false},
                   200 * kGiB,
                   kMiB,
                   600 * kGiB - 1000 * kGiB / 100 * 10},
        BudgetCase{"bytes", {{}, 5 * kGiB, 10}, {30 * kGiB, 20 * kGiB, false}, 2 * kGiB, kMiB, 17 * kGiB},
        BudgetCase{"maximum", {3 * kGiB, 0, 0}, {30 * kGiB, 20 * kGiB, false}, 2 * kGiB, kMiB, 3 * kGiB},
        BudgetCase{"maximum_and_others",
                   {30 * kGiB, 5 * kGiB, 0},
                   {99 * kGiB, 6 * kGiB, false},
                   9 * kGiB,
                   kMiB,
                   10 * kGiB},
        BudgetCase{"floor", {{}, 5 * kGiB, 0}, {99 * kGiB, 3 * kGiB, false}, kGiB / 2, kMiB, kGiB},
        BudgetCase{"less_than_the_floor",
                   {{}, 5 * kGiB, 0},
                   {99 * kGiB, 100 * kMiB, false},
                   300 * kMiB,
                   64 * kMiB,
                   336 * kMiB},
        BudgetCase{"nothing_left", {{}, 5 * kGiB, 0}, {99 * kGiB, 0, false}, 10 * kMiB, 64 * kMiB, 0},
        BudgetCase{"maximum_below_the_floor", {kMiB, 0, 0}, {99 * kGiB, 9 * kGiB, false}, kGiB, kMiB, kMiB},
        BudgetCase{"absurd_percent", {{}, 0, 4000}, {99 * kGiB, 9 * kGiB, false}, kGiB, kMiB, kGiB}),
    [](const auto& test) { return test.param.name; });

TEST(SegmentBytesTest, ASegmentIsASmallPartOfTheBudgetButNotTiny) {
  EXPECT_EQ(SegmentBytesFor(1000 * kGiB, 256 * kMiB), 256 * kMiB);
  EXPECT_EQ(SegmentBytesFor(kGiB, 256 * kMiB), 32 * kMiB);
  EXPECT_EQ(SegmentBytesFor(0, 256 * kMiB), kMiB);
  EXPECT_EQ(SegmentBytesFor(0, 30'000), 30'000u);
}

class BudgetTest : public testing::Test {
 protected:
  static constexpr std::size_t kRecord = 64 * 1024;

  EmbeddedLogOptions Options() {
    EmbeddedLogOptions options;
    options.path = path_;
    options.files = disk_;
    options.clock = &clock_;
    options.sweep_interval = options.budget_interval = std::chrono::hours(1);
    options.segment_bytes = 4 * kRecord;
    options.index_write_buffer_bytes = 1 << 18;
    options.index_cache_bytes = 1 << 20;
    options.reserve_bytes = 4 * kMiB;
    options.budget.used_bytes_max = budget_;
    options.budget.free_bytes_min = 1;
    return options;
  }
  void Open() { log_ = Get(EmbeddedLog::Open(Options())); }
  Result<PutReceipt> Put() {
    clock_.Advance(std::chrono::seconds(1));
    auto receipt = PutAndWait(*log_, "s" + std::to_string(serial_ % 2),
                              MakeRecord("k", MakeData(kRecord, serial_), {{1, Number(serial_)}}));
    if (receipt) acknowledged_.push_back(serial_);
    ++serial_;
    return receipt;
  }
  // The serials of all records, checked against what was put.
  std::vector<std::uint64_t> Stored() {
    std::vector<std::uint64_t> serials;
    for (const char* stream : {"s0", "s1"}) {
      for (const Record& record : ReadAll(*log_, stream, ShardId{0})) {
        serials.push_back(ReadBigEndian<std::uint64_t>(record.info.Find(1)));
        EXPECT_TRUE(std::ranges::equal(record.data.span(), MakeData(kRecord, serials.back())));
      }
    }
    std::sort(serials.begin(), serials.end());
    return serials;
  }
  // What is there is the newest of what was acknowledged, without a hole. Gives how many those are.
  std::size_t ExpectTheNewest() {
    auto stored = Stored();
    EXPECT_LE(stored.size(), acknowledged_.size());
    std::vector<std::uint64_t> newest(
        acknowledged_.end() - static_cast<std::ptrdiff_t>(std::min(stored.size(), acknowledged_.size())),
        acknowledged_.end());
    EXPECT_EQ(stored, newest);
    return stored.size();
  }
  void ExpectSound() {
    log_.reset();
    auto report = CheckDataDirectory(path_, *disk_, clock_);
    EXPECT_TRUE(report.ok()) << report.ToString();
    EXPECT_THAT(report.notes, testing::IsEmpty());
  }

  std::unique_ptr<SimulatedFileSystem> files_ = std::make_unique<SimulatedFileSystem>();
  FileSystem* disk_ = files_.get();
  std::string path_ = "/data";
  std::optional<std::uint64_t> budget_ = 12 * kMiB;
  ManualClock clock_{kTestStart};
  std::unique_ptr<EmbeddedLog> log_;
  std::uint64_t serial_ = 0;
  std::vector<std::uint64_t> acknowledged_;
};

TEST_F(BudgetTest, OldestGoOverAllStreamsAndTheStoreStaysUnderItsMaximum) {
  Open();
  for (const char* stream : {"s0", "s1"}) Get(log_->CreateStream(stream, 1, kDay));
  EXPECT_OK(log_->SetPartitionRetention("s1", "k", kDay * 30));  // other segments than s0's
  EXPECT_OK(log_->Sweep());
  EXPECT_EQ(log_->Status().state, StorageState::kOk);
  EXPECT_FALSE(log_->Status().evicted_before.has_value());
  for (int i = 0; i < 400; ++i) {  // 25 MB
    EXPECT_OK(Put());
    if (i % 4 == 0) {
      EXPECT_OK(log_->Sweep());
    }
  }
  EXPECT_OK(log_->Sweep());
  auto status = log_->Status();
  EXPECT_EQ(status.state, StorageState::kEvicting);
  EXPECT_LE(status.used_bytes, *budget_);
  EXPECT_LE(files_->UsedBytes(), *budget_ + 2 * kMiB);
  std::size_t left = ExpectTheNewest();
  EXPECT_GT(left, 40u);  // and not more than has to
  EXPECT_EQ(status.evicted_records, 400 - left);
  EXPECT_EQ(status.evicted_bytes, (400 - left) * kRecord);
  EXPECT_EQ(Get(log_->DescribePartition("s0", "k")).records + Get(log_->DescribePartition("s1", "k")).records,
            left);
  ASSERT_TRUE(status.evicted_before.has_value());
  EXPECT_GT(*status.evicted_before, kTestStart);
  EXPECT_LT(*status.evicted_before, clock_.Now());
  // It stays so when the log is opened again, also where the index has to be made anew.
  log_.reset();
  Open();
  EXPECT_EQ(ExpectTheNewest(), left);
  log_.reset();
  for (const DirectoryEntry& entry : Get(files_->List("/data/index"))) {
    EXPECT_OK(files_->Remove("/data/index/" + entry.name));
  }
  Open();
  EXPECT_EQ(ExpectTheNewest(), left);
  EXPECT_OK(Put());
  ExpectSound();
}

TEST_F(BudgetTest, AClockThatStepsDoesNotDisturbTheOrder) {
  Open();
  for (const char* stream : {"s0", "s1"}) Get(log_->CreateStream(stream, 1, kDay * 4000));
  for (int i = 0; i < 60; ++i) EXPECT_OK(Put());
  clock_.StepTo(kTestStart + kDay * 365);
  for (int i = 0; i < 60; ++i) EXPECT_OK(Put());
  clock_.StepTo(kTestStart);
  for (int i = 0; i < 120; ++i) {
    EXPECT_OK(Put());
    if (i % 4 == 0) {
      EXPECT_OK(log_->Sweep());
    }
  }
  EXPECT_GT(ExpectTheNewest(), 40u);
  ExpectSound();
}

// Others fill the disk to the last byte: the reserve is given back, the oldest go, and recording goes on.
TEST_F(BudgetTest, WorksOnADiskWithoutAByteLeft) {
  budget_.reset();
  files_->SetCapacity(32 * kMiB);
  Open();
  for (const char* stream : {"s0", "s1"}) Get(log_->CreateStream(stream, 1, kDay));
  EXPECT_OK(log_->Sweep());  // fills the reserve
  for (int i = 0; i < 160; ++i) EXPECT_OK(Put());
  EXPECT_EQ(ExpectTheNewest(), 160u);
  std::uint64_t others = 0;
  for (int round = 0; round < 5; ++round) {
    SCOPED_TRACE(round);
    others = 32 * kMiB - files_->UsedBytes();
    files_->SetOthers(others);
    EXPECT_EQ(Get(files_->Space("/data")).free_bytes, 0u);
    EXPECT_EQ(CodeOf(Put()), ErrorCode::kNoSpace);
    EXPECT_EQ(log_->Status().state, StorageState::kFull);
    EXPECT_OK(log_->Sweep());
    clock_.Advance(std::chrono::seconds(10));
    for (int i = 0; i < 8; ++i) EXPECT_OK(Put());
    EXPECT_TRUE(TakesWrites(log_->Status().state)) << log_->Status().message;
    EXPECT_GT(ExpectTheNewest(), 20u);
    files_->SetOthers(0);
    for (int i = 0; i < 60; ++i) EXPECT_OK(Put());
    EXPECT_OK(log_->Sweep());
  }
  // The next start finds the disk as full, and does the same.
  log_.reset();
  files_->SetOthers(32 * kMiB - files_->UsedBytes());
  Open();
  EXPECT_OK(log_->Sweep());
  EXPECT_OK(Put());
  ExpectTheNewest();
  files_->SetOthers(0);
  ExpectSound();
}

TEST_F(BudgetTest, NothingOfOursIsLeftToGo) {
  budget_.reset();
  files_->SetCapacity(32 * kMiB);
  Open();
  for (const char* stream : {"s0", "s1"}) Get(log_->CreateStream(stream, 1, kDay));
  EXPECT_OK(log_->Sweep());
  EXPECT_OK(Put());
  files_->SetOthers(32 * kMiB - files_->UsedBytes());
  EXPECT_OK(log_->Sweep());
  EXPECT_EQ(CodeOf(Put()), ErrorCode::kNoSpace);
  EXPECT_OK(log_->Sweep());
  auto status = log_->Status();
  EXPECT_EQ(status.state, StorageState::kFull);
  EXPECT_THAT(status.message, testing::HasSubstr("nothing of ours is left"));
  files_->SetOthers(0);
  EXPECT_OK(log_->Sweep());
  clock_.Advance(std::chrono::seconds(10));
  EXPECT_OK(Put());
  EXPECT_EQ(log_->Status().state, StorageState::kOk);
  ExpectSound();
}

// Power goes at every call of an eviction: what is left is the newest, and nothing of what went comes back.
TEST_F(BudgetTest, PowerLossAtEveryCall) {
  const LossMode modes[] = {LossMode::kDropAll, LossMode::kKeepAll, LossMode::kSectors};
  for (std::uint64_t call = 0;; ++call) {
    SCOPED_TRACE("power goes at call " + std::to_string(call));
    files_ = std::make_unique<SimulatedFileSystem>();
    disk_ = files_.get();
    acknowledged_.clear();
    serial_ = 0;
    Open();
    for (const char* stream : {"s0", "s1"}) Get(log_->CreateStream(stream, 1, kDay));
    for (int i = 0; i < 150; ++i) EXPECT_OK(Put());
    files_->LosePowerAt(files_->calls() + call);
    auto swept = log_->Sweep();
    const bool lost = files_->power_lost();
    EXPECT_EQ(swept.has_value(), !lost);
    log_.reset();
    files_ = files_->Crash(modes[call % 3], call);
    disk_ = files_.get();
    Open();
    const std::size_t left = ExpectTheNewest();
    EXPECT_GT(left, 60u);
    EXPECT_OK(log_->Sweep());
    EXPECT_LE(ExpectTheNewest(), left);
    EXPECT_OK(Put());
    ExpectSound();
    if (!lost || testing::Test::HasFailure()) break;
  }
}

// The same on a real disk of 48 MiB, where this may mount one; otherwise on the simulated one.
TEST_F(BudgetTest, RecordsForEverOnASmallDisk) {
  TemporaryDirectory directory;
  const bool real = ::mount("none", directory.path().c_str(), "tmpfs", 0, "size=48m") == 0;
  if (real) {
    disk_ = &PosixFileSystem();
    path_ = directory.path() + "/data";
  } else {
    files_->SetCapacity(48 * kMiB);
  }
  budget_.reset();
  {
    auto options = Options();
    options.budget.free_bytes_min = 16 * kMiB;  // more than there may be: the floor counts
    log_ = Get(EmbeddedLog::Open(options));
    for (const char* stream : {"s0", "s1"}) Get(log_->CreateStream(stream, 1, kDay));
    std::uint64_t refused = 0;
    for (int i = 0; i < 2000; ++i) {  // 125 MB
      auto receipt = Put();
      if (!receipt) {
        EXPECT_EQ(receipt.error().code, ErrorCode::kNoSpace);
        ++refused;
        EXPECT_OK(log_->Sweep());
      }
      if (i % 50 == 0) {
        EXPECT_OK(log_->Sweep());
      }
    }
    EXPECT_LE(refused, 20u);
    EXPECT_GT(ExpectTheNewest(), 200u);
    ExpectSound();
  }
  if (real) {
    EXPECT_EQ(::umount2(directory.path().c_str(), MNT_DETACH), 0);
  }
}

TEST_F(BudgetTest, ForecastSaysWhenAndHowFarBack) {
  budget_ = 100 * kMiB;
  Open();
  for (const char* stream : {"s0", "s1"}) Get(log_->CreateStream(stream, 1, kDay));
  EXPECT_OK(log_->Sweep());
  EXPECT_FALSE(log_->Status().budget_reached_at.has_value());  // nothing comes in
  for (int i = 0; i < 200; ++i) {
    EXPECT_OK(Put());  // 64 KiB a second: 96 MiB less the rest in about 1,500 s
    if (i % 10 == 0) {
      EXPECT_OK(log_->Sweep());
    }
  }
  EXPECT_OK(log_->Sweep());
  auto status = log_->Status();
  EXPECT_NEAR(status.write_bytes_per_second, static_cast<double>(kRecord), kRecord * 0.1);
  ASSERT_TRUE(status.reach.has_value());
  EXPECT_NEAR(std::chrono::duration<double>(*status.reach).count(), 1550, 150);
  ASSERT_TRUE(status.budget_reached_at.has_value());
  EXPECT_NEAR(std::chrono::duration<double>(*status.budget_reached_at - clock_.Now()).count(), 1350, 150);
  // Where retention ends before the budget does, nothing is forecast.
  for (const char* stream : {"s0", "s1"}) EXPECT_OK(log_->SetRetention(stream, std::chrono::minutes(20)));
  EXPECT_OK(log_->Sweep());
  EXPECT_FALSE(log_->Status().reach.has_value());
  EXPECT_FALSE(log_->Status().budget_reached_at.has_value());
}

}  // namespace
}  // namespace millrace::storage
