// Goal: results of an analyzer that remembers are the same wherever its process began: in one go, in pieces,
// as a replay in lanes, and in one that was interrupted. Method: an analyzer that counts the frames of the
// last three seconds, on footage with an interruption; records are compared as wholes.
#include <gtest/gtest.h>

#include <deque>
#include <thread>

#include "consumers/analysis/replay_lane.h"
#include "tests/consumers/analysis/analysis_fixture.h"

namespace millrace {
namespace {

constexpr Duration kMemory = std::chrono::seconds(3);

class Counting final : public FrameAnalyzer {
 public:
  std::string name() const override { return "counting"; }
  std::string version() const override { return "1"; }
  PictureForm picture_form() const override { return {PictureFormat::kGray, 16}; }
  Duration warm_up() const override { return kMemory; }
  Result<std::unique_ptr<StreamAnalyzer>> Open(const std::string&, const boost::json::object&) override {
    ++opened;
    return std::unique_ptr<StreamAnalyzer>(std::make_unique<Stream>(*this));
  }
  int opened = 0;
  std::string poison;  // frames of this fragment end the run; empty: none do

 private:
  struct Stream final : StreamAnalyzer {
    explicit Stream(Counting& owner) : counting(owner) {}
    Result<boost::json::object> Analyze(const AnalysisFrame& frame) override {
      if (frame.fragment_number == counting.poison) return Error{ErrorCode::kInternal, "poisoned"};
      times.push_back(frame.producer_time);
      while (times.front() <= frame.producer_time - kMemory) times.pop_front();
      return boost::json::object{{"Frames", times.size()}};
    }
    Result<boost::json::object> End() override { return boost::json::object{{"Ended", times.size()}}; }
    Counting& counting;
    std::deque<Timestamp> times;
  };
};

// Without ProducerTimestamp and the like there is nothing that could differ but what was found.
class SameResultsTest : public AnalysisTest {
 protected:
  void SetUp() override {
    AnalysisTest::SetUp();
    Get(store_->CreateStream("door", std::chrono::hours(24)));
    for (int i = 0; i < 12; ++i) {
      if (i == 7) {  // the camera was away
        appended_ += 30;
        ++run_;
      }
      fragments_.push_back(Append("door"));
    }
  }
  std::unique_ptr<AnalysisHost> Host(const std::string& name,
                                     const std::function<void(AnalysisOptions&)>& change = {}) {
    auto made = log_->CreateStream("millrace-" + name, 1, std::chrono::hours(24));
    EXPECT_TRUE(made || made.error().code == ErrorCode::kAlreadyExists);
    AnalysisOptions options;
    options.endpoint = {"127.0.0.1", server_->port()};
    options.application = name;
    options.settings.output = "millrace-" + name;
    options.settings.selection = {FrameSelection::Kind::kPerSecond, 5};
    options.streams = {"door"};
    options.start = "TRIM_HORIZON";
    options.lease_length = std::chrono::seconds(1);
    if (change) change(options);
    return Get(AnalysisHost::Make(counting_, std::move(options)));
  }
  // Until so many more fragments are done; how many that were.
  static int Run(AnalysisHost& host, int fragments) {
    std::thread running([&] { EXPECT_TRUE(host.Run()); });
    test::WaitUntil([&] { return host.progress().fragments >= static_cast<std::uint64_t>(fragments); });
    host.Stop();
    running.join();
    host.Close();
    return static_cast<int>(host.progress().fragments);
  }
  ReplayOptions Replay(const std::string& output, std::size_t lane) {
    ReplayOptions options;
    options.endpoint = {"127.0.0.1", server_->port()};
    options.application = output;
    options.settings.output = output;
    options.settings.selection = {FrameSelection::Kind::kPerSecond, 5};
    options.streams = {"door"};
    options.from = Timestamp::FromMillis(1'763'690'000'000);
    options.to = options.from + std::chrono::minutes(2);
    options.lane = lane;
    options.slot = std::chrono::seconds(2);
    return options;
  }
  // Everything that was written, in no order.
  std::multiset<std::string> Records(const std::string& stream) {
    std::multiset<std::string> records;
    for (const auto& shard : Get(log_->DescribeStream(stream)).shards) {
      std::optional<storage::ShardPosition> next = Get(log_->Seek(stream, shard.id, {}));
      while (next) {
        auto batch = Get(log_->Read(stream, *next, {}));
        for (const auto& record : batch.records) records.emplace(AsText(record.data.span()));
        if (batch.records.empty()) break;
        next = batch.next;
      }
    }
    return records;
  }

