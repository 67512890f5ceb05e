// Goal: StartStreamEncryption and StopStreamEncryption do what they say, in every form of a KeyId, are seen
// in every answer that speaks of encryption, and refuse the rest in the service's words.
#include <gmock/gmock.h>

#include "storage/master_keys.h"
#include "tests/api/aws_server.h"

namespace millrace::api::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class StreamEncryptionTest : public AwsServerTest {
 protected:
  void SetUp() override {
    AwsServerTest::SetUp();
    Expect200("CreateStream", R"({"StreamName":"s","ShardCount":1})");
  }
  void ConfigureLog(storage::EmbeddedLogOptions& options) override {
    if (keys_.empty()) return;
    auto keys = storage::MasterKeys::Parse(keys_, "the test");
    ASSERT_TRUE(keys) << keys.error().ToString();
    options.master_keys = std::make_shared<const storage::MasterKeys>(std::move(*keys));
  }
  std::string Expect200(const std::string& operation, const std::string& json) {
    const auto answer = Call(operation, json);
    EXPECT_EQ(answer.status(), 200) << operation << json << answer.raw.body;
    return answer.raw.body;
  }
  AwsAnswer Encrypt(const char* what, const std::string& key_id, const std::string& more = "") {
    return Call(std::string(what) + "StreamEncryption",
                R"({"StreamName":"s","EncryptionType":"KMS","KeyId":")" + key_id + "\"" + more + "}");
  }
  std::string Put(const std::string& data) {
    return Expect200("PutRecord", R"({"StreamName":"s","PartitionKey":"k","Data":")" + data + R"("})");
  }
  std::string Read() {
    const auto iterator = Call("GetShardIterator", R"({"StreamName":"s","ShardId":"shardId-000000000000",)"
                                                   R"("ShardIteratorType":"TRIM_HORIZON"})");
    return Expect200("GetRecords", R"({"ShardIterator":")" + iterator.Text("ShardIterator") + "\"}");
  }

  // Two keys; the second one has been replaced by the first.
  std::string keys_ = "current " + std::string(64, '1') + "\n00000000-1111-2222-3333-444444444444 " +
                      std::string(64, '2') + "\n";
};

TEST_F(StreamEncryptionTest, IsSeenInEveryAnswer) {
  const std::string name = R"({"StreamName":"s"})";
  EXPECT_THAT(Expect200("DescribeStream", name), HasSubstr(R"("EncryptionType":"NONE")"));
  EXPECT_THAT(Put("b25l"), Not(HasSubstr("EncryptionType")));
  EXPECT_EQ(Encrypt("Start", "alias/aws/kinesis").raw.body, "");
  for (const char* operation : {"DescribeStream", "DescribeStreamSummary"}) {
    const std::string described = Expect200(operation, name);
    EXPECT_THAT(described, HasSubstr(R"("EncryptionType":"KMS")"));
    EXPECT_THAT(described, HasSubstr(R"("KeyId":"alias/aws/kinesis")"));
    EXPECT_THAT(described, HasSubstr(R"("StreamStatus":"ACTIVE")"));
  }
  EXPECT_THAT(Put("dHdv"), HasSubstr(R"("EncryptionType":"KMS")"));
  const std::string many = R"({"StreamName":"s","Records":[{"PartitionKey":"k","Data":"dGhyZWU="}]})";
  EXPECT_THAT(Expect200("PutRecords", many), HasSubstr(R"("EncryptionType":"KMS")"));
  const auto records = boost::json::parse(Read()).at("Records").as_array();
  ASSERT_EQ(records.size(), 3u);
  EXPECT_EQ(records[0].as_object().if_contains("EncryptionType"), nullptr);
  EXPECT_EQ(records[1].at("EncryptionType"), "KMS");
  EXPECT_EQ(records[1].at("Data"), "dHdv");
  EXPECT_EQ(records[2].at("Data"), "dGhyZWU=");
  Reopen();
  EXPECT_THAT(Expect200("DescribeStream", name), HasSubstr(R"("KeyId":"alias/aws/kinesis")"));
  EXPECT_EQ(Encrypt("Stop", "alias/aws/kinesis").status(), 200);
  EXPECT_EQ(Encrypt("Stop", "alias/aws/kinesis").status(), 200) << "as it is";
  EXPECT_THAT(Expect200("DescribeStream", name), HasSubstr(R"("EncryptionType":"NONE")"));
  EXPECT_THAT(Expect200("PutRecords", many), Not(HasSubstr("EncryptionType")));
  EXPECT_THAT(Read(), HasSubstr("dHdv"));
}

