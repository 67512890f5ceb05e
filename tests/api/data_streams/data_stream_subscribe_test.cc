// Goal: SubscribeToShard pushes every record of a shard once and in order, says where it stands, and ends as
// the service says it must. Method: raw requests to a real server; the event stream is decoded here.
#include <gmock/gmock.h>

#include <deque>

#include "api/data_streams/shard_subscriptions.h"
#include "tests/api/aws_server.h"
#include "tests/wait.h"
#include "wire/base64.h"
#include "wire/cbor.h"
#include "wire/event_stream.h"

namespace millrace::api::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

constexpr char kStreamArn[] = "arn:aws:kinesis:us-east-1:000000000000:stream/s";
constexpr char kShard[] = "shardId-000000000000";

// An event without records or children is smaller than this; one with any is larger.
constexpr std::size_t kEmptyEventBytesMax = 180;

// Longer than a test lasts.
constexpr std::chrono::minutes kLong{5};

// One reader: a connection, and the messages that came over it.
class Reader {
 public:
  Reader(std::uint16_t port, const std::string& request,
         const std::string& type = "application/x-amz-json-1.1")
      : client_(port) {
    client_.Send("POST / HTTP/1.1\r\nHost: localhost:4567\r\nContent-Type: " + type +
                 "\r\nX-Amz-Target: Kinesis_20131202.SubscribeToShard\r\nContent-Length: " +
                 std::to_string(request.size()) + "\r\n\r\n" + request);
    head_ = client_.ReceiveHead();
    if (status() != 200) return;
    if (Next()) initial_ = *message_;
  }

  int status() const { return head_.status; }
  const RawAnswer& head() const { return head_; }
  const wire::EventMessage& initial() const { return initial_; }

  // Whether there was one.
  bool Next() {
    while (messages_.empty()) {
      const std::string chunk = client_.ReceiveChunk();
      if (chunk.empty()) return false;
      auto read = decoder_.Append(AsBytes(chunk));
      if (!read) return false;
      messages_.insert(messages_.end(), read->begin(), read->end());
    }
    message_ = messages_.front();
    messages_.pop_front();
    return true;
  }
  // As Next; events that say only where the shard stands are passed over.
  bool NextFilled() {
    while (Next()) {
      if (message_->payload.size() > kEmptyEventBytesMax) return true;
    }
    return false;
  }
  const wire::EventMessage& message() const { return *message_; }
  boost::json::object Body() const {
    return boost::json::parse(std::string(AsText(message_->payload))).as_object();
  }
  std::string Text(const char* name) const {
    const auto body = Body();
    const auto* value = body.if_contains(name);
    return value == nullptr ? "" : value->as_string().c_str();
  }
  std::vector<std::string> Records() const {
    std::vector<std::string> texts;
    const auto body = Body();
    for (const auto& record : body.at("Records").as_array()) {
      texts.emplace_back(AsText(*wire::DecodeBase64(record.at("Data").as_string().c_str())));
    }
    return texts;
  }
  // Those of the events up to so many; fewer where the stream ends.
  std::vector<std::string> Records(std::size_t count) {
    std::vector<std::string> texts;
    while (texts.size() < count && Next()) {
      if (message_->Text(":message-type") != "event") break;
      for (std::string& text : Records()) texts.push_back(std::move(text));
    }
    return texts;
  }
  // "ResourceInUseException: Another …" of the next exception; "" where the stream ended without one.
  std::string Exception() {
    while (Next()) {
      if (message_->Text(":message-type") != "exception") continue;
      return std::string(message_->Text(":exception-type")) + ": " + Text("message");
    }
    return "";
  }
  // Reads to the end: whether it is clean, with no half message and no half answer.
  bool EndsCleanly() {
    while (Next()) {
    }
    return decoder_.AtEnd() && client_.chunks_complete();
  }

 private:
  RawClient client_;
  RawAnswer head_;
  wire::EventStreamDecoder decoder_;
  std::deque<wire::EventMessage> messages_;
  std::optional<wire::EventMessage> message_;
  wire::EventMessage initial_;
};

