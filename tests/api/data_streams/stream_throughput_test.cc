// Goal: shards take and give as much as their limits say and no more, the errors are the service's, and
// streams that scale by themselves do so. Method: raw requests to a real server with a clock that stands
// still until the test moves it.
#include "api/data_streams/stream_throughput.h"

#include <gmock/gmock.h>

#include "api/aws/token_bucket.h"
#include "api/data_streams/on_demand_scaling.h"
#include "tests/api/aws_server.h"
#include "wire/base64.h"

namespace millrace::api::testing {
namespace {

using ::testing::StartsWith;

constexpr char kExceeded[] =
    "ProvisionedThroughputExceededException: Rate exceeded for shard shardId-000000000000 in stream s under "
    "account "
    "000000000000.";

class StreamThroughputTest : public AwsServerTest {
 protected:
  DataStreamServices MakeDataStreamServices() override {
    DataStreamServices services = AwsServerTest::MakeDataStreamServices();
    throughput_ = std::make_shared<StreamThroughput>(*catalog_, clock_, ShardLimits());
    services.throughput = throughput_;
    return services;
  }
  void Create(const std::string& more = R"("ShardCount":1)") {
    const auto made = Call("CreateStream", R"({"StreamName":"s",)" + more + "}");
    ASSERT_EQ(made.status(), 200) << made.raw.body;
  }
  // "" where it was put.
  std::string Put(std::size_t bytes, const std::string& key = "k") {
    return Call("PutRecord", R"({"StreamName":"s","PartitionKey":")" + key + R"(","Data":")" +
                                 wire::EncodeBase64(AsBytes(std::string(bytes, 'x'))) + R"("})")
        .Fault();
  }
  // How many of so many records of one byte were put.
  int PutMany(int count, const std::string& key = "k") {
    std::string records;
    for (int i = 0; i < count; ++i) {
      records += std::string(i == 0 ? "" : ",") + R"({"PartitionKey":")" + key + R"(","Data":"eA=="})";
    }
    last_ = Call("PutRecords", R"({"StreamName":"s","Records":[)" + records + "]}");
    EXPECT_EQ(last_.status(), 200) << last_.raw.body;
    return count - last_.object().at("FailedRecordCount").to_number<int>();
  }
  std::string Iterator() {
    return Call("GetShardIterator", R"({"StreamName":"s","ShardId":"0","ShardIteratorType":"TRIM_HORIZON"})")
        .Text("ShardIterator");
  }
  AwsAnswer Read(const std::string& iterator) {
    return Call("GetRecords", R"({"ShardIterator":")" + iterator + R"("})");
  }
  void SetLimits(const std::string& text) {
    const auto set =
        Call("AddTagsToStream", R"({"StreamName":"s","Tags":{"millrace.limits":")" + text + R"("}})");
    ASSERT_EQ(set.status(), 200) << set.raw.body;
  }
  std::uint64_t OpenShards() {
    const auto answer = Call("DescribeStreamSummary", R"({"StreamName":"s"})");
    return answer.object().at("StreamDescriptionSummary").at("OpenShardCount").to_number<std::uint64_t>();
  }

  std::shared_ptr<StreamThroughput> throughput_;
  AwsAnswer last_;
};

TEST_F(StreamThroughputTest, AShardTakesAMebibyteASecond) {
  Create();
  EXPECT_EQ(Put(600 * 1024), "");
  EXPECT_EQ(Put(600 * 1024), kExceeded);
  EXPECT_EQ(Put(400 * 1024), "") << "what fits still goes";
  clock_.Advance(std::chrono::milliseconds(500));
  EXPECT_EQ(Put(600 * 1024), kExceeded);
  EXPECT_EQ(Put(500 * 1024), "");
  clock_.Advance(std::chrono::hours(1));
  EXPECT_EQ(Put(1024 * 1024 - 1), "");
  EXPECT_EQ(Put(1024), kExceeded) << "no more than a second is saved up";
}

TEST_F(StreamThroughputTest, AShardTakesAThousandRecordsASecond) {
  Create();
  EXPECT_EQ(PutMany(500), 500);
  EXPECT_EQ(PutMany(500), 500);
  EXPECT_EQ(PutMany(500), 0);
  clock_.Advance(std::chrono::milliseconds(100));
  EXPECT_EQ(PutMany(500), 100);
  const auto& records = last_.object().at("Records").as_array();
  ASSERT_EQ(records.size(), 500U);
  EXPECT_TRUE(records[99].as_object().contains("SequenceNumber"));
  EXPECT_EQ(records[100].at("ErrorCode").as_string(), "ProvisionedThroughputExceededException");
  EXPECT_EQ(records[100].at("ErrorMessage").as_string(),
            "Rate exceeded for shard shardId-000000000000 in stream s under account 000000000000.");
  EXPECT_FALSE(records[100].as_object().contains("SequenceNumber"));
}

