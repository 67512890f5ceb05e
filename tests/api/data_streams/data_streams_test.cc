// Goal: the Data Streams protocol over HTTP gives what the service's model says, and every bad request its
// right error. Method: raw requests to a real server; real clients are in tests/system.
#include <gmock/gmock.h>

#include "tests/api/aws_server.h"
#include "tests/wait.h"
#include "wire/base64.h"
#include "wire/cbor.h"

namespace millrace::api::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr char kArn[] = "arn:aws:kinesis:us-east-1:000000000000:stream/s";

class DataStreamsTest : public AwsServerTest {
 protected:
  void Create(const std::string& name, int shards = 1) {
    const auto made = Call("CreateStream",
                           R"({"StreamName":")" + name + R"(","ShardCount":)" + std::to_string(shards) + "}");
    ASSERT_EQ(made.status(), 200) << made.raw.body;
    EXPECT_EQ(made.raw.body, "") << "an answer without members has no body";
  }
  // The sequence number.
  std::string Put(const std::string& stream, const std::string& text, const std::string& key = "k") {
    clock_.Advance(std::chrono::milliseconds(1));
    const auto put = Call("PutRecord", R"({"StreamName":")" + stream + R"(","PartitionKey":")" + key +
                                           R"(","Data":")" + wire::EncodeBase64(AsBytes(text)) + R"("})");
    EXPECT_EQ(put.status(), 200) << put.raw.body;
    return put.Text("SequenceNumber");
  }
  AwsAnswer Iterator(const std::string& rest, const std::string& stream = "s", int shard = 0) {
    return Call("GetShardIterator", R"({"StreamName":")" + stream + R"(","ShardId":"shardId-00000000000)" +
                                        std::to_string(shard) + R"(",)" + rest + "}");
  }
  std::string IteratorText(const std::string& rest, const std::string& stream = "s", int shard = 0) {
    const auto answer = Iterator(rest, stream, shard);
    EXPECT_EQ(answer.status(), 200) << answer.raw.body;
    return answer.Text("ShardIterator");
  }
  AwsAnswer Read(const std::string& iterator, const std::string& more = "") {
    return Call("GetRecords", R"({"ShardIterator":")" + iterator + R"(")" + more + "}");
  }
  // A handler ends some time after its peer has the answer.
  void WaitForBudget() {
    test::WaitUntil([&] { return budget_.taken() == 0; });
    EXPECT_EQ(budget_.taken(), 0U);
  }
  static std::vector<std::string> Texts(const AwsAnswer& answer) {
    std::vector<std::string> texts;
    if (!answer.body.is_object()) return texts;
    for (const auto& record : answer.object().at("Records").as_array()) {
      const auto data = wire::DecodeBase64(record.as_object().at("Data").as_string().c_str());
      texts.emplace_back(AsText(*data));
    }
    return texts;
  }
};