class SubscribeTest : public AwsServerTest {
 protected:
  void SetUp() override {
    AwsServerTest::SetUp();
    ASSERT_EQ(Call("CreateStream", R"({"StreamName":"s","ShardCount":1})").status(), 200);
    consumer_ = Register("reader");
  }
  DataStreamServices MakeDataStreamServices() override {
    DataStreamServices services = AwsServerTest::MakeDataStreamServices();
    subscriptions_ = std::make_shared<ShardSubscriptions>(times_);
    services.subscriptions = subscriptions_;
    return services;
  }
  void OpenWith(SubscriptionTimes times) {
    times_ = times;
    Reopen();
  }
  std::string Register(const std::string& name) {
    const auto answer = Call("RegisterStreamConsumer", std::string(R"({"StreamARN":")") + kStreamArn +
                                                           R"(","ConsumerName":")" + name + R"("})");
    EXPECT_EQ(answer.status(), 200) << answer.raw.body;
    return answer.status() == 200 ? answer.object().at("Consumer").at("ConsumerARN").as_string().c_str() : "";
  }
  std::string Request(const std::string& position, const std::string& shard = kShard) const {
    return R"({"ConsumerARN":")" + consumer_ + R"(","ShardId":")" + shard + R"(","StartingPosition":{)" +
           position + "}}";
  }
  Reader Subscribe(const std::string& position = R"("Type":"TRIM_HORIZON")",
                   const std::string& shard = kShard) {
    return Reader(server_->port(), Request(position, shard));
  }
  std::string Put(const std::string& text) {
    clock_.Advance(std::chrono::milliseconds(1));
    const auto put = Call("PutRecord", R"({"StreamName":"s","PartitionKey":"k","Data":")" +
                                           wire::EncodeBase64(AsBytes(text)) + R"("})");
    EXPECT_EQ(put.status(), 200) << put.raw.body;
    return put.Text("SequenceNumber");
  }
  void Split() {
    const auto split =
        Call("SplitShard", std::string(R"({"StreamName":"s","ShardToSplit":")") + kShard +
                               R"(","NewStartingHashKey":"170141183460469231731687303715884105728"})");
    ASSERT_EQ(split.status(), 200) << split.raw.body;
  }

  // A subscription that is silent more briefly sees the server's stop sooner.
  SubscriptionTimes times_{
      .lifetime = std::chrono::minutes(5), .silence = std::chrono::milliseconds(100), .takeover = kLong};
  std::shared_ptr<ShardSubscriptions> subscriptions_;
  std::string consumer_;  // its ARN
};

const SubscriptionTimes kLively{
    .lifetime = std::chrono::minutes(5), .silence = std::chrono::milliseconds(20), .takeover = kLong};
const SubscriptionTimes kBrief{
    .lifetime = std::chrono::milliseconds(300), .silence = std::chrono::milliseconds(50), .takeover = kLong};

TEST_F(SubscribeTest, BeginsWithTheInitialResponse) {
  Reader reader = Subscribe();
  ASSERT_EQ(reader.status(), 200);
  EXPECT_EQ(reader.head().Header("Content-Type"), "application/vnd.amazon.eventstream");
  EXPECT_NE(reader.head().Header("x-amzn-RequestId"), "");
  EXPECT_EQ(reader.initial().Text(":message-type"), "event");
  EXPECT_EQ(reader.initial().Text(":event-type"), "initial-response");
  EXPECT_EQ(AsText(reader.initial().payload), "{}");
}

TEST_F(SubscribeTest, PushesWhatThereIsAndWhatComes) {
  const std::string first = Put("one");
  const std::string second = Put("two");
  Reader reader = Subscribe();
  ASSERT_TRUE(reader.NextFilled());
  EXPECT_EQ(reader.message().Text(":event-type"), "SubscribeToShardEvent");
  EXPECT_EQ(reader.message().Text(":content-type"), "application/x-amz-json-1.1");
  EXPECT_THAT(reader.Records(), ElementsAre("one", "two"));
  const auto body = reader.Body();
  EXPECT_EQ(body.at("Records").at(0).at("SequenceNumber").as_string(), first.c_str());
  EXPECT_EQ(body.at("Records").at(0).at("PartitionKey").as_string(), "k");
  EXPECT_TRUE(body.at("Records").at(0).as_object().contains("ApproximateArrivalTimestamp"));
  EXPECT_EQ(body.at("MillisBehindLatest").to_number<int>(), 0);
  EXPECT_FALSE(body.contains("ChildShards"));
  EXPECT_EQ(storage::SequenceNumber::Parse(reader.Text("ContinuationSequenceNumber"))->fields().counter,
            storage::SequenceNumber::Parse(second)->fields().counter);
  for (int i = 0; i < 20; ++i) {
    const std::string text = "later " + std::to_string(i);
    (void)Put(text);
    EXPECT_THAT(reader.Records(1), ElementsAre(text));
  }
}

