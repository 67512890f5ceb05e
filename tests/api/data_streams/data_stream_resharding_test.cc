// Goal: shards are split, merged and scaled as the service does it, with every shard's parents and children
// known, and whoever asks for something else is told so in its words. Method: raw requests to a real server.
#include <gmock/gmock.h>

#include <map>
#include <set>

#include "tests/api/aws_server.h"
#include "wire/base64.h"

namespace millrace::api::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr char kMiddle[] = "170141183460469231731687303715884105728";

std::string Quoted(const std::string& text) { return '"' + text + '"'; }
std::string ShardName(int index) { return "shardId-00000000000" + std::to_string(index); }

class ReshardingTest : public AwsServerTest {
 protected:
  void Create(const std::string& name, int shards, const std::string& more = "") {
    const auto made = Call("CreateStream", R"({"StreamName":)" + Quoted(name) + R"(,"ShardCount":)" +
                                               std::to_string(shards) + more + "}");
    ASSERT_EQ(made.status(), 200) << made.raw.body;
  }
  AwsAnswer Split(int shard, const std::string& key = kMiddle) {
    return Call("SplitShard", R"({"StreamName":"s","ShardToSplit":)" + Quoted(ShardName(shard)) +
                                  R"(,"NewStartingHashKey":)" + Quoted(key) + "}");
  }
  AwsAnswer Merge(int lower, int upper) {
    return Call("MergeShards", R"({"StreamName":"s","ShardToMerge":)" + Quoted(ShardName(lower)) +
                                   R"(,"AdjacentShardToMerge":)" + Quoted(ShardName(upper)) + "}");
  }
  AwsAnswer Scale(int target, const std::string& stream = "s") {
    return Call("UpdateShardCount", R"({"StreamName":)" + Quoted(stream) + R"(,"TargetShardCount":)" +
                                        std::to_string(target) + R"(,"ScalingType":"UNIFORM_SCALING"})");
  }
  boost::json::array Shards() {
    const auto listed = Call("ListShards", R"({"StreamName":"s"})");
    EXPECT_EQ(listed.status(), 200) << listed.raw.body;
    return listed.object().at("Shards").as_array();
  }
  static bool IsOpen(const boost::json::value& shard) {
    return shard.at("SequenceNumberRange").as_object().if_contains("EndingSequenceNumber") == nullptr;
  }
  std::size_t CountOpen() {
    const auto shards = Shards();
    return static_cast<std::size_t>(std::count_if(shards.begin(), shards.end(), IsOpen));
  }
  // Every key belongs to one open shard; every shard but the first ones has parents that are closed, and
  // that end before it begins.
  void CheckLineage(std::size_t first) {
    std::map<std::string, boost::json::value> by_id;
    std::map<std::string, std::string> open;  // starting key, 39 digits -> ending key
    const auto wide = [](const boost::json::value& key) {
      const std::string digits(key.as_string().c_str());
      return std::string(39 - digits.size(), '0') + digits;
    };
    for (const auto& shard : Shards()) {
      const std::string id(shard.at("ShardId").as_string().c_str());
      const auto& object = shard.as_object();
      const auto& range = shard.at("HashKeyRange");
      EXPECT_EQ(object.if_contains("ParentShardId") == nullptr, by_id.size() < first) << id;
      for (const char* parent : {"ParentShardId", "AdjacentParentShardId"}) {
        const auto* name = object.if_contains(parent);
        if (name == nullptr) continue;
        const auto found = by_id.find(name->as_string().c_str());
        ASSERT_NE(found, by_id.end()) << id;
        EXPECT_FALSE(IsOpen(found->second)) << id;
        EXPECT_LT(found->second.at("SequenceNumberRange").at("EndingSequenceNumber").as_string(),
                  shard.at("SequenceNumberRange").at("StartingSequenceNumber").as_string());
      }
      if (IsOpen(shard)) open[wide(range.at("StartingHashKey"))] = wide(range.at("EndingHashKey"));
      by_id[id] = shard;
    }
    ASSERT_FALSE(open.empty());
    EXPECT_EQ(open.begin()->first, std::string(39, '0'));
    EXPECT_EQ(open.rbegin()->second, "340282366920938463463374607431768211455");
    for (auto one = open.begin(); std::next(one) != open.end(); ++one) {
      const auto ending = storage::HashKey::Parse(one->second.substr(one->second.find_first_not_of('0')));
      const std::string next = std::next(one)->first;
      EXPECT_EQ(ending->Next().ToString(), next.substr(next.find_first_not_of('0')));
    }
  }
};

