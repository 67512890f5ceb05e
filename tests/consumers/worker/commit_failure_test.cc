// Goal: a commit that is refused is seen where it matters, and holds up its own shard alone. Method: as
// worker_test.cc, with a server that refuses so many commits.
#include <algorithm>
#include <atomic>

#include "consumers/worker/application_client.h"
#include "tests/consumers/worker/worker_fixture.h"

namespace millrace {
namespace {

constexpr int kAlways = 1 << 20;

class CommitFailureTest : public WorkerTest {
 protected:
  void SetUp() override {
    WorkerTest::SetUp();
    server_.reset();
    dispatcher_ = std::make_unique<api::Dispatcher>(*router_, [this](const api::Request& request) {
      const bool commit = request.target.path.ends_with("/commit");
      if (commit && refusals_ > 0 && refusals_-- > 0) {
        return Result<void>(Error{ErrorCode::kPermissionDenied, "no commits today"});
      }
      return api::CheckCaller(request);
    });
    api::ServerOptions server;
    server.port = port_;
    server.threads = 1;
    server_ = Get(api::Server::Start(*dispatcher_, server));
    Put(0, 28);
  }
  // Commits are this test's alone.
  WorkerOptions Patient() {
    WorkerOptions options = Alone();
    options.checkpoint_interval = std::chrono::seconds(60);
    return options;
  }
  // So many records of each shard.
  std::map<std::string, std::vector<WorkerRecord>> Take(Worker& worker, std::size_t count) {
    std::map<std::string, std::vector<WorkerRecord>> records;
    const auto enough = [&] {
      if (auto record = worker.Next(std::chrono::milliseconds(50))) {
        records[record->shard].push_back(*record);
      }
      return records.size() == 2 && std::all_of(records.begin(), records.end(), [&](const auto& each) {
               return each.second.size() >= count;
             });
    };
    EXPECT_TRUE(test::WaitUntil(enough)) << worker.trouble();
    return records;
  }
  std::atomic<int> refusals_{0};
};

TEST_F(CommitFailureTest, HoldsUpItsOwnShardAlone) {
  auto worker = Get(Worker::Start(Patient()));
  for (const auto& [shard, records] : Take(*worker, 1)) worker->Done(records.back());
  // Where nobody answers a commit in time, none follows it: then all of it once more.
  EXPECT_TRUE(test::WaitUntil([&] {
    refusals_ = 1;
    worker->Flush();
    return worker->metrics().commits > 0;
  }));
  EXPECT_EQ(worker->metrics().commits, 1u) << "the other shard's";
  EXPECT_NE(worker->trouble().find("no commits today"), std::string::npos) << worker->trouble();
  refusals_ = 0;
  EXPECT_TRUE(test::WaitUntil([&] {
    worker->Flush();
    return worker->metrics().commits > 1;
  }));
  EXPECT_EQ(worker->metrics().commits, 2u);
  EXPECT_EQ(worker->trouble(), "");
}

TEST_F(CommitFailureTest, ItsTroubleEndsWithTheShard) {
  auto worker = Get(Worker::Start(Patient()));
  const WorkerRecord record = Take(*worker, 1).begin()->second.back();
  worker->Done(record);
  refusals_ = kAlways;
  worker->Flush();
  EXPECT_NE(worker->trouble(), "");
  worker->GiveUp(record);
  EXPECT_EQ(worker->trouble(), "");
}

TEST_F(CommitFailureTest, AnAttemptFailsWhereALaterCheckpointWouldForgetIt) {
  auto worker = Get(Worker::Start(Patient()));
  const auto records = Take(*worker, 2).begin()->second;
  worker->Done(records.front());
  refusals_ = kAlways;
  const auto refused = Attempt(*worker, records[1], 0);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kPermissionDenied);
  refusals_ = 0;
  Get(Attempt(*worker, records[1], 0));
}

TEST_F(CommitFailureTest, CloseDoesNotSayThatAllIsCommitted) {
  std::map<std::string, ShardEvent::Kind> last;
  WorkerOptions options = Patient();
  options.shard_event = [&](const ShardEvent& event) { last[event.shard] = event.kind; };
  auto worker = Get(Worker::Start(options));
  const auto records = Take(*worker, 1);
  const std::string failing = records.begin()->first;
  const std::string idle = records.rbegin()->first;
  worker->Done(records.at(failing).back());
  refusals_ = kAlways;
  worker->Close();
  EXPECT_EQ(last.at(failing), ShardEvent::Kind::kLost);
  EXPECT_EQ(last.at(idle), ShardEvent::Kind::kReleased);
}

TEST(WorkerTimeouts, LeaseCallsEndWhileTheLeaseLasts) {
  using std::chrono::seconds;
  WorkerOptions options;
  for (const auto& [length, call] : {std::pair{seconds(1), seconds(1)},
                                     {seconds(15), seconds(5)},
                                     {seconds(30), seconds(10)},
                                     {seconds(600), seconds(60)}}) {
    options.lease_length = length;
    const auto http = consumer::LeaseHttpOptions(options);
    EXPECT_EQ(http.progress_timeout, Duration(call));
    EXPECT_EQ(http.connect_timeout, std::min<Duration>(call, seconds(5)));
  }
  EXPECT_LE(consumer::CommitHttpOptions(options).progress_timeout, seconds(5));
}

}  // namespace
}  // namespace millrace