TEST_F(SubscribeTest, StartsWhereItIsTold) {
  const std::string one = Put("one");
  const std::string two = Put("two");
  clock_.Advance(std::chrono::seconds(10));
  const Timestamp time = clock_.Now();
  clock_.Advance(std::chrono::seconds(10));
  (void)Put("three");
  struct Case {
    std::string position;
    std::vector<std::string> records;
  };
  const Case cases[] = {
      {R"("Type":"TRIM_HORIZON")", {"one", "two", "three"}},
      {R"("Type":"AT_SEQUENCE_NUMBER","SequenceNumber":")" + two + R"(")", {"two", "three"}},
      {R"("Type":"AFTER_SEQUENCE_NUMBER","SequenceNumber":")" + two + R"(")", {"three"}},
      {R"("Type":"AT_TIMESTAMP","Timestamp":)" + std::to_string(time.seconds()), {"three"}},
  };
  int n = 0;
  for (const Case& one_case : cases) {
    consumer_ = Register("reader-" + std::to_string(n++));
    EXPECT_EQ(Subscribe(one_case.position).Records(one_case.records.size()), one_case.records)
        << one_case.position;
  }
  consumer_ = Register("latest");
  Reader latest = Subscribe(R"("Type":"LATEST")");
  ASSERT_EQ(latest.status(), 200);
  (void)Put("four");
  EXPECT_THAT(latest.Records(1), ElementsAre("four"));
}

TEST_F(SubscribeTest, SaysWhereItStandsThoughNothingComes) {
  OpenWith(kLively);
  const std::string one = Put("one");
  Reader reader = Subscribe();
  EXPECT_THAT(reader.Records(1), ElementsAre("one"));
  std::string last = reader.Text("ContinuationSequenceNumber");
  for (int i = 0; i < 3; ++i) {
    clock_.Advance(std::chrono::seconds(5));
    // Those that were on their way are still of before.
    std::string now;
    EXPECT_TRUE(test::WaitUntil([&] {
      if (!reader.Next()) return false;
      EXPECT_THAT(reader.Records(), IsEmpty());
      now = reader.Text("ContinuationSequenceNumber");
      return *storage::SequenceNumber::Parse(now) > *storage::SequenceNumber::Parse(last);
    }));
    last = now;
  }
  // Nothing is lost or repeated behind it.
  (void)Put("two");
  consumer_ = Register("another");
  Reader again = Subscribe(R"("Type":"AFTER_SEQUENCE_NUMBER","SequenceNumber":")" + last + R"(")");
  EXPECT_THAT(again.Records(1), ElementsAre("two"));
}

TEST_F(SubscribeTest, AnEmptyShardHasAPlaceToGoOnFromToo) {
  OpenWith(kLively);
  Reader reader = Subscribe();
  ASSERT_TRUE(reader.Next());
  const std::string place = reader.Text("ContinuationSequenceNumber");
  (void)Put("one");
  consumer_ = Register("another");
  EXPECT_THAT(Subscribe(R"("Type":"AFTER_SEQUENCE_NUMBER","SequenceNumber":")" + place + R"(")").Records(1),
              ElementsAre("one"));
}

TEST_F(SubscribeTest, EndsCleanlyAfterItsTime) {
  OpenWith(kBrief);
  Reader reader = Subscribe();
  ASSERT_EQ(reader.status(), 200);
  EXPECT_TRUE(reader.EndsCleanly());
  test::WaitUntil([&] { return subscriptions_->count() == 0; });
  EXPECT_EQ(subscriptions_->count(), 0U);
  EXPECT_TRUE(Subscribe().EndsCleanly()) << "and may begin again at once";
}

TEST_F(SubscribeTest, TheEndOfAShardHasChildrenAndNoPlaceToGoOn) {
  (void)Put("one");
  Reader reader = Subscribe();
  EXPECT_THAT(reader.Records(1), ElementsAre("one"));
  Split();
  ASSERT_TRUE(reader.NextFilled());
  const auto body = reader.Body();
  EXPECT_EQ(reader.Text("ContinuationSequenceNumber"), "");
  EXPECT_EQ(body.at("MillisBehindLatest").to_number<int>(), 0);
  const auto& children = body.at("ChildShards").as_array();
  ASSERT_EQ(children.size(), 2U);
  for (const auto& child : children) {
    EXPECT_EQ(child.at("ParentShards").at(0).as_string(), kShard);
    EXPECT_TRUE(child.as_object().contains("HashKeyRange"));
  }
  EXPECT_TRUE(reader.EndsCleanly());
  // Whoever comes later has the records and the end in one event.
  consumer_ = Register("late");
  Reader late = Subscribe();
  ASSERT_TRUE(late.NextFilled());
  EXPECT_THAT(late.Records(), ElementsAre("one"));
  EXPECT_EQ(late.Text("ContinuationSequenceNumber"), "");
  EXPECT_EQ(late.Body().at("ChildShards").as_array().size(), 2U);
  EXPECT_TRUE(late.EndsCleanly());
}

