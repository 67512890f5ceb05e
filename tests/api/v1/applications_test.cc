// Goal: leases are one worker's at a time by the server's clock, commits are whole, fenced and repeatable,
// and nothing that is sent breaks that. Method: the leases on a real log with a clock that is set; then the
// routes over HTTP.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <filesystem>

#include "api/http/dispatcher.h"
#include "api/http/origin_policy.h"
#include "api/http/server.h"
#include "api/v1/application_leases.h"
#include "api/v1/application_service.h"
#include "storage/embedded_log.h"
#include "tests/api/http/raw_client.h"
#include "tests/wait.h"
#include "wire/base64.h"

namespace millrace::api {
namespace {

using storage::IteratorType;
using storage::SequenceNumber;
using storage::ShardId;
using ::testing::HasSubstr;
using testing::RawAnswer;
using testing::RawClient;

constexpr Duration kLength = std::chrono::seconds(10);

template <typename T>
T Get(Result<T> result) {
  if (!result) {
    ADD_FAILURE() << result.error().ToString();
    std::abort();
  }
  return std::move(*result);
}
template <typename T>
ErrorCode CodeOf(const Result<T>& result) {
  return result ? ErrorCode::kInternal : result.error().code;
}

class ApplicationsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = ::testing::TempDir() + "millrace-applications-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
    Open();
    Get(log_->CreateStream("in", 2, std::chrono::hours(24)));
    Get(log_->CreateStream("out", 1, std::chrono::hours(24)));
  }
  void TearDown() override {
    leases_.reset();
    log_.reset();
    std::filesystem::remove_all(directory_);
  }
  void Open() {
    leases_.reset();
    log_.reset();
    storage::EmbeddedLogOptions options;
    options.path = (directory_ / "data").string();
    options.clock = &clock_;
    options.reserve_bytes = 0;
    log_ = Get(storage::EmbeddedLog::Open(options));
    leases_ = std::make_unique<ApplicationLeases>(*log_, clock_);
  }
  // A record in a shard of its own choosing: its place is what checkpoints are made of.
  SequenceNumber Put(std::uint32_t shard) {
    clock_.Advance(std::chrono::milliseconds(1));
    storage::PutRecord record;
    record.partition_key = "k";
    record.explicit_hash_key = Get(log_->DescribeStream("in")).shards[shard].hash_keys.starting;
    record.data = SharedBytes(Bytes{1});
    auto receipt = Get(storage::PutAndWait(*log_, "in", std::move(record)));
    EXPECT_EQ(receipt.shard.index, shard);
    return receipt.sequence_number;
  }
  ApplicationCommit MakeCommit(const ShardLease& lease, std::optional<SequenceNumber> checkpoint,
                               std::vector<std::string> keys = {}) {
    ApplicationCommit commit;
    commit.stream = lease.stream;
    commit.shard = lease.shard;
    commit.owner = lease.owner;
    commit.counter = lease.counter;
    commit.checkpoint = checkpoint;
    for (const std::string& key : keys) {
      ApplicationRecord record;
      record.stream = "out";
      record.record.partition_key = "door";
      record.record.data = SharedBytes(Bytes{7});
      record.key = key;
      record.time = clock_.Now();
      commit.records.push_back(std::move(record));
    }
    return commit;
  }
  std::size_t Results() { return Get(log_->DescribePartition("out", "door")).records; }
  ShardLease TakeLease(const std::string& owner, std::uint32_t shard) {
    return Get(leases_->Take("app", "in", ShardId{shard}, owner, kLength, std::nullopt));
  }