TEST_F(ReshardingTest, ASplitClosesTheParentAndOpensTwoChildren) {
  Create("s", 1);
  const auto split = Split(0);
  EXPECT_EQ(split.status(), 200) << split.raw.body;
  EXPECT_EQ(split.raw.body, "");
  const auto shards = Shards();
  ASSERT_EQ(shards.size(), 3U);
  EXPECT_FALSE(IsOpen(shards[0]));
  for (int child : {1, 2}) EXPECT_EQ(shards[child].at("ParentShardId"), "shardId-000000000000");
  EXPECT_EQ(shards[1].at("HashKeyRange").at("StartingHashKey"), "0");
  EXPECT_EQ(shards[2].at("HashKeyRange").at("StartingHashKey"), kMiddle);
  CheckLineage(1);
  EXPECT_EQ(Merge(1, 2).status(), 200);
  const auto merged = Shards()[3];
  EXPECT_EQ(merged.at("ParentShardId"), "shardId-000000000001");
  EXPECT_EQ(merged.at("AdjacentParentShardId"), "shardId-000000000002");
  CheckLineage(1);
  Reopen();
  EXPECT_EQ(Shards().size(), 4U);
  CheckLineage(1);
}

TEST_F(ReshardingTest, BadSplitsAreToldInTheServicesWords) {
  Create("s", 2);
  const std::string range = "NewStartingHashKey ";
  const std::string told =
      " used in SplitShard() on shard shardId-000000000000 in stream s under account 000000000000 is not "
      "both "
      "greater than one plus the shard's StartingHashKey 0 and less than the shard's EndingHashKey "
      "170141183460469231731687303715884105727.";
  for (const std::string key :
       {"0", "1", "170141183460469231731687303715884105727", kMiddle,
        "340282366920938463463374607431768211456", "999999999999999999999999999999999999999"}) {
    EXPECT_EQ(Split(0, key).Fault(), "InvalidArgumentException: " + range + key + told);
  }
  EXPECT_EQ(Split(0, "2").status(), 200) << "the least";
  EXPECT_EQ(Split(0, "3").Fault(),
            "InvalidArgumentException: Shard shardId-000000000000 in stream s under account 000000000000 has "
            "already been merged or split, and thus is not eligible for merging or splitting.");
  EXPECT_THAT(Split(2, "1").Fault(), HasSubstr("is not both")) << "a shard of two keys";
  EXPECT_EQ(Split(7).Fault(),
            "ResourceNotFoundException: Could not find shard shardId-000000000007 in stream s under account "
            "000000000000.");
  for (const char* key : {"", "01", "-1", "x", "1.5", "1e3"}) {
    EXPECT_THAT(Split(0, key).Fault(), StartsWith("ValidationException")) << key;
  }
}

TEST_F(ReshardingTest, BadMergesAreToldInTheServicesWords) {
  Create("s", 3);
  const auto apart = [](const std::string& a, const std::string& b) {
    return "InvalidArgumentException: Shards shardId-00000000000" + a + " and shardId-00000000000" + b +
           " in stream s under account 000000000000 are not an adjacent pair of shards eligible for merging";
  };
  EXPECT_EQ(Merge(1, 0).Fault(), apart("1", "0"));
  EXPECT_EQ(Merge(0, 2).Fault(), apart("0", "2"));
  EXPECT_EQ(Merge(2, 0).Fault(), apart("2", "0")) << "the keys are no ring";
  EXPECT_EQ(Merge(1, 1).Fault(), apart("1", "1"));
  EXPECT_THAT(Merge(0, 9).Fault(), StartsWith("ResourceNotFoundException: Could not find shard"));
  EXPECT_EQ(Merge(0, 1).status(), 200);
  EXPECT_THAT(Merge(0, 1).Fault(), HasSubstr("has already been merged or split"));
  EXPECT_EQ(Shards().size(), 4U);
}