TEST_F(SubscribeTest, NobodyTakesOverAtOnce) {
  Reader first = Subscribe();
  ASSERT_EQ(first.status(), 200);
  const auto second = Call("SubscribeToShard", Request(R"("Type":"LATEST")"));
  EXPECT_EQ(second.Fault(),
            "ResourceInUseException: Another active subscription exists for this consumer: "
            "000000000000:s:shardId-000000000000:reader");
  (void)Put("one");
  EXPECT_THAT(first.Records(1), ElementsAre("one")) << "the first goes on";
  consumer_ = Register("another");
  EXPECT_EQ(Subscribe().status(), 200) << "consumers are independent of each other";
}

TEST_F(SubscribeTest, ALaterCallTakesOver) {
  SubscriptionTimes times = times_;
  times.takeover = Duration{0};
  OpenWith(times);
  Reader first = Subscribe();
  ASSERT_EQ(first.status(), 200);
  Reader second = Subscribe();
  ASSERT_EQ(second.status(), 200);
  EXPECT_THAT(first.Exception(), StartsWith("ResourceInUseException: Another active subscription"));
  EXPECT_TRUE(first.EndsCleanly());
  (void)Put("one");
  EXPECT_THAT(second.Records(1), ElementsAre("one"));
  EXPECT_EQ(subscriptions_->count(), 1U);
}

TEST_F(SubscribeTest, EndsWithItsConsumer) {
  Reader reader = Subscribe();
  ASSERT_EQ(Call("DeregisterStreamConsumer", R"({"ConsumerARN":")" + consumer_ + R"("})").status(), 200);
  EXPECT_EQ(reader.Exception(),
            "ResourceNotFoundException: Consumer " + consumer_ + ", account 000000000000 not found.");
  EXPECT_TRUE(reader.EndsCleanly());
}

TEST_F(SubscribeTest, EndsWithItsStream) {
  Reader reader = Subscribe();
  ASSERT_EQ(Call("DeleteStream", R"({"StreamName":"s","EnforceConsumerDeletion":true})").status(), 200);
  ASSERT_EQ(Call("CreateStream", R"({"StreamName":"s","ShardCount":1})").status(), 200);
  (void)Put("of another stream");
  EXPECT_THAT(reader.Records(1), IsEmpty());
  EXPECT_THAT(reader.message().Text(":exception-type"), "ResourceNotFoundException");
  EXPECT_TRUE(reader.EndsCleanly());
}

