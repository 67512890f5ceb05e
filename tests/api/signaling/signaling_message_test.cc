// The signaling WebSocket's messages as the public clients write and read them.
#include "api/signaling/signaling_message.h"

#include <gmock/gmock.h>

namespace millrace::api {
namespace {

using ::testing::HasSubstr;

TEST(SignalingMessageTest, MembersMayBeginWithACapital) {
  for (
      const char* text :
      {R"({"action":"SDP_ANSWER","recipientClientId":"v1","messagePayload":"eyJ4Ijoxfg==","correlationId":"c.1"})",
       R"({"action":"SDP_ANSWER","RecipientClientId":"v1","MessagePayload":"eyJ4Ijoxfg==","CorrelationId":"c.1"})"}) {
    const ParsedSignal parsed = ParseSignal(text);
    ASSERT_TRUE(parsed.signal) << parsed.bad.error.message;
    EXPECT_EQ(parsed.signal->action, "SDP_ANSWER");
    EXPECT_EQ(parsed.signal->recipient, "v1");
    EXPECT_EQ(parsed.signal->payload, "eyJ4Ijoxfg==");
    EXPECT_EQ(parsed.signal->correlation_id, "c.1");
  }
}

struct BadMessage {
  std::string name, text, correlation_id, says;
};
class BadMessageTest : public ::testing::TestWithParam<BadMessage> {};

TEST_P(BadMessageTest, IsToldWithItsCorrelationId) {
  const ParsedSignal parsed = ParseSignal(GetParam().text);
  ASSERT_FALSE(parsed.signal);
  EXPECT_THAT(parsed.bad.error.message, HasSubstr(GetParam().says));
  EXPECT_EQ(parsed.bad.correlation_id, GetParam().correlation_id);
}

INSTANTIATE_TEST_SUITE_P(
    Signals, BadMessageTest,
    ::testing::Values(
        BadMessage{"NoJson", "hello", "", "JSON object"}, BadMessage{"AList", "[]", "", "JSON object"},
        BadMessage{"Deep", std::string(5000, '['), "", "JSON object"},
        BadMessage{"NoAction", R"({"messagePayload":"eA==","correlationId":"7"})", "7", "action"},
        BadMessage{"UnknownAction", R"({"action":"GO_AWAY","messagePayload":"eA==","correlationId":"7"})",
                   "7", "action"},
        BadMessage{"ActionIsANumber", R"({"action":1,"messagePayload":"eA=="})", "", "action"},
        BadMessage{"NoPayload", R"({"action":"SDP_OFFER","correlationId":"7"})", "7", "messagePayload"},
        BadMessage{"PayloadIsNoBase64", R"({"action":"SDP_OFFER","messagePayload":"{}","correlationId":"7"})",
                   "7", "messagePayload"},
        BadMessage{"PayloadTooLong",
                   R"({"action":"SDP_OFFER","messagePayload":")" + std::string(10'001, 'A') + "\"}", "",
                   "messagePayload"},
        BadMessage{"BadRecipient",
                   R"({"action":"SDP_OFFER","recipientClientId":"a b","messagePayload":"eA=="})", "",
                   "recipientClientId"},
        BadMessage{"BadCorrelationId",
                   R"({"action":"SDP_OFFER","messagePayload":"eA==","correlationId":"<x>"})", "",
                   "correlationId"}),
    [](const auto& one) { return one.param.name; });

TEST(SignalingMessageTest, AnswersAreInTheServicesForm) {
  const ClientSignal offer{"SDP_OFFER", "", "eA==", ""};
  EXPECT_EQ(ServerSignal(offer, "v1"),
            R"({"messageType":"SDP_OFFER","messagePayload":"eA==","senderClientId":"v1"})");
  EXPECT_EQ(ServerSignal(offer, ""), R"({"messageType":"SDP_OFFER","messagePayload":"eA=="})");
  EXPECT_EQ(StatusSignal("7", "InvalidArgumentException", 400, "no"),
            R"({"messageType":"STATUS_RESPONSE","statusResponse":{"correlationId":"7",)"
            R"("errorType":"InvalidArgumentException","statusCode":"400","description":"no"}})");
}

}  // namespace
}  // namespace millrace::api
