// Workers against a real server in this process, over HTTP: a data stream "in" of two shards, and "out" of
// one.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <map>

#include "api/aws/token_key.h"
#include "api/data_streams/data_stream_catalog.h"
#include "api/data_streams/services.h"
#include "api/data_streams/shard_subscriptions.h"
#include "api/http/dispatcher.h"
#include "api/http/origin_policy.h"
#include "api/http/server.h"
#include "api/v1/application_service.h"
#include "api/v1/services.h"
#include "consumers/worker/worker.h"
#include "consumers/worker/worker_state.h"
#include "storage/embedded_log.h"
#include "tests/kept_port.h"
#include "tests/wait.h"

namespace millrace {

template <typename T>
T Get(Result<T> result) {
  if (!result) {
    ADD_FAILURE() << result.error().ToString();
    std::abort();
  }
  return std::move(*result);
}

class WorkerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    times_.takeover = Duration{0};  // workers take over from each other faster than clients may
    std::string pattern = ::testing::TempDir() + "millrace-worker-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
    Open();
    Get(log_->CreateStream("in", 2, std::chrono::hours(24)));
    Get(log_->CreateStream("out", 1, std::chrono::hours(24)));
  }
  void TearDown() override {
    Close();
    std::filesystem::remove_all(directory_);
  }
  // Of the next start.
  api::SubscriptionTimes times_;

  void Open() {
    storage::EmbeddedLogOptions options;
    options.path = (directory_ / "data").string();
    options.reserve_bytes = 0;
    log_ = Get(storage::EmbeddedLog::Open(options));
    catalog_ = Get(api::DataStreamCatalog::Open(*log_, "millrace-fragments"));
    sealer_ = std::make_unique<wire::TokenSealer>(Get(api::OpenTokenSealer(*log_)));
    leases_ = std::make_unique<api::ApplicationLeases>(*log_, SystemClock());
    pool_ = std::make_unique<api::WorkerPool>(4, 64);
    applications_ = std::make_unique<api::ApplicationServices>(
        api::ApplicationServices{*leases_, *log_, *pool_, budget_, {}});
    router_ = std::make_unique<api::Router>();
    api::DataStreamServices streams{*catalog_, *sealer_, *pool_, budget_, SystemClock()};
    streams.subscriptions = std::make_shared<api::ShardSubscriptions>(times_);
    subscriptions_ = streams.subscriptions;
    api::AddDataStreamRoutes(*router_, streams);
    api::AddApplicationRoutes(*router_, *applications_);
    dispatcher_ = std::make_unique<api::Dispatcher>(*router_, api::CheckCaller);
    api::ServerOptions server;
    server.port = port_;
    server.threads = 1;
    server_ = Get(api::Server::Start(*dispatcher_, server));
  }
  void Close() {
    server_.reset();
    dispatcher_.reset();
    pool_.reset();
    log_.reset();
  }
  WorkerOptions Options(const std::string& owner) {
    WorkerOptions options;
    options.endpoint = {"127.0.0.1", port_};
    options.application = "app";
    options.stream = "in";
    options.owner = owner;
    options.start = "TRIM_HORIZON";
    options.lease_length = std::chrono::seconds(1);
    options.poll_interval = std::chrono::milliseconds(20);
    options.read_ahead_records = 3;
    return options;
  }
  // Of a worker that shares with nobody: it keeps its leases however long the machine stands still.
  WorkerOptions Alone() {
    WorkerOptions options = Options("a");
    options.lease_length = std::chrono::minutes(10);
    return options;
  }
  // Until the server has answered: what it was too slow to answer is said again, as programs do.
  static Result<void> Commit(Worker& worker, const WorkerRecord& record,
                             const std::vector<WorkerResult>& results = {}) {
    Result<void> committed;
    test::WaitUntil([&] {
      committed = worker.Commit(record, results);
      return committed || !consumer::ServerIsAway(committed.error().code);
    });
    return committed;
  }
  // Likewise. How often it is noted now; `before`: how often it was. A call without an answer may count.
  static Result<std::uint64_t> Attempt(Worker& worker, const WorkerRecord& record, std::uint64_t before) {
    Result<std::uint64_t> attempts = std::uint64_t{0};
    std::uint64_t unanswered = 0;
    test::WaitUntil([&] {
      attempts = worker.Attempt(record, "x");
      if (attempts || !consumer::ServerIsAway(attempts.error().code)) return true;
      ++unanswered;
      return false;
    });
    if (attempts) {
      EXPECT_GT(*attempts, before);
      EXPECT_LE(*attempts, before + 1 + unanswered);
    }
    return attempts;
  }
  void Put(int from, int to) {
    for (int i = from; i < to; ++i) {
      storage::PutRecord record;
      record.partition_key = "key-" + std::to_string(i % 7);
      std::string text = std::to_string(i);
      record.data = SharedBytes(Bytes(text.begin(), text.end()));
      Get(storage::PutAndWait(*log_, "in", std::move(record)));
    }
  }
  static WorkerResult ResultOf(const WorkerRecord& record) {
    WorkerResult result;
    result.stream = "out";
    result.partition_key = record.partition_key;
    result.data = std::string(AsText(record.data));
    return result;
  }
  // Works until there are so many results.
  void WorkUntil(Worker& worker, std::size_t results) {
    const auto deadline = std::chrono::steady_clock::now() + test::kPatience;
    while (Results().size() < results && std::chrono::steady_clock::now() < deadline) {
      auto record = worker.Next(std::chrono::milliseconds(50));
      if (record) (void)Commit(worker, *record, {ResultOf(*record)});
    }
  }
  // The numbers in the order of their results.
  std::vector<int> Results() {
    std::vector<int> numbers;
    std::optional<storage::ShardPosition> next = Get(log_->Seek("out", storage::ShardId{0}, {}));
    while (next) {
      auto batch = Get(log_->Read("out", *next, {}));
      for (const auto& record : batch.records) {
        numbers.push_back(std::stoi(std::string(AsText(record.data.span()))));
      }
      if (batch.records.empty()) break;
      next = batch.next;
    }
    return numbers;
  }
  void ExpectEachOnceInOrder(int count) {
    std::vector<int> numbers = Results();
    EXPECT_EQ(numbers.size(), static_cast<std::size_t>(count));
    std::map<int, int> last;  // of each key
    for (int number : numbers) {
      auto [before, first] = last.try_emplace(number % 7, number);
      if (!first) {
        EXPECT_LT(before->second, number) << "out of order, or twice";
        before->second = number;
      }
    }
  }

  std::filesystem::path directory_;
  const test::KeptPort kept_port_;
  const std::uint16_t port_ = kept_port_.number();
  api::ByteBudget budget_{64 << 20};
  std::unique_ptr<storage::EmbeddedLog> log_;
  std::unique_ptr<api::DataStreamCatalog> catalog_;
  std::unique_ptr<wire::TokenSealer> sealer_;
  std::unique_ptr<api::ApplicationLeases> leases_;
  std::unique_ptr<api::WorkerPool> pool_;
  std::unique_ptr<api::ApplicationServices> applications_;
  std::unique_ptr<api::Router> router_;
  std::unique_ptr<api::Dispatcher> dispatcher_;
  std::shared_ptr<api::ShardSubscriptions> subscriptions_;
  std::unique_ptr<api::Server> server_;
};

}  // namespace millrace
