// A disk that fails, is read-only or stalls, and becomes well again: the log says how it is, goes on by
// itself, and neither loses what it acknowledged nor shows what it refused twice.
#include <gmock/gmock.h>

#include <atomic>
#include <condition_variable>
#include <set>
#include <thread>

#include "storage/checker.h"
#include "tests/storage/log_fixture.h"
#include "tests/storage/simulated_file_system.h"
#include "tests/wait.h"

namespace millrace::storage {
namespace {

class ReopenTest : public testing::Test {
 protected:
  void SetUp() override {
    EmbeddedLogOptions options;
    options.path = "/data";
    options.files = &files_;
    options.clock = &clock_;
    options.sweep_interval = std::chrono::hours(1);
    options.budget_interval = std::chrono::milliseconds(5);
    options.index_write_buffer_bytes = 1 << 20;
    options.index_cache_bytes = 1 << 20;
    options.reserve_bytes = 0;
    options.reopen_after = std::chrono::milliseconds(5);
    log_ = Get(EmbeddedLog::Open(options));
    Get(log_->CreateStream("s", 1, kDay));
  }
  Result<PutReceipt> Put() {
    const std::uint64_t serial = serial_++;
    auto receipt = PutAndWait(*log_, "s", MakeRecord("k", MakeData(2'000, serial), {{1, Number(serial)}}));
    if (receipt) acknowledged_.insert(serial);
    return receipt;
  }
  std::multiset<std::uint64_t> Stored() {
    std::multiset<std::uint64_t> serials;
    for (const Record& record : ReadAll(*log_, "s", ShardId{0})) {
      serials.insert(ReadBigEndian<std::uint64_t>(record.info.Find(1)));
      EXPECT_TRUE(std::ranges::equal(record.data.span(), MakeData(2'000, *serials.rbegin())));
    }
    return serials;
  }
  StorageState State() { return log_->Status().state; }
  void ExpectAllAcknowledgedOnce() {
    auto stored = Stored();
    for (std::uint64_t serial : acknowledged_) EXPECT_EQ(stored.count(serial), 1u) << serial;
    log_.reset();
    auto report = CheckDataDirectory("/data", files_, clock_);
    EXPECT_TRUE(report.ok()) << report.ToString();
  }

  SimulatedFileSystem files_;
  ManualClock clock_{kTestStart};
  std::unique_ptr<EmbeddedLog> log_;
  std::uint64_t serial_ = 0;
  std::set<std::uint64_t> acknowledged_;
};

TEST_F(ReopenTest, AfterAFailedSyncItOpensItselfAgain) {
  for (int round = 0; round < 5; ++round) {
    SCOPED_TRACE(round);
    for (int i = 0; i < 5; ++i) EXPECT_OK(Put());
    std::atomic<bool> failing = true;
    files_.SetFault([&](FileCall call, const std::string& path) -> std::optional<Error> {
      if (call != FileCall::kSync || !failing) return std::nullopt;
      return Error{ErrorCode::kIo, "syncing " + path + ": input/output error"};
    });
    EXPECT_EQ(CodeOf(Put()), ErrorCode::kUnavailable);
    EXPECT_EQ(CodeOf(Put()), ErrorCode::kUnavailable);
    auto status = log_->Status();
    EXPECT_EQ(status.state, StorageState::kFailing);
    EXPECT_THAT(status.message, testing::HasSubstr("input/output error"));
    EXPECT_THAT(status.last_error, testing::HasSubstr("input/output error"));
    EXPECT_GE(Stored().size(), acknowledged_.size());  // reading goes on
    failing = false;
    EXPECT_TRUE(test::WaitUntil([&] { return Put().has_value(); }));
    EXPECT_TRUE(test::WaitUntil([&] { return State() == StorageState::kOk; }));
    files_.SetFault(nullptr);
  }
  ExpectAllAcknowledgedOnce();
}

TEST_F(ReopenTest, AReadOnlyDiskIsAStateAndPasses) {
  EXPECT_OK(Put());
  files_.SetReadOnly(true);
  EXPECT_FALSE(Put().has_value());
  EXPECT_TRUE(test::WaitUntil([&] { return State() == StorageState::kReadOnly; }));
  EXPECT_THAT(log_->Status().message, testing::HasSubstr("mount it writable"));
  EXPECT_EQ(Stored().size(), 1u);
  files_.SetReadOnly(false);
  EXPECT_TRUE(test::WaitUntil([&] { return Put().has_value(); }));
  EXPECT_TRUE(test::WaitUntil([&] { return State() == StorageState::kOk; }));
  ExpectAllAcknowledgedOnce();
}

// The clock leaps ahead, and before anybody has set it right the disk fails for a moment.
TEST_F(ReopenTest, AClockThatIsDoubtedIsDoubtedAfterwardsToo) {
  for (int i = 0; i < 5; ++i) EXPECT_OK(Put());
  clock_.StepTo(kTestStart + 3650 * kDay);
  EXPECT_OK(log_->Sweep());
  files_.SetReadOnly(true);
  EXPECT_FALSE(Put().has_value());
  EXPECT_TRUE(test::WaitUntil([&] { return State() == StorageState::kReadOnly; }));
  files_.SetReadOnly(false);
  EXPECT_TRUE(test::WaitUntil([&] { return Put().has_value(); }));
  EXPECT_OK(log_->Sweep());
  clock_.StepTo(kTestStart + kDay / 2);
  ExpectAllAcknowledgedOnce();
}

TEST_F(ReopenTest, ThirtySecondsWithoutAnAnswerLoseNothing) {
  EXPECT_OK(Put());
  std::mutex mutex;
  std::condition_variable changed;
  bool stalled = true;
  bool reached = false;
  files_.SetStall([&](FileCall call) {
    if (call != FileCall::kSync) return;
    std::unique_lock lock(mutex);
    reached = true;
    changed.notify_all();
    changed.wait(lock, [&] { return !stalled; });
  });
  std::vector<std::future<Result<PutReceipt>>> puts;
  for (int i = 0; i < 50; ++i) {
    auto promise = std::make_shared<std::promise<Result<PutReceipt>>>();
    puts.push_back(promise->get_future());
    const std::uint64_t serial = serial_++;
    acknowledged_.insert(serial);
    log_->Put("s", MakeRecord("k", MakeData(2'000, serial), {{1, Number(serial)}}),
              [promise](Result<PutReceipt> result) { promise->set_value(std::move(result)); });
  }
  {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return reached; });
  }
  clock_.Advance(std::chrono::seconds(2));
  EXPECT_TRUE(test::WaitUntil([&] { return State() == StorageState::kOk; }));
  clock_.Advance(std::chrono::seconds(28));
  auto status = log_->Status();  // does not wait for the disk
  EXPECT_EQ(status.state, StorageState::kStalled);
  EXPECT_GT(status.queued_bytes, 50u * 2'000);
  EXPECT_THAT(status.message, testing::HasSubstr("waits in memory"));
  EXPECT_EQ(Stored().size(), 1u);  // reading goes on
  {
    const std::lock_guard lock(mutex);
    stalled = false;
  }
  changed.notify_all();
  for (auto& put : puts) EXPECT_OK(put.get());
  EXPECT_TRUE(test::WaitUntil([&] { return State() == StorageState::kOk; }));
  files_.SetStall(nullptr);
  ExpectAllAcknowledgedOnce();
}

TEST_F(ReopenTest, WhoWaitsForARecordIsWokenOverTheInterruption) {
  auto receipt = Get(Put());
  ShardPosition tip{receipt.shard, receipt.sequence_number};
  std::promise<void> ready;
  std::atomic<bool> once = false;
  auto subscription = log_->NotifyReadable("s", tip, [&] {
    if (!once.exchange(true)) ready.set_value();
  });
  std::atomic<bool> failing = true;
  files_.SetFault([&](FileCall call, const std::string&) -> std::optional<Error> {
    if (call != FileCall::kSync || !failing) return std::nullopt;
    return Error{ErrorCode::kIo, "input/output error"};
  });
  EXPECT_FALSE(Put().has_value());
  failing = false;
  EXPECT_EQ(ready.get_future().wait_for(std::chrono::seconds(60)), std::future_status::ready);
  EXPECT_TRUE(test::WaitUntil([&] { return Put().has_value(); }));
  subscription.reset();
  files_.SetFault(nullptr);
}

// Everybody uses the log from their own threads while it fails and comes back, again and again; nobody hangs.
TEST_F(ReopenTest, CallersOnManyThreadsNeverHang) {
  std::atomic<bool> stop = false;
  std::atomic<bool> failing = false;
  std::atomic<std::uint64_t> stored = 0;
  files_.SetFault([&](FileCall call, const std::string& path) -> std::optional<Error> {
    if (call != FileCall::kSync || !failing || path.find("/log/") == std::string::npos) return std::nullopt;
    return Error{ErrorCode::kIo, "input/output error"};
  });
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&, t] {
      while (!stop) {
        auto put = PutAndWait(*log_, "s", MakeRecord("t", MakeData(100, 1), {{1, Number(1'000'000)}}));
        if (put) ++stored;
        auto position = log_->Seek("s", ShardId{0}, {});
        if (position && !log_->Read("s", *position, {})) std::this_thread::yield();
        if (t == 0 && !log_->PutMetadata("a/b/c", {1})) std::this_thread::yield();
        auto wait = log_->NotifyReadable("s", {ShardId{0}, {}}, [] {});
      }
    });
  }
  for (int round = 0; round < 10; ++round) {
    failing = true;
    EXPECT_TRUE(test::WaitUntil([&] { return State() != StorageState::kOk; }));
    failing = false;
    const std::uint64_t before = stored;
    EXPECT_TRUE(test::WaitUntil([&] { return stored > before; }));
  }
  stop = true;
  for (std::thread& thread : threads) thread.join();
  log_.reset();
  EXPECT_TRUE(CheckDataDirectory("/data", files_, clock_).ok());
}

}  // namespace
}  // namespace millrace::storage
