#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <memory>

#include "fragments/fragment_store.h"
#include "fragments/stored_stream.h"
#include "fragments/stream_settings.h"
#include "storage/embedded_log.h"
#include "tests/fragments/memory_log.h"
#include "tests/fragments/real_media.h"

namespace millrace {
namespace {

using test::MemoryLog;
using testing::ElementsAre;

constexpr Timestamp kNow = Timestamp::FromMillis(1'763'690'820'000);

Timestamp At(std::int64_t ms) { return kNow + std::chrono::milliseconds(ms); }

// What both logs have to do alike: kEmbedded tells which.
class StoreTest : public testing::TestWithParam<bool> {
 protected:
  void SetUp() override { Reopen(); }

  void Reopen() {
    store_.reset();
    if (GetParam()) {
      embedded_.reset();
      storage::EmbeddedLogOptions options;
      options.path = directory_.Path("log");
      options.clock = &clock_;
      options.reserve_bytes = 0;
      auto log = storage::EmbeddedLog::Open(options);
      ASSERT_TRUE(log) << log.error().ToString();
      embedded_ = std::move(log).value();
    }
    FragmentStore::Options options;
    options.clock = &clock_;
    auto store = FragmentStore::Open(log(), options);
    ASSERT_TRUE(store) << store.error().ToString();
    store_ = std::move(store).value();
  }
  storage::RecordLog& log() { return GetParam() ? static_cast<storage::RecordLog&>(*embedded_) : memory_; }

  Fragment Make(const FragmentNumber& number, Timestamp start, Duration duration, std::uint64_t run,
                std::string_view text) {
    Fragment fragment;
    fragment.facts.number = number;
    fragment.facts.start = start;
    fragment.facts.duration = duration;
    fragment.facts.server_start = clock_.Now();
    fragment.facts.run = run;
    fragment.facts.bytes = text.size();
    const ByteSpan bytes = AsBytes(text);
    fragment.mkv = SharedBytes(Bytes(bytes.begin(), bytes.end()));
    return fragment;
  }

  Result<FragmentNumber> Append(const VideoStream& stream, Timestamp start, Duration duration,
                                std::uint64_t run = 1, std::string_view text = "mkv") {
    auto number = store_->OpenFragment(stream);
    if (!number) return number;
    std::promise<Result<FragmentNumber>> appended;
    store_->Append(stream, Make(*number, start, duration, run, text),
                   [&](Result<FragmentNumber> result) { appended.set_value(result); });
    return appended.get_future().get();
  }

  void AppendLater(const VideoStream& stream, Timestamp start, Duration duration) {
    auto done = std::make_shared<std::promise<bool>>();
    later_.push_back(done->get_future());
    store_->Append(stream, Make(*store_->OpenFragment(stream), start, duration, 1, "mkv"),
                   [done](const Result<FragmentNumber>& result) { done->set_value(result.has_value()); });
  }
  void WaitForAppends() {
    for (std::future<bool>& done : later_) EXPECT_TRUE(done.get());
    later_.clear();
  }