TEST_F(StreamThroughputTest, EachShardHasItsOwn) {
  Create(R"("ShardCount":2)");
  // "a" and "k" go to different shards.
  int put = 0;
  for (const char* key : {"a", "b", "c", "d", "e", "f"}) put += PutMany(500, key);
  EXPECT_EQ(put, 2000);
}

TEST_F(StreamThroughputTest, LargeRecordsPassAtTheShardsRateOnAverage) {
  Create(R"("ShardCount":1,"MaxRecordSizeInKiB":10240)");
  EXPECT_EQ(Put(6 << 20), "");
  EXPECT_EQ(Put(6 << 20), kExceeded);
  EXPECT_EQ(Put(100), "") << "small ones go on";
  clock_.Advance(std::chrono::seconds(3));
  EXPECT_EQ(Put(6 << 20), "");
  EXPECT_EQ(Put(2 << 20), kExceeded);
  clock_.Advance(std::chrono::seconds(10));
  EXPECT_EQ(Put((10 << 20) - 1), "");
}

TEST_F(StreamThroughputTest, AShardIsReadFiveTimesASecond) {
  Create();
  EXPECT_EQ(Put(10), "");
  const std::string iterator = Iterator();
  for (int i = 0; i < 5; ++i) EXPECT_EQ(Read(iterator).status(), 200);
  EXPECT_EQ(Read(iterator).Fault(), kExceeded);
  clock_.Advance(std::chrono::milliseconds(200));
  EXPECT_EQ(Read(iterator).status(), 200);
  EXPECT_EQ(Read(iterator).Fault(), kExceeded);
}

TEST_F(StreamThroughputTest, WhatWasReadAtOnceIsPaidOff) {
  Create();
  for (int i = 0; i < 6; ++i) {
    EXPECT_EQ(Put(1000 * 1024), "");
    clock_.Advance(std::chrono::seconds(1));
  }
  const std::string iterator = Iterator();
  EXPECT_EQ(Read(iterator).status(), 200);  // 6 of 2 MiB
  clock_.Advance(std::chrono::milliseconds(1500));
  EXPECT_EQ(Read(iterator).Fault(), kExceeded);
  clock_.Advance(std::chrono::milliseconds(500));
  EXPECT_EQ(Read(iterator).status(), 200);
}

TEST_F(StreamThroughputTest, AStreamHasLimitsByItsTag) {
  Create();
  SetLimits("off");
  for (int i = 0; i < 6; ++i) EXPECT_EQ(PutMany(500), 500);
  const std::string iterator = Iterator();
  for (int i = 0; i < 20; ++i) EXPECT_EQ(Read(iterator).status(), 200);
  SetLimits("write_records=2 reads=1");
  EXPECT_EQ(PutMany(5), 2);
  EXPECT_EQ(Read(iterator).status(), 200);
  EXPECT_EQ(Read(iterator).Fault(), kExceeded);
  ASSERT_EQ(Call("RemoveTagsFromStream", R"({"StreamName":"s","TagKeys":["millrace.limits"]})").status(),
            200);
  EXPECT_EQ(PutMany(500), 500);
  for (const char* bad : {"maybe", "reads=", "reads=x", "reads=-1", "=5", "reads", "writes=5", " ",
                          "reads=99999999999999999999", "reads=2000000000000", "off reads=1"}) {
    const auto refused = Call(
        "AddTagsToStream", R"({"StreamName":"s","Tags":{"millrace.limits":")" + std::string(bad) + R"("}})");
    EXPECT_THAT(refused.Fault(), StartsWith("InvalidArgumentException: Tag millrace.limits")) << bad;
  }
}

TEST_F(StreamThroughputTest, FollowsTheShardsAsTheyAreSplit) {
  Create();
  EXPECT_EQ(PutMany(10), 10);
  ASSERT_EQ(Call("SplitShard", R"({"StreamName":"s","ShardToSplit":"0",)"
                               R"("NewStartingHashKey":"170141183460469231731687303715884105728"})")
                .status(),
            200);
  EXPECT_EQ(PutMany(1), 1) << "after this the new shards are known";
  int put = 0;
  for (const char* key : {"a", "b", "c", "d", "e", "f"}) put += PutMany(500, key);
  EXPECT_EQ(put, 2000);
}

TEST_F(StreamThroughputTest, AStreamThatIsNotThereIsNotFound) {
  EXPECT_THAT(Put(1), StartsWith("ResourceNotFoundException: "));
  EXPECT_FALSE(throughput_->Knows("s"));
  Create();
  EXPECT_EQ(Put(1), "");
  EXPECT_TRUE(throughput_->Knows("s"));
  ASSERT_EQ(Call("DeleteStream", R"({"StreamName":"s"})").status(), 200);
  EXPECT_FALSE(throughput_->Knows("s"));
  EXPECT_THAT(Put(1), StartsWith("ResourceNotFoundException: "));
}

