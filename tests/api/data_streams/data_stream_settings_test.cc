// Goal: what a stream and the account can be set to is kept, over restarts too, and everything else is
// refused in the service's words. Method: raw requests to a real server with a clock that the test sets.
#include <gmock/gmock.h>

#include "tests/api/aws_server.h"

namespace millrace::api::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr char kArn[] = "arn:aws:kinesis:us-east-1:000000000000:stream/s";

class StreamSettingsTest : public AwsServerTest {
 protected:
  void SetUp() override {
    AwsServerTest::SetUp();
    Expect200("CreateStream", R"({"StreamName":"s","ShardCount":1})");
  }
  std::string Expect200(const std::string& operation, const std::string& json) {
    const auto answer = Call(operation, json);
    EXPECT_EQ(answer.status(), 200) << operation << json << answer.raw.body;
    return answer.raw.body;
  }
  std::string Summary() { return Expect200("DescribeStreamSummary", R"({"StreamName":"s"})"); }
  AwsAnswer Retain(const char* direction, const std::string& hours) {
    return Call(std::string(direction) + "StreamRetentionPeriod",
                R"({"StreamName":"s","RetentionPeriodHours":)" + hours + "}");
  }
  AwsAnswer Mode(const std::string& mode, const std::string& more = "") {
    return Call("UpdateStreamMode", std::string(R"({"StreamARN":")") + kArn +
                                        R"(","StreamModeDetails":{"StreamMode":")" + mode + R"("})" + more +
                                        "}");
  }
};

TEST_F(StreamSettingsTest, RetentionGoesUpAndDownBetweenItsBounds) {
  EXPECT_EQ(Retain("Increase", "24").status(), 200) << "as it is";
  EXPECT_EQ(Retain("Increase", "8760").status(), 200);
  EXPECT_THAT(Summary(), HasSubstr(R"("RetentionPeriodHours":8760)"));
  EXPECT_EQ(Retain("Decrease", "48").status(), 200);
  Reopen();
  EXPECT_THAT(Summary(), HasSubstr(R"("RetentionPeriodHours":48)"));
  EXPECT_EQ(Retain("Increase", "47").Fault(),
            "InvalidArgumentException: Requested retention period (47 hours) for stream s can not be shorter "
            "than existing retention period (48 hours). Use DecreaseRetentionPeriod API.");
  EXPECT_EQ(Retain("Decrease", "49").Fault(),
            "InvalidArgumentException: Requested retention period (49 hours) for stream s can not be longer "
            "than existing retention period (48 hours). Use IncreaseRetentionPeriod API.");
  for (const char* direction : {"Increase", "Decrease"}) {
    EXPECT_EQ(Retain(direction, "23").Fault(),
              "InvalidArgumentException: Minimum allowed retention period is 24 hours. Requested retention "
              "period (23 hours) is too short.");
    EXPECT_EQ(Retain(direction, "8761").Fault(),
              "InvalidArgumentException: Maximum allowed retention period is 8760 hours. Requested retention "
              "period (8761 hours) is too long.");
    EXPECT_THAT(Retain(direction, "-9223372036854775808").Fault(), HasSubstr("too short"));
    EXPECT_THAT(Retain(direction, "99999999999999999999").Fault(), HasSubstr("too long"));
    EXPECT_THAT(Retain(direction, "null").Fault(), HasSubstr("Member must not be null"));
    EXPECT_THAT(Retain(direction, R"("48")").Fault(), StartsWith("SerializationException"));
    EXPECT_THAT(Call(std::string(direction) + "StreamRetentionPeriod",
                     R"({"StreamName":"millrace-fragments","RetentionPeriodHours":48})")
                    .Fault(),
                StartsWith("AccessDeniedException"));
  }
}

