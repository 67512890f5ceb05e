// Goal: what is pushed is read once and in order over renewals, ends, takeovers, deregistration and a reader
// that is slow; over TLS too. Method: as worker_test.cc, with subscriptions that end fast.
#include <atomic>
#include <thread>

#include "api/http/self_signed.h"
#include "tests/consumers/worker/worker_fixture.h"
#include "wire/service_client.h"

namespace millrace {
namespace {

class PushTest : public WorkerTest {
 protected:
  WorkerOptions Pushed(const std::string& owner) {
    WorkerOptions options = Options(owner);
    options.read_by = ReadBy::kPush;
    return options;
  }
};

TEST_F(PushTest, RenewsBeforeTheEndAndLosesNothing) {
  WorkerOptions options = Pushed("a");
  options.subscription_length = std::chrono::milliseconds(60);
  auto worker = Get(Worker::Start(options));
  for (int i = 0; i < 10; ++i) {
    Put(i * 20, i * 20 + 20);
    WorkUntil(*worker, static_cast<std::size_t>(i * 20 + 15));
  }
  WorkUntil(*worker, 200);
  ExpectEachOnceInOrder(200);
  EXPECT_TRUE(test::WaitUntil([&] { return worker->metrics().subscriptions > 10; }));
  EXPECT_EQ(worker->metrics().requests, 0u);
}

TEST_F(PushTest, GoesOnWhereTheServerEndedIt) {
  times_.lifetime = std::chrono::milliseconds(80);
  Close();
  Open();
  auto worker = Get(Worker::Start(Pushed("a")));
  for (int i = 0; i < 5; ++i) {
    Put(i * 20, i * 20 + 20);
    WorkUntil(*worker, static_cast<std::size_t>(i * 20 + 20));
  }
  ExpectEachOnceInOrder(100);
  EXPECT_TRUE(test::WaitUntil([&] { return worker->metrics().subscriptions > 6; }));
  EXPECT_EQ(worker->metrics().read_retries, 0u);
}

TEST_F(PushTest, TakesASubscriptionOverOnceItMay) {
  times_.takeover = std::chrono::milliseconds(1500);
  Close();
  Open();
  Put(0, 10);
  // Another application subscribes under the same name, as an owner does that does not know yet of its loss.
  WorkerOptions before = Pushed("before");
  before.application = "other";
  before.consumer = "shared";
  auto first = Get(Worker::Start(before));
  EXPECT_TRUE(test::WaitUntil([&] { return first->metrics().events > 0; }));
  WorkerOptions options = Pushed("a");
  options.consumer = "shared";
  auto second = Get(Worker::Start(options));
  WorkUntil(*second, 10);
  ExpectEachOnceInOrder(10);
}

TEST_F(PushTest, RegistersItsConsumerAgainWhereItIsGone) {
  auto worker = Get(Worker::Start(Pushed("a")));
  Put(0, 10);
  WorkUntil(*worker, 10);
  WorkerOptions options = Pushed("a");
  wire::ServiceClient client(options.endpoint);
  boost::json::object request;
  request["StreamARN"] = "arn:aws:kinesis:us-east-1:000000000000:stream/in";
  request["ConsumerName"] = "app";
  Get(client.DataStreams("DeregisterStreamConsumer", request));
  Put(10, 20);
  WorkUntil(*worker, 20);
  ExpectEachOnceInOrder(20);
  EXPECT_TRUE(
      test::WaitUntil([&] { return client.DataStreams("DescribeStreamConsumer", request).has_value(); }));
}

TEST_F(PushTest, ASlowReaderHoldsTheServerBack) {
  WorkerOptions options = Pushed("a");
  options.read_ahead_records = 2;
  options.read_ahead_bytes = 64 * 1024;
  auto worker = Get(Worker::Start(options));
  constexpr int kRecords = 60;
  for (int i = 0; i < kRecords; ++i) {
    storage::PutRecord record;
    record.partition_key = "key-" + std::to_string(i % 7);
    std::string text = std::to_string(i) + std::string(200 * 1024, ' ');
    record.data = SharedBytes(Bytes(text.begin(), text.end()));
    Get(storage::PutAndWait(*log_, "in", std::move(record)));
  }
  int count = 0;
  std::map<int, int> last;
  const auto deadline = std::chrono::steady_clock::now() + test::kPatience;
  while (count < kRecords && std::chrono::steady_clock::now() < deadline) {
    auto record = worker->Next(std::chrono::milliseconds(100));
    // An event's records of a shard are kept whole: a megabyte, and what its window lets come.
    EXPECT_LT(worker->metrics().read_ahead_bytes, 2u * 4 * 1024 * 1024);
    if (!record) continue;
    ++count;
    const int number = std::stoi(std::string(AsText(record->data)));
    auto [before, first] = last.try_emplace(number % 7, number);
    EXPECT_TRUE(first || before->second < number) << number;
    before->second = number;
    worker->Done(*record);
  }
  EXPECT_EQ(count, kRecords);
}

// Whoever ends a subscription that is held back, none follows it that would bring more.
class HeldBackTest : public PushTest, public ::testing::WithParamInterface<bool> {};

TEST_P(HeldBackTest, StaysSoOverTheEndsOfSubscriptions) {
  const bool server_ends = GetParam();
  WorkerOptions options = Alone();
  options.read_by = ReadBy::kPush;
  options.read_ahead_records = 2;
  if (server_ends) {
    times_.lifetime = std::chrono::milliseconds(200);
    Close();
    Open();
  } else {
    options.subscription_length = std::chrono::milliseconds(200);
  }
  constexpr int kRecords = 60;
  for (int i = 0; i < kRecords; ++i) {
    storage::PutRecord record;
    record.partition_key = "key";
    record.explicit_hash_key = storage::HashKey();  // one shard has all, and the other none
    std::string text = std::to_string(i) + std::string(200 * 1024, ' ');
    record.data = SharedBytes(Bytes(text.begin(), text.end()));
    Get(storage::PutAndWait(*log_, "in", std::move(record)));
  }
  auto worker = Get(Worker::Start(options));
  ASSERT_TRUE(test::WaitUntil([&] { return worker->metrics().read_ahead_bytes > 0; }));
  // The other shard's subscriptions end as they should, and are made anew.
  const auto before = worker->metrics().subscriptions;
  ASSERT_TRUE(test::WaitUntil([&] { return worker->metrics().subscriptions > before + 10; }));
  EXPECT_LT(worker->metrics().read_ahead_bytes, 4u * 1024 * 1024);
  EXPECT_EQ(worker->metrics().read_retries, 0u);
  EXPECT_EQ(worker->trouble(), "");
  int next = 0;
  const auto read_on = [&] {
    if (auto record = worker->Next(std::chrono::milliseconds(100))) {
      EXPECT_EQ(std::stoi(std::string(AsText(record->data))), next);
      ++next;
      worker->Done(*record);
    }
    return next == kRecords;
  };
  EXPECT_TRUE(test::WaitUntil(read_on)) << next;
}

INSTANTIATE_TEST_SUITE_P(By, HeldBackTest, ::testing::Bool(),
                         [](const auto& test) { return test.param ? "Server" : "Client"; });

TEST_F(PushTest, OverTlsWithTheServersCertificate) {
  const api::TlsFiles files{directory_ / "server.crt", directory_ / "server.key"};
  ASSERT_TRUE(api::EnsureSelfSigned(files, api::LocalNames({}), SystemClock()));
  auto context = Get(api::TlsContext::Open(files));
  server_.reset();
  api::ServerOptions server;
  server.port = 0;
  server.threads = 1;
  server.tls = api::TlsListener{"127.0.0.1", 0, context.get()};
  server_ = Get(api::Server::Start(*dispatcher_, server));
  Put(0, 10);
  WorkerOptions options = Pushed("a");
  options.endpoint = {"localhost", server_->tls_port(), true};
  {
    auto stranger = Get(Worker::Start(options));
    EXPECT_TRUE(test::WaitUntil([&] { return stranger->trouble().find("certificate") != std::string::npos; }))
        << stranger->trouble();
    EXPECT_EQ(stranger->shards(), 0u);
  }
  options.ca_file = files.certificate;
  {
    auto worker = Get(Worker::Start(options));
    WorkUntil(*worker, 10);
    ExpectEachOnceInOrder(10);
  }
  server_.reset();
}

}  // namespace
}  // namespace millrace