TEST_F(DataStreamsTest, AStreamIsMadeDescribedListedAndDeleted) {
  Create("s", 2);
  const auto described = Call("DescribeStream", R"({"StreamName":"s"})");
  ASSERT_EQ(described.status(), 200);
  EXPECT_EQ(described.raw.Header("Content-Type"), "application/x-amz-json-1.1");
  EXPECT_EQ(described.raw.Header("x-amzn-RequestId").size(), 36U);
  EXPECT_GE(described.raw.Header("x-amz-id-2").size(), 88U);
  const auto& stream = described.object().at("StreamDescription").as_object();
  EXPECT_EQ(stream.at("StreamARN"), kArn);
  EXPECT_EQ(stream.at("StreamStatus"), "ACTIVE");
  EXPECT_EQ(stream.at("RetentionPeriodHours"), 24);
  EXPECT_EQ(stream.at("HasMoreShards"), false);
  EXPECT_THAT(described.raw.body, HasSubstr(R"("StreamCreationTimestamp":1795240800.000)"));
  const auto& shards = stream.at("Shards").as_array();
  ASSERT_EQ(shards.size(), 2U);
  EXPECT_EQ(shards[0].at("HashKeyRange").at("EndingHashKey"), "170141183460469231731687303715884105727");
  EXPECT_EQ(shards[1].at("HashKeyRange").at("EndingHashKey"), "340282366920938463463374607431768211455");
  EXPECT_EQ(shards[1].at("SequenceNumberRange").at("StartingSequenceNumber").as_string().size(), 56U);

  const auto summary = Call("DescribeStreamSummary", std::string(R"({"StreamARN":")") + kArn + R"("})");
  ASSERT_EQ(summary.status(), 200);
  EXPECT_EQ(summary.object().at("StreamDescriptionSummary").at("OpenShardCount"), 2);
  EXPECT_EQ(summary.object().at("StreamDescriptionSummary").at("MaxRecordSizeInKiB"), 1024);

  EXPECT_THAT(Call("CreateStream", R"({"StreamName":"s","ShardCount":1})").Fault(),
              "ResourceInUseException: Stream s under account 000000000000 already exists.");
  EXPECT_EQ(Call("DeleteStream", R"({"StreamName":"s","EnforceConsumerDeletion":true})").status(), 200);
  EXPECT_THAT(Call("DescribeStream", R"({"StreamName":"s"})").Fault(),
              "ResourceNotFoundException: Stream s under account 000000000000 not found.");
  EXPECT_THAT(Call("DeleteStream", R"({"StreamName":"s"})").Fault(), StartsWith("ResourceNotFoundException"));
}

TEST_F(DataStreamsTest, SettingsOfAStreamOutliveARestartAndNotTheStream) {
  const auto made = Call(
      "CreateStream", R"({"StreamName":"s","StreamModeDetails":{"StreamMode":"ON_DEMAND"},"Tags":{"a":"b"},)"
                      R"("MaxRecordSizeInKiB":2048,"RecordDistributionStrategy":"AUTO"})");
  ASSERT_EQ(made.status(), 200) << made.raw.body;
  Reopen();
  const std::string summary = Call("DescribeStreamSummary", R"({"StreamName":"s"})").raw.body;
  EXPECT_THAT(summary, HasSubstr(R"("StreamMode":"ON_DEMAND")"));
  EXPECT_THAT(summary, HasSubstr(R"("OpenShardCount":4)"));
  EXPECT_THAT(summary, HasSubstr(R"("MaxRecordSizeInKiB":2048)"));
  EXPECT_THAT(summary, HasSubstr(R"("RecordDistributionStrategy":"AUTO")"));
  // Records need no key there.
  EXPECT_EQ(Call("PutRecord", R"({"StreamName":"s","Data":"YQ=="})").status(), 200);
  ASSERT_EQ(Call("DeleteStream", R"({"StreamName":"s"})").status(), 200);
  Create("s");
  EXPECT_THAT(Call("DescribeStreamSummary", R"({"StreamName":"s"})").raw.body, HasSubstr("PROVISIONED"));
}

TEST_F(DataStreamsTest, StreamsAreListedInPages) {
  for (const char* name : {"c", "a", "b"}) Create(name);
  const auto all = Call("ListStreams", "{}");
  EXPECT_THAT(all.raw.body, HasSubstr(R"("StreamNames":["a","b","c"],"HasMoreStreams":false)"));
  EXPECT_THAT(all.raw.body, Not(HasSubstr("millrace-fragments")));
  const auto first = Call("ListStreams", R"({"Limit":2})");
  EXPECT_THAT(first.raw.body, HasSubstr(R"("StreamNames":["a","b"],"HasMoreStreams":true)"));
  const std::string token = first.Text("NextToken");
  EXPECT_THAT(Call("ListStreams", R"({"NextToken":")" + token + R"("})").raw.body,
              HasSubstr(R"("StreamNames":["c"],"HasMoreStreams":false)"));
  EXPECT_THAT(Call("ListStreams", R"({"ExclusiveStartStreamName":"a"})").raw.body, HasSubstr(R"(["b","c"])"));
  EXPECT_THAT(Call("ListStreams", R"({"MillraceIncludeInternal":true})").raw.body,
              HasSubstr(R"(["a","b","c","millrace-fragments"])"));
  EXPECT_THAT(Call("ListStreams", R"({"NextToken":"bWFkZSB1cA=="})").Fault(), StartsWith("InvalidArgument"));
}

TEST_F(DataStreamsTest, ShardsAreListedByEveryFilter) {
  Create("s", 3);
  clock_.Advance(std::chrono::seconds(10));
  const Timestamp before_split = clock_.Now();
  clock_.Advance(std::chrono::seconds(10));
  const auto half = storage::HashKey::Parse("5000000");
  ASSERT_TRUE(log_->SplitShard("s", storage::ShardId{0}, *half));
  clock_.Advance(std::chrono::seconds(10));
  const auto ids = [&](const std::string& rest) {
    const auto answer = Call("ListShards", R"({"StreamName":"s")" + rest + "}");
    EXPECT_EQ(answer.status(), 200) << answer.raw.body;
    std::string list;
    for (const auto& shard : answer.object().at("Shards").as_array()) {
      list += shard.at("ShardId").as_string().back();
    }
    return list;
  };
  const auto filter = [](const std::string& type, const std::string& more = "") {
    return R"(,"ShardFilter":{"Type":")" + type + R"(")" + more + "}";
  };
  const std::string time = R"(,"Timestamp":)" + std::to_string(before_split.seconds());
  EXPECT_EQ(ids(""), "01234");
  EXPECT_EQ(ids(filter("FROM_TRIM_HORIZON")), "01234");
  EXPECT_EQ(ids(filter("AT_LATEST")), "1234");
  EXPECT_EQ(ids(filter("AT_TRIM_HORIZON")), "012");
  EXPECT_EQ(ids(filter("AT_TIMESTAMP", time)), "012");
  EXPECT_EQ(ids(filter("FROM_TIMESTAMP", time)), "01234");
  EXPECT_EQ(ids(filter("FROM_TIMESTAMP", R"(,"Timestamp":)" + std::to_string(clock_.Now().seconds()))),
            "1234");
  EXPECT_EQ(ids(filter("AFTER_SHARD_ID", R"(,"ShardId":"shardId-000000000002")")), "34");
  EXPECT_EQ(ids(R"(,"ExclusiveStartShardId":"shardId-000000000003")"), "4");
  const std::string all = Call("ListShards", R"({"StreamName":"s"})").raw.body;
  EXPECT_THAT(all, HasSubstr(R"("ShardId":"shardId-000000000003","ParentShardId":"shardId-000000000000")"));
  EXPECT_THAT(all, HasSubstr("EndingSequenceNumber"));
  EXPECT_EQ(ids(R"(,"StreamCreationTimestamp":1795240800)"), "01234");
  EXPECT_THAT(Call("ListShards", R"({"StreamName":"s","StreamCreationTimestamp":1795240700})").Fault(),
              StartsWith("ResourceNotFound"));

  // Pages, whose token says what the listing is of.
  auto page = Call("ListShards", R"({"StreamName":"s","MaxResults":2)" + filter("AT_LATEST") + "}");
  const std::string token = page.Text("NextToken");
  ASSERT_FALSE(token.empty());
  page = Call("ListShards", R"({"MaxResults":2,"NextToken":")" + token + R"("})");
  EXPECT_EQ(page.object().at("Shards").as_array().size(), 2U);
  EXPECT_EQ(page.object().if_contains("NextToken"), nullptr);
  EXPECT_EQ(Call("ListShards", R"({"StreamName":"s","NextToken":")" + token + R"("})").raw.body,
            page.raw.body)
      << "as paginators send it";
  EXPECT_THAT(Call("ListShards", R"({"StreamName":"t","NextToken":")" + token + R"("})").Fault(),
              "InvalidArgumentException: NextToken and StreamName cannot be provided together.");
  clock_.Advance(std::chrono::seconds(301));
  EXPECT_THAT(Call("ListShards", R"({"NextToken":")" + token + R"("})").Fault(),
              StartsWith("ExpiredNextTokenException"));
  EXPECT_THAT(Call("ListShards", "{}").Fault(),
              "InvalidArgumentException: Either NextToken or StreamName should be provided.");
  EXPECT_THAT(Call("ListShards", R"({"StreamName":"s")" + filter("AT_TIMESTAMP") + "}").Fault(),
              HasSubstr("needs a Timestamp"));
}

TEST_F(DataStreamsTest, RecordsAreReadFromEveryKindOfIterator) {
  Create("s");
  const std::string latest = IteratorText(R"("ShardIteratorType":"LATEST")");
  std::vector<std::string> numbers;
  for (const char* text : {"one", "two", "three"}) {
    clock_.Advance(std::chrono::seconds(1));
    numbers.push_back(Put("s", text));
  }
  EXPECT_THAT(Texts(Read(IteratorText(R"("ShardIteratorType":"TRIM_HORIZON")"))),
              ElementsAre("one", "two", "three"));
  EXPECT_THAT(Texts(Read(latest)), ElementsAre("one", "two", "three"));
  const auto at = [&](const char* type, const std::string& number) {
    return Texts(Read(IteratorText(std::string(R"("ShardIteratorType":")") + type +
                                   R"(","StartingSequenceNumber":")" + number + R"(")")));
  };
  EXPECT_THAT(at("AT_SEQUENCE_NUMBER", numbers[1]), ElementsAre("two", "three"));
  EXPECT_THAT(at("AFTER_SEQUENCE_NUMBER", numbers[1]), ElementsAre("three"));
  EXPECT_THAT(Texts(Read(IteratorText(R"("ShardIteratorType":"AT_TIMESTAMP","Timestamp":1795240802.0)"))),
              ElementsAre("two", "three"));

  // One by one, to the tip; then a fresh iterator each time.
  std::string next = IteratorText(R"("ShardIteratorType":"TRIM_HORIZON")");
  const auto first = Read(next, R"(,"Limit":1)");
  EXPECT_THAT(Texts(first), ElementsAre("one"));
  EXPECT_GE(first.object().at("MillisBehindLatest").as_int64(), 1000);
  next = first.Text("NextShardIterator");
  EXPECT_THAT(Texts(Read("\\\"" + next + "\\\"")), ElementsAre("two", "three")) << "quotes are forgiven";
  const auto rest = Read(next);
  EXPECT_EQ(rest.object().at("MillisBehindLatest").as_int64(), 0);
  const auto tip = Read(rest.Text("NextShardIterator"));
  EXPECT_THAT(Texts(tip), ElementsAre());
  EXPECT_NE(tip.Text("NextShardIterator"), rest.Text("NextShardIterator"));
  const auto& record = first.object().at("Records").as_array()[0].as_object();
  EXPECT_EQ(record.at("PartitionKey"), "k");
  EXPECT_EQ(record.at("SequenceNumber"), numbers[0].c_str());
  EXPECT_THAT(first.raw.body, HasSubstr(R"("ApproximateArrivalTimestamp":1795240801.0)"));
}

TEST_F(DataStreamsTest, AClosedShardEndsAndNamesItsChildren) {
  Create("s");
  Put("s", "before");
  ASSERT_TRUE(log_->SplitShard("s", storage::ShardId{0}, *storage::HashKey::Parse("5000000")));
  const auto last = Read(IteratorText(R"("ShardIteratorType":"TRIM_HORIZON")"));
  EXPECT_THAT(Texts(last), ElementsAre("before"));
  EXPECT_EQ(last.object().if_contains("NextShardIterator"), nullptr);
  const auto& children = last.object().at("ChildShards").as_array();
  ASSERT_EQ(children.size(), 2U);
  EXPECT_EQ(children[0].at("ShardId"), "shardId-000000000001");
  EXPECT_EQ(children[0].at("ParentShards").as_array()[0], "shardId-000000000000");
  EXPECT_EQ(children[0].at("HashKeyRange").at("EndingHashKey"), "4999999");
}

TEST_F(DataStreamsTest, IteratorsExpireAndBelongToOneStream) {
  Create("s");
  Create("other");
  const std::string iterator = IteratorText(R"("ShardIteratorType":"TRIM_HORIZON")");
  EXPECT_THAT(Read(iterator, R"(,"StreamARN":"arn:aws:kinesis:us-east-1:000000000000:stream/other")").Fault(),
              StartsWith("InvalidArgumentException"));
  Reopen();
  EXPECT_EQ(Read(iterator).status(), 200) << "an iterator outlives a restart";
  clock_.Advance(std::chrono::minutes(5));
  EXPECT_EQ(Read(iterator).status(), 200);
  clock_.Advance(std::chrono::milliseconds(1));
  EXPECT_THAT(
      Read(iterator).Fault(),
      StartsWith("ExpiredIteratorException: Iterator expired. The iterator was created at time Sat Nov 21 "));
  const std::string fresh = IteratorText(R"("ShardIteratorType":"TRIM_HORIZON")");
  ASSERT_EQ(Call("DeleteStream", R"({"StreamName":"s"})").status(), 200);
  EXPECT_THAT(Read(fresh).Fault(), StartsWith("ResourceNotFoundException"));
  clock_.Advance(std::chrono::milliseconds(1));
  Create("s");
  EXPECT_THAT(Read(fresh).Fault(), StartsWith("ResourceNotFoundException")) << "another stream of this name";
}

TEST_F(DataStreamsTest, BadStartsOfIteratorsAreToldInTheServicesWords) {
  Create("s", 2);
  Create("t", 2);
  const std::string number = Put("s", "x");
  const std::string of_other = Put("t", "x");
  const auto fault = [&](const std::string& rest) { return Iterator(rest).Fault(); };
  const std::string at = R"("ShardIteratorType":"AT_SEQUENCE_NUMBER","StartingSequenceNumber":")";
  EXPECT_THAT(fault(R"("ShardIteratorType":"AT_SEQUENCE_NUMBER")"),
              HasSubstr("and no StartingSequenceNumber."));
  EXPECT_THAT(fault(R"("ShardIteratorType":"LATEST","StartingSequenceNumber":")" + number + R"(")"),
              HasSubstr("and also a StartingSequenceNumber."));
  EXPECT_THAT(fault(at + R"(5")"), HasSubstr("is invalid."));
  EXPECT_THAT(fault(R"("ShardIteratorType":"AT_TIMESTAMP")"), HasSubstr("has no timestamp parameter."));
  EXPECT_THAT(fault(R"("ShardIteratorType":"AT_TIMESTAMP","Timestamp":1895240802.5)"),
              HasSubstr("cannot be greater than the currentTimestampInMillis"));
  EXPECT_THAT(
      Iterator(R"("ShardIteratorType":"LATEST")", "s", 7).Fault(),
      "ResourceNotFoundException: Shard shardId-000000000007 in stream s under account 000000000000 does "
      "not exist");
  EXPECT_THAT(Iterator(R"("ShardIteratorType":"LATEST")", "nowhere").Fault(), HasSubstr("does not exist"));
  EXPECT_THAT(Call("GetShardIterator", R"({"StreamName":"s","ShardId":"shard","ShardIteratorType":"LATEST"})")
                  .Fault(),
              HasSubstr("Could not find shard shard in stream s"));
  const int shard =
      Texts(Read(IteratorText(R"("ShardIteratorType":"TRIM_HORIZON")", "s", 0))).empty() ? 1 : 0;
  EXPECT_THAT(Iterator(at + number + R"(")", "s", 1 - shard).Fault(),
              HasSubstr("while it was used in a call to"));
  EXPECT_EQ(Iterator(at + number + R"(")", "s", shard).status(), 200);
  EXPECT_THAT(fault(R"("ShardIteratorType":"LATEST","DryRun":true)"), StartsWith("DryRunOperationException"));
  for (const char* bad : {"", "x", "AAAA", "AAAAAAAAAAE=", "'", "{}"}) {
    EXPECT_NE(Read(bad).status(), 200) << bad;
  }
  std::string changed = IteratorText(R"("ShardIteratorType":"TRIM_HORIZON")");
  changed[40] = changed[40] == 'A' ? 'B' : 'A';
  EXPECT_THAT(Read(changed).Fault(), "InvalidArgumentException: Invalid ShardIterator.");
}

TEST_F(DataStreamsTest, ManyRecordsGoToTheirShardsInOrder) {
  Create("s", 2);
  std::string records;
  for (int i = 0; i < 100; ++i) {
    records += std::string(i > 0 ? "," : "") + R"({"PartitionKey":"k)" + std::to_string(i % 5) +
               R"(","Data":")" + wire::EncodeBase64(AsBytes(std::to_string(i))) + R"("})";
  }
  records += R"(,{"PartitionKey":"k","ExplicitHashKey":"0","Data":"MTAw"})";
  records += R"(,{"PartitionKey":"k","ExplicitHashKey":"340282366920938463463374607431768211455","Data":""})";
  const auto put = Call("PutRecords", R"({"StreamName":"s","Records":[)" + records + "]}");
  ASSERT_EQ(put.status(), 200) << put.raw.body;
  EXPECT_EQ(put.object().at("FailedRecordCount"), 0);
  const auto& results = put.object().at("Records").as_array();
  ASSERT_EQ(results.size(), 102U);
  EXPECT_EQ(results[100].at("ShardId"), "shardId-000000000000");
  EXPECT_EQ(results[101].at("ShardId"), "shardId-000000000001");
  std::size_t read = 0;
  for (int shard = 0; shard < 2; ++shard) {
    const auto answer = Read(IteratorText(R"("ShardIteratorType":"TRIM_HORIZON")", "s", shard));
    std::map<std::string, int> last;
    for (const auto& record : answer.object().at("Records").as_array()) {
      ++read;
      const std::string key = record.at("PartitionKey").as_string().c_str();
      const auto data = wire::DecodeBase64(record.at("Data").as_string().c_str());
      if (key == "k") continue;
      const int value = std::stoi(std::string(AsText(*data)));
      EXPECT_GE(value, last[key]) << key;
      last[key] = value;
    }
  }
  EXPECT_EQ(read, 102U);
}

TEST_F(DataStreamsTest, RecordsAreAsLargeAsTheStreamTakesThem) {
  Create("s");
  const auto put = [&](std::size_t bytes) {
    const std::string data = wire::EncodeBase64(Bytes(bytes, 'x'));
    return Call("PutRecord", R"({"StreamName":"s","PartitionKey":"key","Data":")" + data + R"("})");
  };
  EXPECT_EQ(put(1024 * 1024 - 3).status(), 200) << "the partition key counts";
  EXPECT_THAT(put(1024 * 1024 - 2).Fault(),
              HasSubstr("Member must have length less than or equal to 1048576"));
  EXPECT_THAT(
      put(1024 * 1024 + 1).Fault(),
      "ValidationException: 1 validation error detected: Value 'java.nio.HeapByteBuffer[pos=0 lim=1048577 "
      "cap=1048577]' at 'data' failed to satisfy constraint: Member must have length less than or equal to "
      "1048576");
  const auto read = Read(IteratorText(R"("ShardIteratorType":"TRIM_HORIZON")"));
  EXPECT_EQ(Texts(read)[0].size(), 1024U * 1024 - 3);
  WaitForBudget();

  // Eleven of a mebibyte are more than one request may have; nine are not.
  const std::string data = wire::EncodeBase64(Bytes(1000 * 1024, 'y'));
  const auto many = [&](int count) {
    std::string records;
    for (int i = 0; i < count; ++i) {
      records += std::string(i > 0 ? "," : "") + R"({"PartitionKey":"k","Data":")" + data + R"("})";
    }
    return Call("PutRecords", R"({"StreamName":"s","Records":[)" + records + "]}");
  };
  EXPECT_EQ(many(10).status(), 200);
  EXPECT_EQ(many(11).Fault(), "InvalidArgumentException: Records size exceeds 10 MB limit");
  EXPECT_EQ(many(13).status(), 413);
  const auto all = Read(IteratorText(R"("ShardIteratorType":"TRIM_HORIZON")"));
  EXPECT_LT(all.object().at("Records").as_array().size(), 11U) << "an answer has at most 10 MiB";
  WaitForBudget();
}

TEST_F(DataStreamsTest, LargeRequestsShareABudget) {
  Create("s");
  const auto held = budget_.Take(60 * 1024 * 1024);
  const std::string large = wire::EncodeBase64(Bytes(1000 * 1024, 'y'));
  EXPECT_THAT(
      Call("PutRecord", R"({"StreamName":"s","PartitionKey":"key","Data":")" + large + R"("})").Fault(),
      StartsWith("ProvisionedThroughputExceededException"));
  Put("s", "small ones go on");
}

TEST_F(DataStreamsTest, TheFragmentLogIsReadAsDescriptorsAndNotWritten) {
  const auto stream = store_->CreateStream("door", std::chrono::hours(24));
  ASSERT_TRUE(stream);
  const FragmentNumber number = Append(*stream, kNow);
  for (const char* operation : {"PutRecord", "DeleteStream"}) {
    EXPECT_THAT(
        Call(operation, R"({"StreamName":"millrace-fragments","PartitionKey":"k","Data":""})").Fault(),
        StartsWith("AccessDeniedException: Stream millrace-fragments under account"))
        << operation;
  }
  EXPECT_THAT(
      Call("PutRecords", R"({"StreamName":"millrace-fragments","Records":[{"PartitionKey":"k","Data":""}]})")
          .Fault(),
      StartsWith("AccessDeniedException"));
  EXPECT_THAT(Call("CreateStream", R"({"StreamName":"millrace-fragments","ShardCount":1})").Fault(),
              StartsWith("ResourceInUseException"));
  std::vector<std::string> descriptors;
  for (int shard = 0; shard < 2; ++shard) {
    const auto read =
        Read(IteratorText(R"("ShardIteratorType":"TRIM_HORIZON")", "millrace-fragments", shard));
    for (const std::string& text : Texts(read)) descriptors.push_back(text);
  }
  ASSERT_EQ(descriptors.size(), 1U);
  const auto descriptor = boost::json::parse(descriptors[0]);
  EXPECT_EQ(descriptor.at("stream"), "door");
  EXPECT_EQ(descriptor.at("stream_arn"),
            "arn:aws:kinesisvideo:us-east-1:000000000000:stream/door/1795240800000");
  EXPECT_EQ(descriptor.at("fragment_number"), number.ToString().c_str());
  EXPECT_EQ(descriptor.at("duration_ms"), 1000);
  EXPECT_EQ(descriptor.at("independent"), true);
  EXPECT_THAT(descriptors[0],
              HasSubstr(R"("producer_timestamp":1795240800.000,"server_timestamp":1795240800.100)"));
  ASSERT_EQ(descriptor.at("tracks").as_array().size(), 2U);
  EXPECT_EQ(descriptor.at("tracks").as_array()[0].at("codec"), "h264");
  EXPECT_EQ(descriptor.at("tracks").as_array()[0].at("frames"), 4);
}

// -- what is no proper request

TEST_F(DataStreamsTest, WhatIsNoRequestOfTheProtocolIsAnsweredAsTheServiceDoes) {
  const std::string json = "Content-Type: application/x-amz-json-1.1\r\n";
  const std::string target = "X-Amz-Target: Kinesis_20131202.ListStreams\r\n";
  EXPECT_EQ(Send("/", json + target, "{}").status, 200);
  EXPECT_EQ(Send("/", "Content-Type: Application/X-AMZ-json-1.1 ; charset=utf-8\r\n" + target, "{}").status,
            200);
  struct Case {
    std::string headers, body;
    int status;
    std::string answer;
  };
  const Case cases[] = {
      {json, "{}", 400, R"({"__type":"UnknownOperationException"})"},
      {json, "", 400, R"({"__type":"UnknownOperationException"})"},
      {json + target, "", 400, R"({"__type":"SerializationException"})"},
      {json + target, "[]", 400, R"({"__type":"SerializationException"})"},
      {json + target, "7", 400, R"({"__type":"SerializationException"})"},
      {json + target, "{", 400, "SerializationException"},
      {json + target, "{}{}", 400, "SerializationException"},
      {json + target, "{\"a\":\"\xFF\"}", 400, "SerializationException"},
      {json + target, R"({"a":"\ud800"})", 400, "SerializationException"},
      {json + target, std::string(100, '['), 400, "SerializationException"},
      {json + target, R"({"a":)" + std::string(40, '[') + std::string(40, ']') + "}", 400,
       "SerializationException"},
      {json + "X-Amz-Target: Kinesis_20131202.Nothing\r\n", "{}", 400,
       R"({"__type":"UnknownOperationException"})"},
      {json + "X-Amz-Target: Kinesis_20131202.\r\n", "{}", 400, R"({"__type":"UnknownOperationException"})"},
      {json + "X-Amz-Target: DynamoDB_20120810.ListStreams\r\n", "{}", 400, "UnknownOperationException"},
      {json + "X-Amz-Target: ListStreams\r\n", "{}", 400, "UnknownOperationException"},
      {json, "{", 400, "SerializationException"},
      {json + "X-Amz-Target: Kinesis_20131202.Nothing\r\n", "[]", 400,
       R"({"__type":"SerializationException"})"},
      {"Content-Type: application/json\r\n" + target, "{}", 404,
       R"({"Output":{"__type":"com.amazon.coral.service#UnknownOperationException"},"Version":"1.0"})"},
      {"Content-Type: application/json\r\n" + target, "[]", 400,
       R"({"Output":{"__type":"com.amazon.coral.service#SerializationException"},"Version":"1.0"})"},
      {"Content-Type: application/json\r\n", "{", 400,
       R"({"Output":{"__type":"com.amazon.coral.service#SerializationException"},"Version":"1.0"})"},
      {"Content-Type: text/plain\r\n" + target, "{}", 404, "<UnknownOperationException/>\n"},
      {target, "{}", 404, "<UnknownOperationException/>\n"},
      {"Content-Type: text/plain\r\n", "{}", 403,
       "Unable to determine service/operation name to be authorized"},
      {"", "{}", 403, "<AccessDeniedException>"},
  };
  for (const Case& one : cases) {
    const RawAnswer answer = Send("/", one.headers, one.body);
    EXPECT_EQ(answer.status, one.status) << one.headers << one.body;
    EXPECT_THAT(answer.body, HasSubstr(one.answer)) << one.headers << one.body;
    EXPECT_EQ(answer.Header("x-amzn-RequestId").size(), 36U);
  }
  EXPECT_EQ(Send("/", json + target + "Origin: http://evil.example\r\n", "{}").status, 403);
}

TEST_F(DataStreamsTest, PagesThatMayCallMayReadTheAnswers) {
  const std::string head = "Content-Type: application/x-amz-json-1.1\r\nX-Amz-Target: Kinesis_20131202.";
  const std::string origin = "Origin: http://localhost:3000\r\n";
  for (const char* operation : {"ListStreams", "DescribeStream", "Nothing"}) {
    const RawAnswer answer = Send("/", head + operation + "\r\n" + origin, "{}");
    EXPECT_EQ(answer.Header("Access-Control-Allow-Origin"), "*") << operation;
    EXPECT_EQ(answer.Header("Access-Control-Expose-Headers"),
              "x-amzn-RequestId,x-amzn-ErrorType,x-amz-request-id,x-amz-id-2,x-amzn-ErrorMessage,Date");
    EXPECT_EQ(Send("/", head + operation + "\r\n", "{}").Header("Access-Control-Allow-Origin"), "");
  }
  const auto preflight = [&](const std::string& from) {
    RawClient client(server_->port());
    client.Send("OPTIONS / HTTP/1.1\r\nHost: localhost\r\n" + from +
                "Access-Control-Request-Method: POST\r\n"
                "Access-Control-Request-Headers: x-amz-target, content-type\r\n\r\n");
    return client.Receive();
  };
  const RawAnswer answer = preflight(origin);
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, "");
  EXPECT_EQ(answer.Header("Access-Control-Allow-Origin"), "*");
  EXPECT_EQ(answer.Header("Access-Control-Allow-Methods"), "POST");
  EXPECT_EQ(answer.Header("Access-Control-Allow-Headers"), "x-amz-target, content-type");
  EXPECT_EQ(answer.Header("Access-Control-Max-Age"), "172800");
  EXPECT_EQ(answer.Header("x-amzn-RequestId").size(), 36U);
  EXPECT_EQ(answer.Header("x-amz-id-2"), "");
  EXPECT_EQ(answer.Header("Content-Type"), "");
  EXPECT_EQ(preflight("Origin: http://evil.example\r\n").status, 403);
}

// As hex, so that what fails can be read.
std::string Hex(std::string_view bytes) {
  std::string hex;
  for (const char c : bytes) {
    char two[3];
    std::snprintf(two, sizeof(two), "%02x", static_cast<unsigned char>(c));
    hex += two;
  }
  return hex;
}

TEST_F(DataStreamsTest, CborIsReadAndAnsweredInCbor) {
  const std::string type = "Content-Type: application/x-amz-cbor-1.1\r\n";
  const auto call = [&](const std::string& operation, const wire::CborWriter& body) {
    return Send("/", type + "X-Amz-Target: Kinesis_20131202." + operation + "\r\n",
                wire::CborWriter(body).Take());
  };
  const auto read = [](const RawAnswer& answer) {
    EXPECT_EQ(answer.Header("Content-Type"), "application/x-amz-cbor-1.1");
    auto value = wire::DecodeCbor(AsBytes(answer.body), 16);
    EXPECT_TRUE(value) << Hex(answer.body);
    return value ? std::move(*value) : boost::json::value();
  };
  wire::CborWriter create;
  create.BeginObject().Key("StreamName").String("s").Key("ShardCount").Integer(1).EndObject();
  const auto created = call("CreateStream", create);
  EXPECT_EQ(created.status, 200);
  EXPECT_EQ(created.body, "");

  // Every byte there is, as it is; the key is not base64 either.
  Bytes data(256);
  for (std::size_t i = 0; i < data.size(); ++i) data[i] = static_cast<std::uint8_t>(i);
  wire::CborWriter put;
  put.BeginObject()
      .Key("StreamName")
      .String("s")
      .Key("PartitionKey")
      .String("k")
      .Key("Data")
      .Blob(data)
      .EndObject();
  const auto receipt = read(call("PutRecord", put));
  EXPECT_EQ(receipt.at("ShardId"), "shardId-000000000000");
  clock_.Advance(std::chrono::seconds(1));
  wire::CborWriter puts;
  puts.BeginObject().Key("StreamName").String("s").Key("Records").BeginArray();
  puts.BeginObject().Key("PartitionKey").String("k").Key("Data").Blob({}).EndObject();
  puts.EndArray().EndObject();
  EXPECT_EQ(read(call("PutRecords", puts)).at("FailedRecordCount"), 0);

  // Times are milliseconds, both ways.
  wire::CborWriter from;
  from.BeginObject().Key("StreamName").String("s").Key("ShardId").String("0");
  from.Key("ShardIteratorType").String("AT_TIMESTAMP").Key("Timestamp").Time(kNow).EndObject();
  const auto iterator = read(call("GetShardIterator", from));
  wire::CborWriter get;
  get.BeginObject().Key("ShardIterator").String(iterator.at("ShardIterator").as_string().c_str()).EndObject();
  const auto raw = call("GetRecords", get);
  const auto records = read(raw).at("Records").as_array();
  ASSERT_EQ(records.size(), 2U);
  const auto& text = records[0].at("Data").as_string();
  const auto bytes = wire::CborBytesOf({text.data(), text.size()});
  ASSERT_TRUE(bytes);
  EXPECT_EQ(Bytes(bytes->begin(), bytes->end()), data);
  EXPECT_EQ(records[0].at("ApproximateArrivalTimestamp").as_double(), 1'795'240'800.0);
  EXPECT_THAT(Hex(raw.body), HasSubstr("c11b000001a1fcb0af00")) << "an integer number of milliseconds";
  from = wire::CborWriter();
  from.BeginObject().Key("StreamName").String("s").Key("ShardId").String("0").Key("ShardIteratorType");
  from.String("AT_TIMESTAMP").Key("Timestamp").Time(kNow + std::chrono::milliseconds(1)).EndObject();
  const auto later = read(call("GetShardIterator", from));
  get = wire::CborWriter();
  get.BeginObject().Key("ShardIterator").String(later.at("ShardIterator").as_string().c_str()).EndObject();
  EXPECT_EQ(read(call("GetRecords", get)).at("Records").as_array().size(), 1U);
}

TEST_F(DataStreamsTest, BadCborIsRefusedInCbor) {
  Create("s");
  const auto send = [&](const std::string& operation, const std::string& body) {
    const auto answer =
        Send("/",
             "Content-Type: application/x-amz-cbor-1.1; x=y\r\nX-Amz-Target: Kinesis_20131202." + operation +
                 "\r\n",
             body);
    EXPECT_EQ(answer.status, 400);
    EXPECT_EQ(answer.Header("Content-Type"), "application/x-amz-cbor-1.1");
    auto value = wire::DecodeCbor(AsBytes(answer.body), 16);
    EXPECT_TRUE(value) << Hex(answer.body);
    std::string text(value->at("__type").as_string().c_str());
    EXPECT_EQ(answer.Header("x-amzn-ErrorType"), text);
    for (const char* member : {"message", "Message"}) {
      if (const auto* message = value->as_object().if_contains(member)) {
        text += std::string(" ") + member + ": " + message->as_string().c_str();
      }
    }
    return text;
  };
  wire::CborWriter blob;
  blob.BeginObject().Key("StreamName").Blob(Bytes{0xFF, 'x'}).EndObject();
  const std::string bytes_for_text = std::move(blob).Take();
  wire::CborWriter nowhere;
  nowhere.BeginObject().Key("StreamName").String("nowhere").EndObject();
  const std::string no_stream = std::move(nowhere).Take();
  EXPECT_EQ(send("DescribeStream", ""), "SerializationException");
  EXPECT_EQ(send("Nothing", ""), "UnknownOperationException");
  EXPECT_EQ(send("Nothing", "\xA0"), "UnknownOperationException");
  EXPECT_EQ(send("DescribeStream", "\x80"), "SerializationException") << "no map";
  EXPECT_THAT(send("DescribeStream", "{}"),
              StartsWith("SerializationException Message: The body cannot be read."));
  EXPECT_THAT(send("DescribeStream", "\xBF"), StartsWith("SerializationException"));
  EXPECT_THAT(send("DescribeStream", std::string(1'000'000, '\x81')), StartsWith("SerializationException"));
  EXPECT_EQ(
      send("DescribeStream", bytes_for_text),
      "SerializationException Message: class java.nio.HeapByteBuffer can not be converted to an String");
  EXPECT_EQ(send("DescribeStream", no_stream),
            "ResourceNotFoundException message: Stream nowhere under account 000000000000 not found.");
  // What has no body, and no type that says JSON.
  const auto empty = Send("/", "", "");
  EXPECT_EQ(empty.status, 400);
  EXPECT_EQ(empty.Header("Content-Type"), "application/x-amz-cbor-1.1");
  EXPECT_THAT(empty.body, HasSubstr("UnknownOperationException"));
}

TEST_F(DataStreamsTest, AFewBytesOfCborDoNotBecomeManyOfMemory) {
  const auto answer =
      Send("/", "Content-Type: application/x-amz-cbor-1.1\r\nX-Amz-Target: Kinesis_20131202.PutRecords\r\n",
           "\x9F" + std::string(8'000'000, '\0') + "\xFF");
  EXPECT_THAT(answer.body, HasSubstr("too many values"));
  WaitForBudget();
}

TEST_F(DataStreamsTest, AFewBytesOfTextDoNotBecomeManyOfMemory) {
  std::string zeros = R"({"StreamName":"s","Records":[0)";
  for (int i = 0; i < 4'000'000; ++i) zeros += ",0";
  EXPECT_THAT(Call("PutRecords", zeros + "]}").Fault(), StartsWith("SerializationException"));
  WaitForBudget();
}

struct BadMember {
  const char* name;
  const char* operation;
  const char* json;
  const char* says;  // of type and message
};

class DataStreamsRefuse : public DataStreamsTest, public ::testing::WithParamInterface<BadMember> {};

TEST_P(DataStreamsRefuse, BadMembers) {
  Create("s");
  const auto answer = Call(GetParam().operation, GetParam().json);
  EXPECT_EQ(answer.status(), 400);
  EXPECT_THAT(answer.Fault(), HasSubstr(GetParam().says));
  EXPECT_EQ(answer.Text("__type"), answer.raw.Header("x-amzn-ErrorType"));
}

constexpr char kBoolIsNoString[] =
    "SerializationException: class java.lang.Boolean can not be converted to an String";
constexpr char kNull[] = "failed to satisfy constraint: Member must not be null";

INSTANTIATE_TEST_SUITE_P(
    Cases, DataStreamsRefuse,
    ::testing::Values(
        BadMember{"BoolForString", "DescribeStream", R"({"StreamName":true})", kBoolIsNoString},
        BadMember{"NumberForString", "DescribeStream", R"({"StreamName":7})",
                  "class com.amazon.coral.value.json.numbers.TruncatingBigNumber can not be converted to an "
                  "String"},
        BadMember{"ListForString", "DescribeStream", R"({"StreamName":[]})",
                  "Start of list found where not expected"},
        BadMember{"ObjectForString", "DescribeStream", R"({"StreamName":{}})",
                  "Start of structure or map found where not expected."},
        BadMember{"StringForNumber", "DescribeStream", R"({"StreamName":"s","Limit":"1"})",
                  "class java.lang.String can not be converted to an Integer"},
        BadMember{"StringForBool", "DeleteStream", R"({"StreamName":"s","EnforceConsumerDeletion":"x"})",
                  "'x' can not be converted to an Boolean"},
        BadMember{"StringForTime", "ListShards", R"({"StreamName":"s","StreamCreationTimestamp":"now"})",
                  "can not be converted to milliseconds since epoch"},
        BadMember{"TimeBeyondAllTime", "ListShards", R"({"StreamName":"s","StreamCreationTimestamp":1e300})",
                  "SerializationException"},
        BadMember{"ListForStructure", "ListShards", R"({"StreamName":"s","ShardFilter":[]})",
                  "Expected null"},
        BadMember{"ObjectForList", "PutRecords", R"({"StreamName":"s","Records":{}})",
                  "Expected list or null"},
        BadMember{"StringInListOfStructures", "PutRecords", R"({"StreamName":"s","Records":["x"]})",
                  "Expected null"},
        BadMember{"StringForMap", "CreateStream", R"({"StreamName":"n","ShardCount":1,"Tags":"x"})",
                  "Expected map or null"},
        BadMember{"NotBase64", "PutRecord", R"({"StreamName":"s","PartitionKey":"k","Data":"abc"})",
                  "'abc' can not be converted to a Blob: Base64 encoded length is expected a multiple of 4"},
        BadMember{"NoName", "DescribeStream", "{}",
                  "InvalidArgumentException: Either StreamName or StreamARN"},
        BadMember{"NullName", "DeleteStream", R"({"StreamName":null})", "InvalidArgumentException"},
        BadMember{
            "EmptyName", "DescribeStream", R"({"StreamName":""})",
            "ValidationException: 2 validation errors detected: Value '' at 'streamName' failed to satisfy "
            "constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+; Value '' at "},
        BadMember{"BadName", "DescribeStream", R"({"StreamName":"a b"})",
                  "ValidationException: 1 validation error detected: Value 'a b' at 'streamName' failed"},
        BadMember{"PathName", "CreateStream", R"({"StreamName":"../x","ShardCount":1})",
                  "ValidationException"},
        BadMember{"BadArn", "DescribeStream", R"({"StreamARN":"arn:aws:s3:::bucket"})",
                  "at 'streamARN' failed"},
        BadMember{"ArnOfVideo", "DescribeStream",
                  R"({"StreamARN":"arn:aws:kinesisvideo:us-east-1:000000000000:stream/s/1"})",
                  "at 'streamARN'"},
        BadMember{"ArnWithoutName", "DescribeStream",
                  R"({"StreamARN":"arn:aws:kinesis:us-east-1:000000000000:stream/"})", "at 'streamARN'"},
        BadMember{"ZeroLimit", "DescribeStream", R"({"StreamName":"s","Limit":0})",
                  "Value '0' at 'limit' failed to satisfy constraint: Member must have value greater than or "
                  "equal to 1"},
        BadMember{"HugeLimit", "DescribeStream", R"({"StreamName":"s","Limit":99999999999999999999})",
                  "Member must have value less than or equal to 10000"},
        BadMember{"NegativeShards", "CreateStream", R"({"StreamName":"n","ShardCount":-1})",
                  "greater than or equal to 1"},
        BadMember{"NoShards", "CreateStream", R"({"StreamName":"n"})", "Value null at 'shardCount' failed"},
        BadMember{
            "TooManyShards", "CreateStream", R"({"StreamName":"n","ShardCount":10001})",
            "LimitExceededException: This request would exceed the shard limit for the account 000000000000"},
        BadMember{"BadMode", "CreateStream", R"({"StreamName":"n","StreamModeDetails":{"StreamMode":"X"}})",
                  "at 'streamModeDetails.streamMode' failed to satisfy constraint: Member must satisfy enum "
                  "value set: "
                  "[PROVISIONED, ON_DEMAND]"},
        BadMember{"RecordSizeTooSmall", "CreateStream",
                  R"({"StreamName":"n","ShardCount":1,"MaxRecordSizeInKiB":1023})",
                  "at 'maxRecordSizeInKiB'"},
        BadMember{"SpreadWithoutOnDemand", "CreateStream",
                  R"({"StreamName":"n","ShardCount":1,"RecordDistributionStrategy":"AUTO"})",
                  "ValidationException"},
        BadMember{"NoKey", "PutRecord", R"({"StreamName":"s","Data":""})", kNull},
        BadMember{"NoData", "PutRecord", R"({"StreamName":"s","PartitionKey":"k"})", kNull},
        BadMember{"EmptyKey", "PutRecord", R"({"StreamName":"s","PartitionKey":"","Data":""})",
                  "at 'partitionKey'"},
        BadMember{"KeyInRecord", "PutRecords",
                  R"({"StreamName":"s","Records":[{"PartitionKey":"k","Data":""},{"Data":""}]})",
                  "Value null at 'records.2.member.partitionKey' failed"},
        BadMember{"HashWithZero", "PutRecord",
                  R"({"StreamName":"s","PartitionKey":"k","Data":"","ExplicitHashKey":"01"})",
                  "Member must satisfy regular expression pattern: 0|([1-9]\\d{0,38})"},
        BadMember{
            "HashTooLarge", "PutRecord",
            R"({"StreamName":"s","PartitionKey":"k","Data":"","ExplicitHashKey":"340282366920938463463374607431768211456"})",
            "Invalid ExplicitHashKey. ExplicitHashKey must be in the range: [0, 2^128-1]."},
        BadMember{"OrderingMadeUp", "PutRecord",
                  R"({"StreamName":"s","PartitionKey":"k","Data":"","SequenceNumberForOrdering":"5"})",
                  "ExclusiveMinimumSequenceNumber 5 used in PutRecord on stream s"},
        BadMember{"PutNowhere", "PutRecord", R"({"StreamName":"nowhere","PartitionKey":"k","Data":""})",
                  "ResourceNotFoundException: Stream nowhere under account 000000000000 not found."},
        BadMember{"PutManyNowhere", "PutRecords",
                  R"({"StreamName":"nowhere","Records":[{"PartitionKey":"k","Data":""}]})",
                  "ResourceNotFoundException"},
        BadMember{"NoRecords", "PutRecords", R"({"StreamName":"s","Records":[]})",
                  "greater than or equal to 1"},
        BadMember{"DryRun", "PutRecord", R"({"StreamName":"s","PartitionKey":"k","Data":"","DryRun":true})",
                  "DryRunOperationException"},
        BadMember{"BadIteratorType", "GetShardIterator",
                  R"({"StreamName":"s","ShardId":"0","ShardIteratorType":"NEWEST"})",
                  "[AFTER_SEQUENCE_NUMBER, LATEST, AT_TIMESTAMP, AT_SEQUENCE_NUMBER, TRIM_HORIZON]"},
        BadMember{"NoIterator", "GetRecords", "{}", "Value null at 'shardIterator' failed"},
        BadMember{"BadFilter", "ListShards", R"({"StreamName":"s","ShardFilter":{}})",
                  "Value null at 'shardFilter.type'"}),
    [](const auto& one) { return one.param.name; });

TEST_F(DataStreamsTest, ABodyThatBreaksOffIsNotTaken) {
  Create("s");
  const std::string head =
      "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-amz-json-1.1\r\n"
      "X-Amz-Target: Kinesis_20131202.PutRecord\r\n";
  for (const std::string& rest :
       {std::string("Content-Length: 4000000\r\n\r\n{\"StreamName\""),
        "Transfer-Encoding: chunked\r\n\r\n8000\r\n" + std::string(0x8000, ' ') + "\r\n8000\r\n{",
        std::string("Transfer-Encoding: chunked\r\n\r\nxyz\r\n")}) {
    RawClient client(server_->port());
    client.Send(head + rest);
    client.FinishSending();
    EXPECT_EQ(client.Receive().status, 400);
  }
  WaitForBudget();
  EXPECT_THAT(Texts(Read(IteratorText(R"("ShardIteratorType":"TRIM_HORIZON")"))), ElementsAre());
}

TEST_F(DataStreamsTest, ABodyInChunksIsTakenAsOneWithALength) {
  Create("s");
  const std::string body =
      R"({"StreamName":"s","PartitionKey":"k","Data":")" + wire::EncodeBase64(Bytes(300'000, 'z')) + R"("})";
  std::string chunks;
  for (std::size_t at = 0; at < body.size(); at += 5000) {
    const std::string piece = body.substr(at, 5000);
    char size[16];
    std::snprintf(size, sizeof(size), "%zx\r\n", piece.size());
    chunks += size + piece + "\r\n";
  }
  RawClient client(server_->port());
  client.Send(
      "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-amz-json-1.1\r\n"
      "X-Amz-Target: Kinesis_20131202.PutRecord\r\nTransfer-Encoding: chunked\r\n\r\n" +
      chunks + "0\r\n\r\n");
  EXPECT_EQ(client.Receive().status, 200);
  EXPECT_EQ(Texts(Read(IteratorText(R"("ShardIteratorType":"TRIM_HORIZON")")))[0].size(), 300'000U);
  WaitForBudget();
}

TEST_F(DataStreamsTest, TooManyRecordsAreRefused) {
  Create("s");
  std::string records;
  for (int i = 0; i < 501; ++i)
    records += std::string(i > 0 ? "," : "") + R"({"PartitionKey":"k","Data":""})";
  EXPECT_THAT(Call("PutRecords", R"({"StreamName":"s","Records":[)" + records + "]}").Fault(),
              HasSubstr("Member must have length less than or equal to 500"));
}

}  // namespace
}  // namespace millrace::api::testing