  std::vector<std::future<bool>> later_;
  const test::TemporaryDirectory directory_;
  ManualClock clock_{kNow};
  MemoryLog memory_;
  std::unique_ptr<storage::EmbeddedLog> embedded_;
  std::unique_ptr<FragmentStore> store_;
};

constexpr Duration kSecond = std::chrono::seconds(1);

TEST_P(StoreTest, StreamsAreMadeListedChangedAndStillThereAfterReopening) {
  const auto door = store_->CreateStream("door", std::chrono::hours(24));
  ASSERT_TRUE(door);
  EXPECT_EQ(door->created, kNow);
  ASSERT_TRUE(store_->CreateStream("attic", Duration{0}));
  EXPECT_EQ(store_->CreateStream("door", kSecond).error().code, ErrorCode::kAlreadyExists);
  ASSERT_TRUE(store_->SetRetention("door", std::chrono::hours(48)));
  Reopen();
  const auto streams = store_->ListStreams();
  ASSERT_EQ(streams.size(), 2u);
  EXPECT_EQ(streams[0].name, "attic");
  EXPECT_EQ(streams[1].name, "door");
  EXPECT_EQ(streams[1].retention, std::chrono::hours(48));
  EXPECT_EQ(streams[1].created, kNow);
}

TEST_P(StoreTest, BadRequestsAreRefused) {
  for (const auto& name : {std::string(), std::string("a b"), std::string("a/b"), std::string(257, 'x')}) {
    EXPECT_EQ(store_->CreateStream(name, kSecond).error().code, ErrorCode::kInvalidArgument) << name;
  }
  EXPECT_EQ(store_->CreateStream("a", -kSecond).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(store_->CreateStream("a", std::chrono::hours(87'601)).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(store_->SetRetention("a", kSecond).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(store_->DeleteStream("a").error().code, ErrorCode::kNotFound);
  EXPECT_EQ(store_->Usage("a").error().code, ErrorCode::kNotFound);
  EXPECT_EQ(store_->List("a", {}).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(store_->Live("a").error().code, ErrorCode::kNotFound);
  EXPECT_EQ(store_->Coverage("a", At(0), At(1), 1).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(store_->OpenFragment({.name = "a", .created = kNow}).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(store_->OpenRun({.name = "a", .created = kNow}).error().code, ErrorCode::kNotFound);
  const VideoStream stream = *store_->CreateStream("a", kCameraRetentionDefault);
  EXPECT_EQ(store_->Get("a", FragmentNumber{.counter = 9}).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(store_->Read("a", FragmentNumber{.counter = 9}).error().code, ErrorCode::kNotFound);
  VideoStream other = stream;
  other.created = At(-1);
  EXPECT_EQ(store_->OpenFragment(other).error().code, ErrorCode::kNotFound);
}

TEST_P(StoreTest, FragmentsAreFoundByNumberAndByBothTimes) {
  const VideoStream stream = *store_->CreateStream("door", kCameraRetentionDefault);
  std::vector<FragmentNumber> numbers;
  for (int i = 0; i < 10; ++i) {
    numbers.push_back(*Append(stream, At(i * 2000), 2 * kSecond, 1, "mkv" + std::to_string(i)));
    clock_.Advance(2 * kSecond);
  }
  EXPECT_TRUE(std::is_sorted(numbers.begin(), numbers.end()));
  const auto all = store_->List("door", {.order = FragmentOrder::kNumber});
  ASSERT_TRUE(all);
  ASSERT_EQ(all->size(), 10u);
  const auto some = store_->List("door", {.from = At(4000), .to = At(8000)});
  ASSERT_EQ(some->size(), 3u);  // both ends inclusive
  EXPECT_EQ(some->front().number, numbers[2]);
  const auto last =
      store_->List("door", {.order = FragmentOrder::kServerTime, .descending = true, .limit = 2});
  ASSERT_EQ(last->size(), 2u);
  EXPECT_EQ(last->front().number, numbers[9]);
  const auto after = store_->List("door", {.order = FragmentOrder::kNumber, .from_number = numbers[7]});
  EXPECT_EQ(after->size(), 3u);

  EXPECT_EQ(store_->FindContaining("door", At(5999))->number, numbers[2]);
  EXPECT_EQ(store_->FindContaining("door", At(6000))->number, numbers[3]);
  EXPECT_EQ(store_->FindContaining("door", At(20'000)).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(store_->FindContaining("door", At(-1)).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(AsText(store_->Read("door", numbers[4])->mkv.span()), "mkv4");
  EXPECT_EQ(store_->Get("door", numbers[4])->start, At(8000));
  const auto usage = store_->Usage("door");
  ASSERT_TRUE(usage);
  EXPECT_EQ(usage->fragments, 10u);
  EXPECT_EQ(usage->bytes, 40u);
  EXPECT_EQ(usage->first, At(0));
  EXPECT_EQ(usage->last, At(20'000));
}

TEST_P(StoreTest, ARecordSaysWhatFragmentItIs) {
  const auto stream = store_->CreateStream("door.2", std::chrono::hours(24));
  ASSERT_TRUE(stream);
  const auto number = Append(*stream, At(40), kSecond, 7);
  ASSERT_TRUE(number);
  storage::AttributeQuery query;
  query.attribute = 1;
  const auto records =
      log().Find("millrace-fragments", FragmentPartitionKey("door.2", stream->created), query);
  ASSERT_TRUE(records);
  ASSERT_EQ(records->size(), 1u);
  const auto logged = DescribeRecord(records->front());
  ASSERT_TRUE(logged) << logged.error().ToString();
  EXPECT_EQ(logged->stream, "door.2");
  EXPECT_EQ(logged->stream_created, stream->created);
  EXPECT_EQ(logged->facts.number, *number);
  EXPECT_EQ(logged->facts.start, At(40));

  storage::RecordInfo other = records->front();
  for (const char* key :
       {"", "door", "/5", "door/", "door/x", "door/5x", "door/99999999999999999999", "a b/5", "door/ 5"}) {
    other.partition_key = key;
    EXPECT_EQ(DescribeRecord(other).error().code, ErrorCode::kCorruption) << key;
  }
  other = records->front();
  other.attributes.clear();
  EXPECT_EQ(DescribeRecord(other).error().code, ErrorCode::kCorruption);
}

TEST_P(StoreTest, WhereRunsOverlapTheNewestContainsATime) {
  const VideoStream stream = *store_->CreateStream("door", kCameraRetentionDefault);
  for (int i = 0; i < 30; ++i) ASSERT_TRUE(Append(stream, At(i * 1000), kSecond, 1));
  const auto again = Append(stream, At(20'000), 8 * kSecond, 2);  // the clock was set back
  ASSERT_TRUE(again);
  EXPECT_EQ(store_->FindContaining("door", At(20'500))->number, *again);
  const auto longer = Append(stream, At(40'000), 15 * kSecond, 3);
  for (int i = 0; i < 30; ++i)
    ASSERT_TRUE(Append(stream, At(40'000 + i * 100), std::chrono::milliseconds(50), 4));
  EXPECT_EQ(store_->FindContaining("door", At(54'000))->number, *longer);
}

TEST_P(StoreTest, CoverageJoinsWhatIsAdjacentAndIsCutToTheRange) {
  const VideoStream stream = *store_->CreateStream("door", kCameraRetentionDefault);
  EXPECT_TRUE(store_->Coverage("door", At(0), At(1000), 10)->empty());
  for (const int at : {0, 2000, 4100, 10'000, 12'000, 12'000, 20'000}) {
    ASSERT_TRUE(Append(stream, At(at), 2 * kSecond));
  }
  using I = CoverageInterval;
  EXPECT_THAT(*store_->Coverage("door", At(-100'000), At(100'000), 10),
              ElementsAre(I{At(0), At(6100)}, I{At(10'000), At(14'000)}, I{At(20'000), At(22'000)}));
  EXPECT_THAT(*store_->Coverage("door", At(1000), At(11'000), 10),
              ElementsAre(I{At(1000), At(6100)}, I{At(10'000), At(11'000)}));
  EXPECT_THAT(*store_->Coverage("door", At(-100'000), At(100'000), 1), ElementsAre(I{At(0), At(6100)}));
  EXPECT_TRUE(store_->Coverage("door", At(6100), At(10'000), 10)->empty());
  EXPECT_TRUE(store_->Coverage("door", At(100), At(100), 10)->empty());
}

TEST_P(StoreTest, CoverageOfALongRangeIsReadInPages) {
  const VideoStream stream = *store_->CreateStream("door", kCameraRetentionDefault);
  for (int i = 0; i < 2300; ++i) {
    // Every hundredth is missing; every seventh begins together with the one before it.
    if (i % 100 != 99) AppendLater(stream, At((i - (i % 7 == 6 ? 1 : 0)) * 1000), 2 * kSecond);
  }
  WaitForAppends();
  // Where both fall together a second is missing: at 399, 1099 and 1799.
  EXPECT_EQ(store_->Coverage("door", At(0), At(10'000'000), 1000)->size(), 4u);
  ASSERT_TRUE(store_->DeleteStream("door"));
  const VideoStream gaps = *store_->CreateStream("door", kCameraRetentionDefault);
  for (int i = 0; i < 1500; ++i) AppendLater(gaps, At(i * 1000), std::chrono::milliseconds(500));
  WaitForAppends();
  EXPECT_EQ(store_->Coverage("door", At(0), At(10'000'000), 10'000)->size(), 1500u);
}

TEST_P(StoreTest, NumbersGoOnAfterReopening) {
  const VideoStream stream = *store_->CreateStream("door", kCameraRetentionDefault);
  EXPECT_EQ(store_->OpenRun(stream).value(), 1u);
  EXPECT_EQ(store_->OpenRun(stream).value(), 2u);
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(Append(stream, At(i * 1000), kSecond, 2));
  Reopen();
  EXPECT_EQ(store_->OpenFragment(stream)->counter, 4u);
  EXPECT_EQ(store_->OpenRun(stream).value(), 3u);
}

TEST_P(StoreTest, NumbersGoOnWhenNothingIsStoredAnyMore) {
  const VideoStream stream = *store_->CreateStream("door", kCameraRetentionDefault);
  std::uint64_t given = 0;
  for (int i = 0; i < 10'000; ++i) given = store_->OpenFragment(stream)->counter;
  Reopen();
  EXPECT_GT(store_->OpenFragment(stream)->counter, given);
}

TEST_P(StoreTest, AStreamMadeAgainDoesNotShowTheOldFootage) {
  const VideoStream old = *store_->CreateStream("door", kCameraRetentionDefault);
  ASSERT_TRUE(Append(old, At(0), kSecond));
  ASSERT_TRUE(store_->DeleteStream("door"));
  EXPECT_EQ(Append(old, At(0), kSecond).error().code, ErrorCode::kNotFound);
  const auto again = store_->CreateStream("door", kCameraRetentionDefault);
  ASSERT_TRUE(again);
  EXPECT_NE(again->created, old.created);
  EXPECT_TRUE(store_->List("door", {})->empty());
  EXPECT_EQ(store_->OpenFragment(old).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(store_->Usage("door")->fragments, 0u);
}

INSTANTIATE_TEST_SUITE_P(Logs, StoreTest, testing::Bool(),
                         [](const auto& param) { return param.param ? "Embedded" : "Memory"; });

TEST(StoreOverMemory, DeletionThatIsCutOffIsFinishedAtTheNextOpening) {
  MemoryLog log;
  auto store = *FragmentStore::Open(log, {});
  const VideoStream stream = *store->CreateStream("door", kCameraRetentionDefault);
  Fragment fragment;
  fragment.facts.number = *store->OpenFragment(stream);
  store->Append(stream, std::move(fragment), [](const Result<FragmentNumber>& done) { EXPECT_TRUE(done); });
  const StoredStream tombstone{.created = stream.created, .deleted = true};
  ASSERT_TRUE(log.PutMetadata("fragments/stream/door", EncodeStoredStream(tombstone), std::nullopt));
  store = *FragmentStore::Open(log, {});
  EXPECT_TRUE(store->ListStreams().empty());
  EXPECT_EQ(log.RecordCount(), 0u);
}

TEST(StoreOverMemory, AFragmentThatLandsAfterItsStreamWasDeletedGoesToo) {
  MemoryLog log;
  auto store = *FragmentStore::Open(log, {});
  const VideoStream stream = *store->CreateStream("door", kCameraRetentionDefault);
  log.HoldPuts();
  Fragment fragment;
  fragment.facts.number = *store->OpenFragment(stream);
  Result<FragmentNumber> appended = FragmentNumber{};
  store->Append(stream, std::move(fragment),
                [&](Result<FragmentNumber> done) { appended = std::move(done); });
  ASSERT_TRUE(store->DeleteStream("door"));
  log.ReleasePuts();
  EXPECT_FALSE(appended);
  store.reset();  // waits for what is under way
  EXPECT_EQ(log.RecordCount(), 0u);
}

TEST(StoreOverMemory, RetentionReachesTheLog) {
  MemoryLog log;
  auto store = *FragmentStore::Open(log, {});
  const VideoStream stream = *store->CreateStream("door", std::chrono::hours(5));
  const std::string key = FragmentPartitionKey("door", stream.created);
  EXPECT_EQ(log.RetentionOf(key), std::chrono::hours(5));
  ASSERT_TRUE(store->SetRetention("door", std::chrono::hours(7)));
  EXPECT_EQ(log.RetentionOf(key), std::chrono::hours(7));
  ASSERT_TRUE(store->SetRetention("door", Duration{0}));
  EXPECT_EQ(log.RetentionOf(key), std::chrono::minutes(5));  // what a live reader needs
}

TEST(NumberBounds, DamageAndNewerVersionsAreNamed) {
  const NumberBounds bounds{.created = kNow, .counter = 7, .run = 8};
  EXPECT_EQ(*DecodeBounds(EncodeBounds(bounds)), bounds);
  EXPECT_EQ(DecodeBounds(Bytes{1, 2}).error().code, ErrorCode::kCorruption);
  EXPECT_EQ(DecodeBounds(Bytes{2}).error().code, ErrorCode::kUnsupported);
  EXPECT_LT(TimeKey(Timestamp{-1}), TimeKey(Timestamp{0}));
}

}  // namespace
}  // namespace millrace
