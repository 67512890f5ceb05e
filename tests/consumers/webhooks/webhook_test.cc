// Webhooks against a real server with data streams, and a receiver over real sockets.
#include "consumers/webhooks/webhook.h"

#include <gtest/gtest.h>

#include <atomic>
#include <boost/json/parse.hpp>

#include "tests/consumers/sources/scripted_server.h"
#include "tests/consumers/worker/worker_fixture.h"
#include "tests/wait.h"

namespace millrace {
namespace {

using testing::ScriptedAnswer;
using testing::ScriptedRequest;
using testing::ScriptedServer;

class WebhookTest : public WorkerTest {
 protected:
  void SetUp() override {
    WorkerTest::SetUp();
    Get(log_->CreateStream("millrace-motion", 1, std::chrono::hours(24)));
    Get(log_->CreateStream("millrace-tamper", 1, std::chrono::hours(24)));
  }

  WebhookSettings Settings() const {
    WebhookSettings settings;
    settings.name = "door";
    settings.url.endpoint = receiver_.endpoint();
    settings.url.target = "/hook?a=b";
    settings.key = "sixteen letters!";
    settings.analyzers = {"motion"};
    settings.backoff = {.base = std::chrono::milliseconds(1), .max = std::chrono::milliseconds(5)};
    return settings;
  }
  std::unique_ptr<Webhook> Start(WebhookSettings settings) {
    auto webhook =
        Get(Webhook::Start(std::move(settings), {"127.0.0.1", port_}, std::nullopt, SystemClock()));
    // It begins with what comes after it has begun: its leases tell that it has.
    const auto begun = [&] {
      const auto leases = leases_->List(Webhook::ApplicationOf("door"));
      return leases && !leases->empty();
    };
    EXPECT_TRUE(test::WaitUntil(begun));
    return webhook;
  }
  void PutEvent(const std::string& type, const std::string& stream = "gate",
                const std::string& analyzer = "motion") {
    storage::PutRecord record;
    record.partition_key = stream;
    record.data = SharedBytes(Bytes());
    const std::string text = R"({"Events":[{"Type":")" + type + R"(","EventId":"e","Time":"t"}]})";
    record.data = SharedBytes(Bytes(text.begin(), text.end()));
    Get(storage::PutAndWait(*log_, "millrace-" + analyzer, std::move(record)));
  }
  // The types that the receiver has taken, in their order.
  std::vector<std::string> Received() const {
    std::vector<std::string> types;
    for (const std::string& body : receiver_.BodiesOf("/hook?a=b")) {
      types.emplace_back(boost::json::parse(body).at("type").as_string());
    }
    return types;
  }
  bool WaitForDelivered(const Webhook& webhook, std::uint64_t count) {
    return test::WaitUntil([&] { return webhook.status().delivered >= count; });
  }