TEST_F(SubscribeTest, ALargeRecordIsOneEvent) {
  ASSERT_EQ(Call("UpdateMaxRecordSize",
                 std::string(R"({"StreamARN":")") + kStreamArn + R"(","MaxRecordSizeInKiB":10240})")
                .status(),
            200);
  std::string large(9 * 1024 * 1024, 'x');
  large += "end";
  Reader reader = Subscribe();
  (void)Put(large);
  (void)Put("small");
  const auto records = reader.Records(2);
  ASSERT_EQ(records.size(), 2U);
  EXPECT_EQ(records[0], large);
  EXPECT_EQ(records[1], "small");
}

TEST_F(SubscribeTest, AReaderThatIsGoneIsForgotten) {
  OpenWith(kLively);
  {
    Reader reader = Subscribe();
    ASSERT_EQ(reader.status(), 200);
    EXPECT_EQ(subscriptions_->count(), 1U);
  }
  test::WaitUntil([&] { return subscriptions_->count() == 0; });
  EXPECT_EQ(subscriptions_->count(), 0U);
}

TEST_F(SubscribeTest, ManyReadersHaveEachRecord) {
  std::deque<Reader> readers;
  for (int i = 0; i < 19; ++i) {  // with the first consumer there are as many as there may be
    consumer_ = Register("reader-" + std::to_string(i));
    readers.emplace_back(server_->port(), Request(R"("Type":"LATEST")"));
  }
  for (int i = 0; i < 3; ++i) (void)Put(std::to_string(i));
  for (Reader& reader : readers) EXPECT_THAT(reader.Records(3), ElementsAre("0", "1", "2"));
}

TEST_F(SubscribeTest, CborRequestsGetCborEvents) {
  (void)Put("one");
  wire::CborWriter request;
  request.BeginObject();
  request.Key("ConsumerARN").String(consumer_);
  request.Key("ShardId").String(kShard);
  request.Key("StartingPosition").BeginObject().Key("Type").String("TRIM_HORIZON").EndObject();
  request.EndObject();
  Reader reader(server_->port(), std::move(request).Take(), "application/x-amz-cbor-1.1");
  ASSERT_EQ(reader.status(), 200);
  ASSERT_TRUE(reader.NextFilled());
  EXPECT_EQ(reader.message().Text(":content-type"), "application/x-amz-cbor-1.1");
  const auto event = wire::DecodeCbor(reader.message().payload, 16);
  ASSERT_TRUE(event) << event.error().ToString();
  EXPECT_EQ(event->at("Records").as_array().size(), 1U);
  EXPECT_TRUE(event->as_object().contains("ContinuationSequenceNumber"));
}

TEST_F(SubscribeTest, TheFragmentLogIsSeenAsDescriptors) {
  const auto stream = store_->CreateStream("door", std::chrono::hours(24));
  ASSERT_TRUE(stream) << stream.error().ToString();
  const auto registered = Call(
      "RegisterStreamConsumer",
      R"({"StreamARN":"arn:aws:kinesis:us-east-1:000000000000:stream/millrace-fragments","ConsumerName":"c"})");
  ASSERT_EQ(registered.status(), 200) << registered.raw.body;
  consumer_ = registered.object().at("Consumer").at("ConsumerARN").as_string().c_str();
  (void)Append(*stream, kNow);
  const auto shards = Call("ListShards", R"({"StreamName":"millrace-fragments"})");
  std::vector<std::string> seen;
  OpenWith(kLively);
  for (const auto& shard : shards.object().at("Shards").as_array()) {
    Reader reader = Subscribe(R"("Type":"TRIM_HORIZON")", shard.at("ShardId").as_string().c_str());
    ASSERT_TRUE(reader.Next());  // what there is, or that there is nothing
    for (std::string& text : reader.Records()) seen.push_back(std::move(text));
  }
  EXPECT_THAT(seen, ElementsAre(HasSubstr("door")));
}

TEST_F(SubscribeTest, BadRequestsHaveTheirErrors) {
  const std::string number = Put("one");
  struct Case {
    std::string request;
    const char* fault;
  };
  const std::string none = std::string(kStreamArn) + "/consumer/none:1";
  const Case cases[] = {
      {"{}", "ValidationException: 3 validation errors"},
      {Request(""), "ValidationException: 1 validation error"},
      {Request(R"("Type":"SOMEWHERE")"), "ValidationException: "},
      {Request(R"("Type":7)"), "SerializationException: "},
      {Request(R"("Type":"LATEST")", "a/b"), "ValidationException: "},
      {Request(R"("Type":"LATEST")", "shardId-000000000009"), "ResourceNotFoundException: "},
      {Request(R"("Type":"LATEST")", "nonsense"), "ResourceNotFoundException: "},
      {Request(R"("Type":"AT_SEQUENCE_NUMBER")"), "InvalidArgumentException: "},
      {Request(R"("Type":"LATEST","SequenceNumber":")" + number + R"(")"), "InvalidArgumentException: "},
      {Request(R"("Type":"AT_SEQUENCE_NUMBER","SequenceNumber":"12")"), "InvalidArgumentException: "},
      {Request(R"("Type":"AT_SEQUENCE_NUMBER","SequenceNumber":"-1")"), "ValidationException: "},
      {Request(R"("Type":"AT_TIMESTAMP")"), "InvalidArgumentException: "},
      {Request(R"("Type":"AT_TIMESTAMP","Timestamp":1795250000.0)"), "InvalidArgumentException: "},
      {R"({"ConsumerARN":")" + none + R"(","ShardId":"0","StartingPosition":{"Type":"LATEST"}})",
       "ResourceNotFoundException: Consumer "},
      {R"({"ConsumerARN":"reader","ShardId":"0","StartingPosition":{"Type":"LATEST"}})",
       "ValidationException: "},
      {R"({"ConsumerARN":")" + std::string(kStreamArn) +
           R"(","ShardId":"0","StartingPosition":{"Type":"LATEST"}})",
       "ValidationException: "},
  };
  for (const Case& one : cases) {
    EXPECT_THAT(Call("SubscribeToShard", one.request).Fault(), StartsWith(one.fault)) << one.request;
  }
  EXPECT_EQ(subscriptions_->count(), 0U) << "a refused call begins nothing";
}

}  // namespace
}  // namespace millrace::api::testing
