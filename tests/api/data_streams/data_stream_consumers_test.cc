// Goal: registered consumers are kept durably, found by every way to name them, bounded in number, and go
// with their stream. Method: raw requests to a real server.
#include <gmock/gmock.h>

#include "tests/api/aws_server.h"

namespace millrace::api::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

constexpr char kStreamArn[] = "arn:aws:kinesis:us-east-1:000000000000:stream/s";

std::string Stream(const std::string& more = "") {
  return std::string(R"({"StreamARN":")") + kStreamArn + R"(")" + more + "}";
}
std::string Named(const std::string& name, const std::string& more = "") {
  return Stream(R"(,"ConsumerName":")" + name + R"(")" + more);
}
std::string ByArn(const std::string& arn, const std::string& more = "") {
  return R"({"ConsumerARN":")" + arn + R"(")" + more + "}";
}

class DataStreamConsumersTest : public AwsServerTest {
 protected:
  void SetUp() override {
    AwsServerTest::SetUp();
    ASSERT_EQ(Call("CreateStream", R"({"StreamName":"s","ShardCount":1})").status(), 200);
  }
  // Its ARN.
  std::string Register(const std::string& name) {
    const auto answer = Call("RegisterStreamConsumer", Named(name));
    EXPECT_EQ(answer.status(), 200) << answer.raw.body;
    return answer.status() == 200 ? Member(answer.object().at("Consumer"), "ConsumerARN") : "";
  }
  static std::string Member(const boost::json::value& object, const char* name) {
    return object.at(name).as_string().c_str();
  }
  std::vector<std::string> Names(const std::string& more = "") {
    const auto answer = Call("ListStreamConsumers", Stream(more));
    EXPECT_EQ(answer.status(), 200) << answer.raw.body;
    next_ = answer.Text("NextToken");
    std::vector<std::string> names;
    for (const auto& one : answer.object().at("Consumers").as_array()) {
      names.push_back(Member(one, "ConsumerName"));
    }
    return names;
  }
  std::string next_;  // the last listing's token
};

TEST_F(DataStreamConsumersTest, IsRegisteredDescribedAndDeregistered) {
  const auto made = Call("RegisterStreamConsumer", Named("reader"));
  ASSERT_EQ(made.status(), 200) << made.raw.body;
  const auto& consumer = made.object().at("Consumer");
  const std::string arn = Member(consumer, "ConsumerARN");
  EXPECT_EQ(arn, std::string(kStreamArn) + "/consumer/reader:" + std::to_string(kNow.seconds()));
  EXPECT_EQ(Member(consumer, "ConsumerName"), "reader");
  EXPECT_EQ(Member(consumer, "ConsumerStatus"), "ACTIVE");
  EXPECT_EQ(consumer.at("ConsumerCreationTimestamp").to_number<double>(),
            static_cast<double>(kNow.seconds()));

  for (const std::string& request :
       {Named("reader"), ByArn(arn), Named("reader", R"(,"ConsumerARN":")" + arn + R"(")")}) {
    const auto described = Call("DescribeStreamConsumer", request);
    ASSERT_EQ(described.status(), 200) << request << described.raw.body;
    const auto& description = described.object().at("ConsumerDescription");
    EXPECT_EQ(Member(description, "ConsumerARN"), arn);
    EXPECT_EQ(Member(description, "StreamARN"), kStreamArn);
  }
  EXPECT_THAT(Names(), ElementsAre("reader"));
  const auto summary = Call("DescribeStreamSummary", R"({"StreamName":"s"})");
  EXPECT_EQ(summary.object().at("StreamDescriptionSummary").at("ConsumerCount").to_number<int>(), 1);

  const auto gone = Call("DeregisterStreamConsumer", ByArn(arn));
  EXPECT_EQ(gone.status(), 200);
  EXPECT_EQ(gone.raw.body, "");
  EXPECT_THAT(Names(), IsEmpty());
  EXPECT_EQ(Call("DescribeStreamConsumer", ByArn(arn)).Fault(),
            "ResourceNotFoundException: Consumer " + arn + ", account 000000000000 not found.");
  EXPECT_EQ(Call("DeregisterStreamConsumer", Named("reader")).Fault(),
            "ResourceNotFoundException: Consumer reader, account 000000000000 not found.");
}

TEST_F(DataStreamConsumersTest, SurvivesARestart) {
  const std::string arn = Register("reader");
  (void)Register("other");
  ASSERT_EQ(Call("TagResource", R"({"ResourceARN":")" + arn + R"(","Tags":{"team":"doors"}})").status(), 200);
  ASSERT_EQ(Call("DeregisterStreamConsumer", Named("other")).status(), 200);
  Reopen();
  EXPECT_THAT(Names(), ElementsAre("reader"));
  EXPECT_EQ(Call("DescribeStreamConsumer", ByArn(arn)).status(), 200);
  const auto tags = Call("ListTagsForResource", R"({"ResourceARN":")" + arn + R"("})");
  EXPECT_THAT(tags.raw.body, HasSubstr("doors"));
}

TEST_F(DataStreamConsumersTest, RegisteredAgainItIsAnother) {
  const std::string first = Register("reader");
  EXPECT_THAT(Call("RegisterStreamConsumer", Named("reader")).Fault(),
              StartsWith("ResourceInUseException: "));
  ASSERT_EQ(Call("DeregisterStreamConsumer", ByArn(first)).status(), 200);
  const std::string second = Register("reader");
  EXPECT_NE(first, second) << "even within one second";
  EXPECT_THAT(Call("DescribeStreamConsumer", ByArn(first)).Fault(),
              StartsWith("ResourceNotFoundException: "));
  EXPECT_EQ(Call("DescribeStreamConsumer", ByArn(second)).status(), 200);
}

TEST_F(DataStreamConsumersTest, AreBoundedInNumber) {
  for (int i = 0; i < 20; ++i) (void)Register("reader-" + std::to_string(i));
  EXPECT_THAT(Call("RegisterStreamConsumer", Named("one-more")).Fault(),
              StartsWith("LimitExceededException: "));
  ASSERT_EQ(Call("UpdateAccountSettings", R"({"MinimumThroughputBillingCommitment":{"Status":"ENABLED"}})")
                .status(),
            200);
  for (int i = 20; i < 50; ++i) (void)Register("reader-" + std::to_string(i));
  EXPECT_THAT(Call("RegisterStreamConsumer", Named("one-more")).Fault(),
              StartsWith("LimitExceededException: "));
}

TEST_F(DataStreamConsumersTest, AreListedInPages) {
  EXPECT_THAT(Names(), IsEmpty());
  for (const char* name : {"c", "a", "e", "b", "d"}) (void)Register(name);
  EXPECT_THAT(Names(), ElementsAre("a", "b", "c", "d", "e"));
  EXPECT_EQ(next_, "");
  EXPECT_THAT(Names(R"(,"MaxResults":2)"), ElementsAre("a", "b"));
  EXPECT_THAT(Names(R"(,"MaxResults":2,"NextToken":")" + next_ + R"(")"), ElementsAre("c", "d"));
  const std::string last = next_;
  EXPECT_THAT(Names(R"(,"MaxResults":2,"NextToken":")" + last + R"(")"), ElementsAre("e"));
  EXPECT_EQ(next_, "");

  ASSERT_EQ(Call("CreateStream", R"({"StreamName":"t","ShardCount":1})").status(), 200);
  const auto foreign = Call(
      "ListStreamConsumers",
      R"({"StreamARN":"arn:aws:kinesis:us-east-1:000000000000:stream/t","NextToken":")" + last + R"("})");
  EXPECT_THAT(foreign.Fault(), StartsWith("InvalidArgumentException: "));
  clock_.Advance(std::chrono::seconds(301));
  EXPECT_THAT(Call("ListStreamConsumers", Stream(R"(,"NextToken":")" + last + R"(")")).Fault(),
              StartsWith("ExpiredNextTokenException: "));
  EXPECT_THAT(Call("ListStreamConsumers", Stream(R"(,"StreamCreationTimestamp":1)")).Fault(),
              StartsWith("ResourceNotFoundException: "));
}

TEST_F(DataStreamConsumersTest, GoWithTheirStream) {
  const std::string arn = Register("reader");
  EXPECT_THAT(Call("DeleteStream", R"({"StreamName":"s"})").Fault(), StartsWith("ResourceInUseException: "));
  EXPECT_THAT(Call("DeleteStream", R"({"StreamName":"s","EnforceConsumerDeletion":false})").Fault(),
              StartsWith("ResourceInUseException: "));
  EXPECT_THAT(Names(), ElementsAre("reader"));
  ASSERT_EQ(Call("DeleteStream", R"({"StreamName":"s","EnforceConsumerDeletion":true})").status(), 200);
  EXPECT_THAT(Call("DescribeStreamConsumer", ByArn(arn)).Fault(), StartsWith("ResourceNotFoundException: "));
  clock_.Advance(std::chrono::seconds(10));
  ASSERT_EQ(Call("CreateStream", R"({"StreamName":"s","ShardCount":1})").status(), 200);
  EXPECT_THAT(Names(), IsEmpty());
  EXPECT_THAT(Call("DescribeStreamConsumer", ByArn(arn)).Fault(), StartsWith("ResourceNotFoundException: "));
}

TEST_F(DataStreamConsumersTest, HaveTagsAndPolicies) {
  const auto made = Call("RegisterStreamConsumer", Named("reader", R"(,"Tags":{"a":"1"})"));
  ASSERT_EQ(made.status(), 200) << made.raw.body;
  const std::string resource =
      R"("ResourceARN":")" + Member(made.object().at("Consumer"), "ConsumerARN") + R"(")";
  EXPECT_EQ(Call("TagResource", "{" + resource + R"(,"Tags":{"b":"2"}})").status(), 200);
  EXPECT_EQ(Call("UntagResource", "{" + resource + R"(,"TagKeys":["a"]})").status(), 200);
  const auto tags = Call("ListTagsForResource", "{" + resource + "}");
  EXPECT_EQ(tags.raw.body, R"({"Tags":[{"Key":"b","Value":"2"}]})");
  EXPECT_EQ(Call("ListTagsForStream", R"({"StreamName":"s"})").object().at("Tags").as_array().size(), 0U);
  EXPECT_EQ(Call("GetResourcePolicy", "{" + resource + "}").Text("Policy"), "{}");
  EXPECT_THAT(
      Call("ListTagsForResource", R"({"ResourceARN":")" + std::string(kStreamArn) + R"(/consumer/reader:1"})")
          .Fault(),
      StartsWith("ResourceNotFoundException: "));
}

TEST_F(DataStreamConsumersTest, BadRequestsHaveTheirErrors) {
  const std::string arn = Register("reader");
  struct Case {
    const char* operation;
    std::string request;
    const char* fault;
  };
  const Case cases[] = {
      {"RegisterStreamConsumer", "{}", "ValidationException: 2 validation errors"},
      {"RegisterStreamConsumer", R"({"ConsumerName":"c"})", "ValidationException: 1 validation error"},
      {"RegisterStreamConsumer", Stream(), "ValidationException: 1 validation error"},
      {"RegisterStreamConsumer", Named(""), "ValidationException: "},
      {"RegisterStreamConsumer", Named("a/b"), "ValidationException: "},
      {"RegisterStreamConsumer", Named(std::string(129, 'c')), "ValidationException: "},
      {"RegisterStreamConsumer", R"({"StreamARN":"s","ConsumerName":"c"})", "ValidationException: "},
      {"RegisterStreamConsumer", R"({"StreamARN":7,"ConsumerName":"c"})", "SerializationException: "},
      {"RegisterStreamConsumer",
       R"({"StreamARN":"arn:aws:kinesis:us-east-1:000000000000:stream/none","ConsumerName":"c"})",
       "ResourceNotFoundException: Stream none under account 000000000000 not found."},
      {"RegisterStreamConsumer",
       R"({"StreamARN":"arn:aws:kinesis:us-east-1:111111111111:stream/s","ConsumerName":"c"})",
       "ResourceNotFoundException: "},
      {"DescribeStreamConsumer", "{}", "InvalidArgumentException: "},
      {"DescribeStreamConsumer", Stream(), "InvalidArgumentException: "},
      {"DescribeStreamConsumer", R"({"ConsumerName":"reader"})", "InvalidArgumentException: "},
      {"DescribeStreamConsumer", ByArn(arn + "0"), "ResourceNotFoundException: "},
      {"DescribeStreamConsumer", ByArn(std::string(kStreamArn) + "/consumer/reader:9223372036854775807"),
       "ResourceNotFoundException: "},
      {"DescribeStreamConsumer", ByArn(std::string(kStreamArn) + "/consumer/reader:99999999999999999999"),
       "ValidationException: "},
      {"DescribeStreamConsumer", ByArn(kStreamArn), "ValidationException: "},
      {"DescribeStreamConsumer", ByArn("reader"), "ValidationException: "},
      {"DescribeStreamConsumer", Named("other", R"(,"ConsumerARN":")" + arn + R"(")"),
       "InvalidArgumentException: "},
      {"DeregisterStreamConsumer", "{}", "InvalidArgumentException: "},
      {"DeregisterStreamConsumer", Named("other"), "ResourceNotFoundException: "},
      {"ListStreamConsumers", "{}", "ValidationException: 1 validation error"},
      {"ListStreamConsumers", Stream(R"(,"MaxResults":0)"), "ValidationException: "},
      {"ListStreamConsumers", Stream(R"(,"MaxResults":10001)"), "ValidationException: "},
      {"ListStreamConsumers", Stream(R"(,"NextToken":"AAAA")"), "InvalidArgumentException: "},
      {"ListStreamConsumers", Stream(R"(,"NextToken":"")"), "ValidationException: "},
  };
  for (const Case& one : cases) {
    EXPECT_THAT(Call(one.operation, one.request).Fault(), StartsWith(one.fault))
        << one.operation << " " << one.request;
  }
}

TEST(StreamConsumerText, WhatIsDamagedIsTold) {
  StreamConsumer consumer;
  consumer.stream = "s";
  consumer.stream_created = Timestamp{123'456'789};
  consumer.name = "c";
  consumer.created = Timestamp::FromSeconds(1'795'240'800);
  consumer.tags = {{"a", "ü"}};
  consumer.policy = R"({"Statement":[]})";
  const std::string text = EncodeStreamConsumer(consumer);
  const auto read = DecodeStreamConsumer(text);
  ASSERT_TRUE(read) << read.error().ToString();
  EXPECT_EQ(*read, consumer);
  for (
      const char* bad :
      {"", "{", "[]", "{}", R"({"version":1})", R"({"version":"1"})",
       R"({"version":1,"stream":7,"stream_created_ns":1,"name":"c","created_s":1,"tags":{},"policy":""})",
       R"({"version":1,"stream":"s","stream_created_ns":1,"name":"c","created_s":1,"tags":[],"policy":""})"}) {
    const auto refused = DecodeStreamConsumer(bad);
    ASSERT_FALSE(refused) << bad;
    EXPECT_EQ(refused.error().code, ErrorCode::kCorruption) << bad;
  }
  const auto newer = DecodeStreamConsumer(R"({"version":2})");
  ASSERT_FALSE(newer);
  EXPECT_EQ(newer.error().code, ErrorCode::kUnsupported);
}

}  // namespace
}  // namespace millrace::api::testing