TEST_F(ReshardingTest, AStreamIsDoubledIntoEqualShardsAndHalvedBack) {
  Create("s", 2);
  const auto doubled = Scale(4);
  ASSERT_EQ(doubled.status(), 200) << doubled.raw.body;
  EXPECT_EQ(doubled.object().at("CurrentShardCount"), 2);
  EXPECT_EQ(doubled.object().at("TargetShardCount"), 4);
  EXPECT_EQ(doubled.Text("StreamName"), "s");
  EXPECT_EQ(doubled.Text("StreamARN"), "arn:aws:kinesis:us-east-1:000000000000:stream/s");
  std::set<std::string> starts;
  const auto shards = Shards();
  ASSERT_EQ(shards.size(), 6U);
  for (const auto& shard : shards) {
    if (IsOpen(shard)) starts.insert(shard.at("HashKeyRange").at("StartingHashKey").as_string().c_str());
  }
  EXPECT_THAT(starts, ElementsAre("0", "170141183460469231731687303715884105728",
                                  "255211775190703847597530955573826158592",
                                  "85070591730234615865843651857942052864"));
  CheckLineage(2);
  EXPECT_EQ(Scale(2).status(), 200);
  EXPECT_EQ(CountOpen(), 2U);
  EXPECT_EQ(Shards().size(), 8U);
  CheckLineage(2);
}

TEST_F(ReshardingTest, EveryStepOfScalingKeepsTheKeysWhole) {
  Create("s", 5);
  clock_.Advance(std::chrono::seconds(10));
  for (const int target : {7, 10, 6, 3, 4, 3, 2, 1, 2}) {
    const auto scaled = Scale(target);
    ASSERT_EQ(scaled.status(), 200) << target << scaled.raw.body;
    EXPECT_EQ(CountOpen(), static_cast<std::size_t>(target));
    CheckLineage(5);
  }
}

