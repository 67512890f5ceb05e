// Fragments that the disk refuses for a while are stored in the end, once and in order; what does not fit
// into memory is lost and said to be.
#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <future>

#include "fragments/fragment_appender.h"
#include "tests/fragments/memory_log.h"
#include "tests/wait.h"

namespace millrace {
namespace {

using test::MemoryLog;

constexpr storage::AttributeId kNumber = 1;

class AppenderTest : public testing::Test {
 protected:
  void SetUp() override { Make(1 << 20); }
  void Make(std::uint64_t held_bytes_max) {
    appender_.reset();
    log_ = std::make_unique<MemoryLog>();
    ASSERT_TRUE(log_->CreateStream("log", 1, kDay).has_value());
    appender_ = std::make_unique<FragmentAppender>(
        *log_, FragmentAppender::Options{.data_stream = "log",
                                         .number_attribute = kNumber,
                                         .held_bytes_max = held_bytes_max,
                                         .retry_interval = std::chrono::milliseconds(5)});
  }
  void Append(const std::string& key, std::uint8_t number, std::size_t size = 10) {
    storage::PutRecord record;
    record.partition_key = key;
    record.attributes = {{kNumber, Bytes{number}}};
    record.data = SharedBytes(Bytes(size, number));
    appender_->Append(std::move(record), [this, key, number](Result<void> result) {
      if (on_done_) on_done_(key);
      const std::lock_guard lock(mutex_);
      (result ? stored_ : lost_)[key].push_back(number);
      if (!result) error_ = result.error().code;
      changed_.notify_all();
    });
  }
  // True once so many are stored or lost.
  bool WaitFor(std::size_t count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, test::kPatience, [&] {
      std::size_t settled = 0;
      for (const auto* map : {&stored_, &lost_}) {
        for (const auto& [key, numbers] : *map) settled += numbers.size();
      }
      return settled == count;
    });
  }
  std::vector<std::uint8_t> InLog(const std::string& key) {
    std::vector<std::uint8_t> numbers;
    storage::AttributeQuery all;
    all.attribute = kNumber;
    const auto found = log_->Find("log", key, all);
    for (const auto& record : *found) numbers.push_back(record.Find(kNumber)[0]);
    return numbers;
  }

