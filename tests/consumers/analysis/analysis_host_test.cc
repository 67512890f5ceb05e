// Goal: each fragment of the streams that are asked for has its results once: fragments larger than any
// answer of GetRecords, in shards that are split meanwhile, of a stream that is deleted and made again; what
// cannot be read or analysed has a record that says so. Method: the host against a real server in this
// process, over HTTP, with real H.264.
#include <thread>

#include "tests/consumers/analysis/analysis_fixture.h"

namespace millrace {
namespace {

using AnalysisHostTest = AnalysisTest;

TEST_F(AnalysisHostTest, EachFragmentOnceLargeReshardedAndMadeAgain) {
  for (const char* name : {"door", "yard", "other"}) Get(store_->CreateStream(name, std::chrono::hours(24)));
  std::multiset<std::string> expected;
  auto append = [&](const std::string& stream, std::size_t junk = 0) {
    expected.insert(Append(stream, junk) + " RUNNING");
  };
  append("yard");
  Append("door");  // deleted below, before anybody has read it
  append("yard", 14 << 20);
  Append("other");
  ASSERT_TRUE(store_->DeleteStream("door"));
  Get(store_->CreateStream("door", std::chrono::hours(24)));
  append("door");
  for (std::uint32_t shard = 0; shard < 2; ++shard) {
    auto range = Get(log_->DescribeStream(kFragmentLog)).shards[shard].hash_keys;
    Get(log_->SplitShard(kFragmentLog, storage::ShardId{shard},
                         {range.starting.high / 2 + range.ending.high / 2, 0}));
  }
  append("door", 12 << 20);
  append("yard");
  auto host = MakeHost({"door", "yard"});
  RunUntil(*host, expected.size());
  EXPECT_EQ(Results(), expected);
  EXPECT_EQ(host->progress().fragments, expected.size() + 0u);

  // It goes on where it was, and analysing all of it again adds nothing.
  append("door");
  auto next = MakeHost({"door", "yard"});
  RunUntil(*next, expected.size());
  EXPECT_EQ(Results(), expected);
  auto again = MakeHost({"door", "yard"}, [](AnalysisOptions& options) { options.application = "again"; });
  std::thread running([&] { EXPECT_TRUE(again->Run()); });
  test::WaitUntil([&] { return again->progress().fragments >= expected.size(); });
  again->Stop();
  running.join();
  EXPECT_EQ(again->progress().fragments, expected.size());
  EXPECT_EQ(Results(), expected);
}

TEST_F(AnalysisHostTest, FramesComeWithTheirTimes) {
  Get(store_->CreateStream("door", std::chrono::hours(24)));
  Append("door");
  std::vector<Duration> offsets;
  analyzer_.answer = [&](const AnalysisFrame& frame) -> Result<boost::json::object> {
    EXPECT_EQ(frame.stream, "door");
    EXPECT_EQ(frame.producer_time, Timestamp::FromMillis(1'763'690'001'000) + frame.offset);
    EXPECT_EQ(frame.key_frame, frame.offset == Duration{0});
    offsets.push_back(frame.offset);
    return boost::json::object{};
  };
  auto host = MakeHost({"door"}, [](AnalysisOptions& options) {
    options.settings.selection = {FrameSelection::Kind::kEveryNth, 5};
  });
  RunUntil(*host, 5);
  std::vector<Duration> expected;
  for (int i = 0; i < 5; ++i) expected.push_back(std::chrono::milliseconds(200 * i));
  EXPECT_EQ(offsets, expected);
}

TEST_F(AnalysisHostTest, WhatCannotBeReadOrAnalysedIsRecordedAndPassedOver) {
  Get(store_->CreateStream("door", std::chrono::hours(24)));
  std::multiset<std::string> expected;
  expected.insert(Append("door", 0, true) + " UNREADABLE");
  expected.insert(Append("door") + " FAILED");
  expected.insert(Append("door") + " TRUNCATED");
  expected.insert(Append("door") + " RUNNING");
  int call = 0;
  analyzer_.answer = [&](const AnalysisFrame&) -> Result<boost::json::object> {
    ++call;
    if (call == 1) return Error{ErrorCode::kInvalidArgument, "not this one"};
    boost::json::object found;
    if (call == 2) found["Much"] = std::string(600 * 1024, 'x');
    return found;
  };
  auto host = MakeHost({"door"});
  RunUntil(*host, 4);
  EXPECT_EQ(Results(), expected);
  EXPECT_EQ(host->progress().unreadable, 1u);
}

TEST_F(AnalysisHostTest, AnAnalyzerThatGivesUpEndsTheRun) {
  Get(store_->CreateStream("door", std::chrono::hours(24)));
  Append("door");
  analyzer_.answer = [](const AnalysisFrame&) -> Result<boost::json::object> {
    throw std::runtime_error("no");
  };
  auto host = MakeHost({"door"});
  auto ran = host->Run();
  ASSERT_FALSE(ran);
  EXPECT_EQ(ran.error().code, ErrorCode::kInternal);
  EXPECT_TRUE(Results().empty());
}

TEST_F(AnalysisHostTest, ManyStreamsKeepWhatIsKnownOfThem) {
  constexpr int kStreams = 65;
  for (int i = 0; i < kStreams; ++i) {
    Get(store_->CreateStream("cam" + std::to_string(i), std::chrono::hours(24)));
  }
  std::set<std::string> streams;
  auto append_each = [&](int second) {
    for (int i = 0; i < kStreams; ++i) {
      appended_ = second;
      streams.insert("cam" + std::to_string(i));
      Append("cam" + std::to_string(i));
    }
  };
  append_each(0);
  auto host = MakeHost(streams);
  analyzer_.opened = 0;
  std::thread running([&] { EXPECT_TRUE(host->Run()); });
  EXPECT_TRUE(test::WaitUntil([&] { return host->progress().fragments == kStreams; }));
  append_each(1);
  EXPECT_TRUE(test::WaitUntil([&] { return host->progress().fragments == 2 * kStreams; }));
  host->Stop();
  running.join();
  EXPECT_EQ(analyzer_.opened, kStreams);
}

TEST_F(AnalysisHostTest, BehindItSkipsToTheNewestAndSaysSo) {
  Get(store_->CreateStream("door", std::chrono::hours(24)));
  std::multiset<std::string> expected;
  for (int i = 0; i < 3; ++i) expected.insert(Append("door") + " SKIPPED");
  auto host = MakeHost({"door"}, [](AnalysisOptions& options) {
    options.when_behind = WhenBehind::kSkip;
    options.skip_after = Duration{0};  // whatever is there already is behind
  });
  RunUntil(*host, 3);
  EXPECT_EQ(Results(), expected);
  EXPECT_EQ(host->progress().skipped, 3u);
}

}  // namespace
}  // namespace millrace