  ManualClock clock_{Timestamp::FromSeconds(1'750'000'000)};
  std::filesystem::path directory_;
  std::unique_ptr<storage::EmbeddedLog> log_;
  std::unique_ptr<ApplicationLeases> leases_;
};

TEST_F(ApplicationsTest, LeaseIsOneWorkersUntilItRunsOut) {
  EXPECT_EQ(CodeOf(leases_->Take("app", "in", ShardId{0}, "a", kLength, std::nullopt)), ErrorCode::kNotFound);
  Get(leases_->Begin("app", "in", {}));
  ShardLease mine = TakeLease("a", 0);
  EXPECT_EQ(mine.owner, "a");
  EXPECT_EQ(CodeOf(leases_->Take("app", "in", ShardId{0}, "b", kLength, std::nullopt)),
            ErrorCode::kFailedPrecondition);
  clock_.Advance(kLength - std::chrono::seconds(1));
  EXPECT_TRUE(leases_->Renew("app", "a", {{"in", ShardId{0}, mine.counter}}).empty());
  clock_.Advance(kLength - std::chrono::seconds(1));
  EXPECT_EQ(CodeOf(leases_->Take("app", "in", ShardId{0}, "b", kLength, std::nullopt)),
            ErrorCode::kFailedPrecondition);
  clock_.Advance(std::chrono::seconds(1));
  ShardLease theirs = TakeLease("b", 0);
  EXPECT_GT(theirs.counter, mine.counter);
  EXPECT_EQ(leases_->Renew("app", "a", {{"in", ShardId{0}, mine.counter}}).size(), 1u);
  EXPECT_TRUE(leases_->Release("app", "in", ShardId{0}, "a", mine.counter));  // changes nothing
  EXPECT_EQ(Get(leases_->List("app"))[0].owner, "b");
  EXPECT_TRUE(leases_->Release("app", "in", ShardId{0}, "b", theirs.counter));
  EXPECT_EQ(Get(leases_->List("app"))[0].owner, "");
  EXPECT_EQ(TakeLease("a", 0).owner, "a");
}

TEST_F(ApplicationsTest, LeaseIsStolenUnderTheCounterThatWasSeen) {
  Get(leases_->Begin("app", "in", {}));
  ShardLease mine = TakeLease("a", 1);
  EXPECT_EQ(CodeOf(leases_->Take("app", "in", ShardId{1}, "b", kLength, mine.counter - 1)),
            ErrorCode::kFailedPrecondition);
  ShardLease stolen = Get(leases_->Take("app", "in", ShardId{1}, "b", kLength, mine.counter));
  EXPECT_EQ(stolen.owner, "b");
  EXPECT_EQ(CodeOf(leases_->Commit("app", MakeCommit(mine, Put(1), {"x"}))), ErrorCode::kFailedPrecondition);
  EXPECT_EQ(Results(), 0u);
}

TEST_F(ApplicationsTest, RestartGivesEveryLeaseItsLengthOnceMore) {
  Get(leases_->Begin("app", "in", {}));
  ShardLease mine = TakeLease("a", 0);
  Open();
  EXPECT_EQ(CodeOf(leases_->Take("app", "in", ShardId{0}, "b", kLength, std::nullopt)),
            ErrorCode::kFailedPrecondition);
  EXPECT_TRUE(leases_->Renew("app", "a", {{"in", ShardId{0}, mine.counter}}).empty());
  clock_.Advance(kLength + std::chrono::seconds(1));
  EXPECT_TRUE(Get(leases_->List("app"))[0].expired);
  EXPECT_EQ(TakeLease("b", 0).owner, "b");
}

TEST_F(ApplicationsTest, CommitIsFencedRepeatableAndNeverGoesBack) {
  Get(leases_->Begin("app", "in", {}));
  SequenceNumber first = Put(0);
  SequenceNumber second = Put(0);
  ShardLease mine = TakeLease("a", 0);
  auto done = Get(leases_->Commit("app", MakeCommit(mine, first, {"1/a", "1/b"})));
  EXPECT_FALSE(done.repeated);
  EXPECT_EQ(done.records, 2u);
  done = Get(leases_->Commit("app", MakeCommit(mine, first, {"1/a", "1/b"})));
  EXPECT_TRUE(done.repeated);
  Get(leases_->Commit("app", MakeCommit(mine, second, {"2/a"})));
  EXPECT_EQ(CodeOf(leases_->Commit("app", MakeCommit(mine, first, {"x"}))), ErrorCode::kInvalidArgument);
  EXPECT_EQ(CodeOf(leases_->Commit("app", MakeCommit(mine, Put(1), {"x"}))), ErrorCode::kInvalidArgument);
  EXPECT_EQ(Results(), 3u);
  Open();
  EXPECT_EQ(Get(leases_->List("app"))[0].checkpoint, second);
  clock_.Advance(kLength * 2);
  ShardLease theirs = TakeLease("b", 0);
  EXPECT_EQ(theirs.checkpoint, second);
  EXPECT_EQ(CodeOf(leases_->Commit("app", MakeCommit(mine, Put(0), {"x"}))), ErrorCode::kFailedPrecondition);
  // What is there under its key already is left out, whoever found it.
  done = Get(leases_->Commit("app", MakeCommit(theirs, Put(0), {"2/a", "3/a", "3/a"})));
  EXPECT_EQ(done.records, 1u);
  EXPECT_EQ(Results(), 4u);
}

TEST_F(ApplicationsTest, CommitThatCannotBeMadeMovesNoCheckpoint) {
  Get(leases_->Begin("app", "in", {}));
  SequenceNumber first = Put(0);
  ShardLease mine = TakeLease("a", 0);
  auto commit = MakeCommit(mine, first, {"1"});
  commit.records[0].stream = "no-such-stream";
  EXPECT_EQ(CodeOf(leases_->Commit("app", commit)), ErrorCode::kNotFound);
  commit.records[0].stream = "out";
  commit.records[0].record.partition_key.clear();
  EXPECT_EQ(CodeOf(leases_->Commit("app", commit)), ErrorCode::kInvalidArgument);
  EXPECT_FALSE(Get(leases_->List("app"))[0].checkpoint);
}

TEST_F(ApplicationsTest, ChildrenAreReadyWhenTheirParentsAreDone) {
  Get(leases_->Begin("app", "in", {}));
  Get(log_->SplitShard("in", ShardId{0}, storage::HashKey{std::uint64_t{1} << 62, 0}));  // 2 and 3
  Get(log_->MergeShards("in", ShardId{3}, ShardId{1}));                                  // 4
  auto ready = [&] {
    std::string shards;
    for (const ShardLease& lease : Get(leases_->List("app"))) {
      if (lease.ready) shards += std::to_string(lease.shard.index);
    }
    return shards;
  };
  EXPECT_EQ(ready(), "01");
  Get(leases_->Commit("app", MakeCommit(TakeLease("a", 0), std::nullopt)));
  EXPECT_EQ(ready(), "123");
  Get(leases_->Commit("app", MakeCommit(TakeLease("a", 3), std::nullopt)));
  EXPECT_EQ(ready(), "12");
  Get(leases_->Commit("app", MakeCommit(TakeLease("a", 1), std::nullopt)));
  EXPECT_EQ(ready(), "24");
  ShardLease child = TakeLease("a", 4);
  EXPECT_FALSE(child.checkpoint);  // from its beginning
  EXPECT_TRUE(Get(leases_->Commit("app", MakeCommit(TakeLease("a", 0), std::nullopt))).repeated);
}

TEST_F(ApplicationsTest, BeginsOnceWhereItIsTold) {
  SequenceNumber before = Put(0);
  Get(log_->SplitShard("in", ShardId{1}, storage::HashKey{std::uint64_t{3} << 62, 0}));
  auto leases = Get(leases_->Begin("latest", "in", {IteratorType::kLatest, {}, {}}));
  ASSERT_EQ(leases.size(), 4u);
  EXPECT_EQ(leases[0].checkpoint, before);
  EXPECT_TRUE(leases[1].ended);  // closed before
  EXPECT_TRUE(leases[2].ready);
  SequenceNumber after = Put(0);
  EXPECT_EQ(Get(leases_->Begin("latest", "in", {}))[0].checkpoint, before);  // begun already
  leases = Get(leases_->Begin("timed", "in", {IteratorType::kAtTimestamp, {}, clock_.Now()}));
  EXPECT_LT(*leases[0].checkpoint, after);
  leases = Get(leases_->Begin("all", "in", {}));
  EXPECT_FALSE(leases[0].checkpoint);
  EXPECT_TRUE(leases[1].ready);
  EXPECT_FALSE(leases[2].ready);
  EXPECT_THAT(leases_->Applications(), ::testing::ElementsAre("all", "latest", "timed"));
}

TEST_F(ApplicationsTest, StreamMadeAgainIsBegunAnew) {
  Get(leases_->Begin("app", "in", {}));
  ShardLease mine = TakeLease("a", 0);
  Get(leases_->Commit("app", MakeCommit(mine, Put(0))));
  EXPECT_TRUE(log_->DeleteStream("in"));
  clock_.Advance(std::chrono::seconds(5));
  Get(log_->CreateStream("in", 1, std::chrono::hours(24)));
  EXPECT_EQ(CodeOf(leases_->Take("app", "in", ShardId{0}, "a", kLength, std::nullopt)),
            ErrorCode::kFailedPrecondition);
  SequenceNumber fresh = Put(0);
  auto leases = Get(leases_->Begin("app", "in", {IteratorType::kLatest, {}, {}}));
  ASSERT_EQ(leases.size(), 1u);
  EXPECT_FALSE(leases[0].checkpoint);  // from its beginning
  EXPECT_EQ(CodeOf(leases_->Commit("app", MakeCommit(mine, fresh, {"x"}))), ErrorCode::kFailedPrecondition);
}

TEST_F(ApplicationsTest, AttemptsAreCountedUntilTheCheckpointMoves) {
  Get(leases_->Begin("app", "in", {}));
  ShardLease lease = TakeLease("a", 0);
  EXPECT_FALSE(lease.suspect);
  auto attempt = [&](const std::string& what) {
    return Get(leases_->Attempt("app", "in", ShardId{0}, lease.owner, lease.counter, what));
  };
  EXPECT_EQ(attempt("f1"), 1u);
  clock_.Advance(kLength * 2);
  Open();
  clock_.Advance(kLength * 2);
  std::uint64_t old = lease.counter;
  lease = TakeLease("b", 0);
  EXPECT_TRUE(lease.suspect);
  EXPECT_EQ(CodeOf(leases_->Attempt("app", "in", ShardId{0}, "a", old, "f1")),
            ErrorCode::kFailedPrecondition);
  EXPECT_EQ(attempt("f1"), 2u);
  EXPECT_EQ(attempt("f2"), 1u);
  Get(leases_->Commit("app", MakeCommit(lease, Put(0))));
  EXPECT_EQ(attempt("f2"), 1u);
  Get(leases_->Commit("app", MakeCommit(lease, Put(0))));
  EXPECT_TRUE(leases_->Release("app", "in", ShardId{0}, "b", lease.counter));
  EXPECT_FALSE(TakeLease("c", 0).suspect);
}

TEST_F(ApplicationsTest, DeletingForgetsEverything) {
  Get(leases_->Begin("app", "in", {}));
  ShardLease mine = TakeLease("a", 0);
  EXPECT_TRUE(leases_->Delete("app"));
  EXPECT_EQ(CodeOf(leases_->Delete("app")), ErrorCode::kNotFound);
  EXPECT_EQ(CodeOf(leases_->Commit("app", MakeCommit(mine, Put(0), {"x"}))), ErrorCode::kFailedPrecondition);
  EXPECT_EQ(Results(), 0u);
}

// ---- over HTTP

class ApplicationRoutesTest : public ApplicationsTest {
 protected:
  void SetUp() override {
    ApplicationsTest::SetUp();
    ASSERT_TRUE(log_->CreateStream(kFacesStream, 1, std::chrono::hours(168)));
    services_ =
        std::make_unique<ApplicationServices>(ApplicationServices{*leases_, *log_, pool_, budget_, {"in"}});
    AddApplicationRoutes(router_, *services_);
    ServerOptions options;
    options.port = 0;
    options.threads = 1;
    server_ = Get(Server::Start(dispatcher_, options));
  }
  void TearDown() override {
    server_.reset();
    ApplicationsTest::TearDown();
  }
  RawAnswer Ask(const std::string& method, const std::string& target, const std::string& body = "") {
    RawClient client(server_->port());
    client.Send(method + " " + target +
                " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: " +
                std::to_string(body.size()) + "\r\n\r\n" + body);
    return client.Receive();
  }
  boost::json::value Json(const std::string& method, const std::string& target,
                          const std::string& body = "") {
    RawAnswer answer = Ask(method, target, body);
    EXPECT_EQ(answer.status, 200) << answer.body;
    return boost::json::parse(answer.body);
  }

  WorkerPool pool_{2, 16};
  ByteBudget budget_{64 << 20};
  Router router_;
  std::unique_ptr<ApplicationServices> services_;
  Dispatcher dispatcher_{router_, CheckCaller};
  std::unique_ptr<Server> server_;
};

TEST_F(ApplicationRoutesTest, FromTheBeginningToTheFaces) {
  SequenceNumber number = Put(0);
  auto begun = Json("POST", "/v1/applications/app/begin", R"({"stream":"in","start":"TRIM_HORIZON"})");
  EXPECT_EQ(begun.at("leases").as_array().size(), 2u);
  EXPECT_TRUE(begun.at("leases").at(0).at("checkpoint").is_null());
  auto lease = Json("POST", "/v1/applications/app/leases/take",
                    R"({"stream":"in","shard":"shardId-000000000000","owner":"w1","seconds":10})");
  EXPECT_EQ(lease.at("counter").as_int64(), 1);
  auto renewed = Json(
      "POST", "/v1/applications/app/leases/renew",
      R"({"owner":"w1","leases":[{"stream":"in","shard":"0","counter":1},{"stream":"in","shard":"1","counter":1}]})");
  EXPECT_EQ(renewed.at("lost").as_array().size(), 1u);
  std::string records;
  for (int i = 0; i < 3; ++i) {
    std::string data = "{\"frame\":" + std::to_string(i) + "}";
    records += std::string(i == 0 ? "" : ",") +
               R"({"stream":"millrace-faces","partition_key":"door","key":"k)" + std::to_string(i) +
               R"(","time":"2025-06-15T15:06:4)" + std::to_string(i / 2) + R"(Z","data":")" +
               wire::EncodeBase64(AsBytes(data)) + "\"}";
  }
  std::string commit = R"({"stream":"in","shard":"0","owner":"w1","counter":1,"checkpoint":")" +
                       number.ToString() + R"(","records":[)" + records + "]}";
  EXPECT_EQ(Json("POST", "/v1/applications/app/commit", commit).at("records").as_int64(), 3);
  EXPECT_TRUE(Json("POST", "/v1/applications/app/commit", commit).at("repeated").as_bool());

  auto page = Json("GET", "/v1/streams/door/faces?limit=1");
  EXPECT_EQ(page.at("records").at(0).at("frame").as_int64(), 0);
  page = Json("GET", "/v1/streams/door/faces?limit=1&next=" + std::string(page.at("next").as_string()));
  EXPECT_EQ(page.at("records").at(0).at("frame").as_int64(), 1);
  page = Json("GET", "/v1/streams/door/faces?limit=1&next=" + std::string(page.at("next").as_string()));
  EXPECT_EQ(page.at("records").at(0).at("frame").as_int64(), 2);
  EXPECT_TRUE(page.at("next").is_null());
  page = Json("GET", "/v1/streams/door/faces?start=2025-06-15T15:06:41Z");
  EXPECT_EQ(page.at("records").as_array().size(), 1u);
  page = Json("GET", "/v1/streams/door/faces?end=2025-06-15T15:06:41Z");
  EXPECT_EQ(page.at("records").as_array().size(), 2u);
  EXPECT_EQ(Json("GET", "/v1/streams/gate/faces").at("records").as_array().size(), 0u);

  EXPECT_EQ(Json("GET", "/v1/applications").at("applications").at(0).at("name").as_string(), "app");
  EXPECT_EQ(Json("GET", "/v1/applications/app").at("leases").at(0).at("checkpoint").as_string(),
            number.ToString());
  Json("POST", "/v1/applications/app/leases/release",
       R"({"stream":"in","shard":"0","owner":"w1","counter":1})");
  EXPECT_EQ(Ask("POST", "/v1/applications/app/commit", commit).status, 409);
  EXPECT_EQ(Json("DELETE", "/v1/applications/app").at("deleted").as_string(), "app");
  EXPECT_EQ(Ask("GET", "/v1/applications/app").status, 404);
}

