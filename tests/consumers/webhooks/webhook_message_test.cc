#include "consumers/webhooks/webhook_message.h"

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <set>

#include "consumers/webhooks/webhook_settings.h"

namespace millrace {
namespace {

constexpr const char* kRecord = R"({"InputInformation":{"KinesisVideo":{"FragmentNumber":"42"}},
  "StreamProcessorInformation":{"Status":"RUNNING","Analyzer":"motion","Version":"1"},
  "Motion":{"Zones":[]},
  "Events":[{"Type":"MotionStopped","EventId":"door-5","Time":"2026-11-21T14:00:05Z","Zone":"door"},
            {"Type":"SceneChanged","EventId":"scene-6","Time":"2026-11-21T14:00:06Z"}]})";

TEST(WebhookMessages, AreTheEventsOfARecordInTheirOrder) {
  const auto messages = WebhookMessagesOf(AsBytes(kRecord), "gate");
  ASSERT_EQ(messages.size(), 2u);
  EXPECT_EQ(messages[0].type, "MotionStopped");
  EXPECT_EQ(messages[1].type, "SceneChanged");
  const auto body = boost::json::parse(messages[0].body);
  EXPECT_EQ(body.at("type"), "MotionStopped");
  EXPECT_EQ(body.at("timestamp"), "2026-11-21T14:00:05Z");
  EXPECT_EQ(body.at("data").at("stream"), "gate");
  EXPECT_EQ(body.at("data").at("analyzer"), "motion");
  EXPECT_EQ(body.at("data").at("fragment_number"), "42");
  EXPECT_EQ(body.at("data").at("event").at("Zone"), "door");
}

TEST(WebhookMessages, HaveTheirIdsOfTheEventAlone) {
  const auto once = WebhookMessagesOf(AsBytes(kRecord), "gate");
  const auto again = WebhookMessagesOf(AsBytes(kRecord), "gate");
  const auto other = WebhookMessagesOf(AsBytes(kRecord), "yard");
  EXPECT_EQ(once[0].id, again[0].id);
  std::set<std::string> ids{once[0].id, once[1].id, other[0].id, other[1].id};
  EXPECT_EQ(ids.size(), 4u);
  for (const std::string& id : ids) EXPECT_EQ(id.find('.'), std::string::npos) << "it parts what is signed";
}

TEST(WebhookMessages, WithoutAnEventIdAreToldApartByTheirFrame) {
  const auto id = [](const char* fragment, const char* offset) {
    const std::string record = std::string(R"({"InputInformation":{"KinesisVideo":{"FragmentNumber":")") +
                               fragment + R"(","FrameOffsetInSeconds":)" + offset +
                               R"(}},"Events":[{"Type":"PlateSeen","Plate":"AB 1"}]})";
    return WebhookMessagesOf(AsBytes(record), "gate").at(0).id;
  };
  EXPECT_EQ(id("1", "0.5"), id("1", "0.5"));
  EXPECT_NE(id("1", "0.5"), id("1", "1.5"));
  EXPECT_NE(id("1", "0.5"), id("2", "0.5"));
}

TEST(WebhookMessages, AreNoneOfWhatIsNoRecordWithEvents) {
  for (const char* record : {"", "[]", "null", "{", R"({"Events":5})", R"({"Events":{}})", R"({"Events":[]})",
                             R"({"Events":[5,null,"x",{}]})", R"({"Events":[{"Type":5}]})",
                             R"({"Events":[{"Type":""}]})", R"({"Motion":{}})"}) {
    EXPECT_TRUE(WebhookMessagesOf(AsBytes(record), "gate").empty()) << record;
  }
  EXPECT_EQ(WebhookMessagesOf(AsBytes(R"({"Events":[{"Type":"A"}],"InputInformation":[]})"), "gate").size(),
            1u);
}

TEST(WebhookMessages, AreBoundedInNumber) {
  std::string record = R"({"Events":[)";
  for (int i = 0; i < 500; ++i) record += R"({"Type":"A"},)";
  record += R"({"Type":"A"}]})";
  EXPECT_EQ(WebhookMessagesOf(AsBytes(record), "gate").size(), 100u);
}

// The specification's own example.
TEST(WebhookHeaders, AreSignedAsTheStandardSays) {
  WebhookMessage message;
  message.id = "msg_p5jXN8AQM9LWM0D4loKWxJek";
  message.body = R"({"test": 2432232314})";
  const auto key = WebhookKeyOf("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
  ASSERT_TRUE(key);
  const auto headers = WebhookHeaders(message, *key, Timestamp::FromMillis(1614265330'999));
  const std::vector<std::pair<std::string, std::string>> expected{
      {"Content-Type", "application/json"},
      {"webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"},
      {"webhook-timestamp", "1614265330"},
      {"webhook-signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="}};
  EXPECT_EQ(headers, expected);
  EXPECT_EQ(WebhookHeaders(message, "", Timestamp::FromMillis(0)).size(), 3u) << "no key, no signature";
}

}  // namespace
}  // namespace millrace