TEST_F(ReshardingTest, ScalingHasItsLimits) {
  Create("s", 4);
  EXPECT_EQ(Scale(9).Fault(),
            "LimitExceededException: UpdateShardCount cannot scale up over double your current open shard "
            "count. Current open shard count: 4 Target shard count: 9");
  EXPECT_EQ(Scale(1).Fault(),
            "LimitExceededException: UpdateShardCount cannot scale down below half your current open shard "
            "count. Current open shard count: 4 Target shard count: 1");
  EXPECT_THAT(Scale(2'000'000'000).Fault(), StartsWith("LimitExceededException"));
  EXPECT_THAT(Scale(0).Fault(), StartsWith("ValidationException"));
  EXPECT_EQ(Scale(4).status(), 200) << "as it is: no change";
  // Ten changes in 24 hours.
  for (int i = 0; i < 10; ++i) ASSERT_EQ(Scale(i % 2 == 0 ? 5 : 4).status(), 200) << i;
  EXPECT_THAT(Scale(5).Fault(), StartsWith("LimitExceededException: UpdateShardCount can be called at most"));
  Reopen();
  EXPECT_THAT(Scale(5).Fault(), StartsWith("LimitExceededException")) << "over a restart";
  clock_.Advance(std::chrono::hours(24));
  EXPECT_EQ(Scale(5).status(), 200);
}

TEST_F(ReshardingTest, TheAccountsShardsAreLimited) {
  Create("wide", 9'999);
  Create("s", 1);
  const std::string told =
      "LimitExceededException: This request would exceed the shard limit for the account 000000000000 in "
      "us-east-1. Current shard count for the account: 10000. Limit: 10000. Number of additional shards that "
      "would have resulted from this request: 1.";
  EXPECT_THAT(Split(0).Fault(), StartsWith(told));
  EXPECT_THAT(Scale(2).Fault(), StartsWith(told));
  EXPECT_EQ(
      Call("DescribeLimits", "{}").raw.body,
      R"({"ShardLimit":10000,"OpenShardCount":10000,"OnDemandStreamCount":0,"OnDemandStreamCountLimit":10000})");
}

TEST_F(ReshardingTest, AStreamThatScalesByItselfIsNotResharded) {
  Create("s", 2, R"(,"StreamModeDetails":{"StreamMode":"ON_DEMAND"})");
  const std::string told =
      "ValidationException: Request is invalid. Stream s under account 000000000000 is in On-Demand mode.";
  EXPECT_EQ(Split(0).Fault(), told);
  EXPECT_EQ(Merge(0, 1).Fault(), told);
  EXPECT_EQ(Scale(4).Fault(), told);
}

TEST_F(ReshardingTest, ReshardingNeedsItsMembersAndAStream) {
  Create("s", 2);
  for (const char* operation : {"SplitShard", "MergeShards", "UpdateShardCount"}) {
    EXPECT_THAT(Call(operation, R"({"StreamName":"s"})").Fault(),
                StartsWith("ValidationException: 2 validation"))
        << operation;
  }
  EXPECT_THAT(
      Call("UpdateShardCount", R"({"StreamName":"s","TargetShardCount":2,"ScalingType":"X"})").Fault(),
      HasSubstr("Member must satisfy enum value set: [UNIFORM_SCALING]"));
  EXPECT_THAT(Scale(2, "nowhere").Fault(), StartsWith("ResourceNotFoundException"));
  EXPECT_THAT(Call("SplitShard", R"({"ShardToSplit":"0","NewStartingHashKey":"5"})").Fault(),
              StartsWith("InvalidArgumentException: Either StreamName or StreamARN"));
}

TEST_F(ReshardingTest, RecordsAreReadInOrderFromParentsToChildren) {
  Create("s", 1);
  std::vector<std::string> put;
  for (int i = 0; i < 30; ++i) {
    clock_.Advance(std::chrono::milliseconds(10));
    if (i % 10 == 5) {
      ASSERT_EQ(Scale(i == 15 ? 1 : 2).status(), 200);
    }
    put.push_back(std::to_string(i));
    const auto answer = Call("PutRecord", R"({"StreamName":"s","PartitionKey":"k","Data":)" +
                                              Quoted(wire::EncodeBase64(AsBytes(put.back()))) + "}");
    ASSERT_EQ(answer.status(), 200) << answer.raw.body;
  }
  // As readers do it: a shard to its end, then those of its children that have all their parents read.
  std::vector<std::string> read, waiting{ShardName(0)};
  std::set<std::string> done;
  while (!waiting.empty()) {
    const std::string shard = waiting.front();
    waiting.erase(waiting.begin());
    if (!done.insert(shard).second) continue;
    auto next =
        Call("GetShardIterator",
             R"({"StreamName":"s","ShardIteratorType":"TRIM_HORIZON","ShardId":)" + Quoted(shard) + "}")
            .Text("ShardIterator");
    for (int calls = 0; !next.empty() && calls < 20; ++calls) {
      const auto batch = Call("GetRecords", R"({"Limit":3,"ShardIterator":)" + Quoted(next) + "}");
      for (const auto& record : batch.object().at("Records").as_array()) {
        read.emplace_back(AsText(*wire::DecodeBase64(record.at("Data").as_string().c_str())));
      }
      next = batch.Text("NextShardIterator");
      const auto* children = batch.object().if_contains("ChildShards");
      EXPECT_EQ(children == nullptr, !next.empty());
      if (children == nullptr) continue;
      for (const auto& child : children->as_array()) {
        const auto& parents = child.at("ParentShards").as_array();
        EXPECT_FALSE(parents.empty());
        if (std::all_of(parents.begin(), parents.end(),
                        [&](const auto& parent) { return done.contains(parent.as_string().c_str()); })) {
          waiting.emplace_back(child.at("ShardId").as_string().c_str());
        }
      }
    }
  }
  EXPECT_EQ(read, put);
}

TEST_F(ReshardingTest, TheFragmentLogScalesAsOthersDo) {
  EXPECT_EQ(Scale(4, "millrace-fragments").status(), 200);
  const auto stream = store_->CreateStream("door", std::chrono::hours(24));
  ASSERT_TRUE(stream);
  Append(*stream, kNow);
  EXPECT_EQ(Scale(2, "millrace-fragments").status(), 200);
  Append(*stream, kNow + std::chrono::seconds(1));
}

}  // namespace
}  // namespace millrace::api::testing
