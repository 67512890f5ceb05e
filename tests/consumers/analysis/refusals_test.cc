// Goal: what the server refuses, has deleted or cannot read is never taken for the footage's fault, and no
// fragment is committed as if it had been analysed. Method: live analysis and a replay against a server whose
// media answers are told one by one.
#include <atomic>
#include <mutex>
#include <thread>
#include <vector>

#include "api/aws/aws_http.h"
#include "api/video_streams/media_chunk.h"
#include "consumers/analysis/replay_lane.h"
#include "tests/consumers/analysis/analysis_fixture.h"

namespace millrace {
namespace {

enum class MediaAnswer { kGone, kDamaged, kBusy, kTimedOut, kForbidden };

class RefusalsTest : public AnalysisTest {
 protected:
  void SetUp() override {
    AnalysisTest::SetUp();
    api::AddDataStreamRoutes(stub_router_, {*catalog_, *sealer_, pool_, budget_, SystemClock()});
    api::AddApplicationRoutes(stub_router_, *applications_);
    auto no_camera = [](const std::string&) { return std::optional<std::string>(); };
    api::AddStreamRoutes(stub_router_, {*store_, pool_, no_camera, SystemClock(), *ledger_});
    stub_router_.Add("POST", "/describeStream",
                     [](api::Request&, api::ResponseWriter& writer) -> api::net::awaitable<void> {
                       co_await api::RespondAws(writer, api::AwsService::kVideoStreams,
                                                R"({"StreamInfo":{"StreamARN":"arn"}})");
                     });
    stub_router_.Add("POST", "/getMediaForFragmentList",
                     [this](api::Request&, api::ResponseWriter& writer) -> api::net::awaitable<void> {
                       co_await Answer(writer, NextAnswer());
                     });
    api::ServerOptions options;
    options.port = 0;
    options.threads = 2;
    stub_ = Get(api::Server::Start(stub_dispatcher_, options));
    Get(store_->CreateStream("door", std::chrono::hours(24)));
  }
  void TearDown() override {
    stub_.reset();
    AnalysisTest::TearDown();
  }

  // One by one; the last one goes on.
  void Tell(std::vector<MediaAnswer> answers) {
    std::lock_guard lock(mutex_);
    answers_ = std::move(answers);
    told_ = 0;
  }
  std::unique_ptr<AnalysisHost> StubbedHost() {
    return MakeHost({"door"}, [&](AnalysisOptions& options) {
      options.endpoint = {"127.0.0.1", stub_->port()};
    });
  }
  ReplayOptions StubbedReplay(const std::string& output) {
    ReplayOptions options;
    options.endpoint = {"127.0.0.1", stub_->port()};
    options.application = output;
    options.settings.output = output;
    options.streams = {"door"};
    options.from = Timestamp::FromMillis(1'763'690'000'000);
    options.to = options.from + std::chrono::minutes(2);
    return options;
  }

 private:
  MediaAnswer NextAnswer() {
    std::lock_guard lock(mutex_);
    return answers_.at(std::min(told_++, answers_.size() - 1));
  }
  static api::net::awaitable<void> Answer(api::ResponseWriter& writer, MediaAnswer answer) {
    if (answer == MediaAnswer::kGone || answer == MediaAnswer::kDamaged) {
      const bool gone = answer == MediaAnswer::kGone;
      std::string body;
      for (const SharedBytes& piece :
           api::MakeErrorChunk("1", gone ? api::kMediaFragmentNotFound : api::kMediaInternalError,
                               gone ? "Requested fragment is not found" : "Internal error")) {
        body += AsText(piece.span());
      }
      api::ResponseHead head{200, {}};
      head.headers.Add("Content-Type", "video/webm");
      (void)co_await writer.Respond(std::move(head), SharedBytes(Bytes(body.begin(), body.end())));
      co_return;
    }
    api::AwsError error("ConnectionLimitExceededException", "Too many readers.");
    if (answer == MediaAnswer::kTimedOut) error = {"RequestTimeoutException", "Too slow.", 408};
    if (answer == MediaAnswer::kForbidden) error = {"NotAuthorizedException", "Not you.", 401};
    co_await api::RespondAws(writer, api::AwsService::kVideoStreams, std::move(error));
  }

  std::mutex mutex_;
  std::vector<MediaAnswer> answers_;  // GUARDED_BY(mutex_)
  std::size_t told_ = 0;              // GUARDED_BY(mutex_)
  api::Router stub_router_;
  api::Dispatcher stub_dispatcher_{stub_router_, api::CheckCaller};
  std::unique_ptr<api::Server> stub_;
};

const std::vector<MediaAnswer> kBusyThenGoneThenDamaged = {MediaAnswer::kBusy, MediaAnswer::kTimedOut,
                                                           MediaAnswer::kGone, MediaAnswer::kDamaged};

TEST_F(RefusalsTest, WhatIsGoneOrCannotBeReadIsNotTakenAsAnalysed) {
  Append("door");
  const std::string damaged = Append("door");
  Tell(kBusyThenGoneThenDamaged);
  auto host = StubbedHost();
  RunUntil(*host, 1);
  EXPECT_EQ(Results(), std::multiset<std::string>{damaged + " UNREADABLE"});
  EXPECT_EQ(host->progress().fragments, 0u);
  EXPECT_EQ(host->progress().unreadable, 1u);
}

TEST_F(RefusalsTest, NorByAReplay) {
  Get(log_->CreateStream("replay", 1, std::chrono::hours(24)));
  Append("door");
  Append("door");
  Tell(kBusyThenGoneThenDamaged);
  auto lane = Get(ReplayLane::Make(analyzer_, StubbedReplay("replay")));
  auto ran = lane->Run();
  EXPECT_TRUE(ran) << ran.error().ToString();
  EXPECT_EQ(lane->progress().fragments, 0u);
  EXPECT_EQ(lane->progress().unreadable, 1u);
  EXPECT_EQ(lane->progress().results, 1u);
}

TEST_F(RefusalsTest, WithoutPermissionItEndsAndPassesNothingOver) {
  Get(log_->CreateStream("replay", 1, std::chrono::hours(24)));
  const std::string fragment = Append("door");
  Tell({MediaAnswer::kForbidden});
  auto host = StubbedHost();
  auto ran = host->Run();
  ASSERT_FALSE(ran);
  EXPECT_EQ(ran.error().code, ErrorCode::kPermissionDenied);
  host->Close();
  EXPECT_TRUE(Results().empty());
  auto lane = Get(ReplayLane::Make(analyzer_, StubbedReplay("replay")));
  auto replayed = lane->Run();
  ASSERT_FALSE(replayed);
  EXPECT_EQ(replayed.error().code, ErrorCode::kPermissionDenied);
  EXPECT_EQ(lane->progress().results, 0u);

  auto allowed = MakeHost({"door"});
  RunUntil(*allowed, 1);
  EXPECT_EQ(Results(), std::multiset<std::string>{fragment + " RUNNING"});
}

TEST(FootageReader, WithoutWaitingItGivesTheServersError) {
  FootageReader reader({"127.0.0.1", 1}, {});
  auto listed = reader.List("door", "", Timestamp{0}, Timestamp{1});
  ASSERT_FALSE(listed);
  EXPECT_EQ(listed.error().code, ErrorCode::kUnavailable);
}

}  // namespace
}  // namespace millrace