  Counting counting_;
  std::vector<std::string> fragments_;
};

TEST_F(SameResultsTest, WhereverAProcessBegan) {
  Run(*Host("whole"), 12);
  const auto expected = Records("millrace-whole");
  ASSERT_EQ(expected.size(), 61u);
  EXPECT_EQ(counting_.opened, 3);  // once to check the options, and once for each run
  // What it remembers shows: 1 to 15, and 15 from then on; twice.
  std::size_t full = 0;
  std::size_t ended = 0;
  for (const std::string& record : expected) {
    full += record.find("\"Frames\":15}") != std::string::npos;
    ended += record.find("\"Ended\":15}") != std::string::npos;
  }
  EXPECT_EQ(full, 60u - 2 * 14);
  EXPECT_EQ(ended, 1u);  // at the interruption

  for (int left = 12; left > 0;) left -= Run(*Host("pieces"), std::min(left, 2));
  EXPECT_EQ(Records("millrace-pieces"), expected);
}

// As where key frames alone are looked at, and a fragment was cut at its longest.
TEST_F(SameResultsTest, WhatEndsBehindAFragmentWithoutPictures) {
  Get(store_->CreateStream("gate", std::chrono::hours(24)));
  for (int i = 0; i < 7; ++i) {
    dependent_ = i == 3;
    if (i == 4) {  // the camera was away
      appended_ += 30;
      ++run_;
    }
    Append("gate");
  }
  auto gate = [](AnalysisOptions& options) {
    options.settings.selection = {};
    options.streams = {"gate"};
  };
  Run(*Host("whole", gate), 7);
  EXPECT_EQ(counting_.opened, 3);  // once to check the options, and once for each run
  const auto expected = Records("millrace-whole");
  EXPECT_EQ(expected.size(), 7u);
  std::size_t ended = 0;
  for (const std::string& record : expected) ended += record.find("\"Ended\":3}") != std::string::npos;
  EXPECT_EQ(ended, 1u);

  for (int left = 7; left > 0;) left -= Run(*Host("pieces", gate), 1);
  EXPECT_EQ(Records("millrace-pieces"), expected);
}

TEST_F(SameResultsTest, WhatEndsBehindAFragmentThatWasPassedOver) {
  AnalysisMeter meter;
  const ReplayOptions replay = Replay("none", 0);
  StreamAnalysis analysis(counting_, replay.settings, replay.endpoint, meter);
  const auto footage =
      Get(analysis.footage().List("door", Get(analysis.footage().ArnOf("door")), replay.from, replay.to));
  ASSERT_EQ(footage.size(), 12u);
  for (std::size_t i = 0; i < 6; ++i) Get(analysis.Analyze(footage[i]));
  analysis.PassOver(footage[6]);
  EXPECT_EQ(Get(analysis.Analyze(footage[7])).size(), 1u + 5u);
  EXPECT_EQ(counting_.opened, 2);  // for each run: nothing had to be looked at again
  EXPECT_EQ(meter.progress().frames, 7u * 5u);
}

TEST_F(SameResultsTest, AReplayInLanesThatIsInterrupted) {
  Get(log_->CreateStream("replay-1", 1, std::chrono::hours(24)));
  Get(log_->CreateStream("replay-3", 3, std::chrono::hours(24)));
  auto single = Get(ReplayLane::Make(counting_, Replay("replay-1", 0)));
  ASSERT_TRUE(single->Run());
  const auto expected = Records("replay-1");
  ASSERT_EQ(expected.size(), 61u);
  EXPECT_EQ(single->progress().footage, std::chrono::seconds(12));

  std::uint64_t frames = 0;
  for (std::size_t lane = 0; lane < 3; ++lane) {
    int left = 2;
    auto options = Replay("replay-3", lane);
    ReplayLane* running = nullptr;
    options.fragment_begins = [&] {
      if (left-- == 0) running->Stop();
    };
    auto first = Get(ReplayLane::Make(counting_, std::move(options)));
    running = first.get();
    auto ran = first->Run();
    EXPECT_TRUE(ran || ran.error().code == ErrorCode::kCancelled);
    auto second = Get(ReplayLane::Make(counting_, Replay("replay-3", lane)));
    ASSERT_TRUE(second->Run());
    EXPECT_EQ(second->progress().passed, first->progress().footage);
    frames += first->progress().frames + second->progress().frames;
    auto again = Get(ReplayLane::Make(counting_, Replay("replay-3", lane)));
    ASSERT_TRUE(again->Run());
    EXPECT_EQ(again->progress().fragments, 0u);
  }
  EXPECT_EQ(frames, 60u);  // what was looked at for what came behind it is not counted
  const auto got = Records("replay-3");
  EXPECT_EQ(got.size(), expected.size());
  for (const auto& each : expected) {
    EXPECT_EQ(std::count(got.begin(), got.end(), each), 1) << each;
  }
  for (const auto& each : got) {
    EXPECT_EQ(std::count(expected.begin(), expected.end(), each), 1) << "beside: " << each;
  }
}

TEST_F(SameResultsTest, AReplayTakesAllThatBeginInOneMillisecond) {
  Get(log_->CreateStream("replay", 1, std::chrono::hours(24)));
  Get(store_->CreateStream("twins", std::chrono::hours(24)));
  Append("twins");
  for (int i = 0; i < 3; ++i) {
    if (i > 0) --appended_;
    ++run_;
    Append("twins");
  }
  auto options = Replay("replay", 0);
  // The last of many streams, whose place takes the whole of its number.
  Get(store_->CreateStream("empty", std::chrono::hours(24)));
  options.streams.assign(100, "empty");
  options.streams.push_back("twins");
  int left = 2;
  ReplayLane* running = nullptr;
  auto interrupted = options;
  interrupted.fragment_begins = [&] {
    if (left-- == 0) running->Stop();
  };
  auto first = Get(ReplayLane::Make(counting_, std::move(interrupted)));
  running = first.get();
  EXPECT_FALSE(first->Run());
  EXPECT_EQ(first->progress().fragments, 2u);
  auto second = Get(ReplayLane::Make(counting_, std::move(options)));
  ASSERT_TRUE(second->Run());
  EXPECT_EQ(second->progress().fragments, 2u);
  EXPECT_EQ(second->progress().passed, std::chrono::seconds(2));
}

TEST_F(SameResultsTest, WarmingUpDoesNotGoBackOverWhatCannotBeRead) {
  Get(log_->CreateStream("replay", 1, std::chrono::hours(24)));
  Get(store_->CreateStream("bad", std::chrono::hours(24)));
  for (int i = 0; i < 3; ++i) Append("bad", 0, true);
  auto options = Replay("replay", 0);
  options.streams = {"bad"};
  auto lane = Get(ReplayLane::Make(counting_, std::move(options)));
  counting_.opened = 0;
  ASSERT_TRUE(lane->Run());
  EXPECT_EQ(lane->progress().unreadable, 3u);
  EXPECT_EQ(counting_.opened, 3);
}

TEST_F(SameResultsTest, OfTheSameReplayOneRunsAtATime) {
  Get(log_->CreateStream("replay", 1, std::chrono::hours(24)));
  auto other = [&](const std::string& run) {
    auto options = Replay("replay", 0);
    options.run = run;
    return options;
  };
  auto options = other("a");
  int begun = 0;
  options.fragment_begins = [&] {
    if (begun++ > 0) return;
    auto second = Get(ReplayLane::Make(counting_, other("b")))->Run();
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code, ErrorCode::kFailedPrecondition);
  };
  auto first = Get(ReplayLane::Make(counting_, std::move(options)));
  ASSERT_TRUE(first->Run());
  EXPECT_EQ(first->progress().fragments, 12u);
  EXPECT_TRUE(Get(ReplayLane::Make(counting_, other("b")))->Run());
}

TEST_F(SameResultsTest, AnOutputWhoseShardsWereSplitIsRefused) {
  Get(log_->CreateStream("replay", 1, std::chrono::hours(24)));
  const auto range = Get(log_->DescribeStream("replay")).shards[0].hash_keys;
  Get(log_->SplitShard("replay", storage::ShardId{0}, {range.starting.high / 2 + range.ending.high / 2, 0}));
  auto options = Replay("replay", 0);
  options.lanes = 2;  // the open ones
  auto ran = Get(ReplayLane::Make(counting_, std::move(options)))->Run();
  ASSERT_FALSE(ran);
  EXPECT_EQ(ran.error().code, ErrorCode::kInvalidArgument);
}

TEST_F(SameResultsTest, WhatEndsAReplayThreeTimesIsSetAside) {
  Get(log_->CreateStream("replay", 1, std::chrono::hours(24)));
  counting_.poison = fragments_[4].substr(fragments_[4].find('/') + 1);
  int ends = 0;
  while (ends < 5) {
    auto lane = Get(ReplayLane::Make(counting_, Replay("replay", 0)));
    auto ran = lane->Run();
    if (ran) break;
    EXPECT_EQ(ran.error().code, ErrorCode::kInternal);
    ++ends;
  }
  EXPECT_EQ(ends, 3);
  const auto records = Records("replay");
  EXPECT_EQ(records.size(), 60u - 5 + 1 + 2);
  std::size_t aside = 0;
  std::size_t ended = 0;
  for (const std::string& record : records) {
    aside += record.find("SET_ASIDE") != std::string::npos;
    ended += record.find("\"Ended\":") != std::string::npos;
  }
  EXPECT_EQ(aside, 1u);
  EXPECT_EQ(ended, 2u);  // in front of it, by a process that began behind it, and at the interruption
}

}  // namespace
}  // namespace millrace