  using Numbers = std::vector<std::uint8_t>;
  static constexpr Duration kDay = std::chrono::hours(24);
  std::unique_ptr<MemoryLog> log_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, Numbers> stored_;
  std::map<std::string, Numbers> lost_;
  ErrorCode error_ = ErrorCode::kInternal;
  std::function<void(const std::string& key)> on_done_;  // set before the first Append
  std::unique_ptr<FragmentAppender> appender_;
};

TEST_F(AppenderTest, WhatIsRefusedForAWhileIsStoredOnceAndInOrder) {
  for (const ErrorCode code :
       {ErrorCode::kNoSpace, ErrorCode::kResourceExhausted, ErrorCode::kUnavailable, ErrorCode::kIo}) {
    SCOPED_TRACE(std::string(ToString(code)));
    Make(1 << 20);
    stored_.clear();
    Append("a", 1);
    log_->FailPuts(Error{code, "made to fail"});
    for (std::uint8_t number = 2; number < 10; ++number) {
      Append("a", number);
      Append("b", number);
    }
    log_->FailPuts(std::nullopt);
    Append("a", 10);
    ASSERT_TRUE(WaitFor(18));
    EXPECT_EQ(stored_["a"], (Numbers{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}));
    EXPECT_EQ(stored_["b"], (Numbers{2, 3, 4, 5, 6, 7, 8, 9}));
    EXPECT_TRUE(lost_.empty());
    EXPECT_EQ(InLog("a").size(), 10u);
    EXPECT_EQ(InLog("b").size(), 8u);
  }
}

TEST_F(AppenderTest, WhatWasStoredAfterAllIsNotPutAgain) {
  log_->FailAnswers(Error{ErrorCode::kUnavailable, "stored, and the sync failed"});
  for (std::uint8_t number = 1; number < 4; ++number) Append("a", number);
  log_->FailAnswers(std::nullopt);
  ASSERT_TRUE(WaitFor(3));
  EXPECT_EQ(stored_["a"], (Numbers{1, 2, 3}));
  EXPECT_EQ(InLog("a"), (Numbers{1, 2, 3}));  // each once
}

// Goal: a lane that is emptied during a round of retries, before its turn, is left alone.
TEST_F(AppenderTest, WhatIsDroppedDuringARoundOfRetriesIsNotPut) {
  std::promise<void> reached;
  std::promise<void> go;
  on_done_ = [&](const std::string& key) {
    if (key == "earlier") {
      reached.set_value();
      go.get_future().wait();
    }
    // Within the round that "b" has its turn in.
    if (key == "a") appender_->Drop("b", [](const storage::PutRecord&) { return true; });
  };
  // An earlier round waits until both are held: one that was between them could put "b" alone.
  log_->FailPuts(Error{ErrorCode::kNoSpace, "full"});
  Append("earlier", 1);
  log_->FailPuts(std::nullopt);
  reached.get_future().wait();
  log_->FailPuts(Error{ErrorCode::kNoSpace, "full"});
  Append("b", 1);
  Append("a", 1);
  log_->FailPuts(std::nullopt);
  go.set_value();
  ASSERT_TRUE(WaitFor(3));
  Append("b", 2);
  ASSERT_TRUE(WaitFor(4));
  EXPECT_EQ(InLog("a"), (Numbers{1}));
  EXPECT_EQ(InLog("b"), (Numbers{2}));
}

// Goal: what is dropped while it is being put is let go when the disk refuses it once more.
// Where the log refuses it, and where it does not say whether it was stored.
class DroppedWhilePutTest : public AppenderTest, public testing::WithParamInterface<ErrorCode> {};

INSTANTIATE_TEST_SUITE_P(Errors, DroppedWhilePutTest,
                         testing::Values(ErrorCode::kNoSpace, ErrorCode::kUnavailable));

TEST_P(DroppedWhilePutTest, IsNotTriedAgain) {
  log_->FailPuts(Error{GetParam(), "not now"});
  Append("a", 1);
  Append("a", 2);
  log_->HoldPuts();
  ASSERT_TRUE(test::WaitUntil([&] { return log_->held() == 1; }));
  appender_->Drop("a", [](const storage::PutRecord&) { return true; });
  ASSERT_TRUE(WaitFor(1));
  log_->ReleasePuts();
  ASSERT_TRUE(WaitFor(2));
  log_->FailPuts(std::nullopt);
  Append("a", 3);
  ASSERT_TRUE(WaitFor(3));
  EXPECT_EQ(InLog("a"), (Numbers{3}));
}

TEST_F(AppenderTest, WhatCannotBeStoredIsNotTriedAgain) {
  log_->FailPuts(Error{ErrorCode::kInvalidArgument, "too large"});
  Append("a", 1);
  ASSERT_TRUE(WaitFor(1));
  EXPECT_EQ(lost_["a"], (Numbers{1}));
  EXPECT_EQ(log_->puts(), 1u);
  EXPECT_EQ(error_, ErrorCode::kInvalidArgument);
}

TEST_F(AppenderTest, WhatDoesNotFitIntoMemoryIsLost) {
  Make(5000);
  log_->FailPuts(Error{ErrorCode::kNoSpace, "full"});
  for (std::uint8_t number = 1; number <= 5; ++number) Append("a", number, 1000);  // 2024 each, as counted
  ASSERT_TRUE(WaitFor(3));
  log_->FailPuts(std::nullopt);
  ASSERT_TRUE(WaitFor(5));
  EXPECT_EQ(stored_["a"], (Numbers{1, 2}));
  EXPECT_EQ(lost_["a"], (Numbers{3, 4, 5}));
  EXPECT_EQ(error_, ErrorCode::kNoSpace);
}

TEST_F(AppenderTest, StoppingGivesUpWhatIsHeldAndWaitsForWhatIsUnderWay) {
  log_->FailPuts(Error{ErrorCode::kUnavailable, "away"});
  for (std::uint8_t number = 1; number < 5; ++number) Append("a", number);
  appender_.reset();
  EXPECT_EQ(lost_["a"].size(), 4u);
  EXPECT_EQ(error_, ErrorCode::kUnavailable);
}

}  // namespace
}  // namespace millrace