  std::atomic<int> status_{200};
  std::atomic<bool> cut_{false};
  ScriptedServer receiver_{[this](const ScriptedRequest&) { return ScriptedAnswer{status_, "{}", cut_}; }};
};

using Types = std::vector<std::string>;

TEST_F(WebhookTest, SendsEventsInTheirOrder) {
  const auto webhook = Start(Settings());
  for (const char* type : {"A", "B", "C"}) PutEvent(type);
  ASSERT_TRUE(WaitForDelivered(*webhook, 3));
  EXPECT_EQ(Received(), (Types{"A", "B", "C"}));
  ASSERT_TRUE(test::WaitUntil([&] { return webhook->status().state == "ready"; }));
  const WebhookStatus status = webhook->status();
  EXPECT_EQ(status.failed, 0u);
  EXPECT_TRUE(status.last_delivery);
  EXPECT_EQ(status.last_error, "");
  const std::string head = receiver_.requests().front().head;
  EXPECT_NE(head.find("webhook-signature: v1,"), std::string::npos) << head;
  EXPECT_NE(head.find("webhook-id: msg_"), std::string::npos) << head;
  EXPECT_EQ(head.find("Authorization"), std::string::npos) << "it is nobody's business who the server is";
}

TEST_F(WebhookTest, SendsWhatIsAskedForAlone) {
  WebhookSettings settings = Settings();
  settings.types = {"MotionStarted"};
  settings.streams = {"gate"};
  const auto webhook = Start(std::move(settings));
  PutEvent("MotionStarted", "yard");
  PutEvent("MotionStopped", "gate");
  PutEvent("MotionStarted", "gate", "tamper");
  PutEvent("MotionStarted", "gate");
  ASSERT_TRUE(WaitForDelivered(*webhook, 1));
  EXPECT_EQ(Received(), Types{"MotionStarted"});
  const auto body = boost::json::parse(receiver_.BodiesOf("/hook?a=b").front());
  EXPECT_EQ(body.at("data").at("stream"), "gate");
}

TEST_F(WebhookTest, ReadsTheStreamsOfSeveralAnalyzers) {
  WebhookSettings settings = Settings();
  settings.analyzers = {"motion", "tamper"};
  const auto webhook = Start(std::move(settings));
  const auto both_begun = [&] { return leases_->List(Webhook::ApplicationOf("door"))->size() == 2; };
  ASSERT_TRUE(test::WaitUntil(both_begun));
  PutEvent("A");
  PutEvent("B", "gate", "tamper");
  ASSERT_TRUE(WaitForDelivered(*webhook, 2));
}

TEST_F(WebhookTest, TriesAgainUntilItIsTaken) {
  status_ = 503;
  const auto webhook = Start(Settings());
  PutEvent("A");
  PutEvent("B");
  ASSERT_TRUE(test::WaitUntil([&] { return webhook->status().failed >= 3; }));
  EXPECT_TRUE(test::WaitUntil([&] { return webhook->status().last_error == "the receiver answers 503"; }));
  EXPECT_EQ(webhook->status().delivered, 0u);
  status_ = 204;
  ASSERT_TRUE(WaitForDelivered(*webhook, 2));
  EXPECT_TRUE(test::WaitUntil([&] { return webhook->status().last_error.empty(); }));
  const Types received = Received();
  EXPECT_EQ(received.back(), "B");
  EXPECT_EQ(std::count(received.begin(), received.end(), "B"), 1) << "nothing overtakes what waits";
  std::set<std::string> ids;
  for (const ScriptedRequest& request : receiver_.requests()) {
    const std::size_t at = request.head.find("webhook-id: ");
    ids.insert(request.head.substr(at, request.head.find("\r\n", at) - at));
  }
  EXPECT_EQ(ids.size(), 2u) << "each event keeps its id over all tries";
}

TEST_F(WebhookTest, GoesOnWhereItWas) {
  status_ = 500;
  {
    const auto webhook = Start(Settings());
    PutEvent("A");
    ASSERT_TRUE(test::WaitUntil([&] { return webhook->status().failed >= 1; }));
  }
  PutEvent("B");
  status_ = 200;
  const auto webhook = Start(Settings());
  ASSERT_TRUE(WaitForDelivered(*webhook, 2));
  const Types received = Received();
  EXPECT_EQ(received.back(), "B");
  EXPECT_EQ(received[received.size() - 2], "A");
}

TEST_F(WebhookTest, LeavesOutWhatIsTooOld) {
  status_ = 500;
  WebhookSettings settings = Settings();
  settings.give_up_after = std::chrono::milliseconds(200);
  const auto webhook = Start(std::move(settings));
  PutEvent("A");
  ASSERT_TRUE(test::WaitUntil([&] { return webhook->status().dropped >= 1; }));
  EXPECT_EQ(webhook->status().delivered, 0u);
}

TEST_F(WebhookTest, SendsNothingMoreToAReceiverThatIsGone) {
  status_ = 410;
  const auto webhook = Start(Settings());
  PutEvent("A");
  ASSERT_TRUE(test::WaitUntil([&] { return webhook->status().state == "gone"; }));
  PutEvent("B");
  ASSERT_TRUE(test::WaitUntil([&] { return webhook->status().dropped >= 2; }));
  EXPECT_EQ(Received(), Types{"A"});
}

TEST_F(WebhookTest, ARedirectIsNoDelivery) {
  status_ = 302;
  const auto webhook = Start(Settings());
  PutEvent("A");
  ASSERT_TRUE(test::WaitUntil(
      [&] { return webhook->status().last_error.find("redirects are not followed") != std::string::npos; }));
  EXPECT_GE(webhook->status().failed, 1u);
  EXPECT_EQ(webhook->status().delivered, 0u);
}

TEST_F(WebhookTest, KeepsTheQueryOfItsUrlToItself) {
  cut_ = true;  // in the middle of the answer
  const auto webhook = Start(Settings());
  PutEvent("A");
  std::string why;
  ASSERT_TRUE(test::WaitUntil([&] {
    why = webhook->status().last_error;
    return why.find("POST /hook") != std::string::npos;
  })) << why;
  EXPECT_EQ(why.find("a=b"), std::string::npos) << why;
}

TEST_F(WebhookTest, SaysWhatIsWrongWithTheServer) {
  const auto webhook = Start(Settings());
  Close();
  ASSERT_TRUE(test::WaitUntil([&] { return webhook->status().state == "waiting"; }));
  EXPECT_NE(webhook->status().last_error, "");
}

TEST_F(WebhookTest, StopsAtOnceWhileItWaits) {
  status_ = 500;
  WebhookSettings settings = Settings();
  settings.backoff = {.base = std::chrono::hours(1), .max = std::chrono::hours(1)};
  const auto webhook = Start(std::move(settings));
  PutEvent("A");
  ASSERT_TRUE(test::WaitUntil([&] { return webhook->status().state == "retrying"; }));
  EXPECT_TRUE(webhook->status().next_try);
  webhook->Stop();
}

TEST(Webhook, HasANameThatAnApplicationCanHave) {
  WebhookSettings settings;
  settings.name = "no such/name";
  settings.analyzers = {"motion"};
  const auto webhook = Webhook::Start(settings, {"127.0.0.1", 1}, std::nullopt, SystemClock());
  ASSERT_FALSE(webhook);
  EXPECT_EQ(webhook.error().code, ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace millrace