TEST_F(StreamSettingsTest, TheCapacityModeIsSwitchedTwiceADay) {
  EXPECT_EQ(Mode("ON_DEMAND").status(), 200);
  EXPECT_THAT(Summary(), HasSubstr(R"("StreamMode":"ON_DEMAND")"));
  EXPECT_THAT(Summary(), HasSubstr(R"("OpenShardCount":1)")) << "the shards stay as they are";
  EXPECT_EQ(Mode("ON_DEMAND").status(), 200) << "which it is already";
  EXPECT_EQ(Mode("PROVISIONED").status(), 200);
  Reopen();
  EXPECT_THAT(Mode("ON_DEMAND").Fault(), StartsWith("LimitExceededException: The capacity mode of stream s"));
  EXPECT_THAT(Summary(), HasSubstr(R"("StreamMode":"PROVISIONED")"));
  clock_.Advance(std::chrono::hours(24));
  EXPECT_EQ(Mode("ON_DEMAND").status(), 200);
  EXPECT_THAT(Mode("FAST").Fault(), HasSubstr("at 'streamModeDetails.streamMode' failed"));
  EXPECT_THAT(Call("UpdateStreamMode", R"({"StreamName":"s","StreamModeDetails":{"StreamMode":"ON_DEMAND"}})")
                  .Fault(),
              HasSubstr("Value null at 'streamARN'"));
  EXPECT_THAT(Call("UpdateStreamMode", std::string(R"({"StreamARN":")") + kArn + R"("})").Fault(),
              HasSubstr("Value null at 'streamModeDetails'"));
}

TEST_F(StreamSettingsTest, RecordsMayBeAsLargeAsItIsSet) {
  const auto size = [&](const std::string& kib) {
    return Call("UpdateMaxRecordSize",
                std::string(R"({"StreamARN":")") + kArn + R"(","MaxRecordSizeInKiB":)" + kib + "}");
  };
  EXPECT_EQ(size("10240").status(), 200);
  EXPECT_THAT(Summary(), HasSubstr(R"("MaxRecordSizeInKiB":10240)"));
  for (const char* bad : {"1023", "10241", "0", "-1", "null"}) {
    EXPECT_THAT(size(bad).Fault(), StartsWith("ValidationException")) << bad;
  }
  Reopen();
  EXPECT_THAT(Summary(), HasSubstr(R"("MaxRecordSizeInKiB":10240)"));
  EXPECT_THAT(Call("UpdateMaxRecordSize", R"({"MaxRecordSizeInKiB":1024})").Fault(),
              StartsWith("InvalidArgumentException: Either StreamName or StreamARN"));
}

TEST_F(StreamSettingsTest, RecordsAreSpreadInOnDemandStreamsOnly) {
  const auto strategy = [&](const std::string& name) {
    return Call(
        "UpdateStreamRecordDistributionStrategy",
        std::string(R"({"StreamARN":")") + kArn + R"(","RecordDistributionStrategy":")" + name + R"("})");
  };
  EXPECT_THAT(strategy("AUTO").Fault(),
              StartsWith("ValidationException: The record distribution strategy AUTO"));
  EXPECT_EQ(Mode("ON_DEMAND").status(), 200);
  EXPECT_EQ(strategy("AUTO").status(), 200);
  Expect200("PutRecord", R"({"StreamName":"s","Data":""})");
  EXPECT_THAT(Mode("PROVISIONED").Fault(), StartsWith("ValidationException")) << "which AUTO does not fit";
  EXPECT_THAT(strategy("ANY").Fault(), HasSubstr("enum value set: [AUTO, USER_PARTITION_KEY]"));
  EXPECT_EQ(strategy("USER_PARTITION_KEY").status(), 200);
  EXPECT_THAT(Call("PutRecord", R"({"StreamName":"s","Data":""})").Fault(), HasSubstr("'partitionKey'"));
  EXPECT_EQ(Mode("PROVISIONED").status(), 200);
}

TEST_F(StreamSettingsTest, WarmThroughputNeedsACommitmentAndAnOnDemandStream) {
  const auto warm = [&](const std::string& mibps) {
    return Call("UpdateStreamWarmThroughput", R"({"StreamName":"s","WarmThroughputMiBps":)" + mibps + "}");
  };
  EXPECT_EQ(warm("100").Fault(),
            "ValidationException: Request is invalid. Stream s under account 000000000000 is in Provisioned "
            "mode.");
  EXPECT_EQ(Mode("ON_DEMAND").status(), 200);
  EXPECT_THAT(warm("100").Fault(), StartsWith("ValidationException: Warm throughput needs"));
  Expect200("UpdateAccountSettings", R"({"MinimumThroughputBillingCommitment":{"Status":"ENABLED"}})");
  EXPECT_EQ(warm("100").raw.body,
            std::string(R"({"StreamARN":")") + kArn +
                R"(","StreamName":"s","WarmThroughput":{"TargetMiBps":100,"CurrentMiBps":100}})");
  Reopen();
  EXPECT_THAT(Summary(), HasSubstr(R"("WarmThroughput":{"TargetMiBps":100,"CurrentMiBps":100})"));
  EXPECT_THAT(warm("10241").Fault(), StartsWith("LimitExceededException"));
  EXPECT_THAT(warm("99999999999").Fault(), StartsWith("LimitExceededException"));
  EXPECT_THAT(warm("-1").Fault(), StartsWith("ValidationException"));
  EXPECT_THAT(warm("null").Fault(), StartsWith("ValidationException"));
  EXPECT_EQ(warm("0").status(), 200);
  EXPECT_THAT(Mode("PROVISIONED", R"(,"WarmThroughputMiBps":5)").Fault(), StartsWith("ValidationException"));
  EXPECT_THAT(Summary(), Not(HasSubstr("WarmThroughput")));
  EXPECT_THAT(Call("CreateStream", R"({"StreamName":"n","ShardCount":1,"WarmThroughputMiBps":5})").Fault(),
              StartsWith("ValidationException"));
  Expect200("CreateStream",
            R"({"StreamName":"n","StreamModeDetails":{"StreamMode":"ON_DEMAND"},"WarmThroughputMiBps":5})");
}

TEST_F(StreamSettingsTest, TheCommitmentLastsADayAtLeast) {
  const auto set = [&](const std::string& status) {
    return Expect200("UpdateAccountSettings",
                     R"({"MinimumThroughputBillingCommitment":{"Status":")" + status + R"("}})");
  };
  const auto get = [&] { return Expect200("DescribeAccountSettings", "{}"); };
  EXPECT_EQ(get(), R"({"MinimumThroughputBillingCommitment":{"Status":"DISABLED"}})");
  EXPECT_EQ(set("DISABLED"), get());
  const std::string enabled = set("ENABLED");
  EXPECT_EQ(enabled,
            R"({"MinimumThroughputBillingCommitment":{"Status":"ENABLED","StartedAt":1795240800.000,)"
            R"("EarliestAllowedEndAt":1795327200.000}})");
  clock_.Advance(std::chrono::hours(1));
  EXPECT_EQ(set("ENABLED"), enabled) << "again: nothing new";
  EXPECT_THAT(set("DISABLED"), HasSubstr(R"("Status":"ENABLED_UNTIL_EARLIEST_ALLOWED_END")"));
  EXPECT_EQ(set("ENABLED"), enabled) << "it was thought over";
  set("DISABLED");
  Reopen();
  clock_.Advance(std::chrono::hours(23));
  EXPECT_EQ(get(), R"({"MinimumThroughputBillingCommitment":{"Status":"DISABLED","StartedAt":1795240800.000,)"
                   R"("EndedAt":1795327200.000}})");
  EXPECT_THAT(set("ENABLED"), HasSubstr(R"("StartedAt":1795327200.000)"));
  clock_.Advance(std::chrono::hours(30));
  EXPECT_THAT(set("DISABLED"), HasSubstr(R"("Status":"DISABLED")"));
  EXPECT_THAT(Call("UpdateAccountSettings", "{}").Fault(),
              HasSubstr("Value null at 'minimumThroughputBillingCommitment'"));
  EXPECT_THAT(Call("UpdateAccountSettings", R"({"MinimumThroughputBillingCommitment":{}})").Fault(),
              HasSubstr("Value null at 'minimumThroughputBillingCommitment.status'"));
  EXPECT_THAT(
      Call("UpdateAccountSettings", R"({"MinimumThroughputBillingCommitment":{"Status":"MAYBE"}})").Fault(),
      HasSubstr("enum value set: [ENABLED, DISABLED]"));
}

TEST_F(StreamSettingsTest, ShardMetricsAreSwitchedOnAndOff) {
  const auto change = [&](const char* operation, const std::string& metrics) {
    return Call(operation, R"({"StreamName":"s","ShardLevelMetrics":)" + metrics + "}");
  };
  EXPECT_EQ(change("EnableEnhancedMonitoring", R"(["OutgoingBytes","IncomingBytes"])").raw.body,
            std::string(R"({"StreamName":"s","CurrentShardLevelMetrics":[],)") +
                R"("DesiredShardLevelMetrics":["IncomingBytes","OutgoingBytes"],"StreamARN":")" + kArn +
                R"("})");
  EXPECT_THAT(change("DisableEnhancedMonitoring", R"(["IncomingBytes","IncomingRecords"])").raw.body,
              HasSubstr(R"("CurrentShardLevelMetrics":["IncomingBytes","OutgoingBytes"],)"
                        R"("DesiredShardLevelMetrics":["OutgoingBytes"])"));
  Reopen();
  EXPECT_THAT(Summary(), HasSubstr(R"("EnhancedMonitoring":[{"ShardLevelMetrics":["OutgoingBytes"]}])"));
  EXPECT_EQ(change("EnableEnhancedMonitoring", R"(["ALL"])")
                .object()
                .at("DesiredShardLevelMetrics")
                .as_array()
                .size(),
            7U);
  EXPECT_THAT(change("DisableEnhancedMonitoring", R"(["ALL"])").raw.body,
              HasSubstr(R"("DesiredShardLevelMetrics":[])"));
  for (const char* bad : {"[]", "null", R"(["Everything"])", R"([null])",
                          R"(["ALL","ALL","ALL","ALL","ALL","ALL","ALL","ALL"])"}) {
    EXPECT_NE(change("EnableEnhancedMonitoring", bad).status(), 200) << bad;
  }
  EXPECT_THAT(change("EnableEnhancedMonitoring", R"("ALL")").Fault(), StartsWith("SerializationException"));
}