TEST_F(ApplicationRoutesTest, OnlyBodiesThatComeTakeOfTheBudget) {
  const std::string head = "POST /v1/applications/app/commit HTTP/1.1\r\nHost: localhost\r\nContent-Length: ";
  // Larger than it may be: refused before anything is taken.
  RawClient large(server_->port());
  large.Send(head + "4000000000000000000\r\n\r\n");
  EXPECT_EQ(large.Receive().status, 413);
  EXPECT_EQ(budget_.taken(), 0u);
  // Announced and not sent: nothing is taken, and others are served.
  std::vector<std::unique_ptr<RawClient>> idle;
  for (int i = 0; i < 40; ++i) {
    idle.push_back(std::make_unique<RawClient>(server_->port()));
    idle.back()->Send(head + "16000000\r\n\r\n{");
  }
  Json("POST", "/v1/applications/app/begin", R"({"stream":"in"})");
  // What a request took is given back once it is over, which may be after its answer has come.
  const auto nothing_taken = [&] { return budget_.taken() == 0; };
  EXPECT_TRUE(test::WaitUntil(nothing_taken));
  // No room for what comes: the client sends it again.
  {
    auto all = budget_.Take(64 << 20);
    ASSERT_TRUE(all);
    const RawAnswer answer = Ask("POST", "/v1/applications/app/commit", std::string(100'000, ' '));
    EXPECT_EQ(answer.status, 503) << answer.body;
    EXPECT_THAT(answer.body, HasSubstr("too many large requests"));
    EXPECT_EQ(Ask("GET", "/v1/applications/app").status, 200);
  }
  // With room it is read, and what it took is given back.
  EXPECT_EQ(Ask("POST", "/v1/applications/app/commit", std::string(100'000, ' ')).status, 400);
  EXPECT_TRUE(test::WaitUntil(nothing_taken));
}

struct BadRequest {
  const char* name;
  const char* path;
  const char* body;
  int status;
};

class BadApplicationRequests : public ApplicationRoutesTest,
                               public ::testing::WithParamInterface<BadRequest> {};

TEST_P(BadApplicationRequests, AreRefusedAndChangeNothing) {
  Json("POST", "/v1/applications/app/begin", R"({"stream":"in"})");
  RawAnswer answer = Ask("POST", std::string("/v1/applications/") + GetParam().path, GetParam().body);
  EXPECT_EQ(answer.status, GetParam().status) << answer.body;
  EXPECT_THAT(answer.body, HasSubstr("\"error\""));
  for (const ShardLease& lease : Get(leases_->List("app"))) {
    EXPECT_EQ(lease.owner, "");
    EXPECT_EQ(lease.counter, 0u);
  }
}

#define COMMIT(rest) R"({"stream":"in","shard":"0","owner":"w","counter":1)" rest "}"
#define NUMBER "\"49664278172555792689262659566791464496495761151578079234\""
#define RECORD(rest) COMMIT(R"(,"checkpoint":)" NUMBER R"(,"records":[)" rest "]")
INSTANTIATE_TEST_SUITE_P(
    Requests, BadApplicationRequests,
    ::testing::Values(
        BadRequest{"NoJson", "app/begin", "", 400}, BadRequest{"List", "app/begin", "[]", 400},
        BadRequest{"NoStream", "app/begin", "{}", 400},
        BadRequest{"UnknownMember", "app/begin", R"({"stream":"in","begin":1})", 400},
        BadRequest{"UnknownStream", "app/begin", R"({"stream":"nowhere"})", 404},
        BadRequest{"BadStreamName", "app/begin", R"({"stream":"a/b"})", 400},
        BadRequest{"BadStart", "app/begin", R"({"stream":"in","start":"SOON"})", 400},
        BadRequest{"BadApplication", "a%2Fb/begin", R"({"stream":"in"})", 400},
        BadRequest{"TakeNothing", "app/leases/take", "{}", 400},
        BadRequest{"TakeBadShard", "app/leases/take", R"({"stream":"in","shard":"x","owner":"w"})", 400},
        BadRequest{"TakeNoSuchShard", "app/leases/take", R"({"stream":"in","shard":"7","owner":"w"})", 404},
        BadRequest{"TakeNoOwner", "app/leases/take", R"({"stream":"in","shard":"0","owner":""})", 400},
        BadRequest{"TakeForEver", "app/leases/take",
                   R"({"stream":"in","shard":"0","owner":"w","seconds":1e9})", 400},
        BadRequest{"TakeForNoTime", "app/leases/take",
                   R"({"stream":"in","shard":"0","owner":"w","seconds":0})", 400},
        BadRequest{"TakeNegative", "app/leases/take",
                   R"({"stream":"in","shard":"0","owner":"w","steal_counter":-1})", 400},
        BadRequest{"TakeOfOther", "other/leases/take", R"({"stream":"in","shard":"0","owner":"w"})", 404},
        BadRequest{"RenewNoList", "app/leases/renew", R"({"owner":"w","leases":{}})", 400},
        BadRequest{"RenewTexts", "app/leases/renew", R"({"owner":"w","leases":["x"]})", 400},
        BadRequest{"RenewNoOwner", "app/leases/renew", R"({"leases":[]})", 400},
        BadRequest{"ReleaseNoCounter", "app/leases/release", R"({"stream":"in","shard":"0","owner":"w"})",
                   400},
        BadRequest{"AttemptNothing", "app/leases/attempt",
                   R"({"stream":"in","shard":"0","owner":"w","counter":1})", 400},
        BadRequest{"AttemptNumber", "app/leases/attempt",
                   R"({"stream":"in","shard":"0","owner":"w","counter":1,"what":1})", 400},
        BadRequest{"CommitNothing", "app/commit", "{}", 400},
        BadRequest{"CommitNoCheckpoint", "app/commit", COMMIT(""), 400},
        BadRequest{"CommitBadCheckpoint", "app/commit", COMMIT(R"(,"checkpoint":"12")"), 400},
        BadRequest{"CommitOfOtherShard", "app/commit",
                   R"({"stream":"in","shard":"1","owner":"w","counter":1,"checkpoint":)" NUMBER "}", 400},
        BadRequest{"CommitWithoutLease", "app/commit", COMMIT(R"(,"checkpoint":"SHARD_END")"), 409},
        BadRequest{"RecordsNoList", "app/commit", COMMIT(R"(,"checkpoint":"SHARD_END","records":{})"), 400},
        BadRequest{"RecordText", "app/commit", RECORD("\"x\""), 400},
        BadRequest{"RecordEmpty", "app/commit", RECORD("{}"), 400},
        BadRequest{"RecordNoBase64", "app/commit",
                   RECORD(R"({"stream":"out","partition_key":"k","data":"%%%"})"), 400},
        BadRequest{"RecordNoKey", "app/commit", RECORD(R"({"stream":"out","partition_key":"","data":""})"),
                   400},
        BadRequest{"RecordBadTime", "app/commit",
                   RECORD(R"({"stream":"out","partition_key":"k","data":"","time":"noon"})"), 400},
        BadRequest{"RecordBefore1970", "app/commit",
                   RECORD(R"({"stream":"out","partition_key":"k","data":"","time":"1969-12-31T23:59:59Z"})"),
                   400},
        BadRequest{"RecordUnknownMember", "app/commit",
                   RECORD(R"({"stream":"out","partition_key":"k","data":"","attributes":[]})"), 400},
        BadRequest{"RecordToInternalStream", "app/commit",
                   RECORD(R"({"stream":"in","partition_key":"k","data":""})"), 403},
        BadRequest{"Deep", "app/commit", R"({"stream":[[[[[[[[[[[[[[]]]]]]]]]]]]]]})", 400}),
    [](const auto& tested) { return tested.param.name; });

// What analyzers told: events and thumbnails among many records without, over several data streams.
class ResultRoutesTest : public ApplicationRoutesTest {
 protected:
  void SetUp() override {
    ApplicationRoutesTest::SetUp();
    services_->result_streams = {"millrace-motion", "millrace-away", "millrace-tamper"};
    for (const char* name : {"millrace-motion", "millrace-tamper"}) {
      ASSERT_TRUE(log_->CreateStream(name, 1, std::chrono::hours(24)));
    }
    number_ = Put(0);
    Json("POST", "/v1/applications/app/begin", R"({"stream":"in","start":"TRIM_HORIZON"})");
    Json("POST", "/v1/applications/app/leases/take",
         R"({"stream":"in","shard":"shardId-000000000000","owner":"w1","seconds":10})");
  }
  // A record of the camera `door`, so many seconds after 15:06.
  void Add(const std::string& analyzer, int second, const std::string& members) {
    char time[40];
    std::snprintf(time, sizeof(time), "2025-06-15T15:06:%02dZ", second);
    const std::string data = R"({"InputInformation":{"KinesisVideo":{"FragmentNumber":"91"}},)"
                             R"("StreamProcessorInformation":{"Analyzer":")" +
                             analyzer + "\"}," + members + "}";
    records_ += std::string(records_.empty() ? "" : ",") + R"({"stream":"millrace-)" + analyzer +
                R"(","partition_key":"door","key":"k)" + std::to_string(++keys_) + R"(","time":")" + time +
                R"(","data":")" + wire::EncodeBase64(AsBytes(data)) + "\"}";
  }
  void Commit() {
    Json("POST", "/v1/applications/app/commit",
         R"({"stream":"in","shard":"0","owner":"w1","counter":1,"checkpoint":")" + number_.ToString() +
             R"(","records":[)" + records_ + "]}");
  }
  // "type@fragment by analyzer" of all pages of so many records.
  std::vector<std::string> Events(const std::string& query) {
    std::vector<std::string> events;
    std::string next;
    do {
      const auto page =
          Json("GET", "/v1/streams/door/events?" + query + (next.empty() ? "" : "&next=" + next));
      for (const auto& event : page.at("events").as_array()) {
        events.push_back(std::string(event.at("Type").as_string()) + "@" +
                         std::string(event.at("FragmentNumber").as_string()) + " by " +
                         std::string(event.at("Analyzer").as_string()));
      }
      next = page.at("next").is_null() ? "" : std::string(page.at("next").as_string());
    } while (!next.empty() && events.size() < 100);
    return events;
  }

  SequenceNumber number_;
  std::string records_;
  int keys_ = 0;
};

TEST_F(ResultRoutesTest, EventsOfAllAnalyzersComeByTime) {
  for (int i = 0; i < 30; ++i) Add("motion", i, R"("Motion":{"Zones":[]},"Note":"\"Events\":[{")");
  Add("motion", 10,
      R"("Events":[{"Type":"MotionStarted","EventId":"a"},{"Type":"SceneChanged","EventId":"b"}])");
  Add("tamper", 10, R"("Events":[{"Type":"TamperStarted","EventId":"c","Kind":"Covered"}])");
  Add("tamper", 5, R"("Events" : [ {"Type":"TamperStopped","EventId":"d"}])");
  Add("motion", 20, R"("Events":[{"Type":"MotionStopped","EventId":"a"},{"no":"type"},7])");
  Add("motion", 21, R"("Inner":{"Events":[{"Type":"NotTold"}]})");
  Commit();
  const std::vector<std::string> all = {"TamperStopped@91 by tamper", "MotionStarted@91 by motion",
                                        "SceneChanged@91 by motion", "TamperStarted@91 by tamper",
                                        "MotionStopped@91 by motion"};
  EXPECT_EQ(Events("limit=100"), all);
  EXPECT_EQ(Events("limit=1"), all);
  EXPECT_EQ(Events("limit=2"), all);
  EXPECT_EQ(Events("types=TamperStarted,MotionStopped"), (std::vector<std::string>{all[3], all[4]}));
  EXPECT_EQ(Events("start=2025-06-15T15:06:06Z&end=2025-06-15T15:06:20Z"),
            (std::vector<std::string>{all[1], all[2], all[3]}));
  const auto page = Json("GET", "/v1/streams/door/events?types=TamperStarted");
  EXPECT_EQ(page.at("events").at(0).at("Kind").as_string(), "Covered");
  EXPECT_EQ(Json("GET", "/v1/streams/gate/events").at("events").as_array().size(), 0u);
  for (const char* query : {"next=1", "next=1-millrace-motion-x", "next=-millrace-motion-1", "limit=0",
                            "limit=1001", "kinds=x", "start=soon"}) {
    EXPECT_EQ(Ask("GET", std::string("/v1/streams/door/events?") + query).status, 400) << query;
  }
}

TEST_F(ResultRoutesTest, ThumbnailsAreFoundAmongAllRecords) {
  for (int i = 0; i < 20; ++i) Add("motion", i, R"("Motion":{"Zones":[]})");
  Add("tamper", 7, R"("Thumbnail":{"ContentType":"image/jpeg","Image":"QQ=="})");
  Commit();
  const auto page = Json("GET", "/v1/streams/door/thumbnails");
  ASSERT_EQ(page.at("records").as_array().size(), 1u);
  EXPECT_EQ(page.at("records").at(0).at("Thumbnail").at("Image").as_string(), "QQ==");
  EXPECT_TRUE(page.at("next").is_null());
  EXPECT_EQ(
      Json("GET", "/v1/streams/door/thumbnails?start=2025-06-15T15:06:08Z").at("records").as_array().size(),
      0u);
}

}  // namespace
}  // namespace millrace::api