TEST_F(StreamEncryptionTest, TakesEachFormOfAKeyId) {
  for (const char* key : {"alias/aws/kinesis", "arn:aws:kms:us-east-1:000000000000:alias/aws/kinesis",
                          "current", "alias/current", "arn:aws:kms:us-east-1:000000000000:key/current",
                          "arn:aws:kms:us-east-1:000000000000:alias/current"}) {
    const auto answer = Encrypt("Start", key);
    EXPECT_EQ(answer.status(), 200) << key << answer.raw.body;
    EXPECT_THAT(Expect200("DescribeStreamSummary", R"({"StreamName":"s"})"),
                HasSubstr(std::string(R"("KeyId":")") + key));
  }
  EXPECT_EQ(Call("StartStreamEncryption",
                 R"({"StreamARN":"arn:aws:kinesis:us-east-1:000000000000:stream/s","EncryptionType":"KMS",)"
                 R"("KeyId":"current"})")
                .status(),
            200);
}

TEST_F(StreamEncryptionTest, RefusesOtherKeys) {
  for (const char* key : {"lost", "alias/lost", "alias/", "arn:aws:kms:us-east-1:000000000000:key/lost",
                          "arn:aws:kms:us-east-1:111111111111:key/current",
                          "arn:aws:kms:eu-west-1:000000000000:alias/aws/kinesis",
                          "arn:aws:s3:us-east-1:000000000000:key/current", "arn:", "alias/aws/s3"}) {
    const auto answer = Encrypt("Start", key);
    EXPECT_EQ(answer.status(), 400) << key;
    EXPECT_THAT(answer.Fault(), StartsWith("KMSNotFoundException: ")) << key << answer.raw.body;
  }
  const auto old = Encrypt("Start", "00000000-1111-2222-3333-444444444444");
  EXPECT_THAT(old.Fault(), StartsWith("KMSDisabledException: ")) << old.raw.body;
  EXPECT_THAT(old.raw.body, HasSubstr("'current'"));
  EXPECT_THAT(Expect200("DescribeStream", R"({"StreamName":"s"})"), HasSubstr(R"("EncryptionType":"NONE")"));
}

TEST_F(StreamEncryptionTest, RefusesWhatIsNoRequest) {
  auto type = [&](const std::string& json) {
    const auto answer = Call("StartStreamEncryption", json);
    EXPECT_EQ(answer.status(), 400) << json;
    const std::string fault = answer.Fault();
    return fault.substr(0, fault.find(':'));
  };
  EXPECT_EQ(type(R"({"StreamName":"s","EncryptionType":"NONE","KeyId":"current"})"), "ValidationException");
  EXPECT_EQ(type(R"({"StreamName":"s","EncryptionType":"KMS"})"), "ValidationException");
  EXPECT_EQ(type(R"({"StreamName":"s","KeyId":"current"})"), "ValidationException");
  EXPECT_EQ(type(R"({"StreamName":"s","EncryptionType":"KMS","KeyId":""})"), "ValidationException");
  EXPECT_EQ(type(R"({"StreamName":"s","EncryptionType":"KMS","KeyId":")" + std::string(2049, 'k') + "\"}"),
            "ValidationException");
  EXPECT_EQ(type(R"({"StreamName":"s","EncryptionType":"KMS","KeyId":7})"), "SerializationException");
  EXPECT_EQ(type(R"({"EncryptionType":"KMS","KeyId":"current"})"), "InvalidArgumentException");
  EXPECT_EQ(type(R"({"StreamName":"none","EncryptionType":"KMS","KeyId":"current"})"),
            "ResourceNotFoundException");
  EXPECT_EQ(type(R"({"StreamName":"millrace-fragments","EncryptionType":"KMS","KeyId":"current"})"),
            "AccessDeniedException");
  EXPECT_THAT(Encrypt("Stop", "arn:aws:kms:eu-west-1:000000000000:key/x").Fault(),
              StartsWith("InvalidArgumentException: "));
}

TEST_F(StreamEncryptionTest, GivesANewKeyTwentyFiveTimesADay) {
  for (int i = 0; i < 25; ++i) EXPECT_EQ(Encrypt("Start", "current").status(), 200);
  const auto answer = Encrypt("Start", "current");
  EXPECT_THAT(answer.Fault(), StartsWith("LimitExceededException: ")) << answer.raw.body;
  clock_.Advance(std::chrono::hours(24));
  EXPECT_EQ(Encrypt("Start", "current").status(), 200);
}

class WithoutMasterKey : public StreamEncryptionTest {
 protected:
  WithoutMasterKey() { keys_.clear(); }
};

TEST_F(WithoutMasterKey, NothingCanBeEncrypted) {
  const auto answer = Encrypt("Start", "alias/aws/kinesis");
  EXPECT_THAT(answer.Fault(), StartsWith("KMSNotFoundException: "));
  EXPECT_THAT(answer.raw.body, HasSubstr("no master key"));
  EXPECT_EQ(Encrypt("Stop", "alias/aws/kinesis").status(), 200);
}

}  // namespace
}  // namespace millrace::api::testing
