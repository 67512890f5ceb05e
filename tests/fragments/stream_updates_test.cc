// What is set for a video stream: how it is stored, and how it changes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <memory>
#include <thread>
#include <vector>

#include "fragments/fragment_store.h"
#include "fragments/stored_stream.h"
#include "fragments/stream_settings.h"
#include "storage/embedded_log.h"
#include "tests/fragments/memory_log.h"
#include "tests/fragments/real_media.h"

namespace millrace {
namespace {

using std::chrono::hours;
using test::MemoryLog;

constexpr Timestamp kNow = Timestamp::FromMillis(1'763'690'820'000);

StreamSettings EveryMember() {
  StreamSettings settings;
  settings.retention = hours(48);
  settings.device_name = "hub";
  settings.media_type = "video/h264,audio/aac";
  settings.kms_key_id = "alias/\xC3\xA4";
  settings.storage_tier = StorageTier::kWarm;
  settings.tags = {{"site", "north"}, {"empty", ""}};
  settings.notification = {true, "arn:aws:sns:us-east-1:000000000000:motion"};
  settings.image_generation = {.enabled = true,
                               .by_server_time = true,
                               .destination_uri = "s3://bucket/prefix",
                               .destination_region = "eu-central-1",
                               .sampling_interval_ms = 3000,
                               .format = ImageFormat::kPng,
                               .format_config = {{"JPEGQuality", "80"}},
                               .width_px = 640,
                               .height_px = 480};
  settings.edge = {
      .hub_device_arn = "arn:aws:iot:us-east-1:000000000000:thing/hub",
      .media_uri_secret_arn = "arn:aws:secretsmanager:us-east-1:000000000000:secret:door",
      .from_file = true,
      .recorder_schedule = EdgeSchedule{"0 0 8 ? * MON-FRI", 3600},
      .uploader_schedule = EdgeSchedule{"0 0 0 * * ?", 60},
      .deletion =
          EdgeDeletion{.retention_hours = 24,
                       .local_size = EdgeDeletion::LocalSize{.mb_max = 64, .when_full = WhenFull::kDenyNew},
                       .after_upload = false},
      .created = kNow,
      .updated = Timestamp{kNow.ns + 1}};
  return settings;
}

TEST(StoredStreamForm, EveryMemberComesBack) {
  const StoredStream stream{.created = kNow, .revision = 7, .deleted = true, .settings = EveryMember()};
  const auto again = DecodeStoredStream(EncodeStoredStream(stream));
  ASSERT_TRUE(again) << again.error().ToString();
  EXPECT_EQ(*again, stream);
}

TEST(StoredStreamForm, WhatIsNotSetStaysUnset) {
  StoredStream stream{.created = kNow, .settings = {}};
  EXPECT_EQ(*DecodeStoredStream(EncodeStoredStream(stream)), stream);
  stream.settings.image_generation.emplace();
  stream.settings.edge.emplace().deletion.emplace();
  EXPECT_EQ(*DecodeStoredStream(EncodeStoredStream(stream)), stream);
  stream.settings.edge->deletion->local_size.emplace();
  EXPECT_EQ(*DecodeStoredStream(EncodeStoredStream(stream)), stream);
}

// The form of before there were settings: a creation time, a retention, whether it is being deleted.
TEST(StoredStreamForm, TheFirstVersionIsRead) {
  Bytes bytes{1};
  AppendBigEndian(bytes, static_cast<std::uint64_t>(kNow.ns));
  AppendBigEndian(bytes, static_cast<std::uint64_t>(Duration(hours(5)).count()));
  bytes.push_back(0);
  auto stream = DecodeStoredStream(bytes);
  ASSERT_TRUE(stream);
  StreamSettings settings;
  settings.retention = hours(5);
  EXPECT_EQ(*stream, (StoredStream{.created = kNow, .settings = settings}));
  bytes.back() = 1;
  EXPECT_TRUE(DecodeStoredStream(bytes)->deleted);
}

TEST(StoredStreamForm, DamageAndNewerVersionsAreNamed) {
  const auto code = [](Bytes bytes) { return DecodeStoredStream(bytes).error().code; };
  const auto json = [&](const std::string& text) {
    Bytes bytes{2};
    bytes.insert(bytes.end(), text.begin(), text.end());
    return code(std::move(bytes));
  };
  EXPECT_EQ(code({}), ErrorCode::kCorruption);
  EXPECT_EQ(code({0}), ErrorCode::kCorruption);
  EXPECT_EQ(code({1}), ErrorCode::kCorruption);
  EXPECT_EQ(code({1, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 7, 2}), ErrorCode::kCorruption);
  EXPECT_EQ(code({2}), ErrorCode::kCorruption);
  EXPECT_EQ(code({3}), ErrorCode::kUnsupported);
  const std::string head = R"({"created_ns":1,"revision":1,"retention_ns":1)";
  EXPECT_TRUE(DecodeStoredStream(AsBytes("\x02" + head + "}")));
  for (const char* text : {
           "[]",
           "null",
           "{}",
           R"({"created_ns":1,"revision":1})",
           R"({"created_ns":"1","revision":1,"retention_ns":1})",
           R"({"created_ns":1,"revision":-1,"retention_ns":1})",
           R"({"created_ns":1e30,"revision":1,"retention_ns":1})",
       }) {
    EXPECT_EQ(json(text), ErrorCode::kCorruption) << text;
  }
  for (const char* text :
       {R"("tags":[])", R"("tags":{"a":1})", R"("warm":1)", R"("deleted":"no")", R"("notification":true)",
        R"("image_generation":{"width_px":-1})", R"("image_generation":{"width_px":4294967296})",
        R"("image_generation":{"interval_ms":1.5})", R"("edge":{"deletion":1})",
        R"("edge":{"recorder_schedule":{"duration_s":"1"}})"}) {
    EXPECT_EQ(json(head + "," + text + "}"), ErrorCode::kCorruption) << text;
  }
}

class StreamUpdates : public testing::Test {
 protected:
  void SetUp() override { Reopen(); }
  void Reopen() {
    store_.reset();
    log_.reset();
    storage::EmbeddedLogOptions options;
    options.path = directory_.Path("log");
    options.clock = &clock_;
    options.reserve_bytes = 0;
    auto log = storage::EmbeddedLog::Open(options);
    ASSERT_TRUE(log) << log.error().ToString();
    log_ = std::move(*log);
    FragmentStore::Options store_options;
    store_options.clock = &clock_;
    auto store = FragmentStore::Open(*log_, store_options);
    ASSERT_TRUE(store) << store.error().ToString();
    store_ = std::move(*store);
  }