TEST_F(StreamSettingsTest, StreamsOfOthersAreNotFound) {
  for (const char* arn : {"arn:aws:kinesis:us-east-1:111122223333:stream/s",
                          "arn:aws:kinesis:eu-west-1:000000000000:stream/s"}) {
    const std::string by_arn = std::string(R"({"StreamARN":")") + arn + R"(")";
    for (const std::string& call :
         {std::string("DescribeStream}"), std::string("DescribeStreamSummary}"), std::string("DeleteStream}"),
          std::string("ListShards}"), std::string("ListTagsForStream}"),
          std::string(R"(PutRecord,"PartitionKey":"k","Data":""})"),
          std::string(R"(PutRecords,"Records":[{"PartitionKey":"k","Data":""}]})"),
          std::string(R"(GetShardIterator,"ShardId":"0","ShardIteratorType":"LATEST"})"),
          std::string(R"(UpdateMaxRecordSize,"MaxRecordSizeInKiB":2048})"),
          std::string(R"(SplitShard,"ShardToSplit":"0","NewStartingHashKey":"5"})")}) {
      const auto end = call.find_first_of(",}");
      const auto answer = Call(call.substr(0, end), by_arn + call.substr(end));
      EXPECT_THAT(answer.Fault(), StartsWith("ResourceNotFoundException: Stream s under account "))
          << call << arn;
    }
  }
  Expect200("DescribeStream", std::string(R"({"StreamName":"nowhere","StreamARN":")") + kArn + R"("})");
}

TEST(DataStreamSettings, OfTheFirstVersionAreRead) {
  const auto settings = DecodeDataStreamSettings(
      R"({"version":1,"on_demand":true,"record_kib_max":2048,"warm_mibps":3,"spread":true,"tags":{"a":"b"}})");
  ASSERT_TRUE(settings) << settings.error().ToString();
  EXPECT_TRUE(settings->on_demand);
  EXPECT_EQ(settings->tags.at("a"), "b");
  EXPECT_TRUE(settings->shard_metrics.empty());
}

TEST(DataStreamSettings, AreReadAsTheyWereWritten) {
  DataStreamSettings settings;
  settings.on_demand = true;
  settings.tags = {{"k\"", "v\n"}};
  settings.shard_metrics = {"IncomingBytes"};
  settings.policy = R"({"Statement":[]})";
  settings.mode_changes = {Timestamp::FromMillis(1)};
  settings.count_changes = {Timestamp::FromMillis(2), Timestamp::FromMillis(3)};
  const auto again = DecodeDataStreamSettings(EncodeDataStreamSettings(settings));
  ASSERT_TRUE(again);
  EXPECT_EQ(*again, settings);
}

TEST(DataStreamSettings, ThatAreDamagedOrOfANewerServerAreRefused) {
  for (
      const char* text :
      {"", "[]", "{}", "{\"version\":1}", "{\"version\":\"1\"}",
       R"({"version":2,"on_demand":true,"record_kib_max":-1,"warm_mibps":3,"spread":true,"tags":{}})",
       R"({"version":2,"on_demand":true,"record_kib_max":1,"warm_mibps":3,"spread":true,"tags":{},"policy":7})"}) {
    const auto settings = DecodeDataStreamSettings(text);
    ASSERT_FALSE(settings) << text;
    EXPECT_EQ(settings.error().code, ErrorCode::kCorruption) << text;
  }
  EXPECT_EQ(DecodeDataStreamSettings(R"({"version":3})").error().code, ErrorCode::kUnsupported);
}

}  // namespace
}  // namespace millrace::api::testing
