// Shards: routing, iterators and their edges, splits and merges, waiting.
#include <gmock/gmock.h>

#include <atomic>
#include <condition_variable>
#include <mutex>

#include "tests/storage/log_fixture.h"
#include "tests/wait.h"

namespace millrace::storage {
namespace {

class ShardsTest : public LogTest {
 protected:
  void SetUp() override { Open(); }

  // A key that falls into the shard.
  std::string KeyOf(const ShardDescription& shard) {
    for (int i = 0;; ++i) {
      std::string key = "key" + std::to_string(i);
      if (shard.hash_keys.Contains(HashKey::FromPartitionKey(key))) return key;
    }
  }
  std::vector<std::string> Texts(const std::vector<Record>& records) {
    std::vector<std::string> texts;
    for (const Record& record : records) texts.emplace_back(AsText(record.data.span()));
    return texts;
  }
  PutReceipt PutText(const std::string& text, std::string key = "k") {
    clock_.Advance(std::chrono::seconds(1));
    return Put("s", key, Bytes(text.begin(), text.end()));
  }
};

TEST_F(ShardsTest, InitialRangesAndNumbersAreTheServices) {
  auto stream = Get(log_->CreateStream("s", 3, kDay));
  ASSERT_EQ(stream.shards.size(), 3u);
  // floor(2^128 / 3)
  EXPECT_EQ(stream.shards[0].hash_keys.starting.ToString(), "0");
  EXPECT_EQ(stream.shards[0].hash_keys.ending.ToString(), "113427455640312821154458202477256070484");
  EXPECT_EQ(stream.shards[1].hash_keys.starting.ToString(), "113427455640312821154458202477256070485");
  EXPECT_EQ(stream.shards[2].hash_keys.ending, HashKey::Max());
  // Numbers of consecutive shards differ by 0x1000000000000000000000000000000000010.
  for (int i = 0; i < 2; ++i) {
    auto a = stream.shards[static_cast<std::size_t>(i)].starting_sequence_number.bytes();
    auto b = stream.shards[static_cast<std::size_t>(i) + 1].starting_sequence_number.bytes();
    int borrow = 0;
    std::array<int, 24> difference{};
    for (std::size_t at = 24; at-- > 0;) {
      int value = b[at] - a[at] - borrow;
      borrow = value < 0 ? 1 : 0;
      difference[at] = (value + 256) % 256;
    }
    std::array<int, 24> expected{};
    expected[5] = 0x01;  // 37 hex digits
    expected[23] = 0x10;
    EXPECT_EQ(difference, expected);
  }
  EXPECT_EQ(stream.shards[0].starting_sequence_number.fields().shard_created_s, kTestStart.seconds() - 2);
  auto two = Get(log_->CreateStream("two", 2, kDay));
  EXPECT_EQ(two.shards[1].hash_keys.starting.ToString(), "170141183460469231731687303715884105728");
}

TEST_F(ShardsTest, RecordsGoWhereTheirHashKeySays) {
  auto stream = Get(log_->CreateStream("s", 5, kDay));
  for (const ShardDescription& shard : stream.shards) {
    EXPECT_EQ(PutText("by key", KeyOf(shard)).shard, shard.id);
    for (const HashKey& edge : {shard.hash_keys.starting, shard.hash_keys.ending}) {
      PutRecord record = MakeRecord("k", {1});
      record.explicit_hash_key = edge;
      EXPECT_EQ(Get(PutAndWait(*log_, "s", std::move(record))).shard, shard.id);
    }
  }
}

TEST_F(ShardsTest, FiveIteratorTypes) {
  auto shard = Get(log_->CreateStream("s", 1, kDay)).shards[0];
  std::vector<PutReceipt> put;
  for (const char* text : {"a", "b", "c", "d"}) put.push_back(PutText(text));
  auto read = [&](IteratorStart start) { return Texts(ReadAll(*log_, "s", shard.id, start)); };
  using testing::ElementsAre;
  using testing::IsEmpty;
  EXPECT_THAT(read({IteratorType::kTrimHorizon, {}, {}}), ElementsAre("a", "b", "c", "d"));
  EXPECT_THAT(read({IteratorType::kLatest, {}, {}}), IsEmpty());
  EXPECT_THAT(read({IteratorType::kAtSequenceNumber, put[1].sequence_number, {}}),
              ElementsAre("b", "c", "d"));
  EXPECT_THAT(read({IteratorType::kAfterSequenceNumber, put[1].sequence_number, {}}), ElementsAre("c", "d"));
  EXPECT_THAT(read({IteratorType::kAfterSequenceNumber, put[3].sequence_number, {}}), IsEmpty());
  // The shard's own starting number is a place, though no record has it.
  EXPECT_THAT(read({IteratorType::kAtSequenceNumber, shard.starting_sequence_number, {}}),
              ElementsAre("a", "b", "c", "d"));
  EXPECT_THAT(read({IteratorType::kAtTimestamp, {}, put[2].arrival}), ElementsAre("c", "d"));
  EXPECT_THAT(read({IteratorType::kAtTimestamp, {}, put[2].arrival + Duration{1}}), ElementsAre("d"));
  EXPECT_THAT(read({IteratorType::kAtTimestamp, {}, put[2].arrival - Duration{1}}), ElementsAre("c", "d"));
  EXPECT_THAT(read({IteratorType::kAtTimestamp, {}, Timestamp{0}}), ElementsAre("a", "b", "c", "d"));
  EXPECT_THAT(read({IteratorType::kAtTimestamp, {}, put[3].arrival + kDay}), IsEmpty());

  auto latest = Get(log_->Seek("s", shard.id, {IteratorType::kLatest, {}, {}}));
  PutText("e");
  auto batch = Get(log_->Read("s", latest, {}));
  EXPECT_THAT(Texts(batch.records), ElementsAre("e"));
  EXPECT_EQ(batch.behind, Duration{0});
}

TEST_F(ShardsTest, SequenceNumbersOfOthersAreRefused) {
  Get(log_->CreateStream("s", 2, kDay));
  clock_.Advance(std::chrono::seconds(10));
  Get(log_->CreateStream("other", 1, kDay));
  auto other = Put("other", "k", {1});
  auto mine = PutText("a");
  ShardId not_mine{1 - mine.shard.index};
  auto code = [&](ShardId shard, const SequenceNumber& number) {
    return CodeOf(log_->Seek("s", shard, {IteratorType::kAtSequenceNumber, number, {}}));
  };
  EXPECT_EQ(code(not_mine, mine.sequence_number), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code(ShardId{0}, other.sequence_number), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code(ShardId{0}, SequenceNumber()), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code(ShardId{2}, mine.sequence_number), ErrorCode::kNotFound);
  EXPECT_EQ(CodeOf(log_->Seek("none", ShardId{0}, {})), ErrorCode::kNotFound);
  EXPECT_EQ(CodeOf(log_->Fetch("s", not_mine, mine.sequence_number)), ErrorCode::kNotFound);
  EXPECT_EQ(CodeOf(log_->Fetch("s", mine.shard, SequenceNumber())), ErrorCode::kNotFound);
}

TEST_F(ShardsTest, ReadLimitsAndLag) {
  auto shard = Get(log_->CreateStream("s", 1, kDay)).shards[0];
  for (int i = 0; i < 5; ++i) PutText(std::string(100, static_cast<char>('a' + i)));
  clock_.Advance(std::chrono::seconds(10));
  auto position = Get(log_->Seek("s", shard.id, {}));
  ReadLimits limits;
  limits.data_bytes_max = 250;
  auto batch = Get(log_->Read("s", position, limits));
  EXPECT_EQ(batch.records.size(), 2u);
  EXPECT_EQ(batch.behind, std::chrono::seconds(12));
  limits.data_bytes_max = 1;  // one record is always given
  batch = Get(log_->Read("s", *batch.next, limits));
  EXPECT_EQ(batch.records.size(), 1u);
  limits.data_bytes_max = 1000;
  limits.records_max = 1;
  limits.with_data = false;
  batch = Get(log_->Read("s", *batch.next, limits));
  ASSERT_EQ(batch.records.size(), 1u);
  EXPECT_TRUE(batch.records[0].data.empty());
  EXPECT_EQ(batch.records[0].info.data_bytes, 100u);
  batch = Get(log_->Read("s", *batch.next, {}));
  EXPECT_EQ(batch.records.size(), 1u);
  EXPECT_EQ(batch.behind, Duration{0});
  auto tip = *batch.next;
  batch = Get(log_->Read("s", tip, {}));
  EXPECT_TRUE(batch.records.empty());
  EXPECT_EQ(batch.next, tip);
}

TEST_F(ShardsTest, SplitAndMergeKeepLineageAndOrder) {
  auto shard = Get(log_->CreateStream("s", 1, kDay)).shards[0];
  auto before = PutText("parent");
  auto children = Get(log_->SplitShard("s", shard.id, HashKey{std::uint64_t{1} << 63, 0}));
  ASSERT_EQ(children.size(), 2u);
  EXPECT_EQ(children[0].id, ShardId{1});
  EXPECT_EQ(children[0].parent, shard.id);
  EXPECT_EQ(children[0].hash_keys.ending.Next(), children[1].hash_keys.starting);
  PutText("low", KeyOf(children[0]));
  auto high = PutText("high", KeyOf(children[1]));
  EXPECT_GT(high.sequence_number, before.sequence_number);
  auto child = Get(log_->MergeShards("s", children[0].id, children[1].id));
  EXPECT_EQ(child.id, ShardId{3});
  EXPECT_EQ(child.parent, children[0].id);
  EXPECT_EQ(child.adjacent_parent, children[1].id);
  EXPECT_EQ(child.hash_keys, shard.hash_keys);
  PutText("merged");
  Reopen();

  auto stream = Get(log_->DescribeStream("s"));
  ASSERT_EQ(stream.shards.size(), 4u);
  EXPECT_TRUE(stream.shards[0].closed.has_value());
  EXPECT_EQ(stream.shards[0].ending_sequence_number->fields().counter, 0x7fffffffffffffffu);
  // A child begins in the second after its parent's close.
  EXPECT_EQ(stream.shards[1].starting_sequence_number.fields().shard_created_s,
            stream.shards[0].ending_sequence_number->fields().time_s + 1);
  EXPECT_LT(*stream.shards[0].ending_sequence_number, stream.shards[1].starting_sequence_number);
  EXPECT_LT(*stream.shards[2].ending_sequence_number, stream.shards[3].starting_sequence_number);

  // Parents before children, from one end to the other.
  std::vector<std::string> texts;
  std::vector<ShardId> todo = {ShardId{0}};
  std::set<ShardId> done;
  while (!todo.empty()) {
    ShardId next = todo.front();
    todo.erase(todo.begin());
    if (!done.insert(next).second) continue;
    std::optional<ShardPosition> position = Get(log_->Seek("s", next, {}));
    while (position) {
      auto batch = Get(log_->Read("s", *position, {}));
      for (const Record& record : batch.records) texts.emplace_back(AsText(record.data.span()));
      if (batch.next && batch.records.empty()) break;  // open, and read to its tip
      if (!batch.next) {
        for (const ShardDescription& one : batch.children) todo.push_back(one.id);
      }
      position = batch.next;
    }
  }
  EXPECT_THAT(texts, testing::ElementsAre("parent", "low", "high", "merged"));
}

TEST_F(ShardsTest, BadSplitsAndMergesAreRefused) {
  Get(log_->CreateStream("s", 3, kDay));
  auto shards = Get(log_->DescribeStream("s")).shards;
  auto split = [&](ShardId id, HashKey key) { return CodeOf(log_->SplitShard("s", id, key)); };
  HashKey start = shards[1].hash_keys.starting;
  EXPECT_EQ(split(ShardId{1}, start), ErrorCode::kInvalidArgument);
  EXPECT_EQ(split(ShardId{1}, start.Next()), ErrorCode::kInvalidArgument);
  EXPECT_EQ(split(ShardId{1}, shards[1].hash_keys.ending), ErrorCode::kInvalidArgument);
  EXPECT_EQ(split(ShardId{1}, HashKey{}), ErrorCode::kInvalidArgument);
  EXPECT_EQ(split(ShardId{2}, HashKey::Max()), ErrorCode::kInvalidArgument);
  EXPECT_EQ(split(ShardId{9}, start), ErrorCode::kNotFound);
  EXPECT_EQ(CodeOf(log_->SplitShard("none", ShardId{0}, start)), ErrorCode::kNotFound);
  EXPECT_EQ(CodeOf(log_->MergeShards("s", ShardId{1}, ShardId{0})), ErrorCode::kInvalidArgument);
  EXPECT_EQ(CodeOf(log_->MergeShards("s", ShardId{0}, ShardId{2})), ErrorCode::kInvalidArgument);
  EXPECT_EQ(CodeOf(log_->MergeShards("s", ShardId{2}, ShardId{0})), ErrorCode::kInvalidArgument);
  EXPECT_EQ(CodeOf(log_->MergeShards("s", ShardId{0}, ShardId{0})), ErrorCode::kInvalidArgument);
  EXPECT_EQ(CodeOf(log_->MergeShards("s", ShardId{0}, ShardId{9})), ErrorCode::kNotFound);
  Get(log_->SplitShard("s", ShardId{1}, start.Next().Next()));
  EXPECT_EQ(split(ShardId{1}, start.Next().Next()), ErrorCode::kFailedPrecondition);
  EXPECT_EQ(CodeOf(log_->MergeShards("s", ShardId{0}, ShardId{1})), ErrorCode::kFailedPrecondition);
}

TEST_F(ShardsTest, ChildrenOfOneSecondGoOnUpwards) {
  Get(log_->CreateStream("s", 1, kDay));
  SequenceNumber last;
  for (int i = 0; i < 4; ++i) {  // the clock stands still, and then steps back
    auto receipt = Get(PutAndWait(*log_, "s", MakeRecord("k", {1})));
    EXPECT_LT(last, receipt.sequence_number);
    last = receipt.sequence_number;
    auto range = Get(log_->DescribeStream("s")).shards[receipt.shard.index].hash_keys;
    auto children = Get(log_->SplitShard("s", receipt.shard, range.ending.Previous()));
    EXPECT_LT(last, children[0].starting_sequence_number);
    if (i == 1) clock_.StepTo(kTestStart - std::chrono::hours(1));
  }
}

TEST_F(ShardsTest, ClockThatStepsBackNeverTakesNumbersBack) {
  Get(log_->CreateStream("s", 1, kDay));
  auto before = PutText("a");
  clock_.StepTo(kTestStart - std::chrono::hours(5));
  auto after = PutText("b");
  EXPECT_LT(before.sequence_number, after.sequence_number);
  EXPECT_LT(after.arrival, before.arrival);  // the truth about the time, too
  Reopen();
  auto again = PutText("c");
  EXPECT_LT(after.sequence_number, again.sequence_number);
  EXPECT_EQ(Texts(ReadAll(*log_, "s", ShardId{0})), (std::vector<std::string>{"a", "b", "c"}));
}

// Counts calls, and lets a test wait for them.
class Bell {
 public:
  std::function<void()> Ringer() {
    return [this] {
      std::lock_guard lock(mutex_);
      ++rings_;
      changed_.notify_all();
    };
  }
  bool WaitFor(int rings) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, test::kPatience, [&] { return rings_ >= rings; });
  }
  int rings() {
    std::lock_guard lock(mutex_);
    return rings_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int rings_ = 0;
};

TEST_F(ShardsTest, WaitingForData) {
  Get(log_->CreateStream("s", 1, kDay));
  auto position = Get(log_->Seek("s", ShardId{0}, {}));
  Bell bell;
  auto waiting = log_->NotifyReadable("s", position, bell.Ringer());
  EXPECT_EQ(bell.rings(), 0);
  PutText("a");
  ASSERT_TRUE(bell.WaitFor(1));
  PutText("b");
  EXPECT_EQ(bell.rings(), 1);  // once
  auto at_once = log_->NotifyReadable("s", position, bell.Ringer());
  ASSERT_TRUE(bell.WaitFor(2));
  // At the tip: only what comes later rings.
  auto tip = *Get(log_->Read("s", position, {})).next;
  auto later = log_->NotifyReadable("s", tip, bell.Ringer());
  auto let_go = log_->NotifyReadable("s", tip, [] { FAIL() << "it was let go"; });
  let_go.reset();
  PutText("c");
  ASSERT_TRUE(bell.WaitFor(3));
  // The end of a shard is something to read, and so is the end of a stream.
  tip = *Get(log_->Read("s", tip, {})).next;
  auto end = log_->NotifyReadable("s", tip, bell.Ringer());
  Get(log_->SplitShard("s", ShardId{0}, HashKey{7, 7}));
  ASSERT_TRUE(bell.WaitFor(4));
  auto child = log_->NotifyReadable("s", Get(log_->Seek("s", ShardId{1}, {})), bell.Ringer());
  EXPECT_OK(log_->DeleteStream("s"));
  ASSERT_TRUE(bell.WaitFor(5));
  auto none = log_->NotifyReadable("none", position, bell.Ringer());
  ASSERT_TRUE(bell.WaitFor(6));
}

TEST_F(ShardsTest, WaiterMayLetGoOfItselfAndWaitAgain) {
  Get(log_->CreateStream("s", 1, kDay));
  Bell bell;
  Subscription subscription;
  std::mutex mutex;
  auto position = Get(log_->Seek("s", ShardId{0}, {}));
  {
    std::lock_guard lock(mutex);
    subscription = log_->NotifyReadable("s", position, [&] {
      std::lock_guard inner(mutex);
      subscription.reset();
      bell.Ringer()();
    });
  }
  PutText("a");
  EXPECT_TRUE(bell.WaitFor(1));
  std::lock_guard over(mutex);  // what rang has let go of it
}

TEST_F(ShardsTest, ExpiredRecordsDoNotWakeAnybody) {
  Get(log_->CreateStream("s", 1, kDay));
  PutText("a");
  clock_.Advance(kDay + std::chrono::seconds(1));
  auto position = Get(log_->Seek("s", ShardId{0}, {}));
  Bell bell;
  auto waiting = log_->NotifyReadable("s", position, bell.Ringer());
  auto batch = Get(log_->Read("s", position, {}));
  EXPECT_TRUE(batch.records.empty());
  PutText("b");
  ASSERT_TRUE(bell.WaitFor(1));
  EXPECT_EQ(Texts(Get(log_->Read("s", position, {})).records), std::vector<std::string>{"b"});
}

}  // namespace
}  // namespace millrace::storage