  Result<StreamDescriptionPtr> SetMediaType(const std::string& type, StreamCondition condition = {}) {
    const StreamUpdate update{.change = [&](StreamSettings& settings) -> Result<void> {
                                settings.media_type = type;
                                return {};
                              },
                              .condition = std::move(condition)};
    return store_->UpdateStream("door", update);
  }

  void Append(const VideoStream& stream) {
    Fragment fragment;
    fragment.facts.number = *store_->OpenFragment(stream);
    fragment.facts.start = fragment.facts.server_start = clock_.Now();
    fragment.facts.duration = std::chrono::seconds(1);
    fragment.facts.run = 1;
    fragment.facts.bytes = 1;
    fragment.mkv = SharedBytes(Bytes{1});
    std::promise<bool> done;
    store_->Append(stream, std::move(fragment),
                   [&](const Result<FragmentNumber>& result) { done.set_value(result.has_value()); });
    ASSERT_TRUE(done.get_future().get());
  }
  std::size_t Count() { return store_->List("door", {}).value().size(); }

  const test::TemporaryDirectory directory_;
  ManualClock clock_{kNow};
  std::unique_ptr<storage::EmbeddedLog> log_;
  std::unique_ptr<FragmentStore> store_;
};

TEST_F(StreamUpdates, SettingsAreThereAfterReopening) {
  ASSERT_TRUE(store_->CreateStream("door", EveryMember()));
  const std::string version = store_->DescribeStream("door").value()->Version();
  Reopen();
  const auto door = store_->DescribeStream("door");
  ASSERT_TRUE(door);
  EXPECT_EQ((*door)->settings, EveryMember());
  EXPECT_EQ((*door)->Version(), version);
  EXPECT_EQ(store_->GetStream("door")->retention, hours(48));
}

TEST_F(StreamUpdates, EachUpdateMakesANewVersionThatOutlivesReopening) {
  ASSERT_TRUE(store_->CreateStream("door", hours(1)));
  const std::string first = store_->DescribeStream("door").value()->Version();
  EXPECT_THAT(first, testing::MatchesRegex("[a-zA-Z0-9]+"));
  EXPECT_LE(first.size(), 64u);
  const auto second = SetMediaType("video/h264", {.version = first});
  ASSERT_TRUE(second) << second.error().ToString();
  EXPECT_NE((*second)->Version(), first);
  EXPECT_EQ(SetMediaType("video/h265", {.version = first}).error().code, ErrorCode::kFailedPrecondition);
  Reopen();
  EXPECT_EQ(store_->DescribeStream("door").value()->settings.media_type, "video/h264");
  EXPECT_EQ(store_->DescribeStream("door").value()->Version(), (*second)->Version());
  // To the same value: an update all the same.
  EXPECT_TRUE(SetMediaType("video/h264", {.version = (*second)->Version()}));
  EXPECT_FALSE(SetMediaType("video/h264", {.version = (*second)->Version()}));
}

TEST_F(StreamUpdates, TagsKeepTheVersion) {
  ASSERT_TRUE(store_->CreateStream("door", hours(1)));
  const std::string version = store_->DescribeStream("door").value()->Version();
  const StreamUpdate tag{.change = [](StreamSettings& settings) -> Result<void> {
                           settings.tags["a"] = "b";
                           return {};
                         },
                         .keep_version = true};
  ASSERT_TRUE(store_->UpdateStream("door", tag));
  EXPECT_EQ(store_->DescribeStream("door").value()->Version(), version);
  EXPECT_EQ(store_->DescribeStream("door").value()->settings.tags.at("a"), "b");
}

TEST_F(StreamUpdates, OfUpdatesOverOneVersionExactlyOneWins) {
  ASSERT_TRUE(store_->CreateStream("door", hours(1)));
  for (int round = 0; round < 4; ++round) {
    const std::string version = store_->DescribeStream("door").value()->Version();
    std::atomic<int> won{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < 8; ++i) {
      threads.emplace_back([&, i] {
        const auto updated = SetMediaType("video/x" + std::to_string(i), {.version = version});
        if (updated) {
          ++won;
        } else {
          EXPECT_EQ(updated.error().code, ErrorCode::kFailedPrecondition);
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(won, 1);
  }
}

TEST_F(StreamUpdates, AnErrorOfTheChangeLeavesAllAsItWas) {
  ASSERT_TRUE(store_->CreateStream("door", hours(1)));
  const std::string version = store_->DescribeStream("door").value()->Version();
  const auto fails = [&](auto change, ErrorCode code) {
    const StreamUpdate update{.change = change};
    const auto updated = store_->UpdateStream("door", update);
    ASSERT_FALSE(updated);
    EXPECT_EQ(updated.error().code, code);
  };
  fails(
      [](StreamSettings& settings) -> Result<void> {
        settings.media_type = "gone";
        return Error{ErrorCode::kResourceExhausted, "no"};
      },
      ErrorCode::kResourceExhausted);
  fails(
      [](StreamSettings& settings) -> Result<void> {
        settings.retention = hours(87'601);
        return {};
      },
      ErrorCode::kInvalidArgument);
  const auto door = store_->DescribeStream("door").value();
  EXPECT_EQ(door->Version(), version);
  EXPECT_EQ(door->settings.media_type, "");
  EXPECT_EQ(door->settings.retention, hours(1));
}

TEST_F(StreamUpdates, AnotherStreamOfTheNameIsNotChangedNorDeleted) {
  ASSERT_TRUE(store_->CreateStream("door", hours(1)));
  const auto first = store_->DescribeStream("door").value();
  ASSERT_TRUE(store_->DeleteStream("door"));
  ASSERT_TRUE(store_->CreateStream("door", hours(1)));
  EXPECT_NE(store_->DescribeStream("door").value()->Version(), first->Version());
  EXPECT_EQ(SetMediaType("x", {.created = first->created}).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(store_->DeleteStream("door", {.created = first->created}).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(store_->DeleteStream("door", {.version = first->Version()}).error().code,
            ErrorCode::kFailedPrecondition);
  EXPECT_TRUE(store_->DeleteStream("door", {.version = store_->DescribeStream("door").value()->Version()}));
  EXPECT_EQ(store_->DescribeStream("door").error().code, ErrorCode::kNotFound);
  EXPECT_EQ(SetMediaType("x").error().code, ErrorCode::kNotFound);
}

TEST_F(StreamUpdates, AShorterRetentionTakesFootageAtOnceAndALongerOneKeepsWhatIsThere) {
  const VideoStream stream = *store_->CreateStream("door", hours(24));
  Append(stream);
  clock_.Advance(hours(3));
  Append(stream);
  clock_.Advance(hours(1));
  EXPECT_EQ(Count(), 2u);
  ASSERT_TRUE(store_->SetRetention("door", hours(2)));
  EXPECT_EQ(Count(), 1u);
  ASSERT_TRUE(store_->SetRetention("door", hours(24)));
  EXPECT_EQ(Count(), 1u);  // what is gone stays gone
  clock_.Advance(hours(10));
  EXPECT_EQ(Count(), 1u);  // and what was held is kept for longer now
  ASSERT_TRUE(store_->SetRetention("door", Duration{0}));
  EXPECT_EQ(Count(), 0u);
}

TEST_F(StreamUpdates, StreamsAreFoundByPageAndPrefix) {
  for (const char* name : {"a", "b", "b.1", "b.2", "c"}) ASSERT_TRUE(store_->CreateStream(name, hours(1)));
  const auto names = [&](StreamQuery query) {
    std::vector<std::string> found;
    for (const auto& stream : store_->FindStreams(query)) found.push_back(stream->name);
    return found;
  };
  EXPECT_THAT(names({}), testing::ElementsAre("a", "b", "b.1", "b.2", "c"));
  EXPECT_THAT(names({.limit = 2}), testing::ElementsAre("a", "b"));
  EXPECT_THAT(names({.after = "b", .limit = 2}), testing::ElementsAre("b.1", "b.2"));
  EXPECT_THAT(names({.prefix = "b"}), testing::ElementsAre("b", "b.1", "b.2"));
  EXPECT_THAT(names({.prefix = "b", .after = "b.1"}), testing::ElementsAre("b.2"));
  EXPECT_THAT(names({.prefix = "b", .after = "a"}), testing::ElementsAre("b", "b.1", "b.2"));
  EXPECT_THAT(names({.prefix = "b", .after = "c"}), testing::ElementsAre());
  EXPECT_THAT(names({.prefix = "x"}), testing::ElementsAre());
  EXPECT_THAT(names({.after = "b.11"}), testing::ElementsAre("b.2", "c"));
}

// A stop between the two writes of a change of retention: the settings are the truth.
TEST(StreamUpdatesOverMemory, AChangeThatWasCutOffIsFinishedAtTheNextOpening) {
  MemoryLog log;
  auto store = *FragmentStore::Open(log, {});
  const VideoStream stream = *store->CreateStream("door", hours(5));
  StoredStream stored{.created = stream.created, .revision = 2, .settings = {}};
  stored.settings.retention = hours(9);
  ASSERT_TRUE(log.PutMetadata("fragments/stream/door", EncodeStoredStream(stored), std::nullopt));
  store.reset();
  store = *FragmentStore::Open(log, {});
  EXPECT_EQ(log.RetentionOf(FragmentPartitionKey("door", stream.created)), hours(9));
  EXPECT_EQ(store->GetStream("door")->retention, hours(9));
}

TEST(StreamUpdatesOverMemory, WhatCannotBeWrittenIsNotChanged) {
  MemoryLog log;
  auto store = *FragmentStore::Open(log, {});
  ASSERT_TRUE(store->CreateStream("door", hours(5)));
  const std::string version = store->DescribeStream("door").value()->Version();
  log.FailMetadata(true);
  EXPECT_FALSE(store->SetRetention("door", hours(9)));
  EXPECT_TRUE(store->SetRetention("door", hours(5)));  // nothing to write
  log.FailMetadata(false);
  EXPECT_EQ(store->GetStream("door")->retention, hours(5));
  EXPECT_EQ(store->DescribeStream("door").value()->Version(), version);
}

}  // namespace
}  // namespace millrace