TEST_F(StreamThroughputTest, InternalStreamsHaveNone) {
  EXPECT_EQ(throughput_->LimitsOf("millrace-fragments"), ShardLimits::Off());
  EXPECT_EQ(throughput_->LimitsOf("s"), ShardLimits());
}

class OnDemandTest : public StreamThroughputTest {
 protected:
  // So many seconds of so many records a second, of many keys or of one.
  void Write(int seconds, int records, bool one_key = false) {
    for (int i = 0; i < seconds; ++i) {
      int n = 0;
      for (int left = records; left > 0; left -= 250) {
        (void)PutMany(std::min(left, 250), one_key ? "k" : "key-" + std::to_string(i * 7919 + n++));
      }
      clock_.Advance(std::chrono::seconds(1));
    }
  }
};

TEST_F(OnDemandTest, SplitsTheShardsThatAreBusy) {
  Create(R"("StreamModeDetails":{"StreamMode":"ON_DEMAND"})");
  ASSERT_EQ(OpenShards(), 4U);
  OnDemandScaling scaling(*catalog_, *throughput_, {});
  EXPECT_EQ(PutMany(1), 1);
  (void)scaling.Look();
  clock_.Advance(std::chrono::minutes(1));
  EXPECT_EQ(scaling.Look(), 0U) << "nothing was written";
  Write(10, 4000);
  const std::size_t splits = scaling.Look();
  EXPECT_GE(splits, 1U);
  EXPECT_EQ(OpenShards(), 4 + splits);
  clock_.Advance(std::chrono::minutes(1));
  EXPECT_EQ(scaling.Look(), 0U);
}

TEST_F(OnDemandTest, OneHotKeyIsNoReasonToSplit) {
  Create(R"("StreamModeDetails":{"StreamMode":"ON_DEMAND"})");
  OnDemandScaling scaling(*catalog_, *throughput_, {});
  EXPECT_EQ(PutMany(1), 1);
  (void)scaling.Look();
  Write(10, 1000, true);
  EXPECT_EQ(scaling.Look(), 0U);
  EXPECT_EQ(OpenShards(), 4U);
}

TEST_F(OnDemandTest, HasACap) {
  Create(R"("StreamModeDetails":{"StreamMode":"ON_DEMAND"})");
  OnDemandScaling::Options options;
  options.stream_shards_max = 5;
  OnDemandScaling scaling(*catalog_, *throughput_, options);
  EXPECT_EQ(PutMany(1), 1);
  (void)scaling.Look();
  Write(10, 8000);
  EXPECT_LE(scaling.Look(), 1U);
  EXPECT_LE(OpenShards(), 5U);
}

TEST_F(OnDemandTest, ProvisionedStreamsStayAsTheyAre) {
  Create(R"("ShardCount":1)");
  OnDemandScaling scaling(*catalog_, *throughput_, {});
  Write(5, 1000);
  EXPECT_EQ(scaling.Look(), 0U);
  EXPECT_EQ(OpenShards(), 1U);
}

TEST(TokenBucket, SavesUpToItsCapacity) {
  const TokenBucket::TimePoint start{};
  const auto after = [&](int ms) { return start + std::chrono::milliseconds(ms); };
  TokenBucket bucket(10, 20, start);
  EXPECT_TRUE(bucket.Has(20, start));
  EXPECT_FALSE(bucket.Has(21, after(100'000)));
  bucket.Take(30, after(100'000));
  EXPECT_EQ(bucket.Owes(after(100'000)) / std::chrono::milliseconds(1), 1000);
  EXPECT_FALSE(bucket.Has(0, after(100'500)));
  EXPECT_TRUE(bucket.Has(0, after(101'001)));
  EXPECT_FALSE(bucket.Has(20, after(101'001))) << "a clock that goes back gives nothing";
  bucket.TakeWhatIsThere(100, after(101'001));
  EXPECT_EQ(bucket.Owes(after(101'001)), Duration{0});
}

TEST(TokenBucket, ARateOfNothingIsNoLimit) {
  TokenBucket bucket(0, 0, {});
  bucket.Take(1'000'000, {});
  EXPECT_TRUE(bucket.Has(1'000'000'000, {}));
  EXPECT_EQ(bucket.Owes({}), Duration{0});
}

TEST(ShardLimitsText, NamesWhatDiffers) {
  ShardLimits limits;
  limits.read_bytes = 0;
  limits.reads = 50;
  const auto parsed = ParseShardLimits(" reads=50,  read_bytes=0 ", {});
  ASSERT_TRUE(parsed) << parsed.error().ToString();
  EXPECT_EQ(*parsed, limits);
  EXPECT_EQ(*ParseShardLimits("on", ShardLimits::Off()), ShardLimits());
  EXPECT_EQ(*ParseShardLimits("off", {}), ShardLimits::Off());
  EXPECT_EQ(ParseShardLimits("", {}).error().code, ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace millrace::api::testing
