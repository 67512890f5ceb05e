// What the console shows of data streams: the list, shards with their rates, the newest records.
#include <gmock/gmock.h>

#include <set>

#include "api/v1/recent_records.h"
#include "api/v1/services.h"
#include "tests/api/aws_server.h"
#include "wire/aggregated_record.h"

namespace millrace::api::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class DataStreamOverviewTest : public AwsServerTest {
 protected:
  void SetUp() override {
    AwsServerTest::SetUp();
    server_.reset();
    AddDataStreamOverviewRoutes(*router_, {*catalog_, *sealer_, pool_, budget_, clock_});
    ServerOptions options;
    options.port = 0;
    options.threads = 2;
    auto server = Server::Start(*dispatcher_, options);
    ASSERT_TRUE(server) << server.error().ToString();
    server_ = std::move(*server);
  }

  AwsAnswer Get(const std::string& target) {
    RawClient client(server_->port());
    client.Send("GET " + target + " HTTP/1.1\r\nHost: localhost:4567\r\n\r\n");
    return Parse(client.Receive());
  }
  void Create(const std::string& name, std::uint32_t shards) {
    ASSERT_TRUE(catalog_->Create(name, shards, std::chrono::hours(24), {}));
  }
  // `hash_key`: the high half of it.
  void Put(const std::string& stream, const std::string& data, std::uint64_t hash_key = 0,
           const std::string& key = "k") {
    storage::PutRecord record;
    record.partition_key = key;
    record.explicit_hash_key = storage::HashKey{hash_key, 0};
    record.data = SharedBytes(Bytes(data.begin(), data.end()));
    ASSERT_TRUE(storage::PutAndWait(*log_, stream, std::move(record)));
  }
  static std::vector<std::string> Texts(const AwsAnswer& answer) {
    std::vector<std::string> texts;
    for (const auto& record : answer.object().at("records").as_array()) {
      const auto& text = record.as_object().at("text");
      texts.push_back(text.is_string() ? std::string(text.as_string()) : "-");
    }
    return texts;
  }
};

TEST_F(DataStreamOverviewTest, ListsStreamsAndHidesInternalOnes) {
  Create("b", 3);
  Create("a", 1);
  const auto answer = Get("/v1/data-streams");
  ASSERT_EQ(answer.status(), 200);
  const auto& list = answer.object().at("data_streams").as_array();
  ASSERT_THAT(list, SizeIs(2));
  EXPECT_EQ(list[0].at("name"), "a");
  EXPECT_EQ(list[1].at("open_shards"), 3);
  EXPECT_EQ(list[1].at("mode"), "provisioned");
  EXPECT_EQ(list[1].at("retention_hours"), 24);
  EXPECT_THAT(Get("/v1/data-streams?internal=true").object().at("data_streams").as_array(), SizeIs(3));
  EXPECT_EQ(Get("/v1/data-streams?internl=true").status(), 400);
}

TEST_F(DataStreamOverviewTest, ShowsShardsAndTheirRates) {
  Create("s", 2);
  clock_.Advance(std::chrono::minutes(1));
  for (int i = 0; i < 20; ++i) Put("s", std::string(99, 'x'));
  const auto answer = Get("/v1/data-streams/s");
  ASSERT_EQ(answer.status(), 200);
  const auto& shards = answer.object().at("shards").as_array();
  ASSERT_THAT(shards, SizeIs(2));
  EXPECT_EQ(shards[0].at("records_per_second"), 2);
  EXPECT_EQ(shards[0].at("bytes_per_second"), 200);
  EXPECT_EQ(shards[1].at("records_per_second"), 0);
  EXPECT_DOUBLE_EQ(shards[1].at("start").as_double(), 0.5);
  EXPECT_DOUBLE_EQ(shards[1].at("end").as_double(), 1.0);
  EXPECT_EQ(shards[1].at("last_hash_key"), "340282366920938463463374607431768211455");
  clock_.Advance(std::chrono::minutes(1));
  EXPECT_EQ(Get("/v1/data-streams/s").object().at("shards").at(0).at("records_per_second"), 0);
  ASSERT_TRUE(log_->SplitShard("s", storage::ShardId{1}, storage::HashKey{std::uint64_t{3} << 62, 0}));
  const auto split = Get("/v1/data-streams/s");
  const auto& after = split.object().at("shards").as_array();
  ASSERT_THAT(after, SizeIs(4));
  EXPECT_EQ(after[1].at("open"), false);
  EXPECT_TRUE(after[1].at("records_per_second").is_null());
  EXPECT_EQ(after[3].at("parents").at(0), "shardId-000000000001");
  EXPECT_EQ(split.object().at("open_shards"), 3);
  EXPECT_EQ(Get("/v1/data-streams/nope").status(), 404);
}

TEST_F(DataStreamOverviewTest, GivesTheNewestAndThenWhatIsNew) {
  Create("s", 2);
  EXPECT_THAT(Texts(Get("/v1/data-streams/s/records")), IsEmpty());
  // Old ones, then newer ones in the other shard, with long pauses.
  for (int i = 0; i < 5; ++i) {
    Put("s", "a" + std::to_string(i));
    clock_.Advance(std::chrono::hours(3));
    Put("s", "b" + std::to_string(i), ~std::uint64_t{0});
    clock_.Advance(std::chrono::seconds(1));
  }
  auto answer = Get("/v1/data-streams/s/records?limit=4");
  EXPECT_THAT(Texts(answer), ElementsAre("a3", "b3", "a4", "b4"));
  const auto& first = answer.object().at("records").at(0).as_object();
  EXPECT_EQ(first.at("shard"), "shardId-000000000000");
  EXPECT_EQ(first.at("partition_key"), "k");
  EXPECT_EQ(first.at("bytes"), 2);
  EXPECT_TRUE(first.at("aggregated").is_null());
  EXPECT_THAT(Texts(Get("/v1/data-streams/s/records?shard=1&limit=2")), ElementsAre("b3", "b4"));

  auto next = [&](const char* limit = "50") {
    answer = Get("/v1/data-streams/s/records?limit=" + std::string(limit) + "&after=" + answer.Text("next"));
    return Texts(answer);
  };
  EXPECT_THAT(next(), IsEmpty());
  Put("s", "new", ~std::uint64_t{0});
  EXPECT_THAT(next(), ElementsAre("new"));
  EXPECT_EQ(answer.object().at("skipped"), false);
  // Through a split, and more than is asked for.
  Put("s", "last of parent", ~std::uint64_t{0});
  ASSERT_TRUE(log_->SplitShard("s", storage::ShardId{1}, storage::HashKey{std::uint64_t{3} << 62, 0}));
  Put("s", "of child", ~std::uint64_t{0});
  EXPECT_THAT(next(), ElementsAre("last of parent"));
  EXPECT_THAT(next(), ElementsAre("of child"));
  ASSERT_TRUE(log_->MergeShards("s", storage::ShardId{2}, storage::ShardId{3}));
  EXPECT_THAT(next(), IsEmpty());
  Put("s", "of both", ~std::uint64_t{0});
  EXPECT_THAT(next(), ElementsAre("of both")) << "once, though two shards have ended";
  for (int i = 0; i < 9; ++i) Put("s", "n" + std::to_string(i));
  EXPECT_THAT(next("2"), ElementsAre("n7", "n8"));
  EXPECT_EQ(answer.object().at("skipped"), true);
}

TEST_F(DataStreamOverviewTest, ShowsTextHexAndWhatIsInAggregatedRecords) {
  Create("s", 1);
  Put("s", std::string(5000, 'x'));
  Put("s", std::string("\xff\x00\x10", 3));
  const Bytes whole = wire::WriteAggregatedRecord(
      {{"first", std::nullopt, AsBytes("one")}, {"second", std::nullopt, AsBytes("two")}});
  Put("s", std::string(AsText(whole)));
  const auto answer = Get("/v1/data-streams/s/records");
  const auto& records = answer.object().at("records").as_array();
  ASSERT_THAT(records, SizeIs(4));
  EXPECT_EQ(records[0].at("text").as_string().size(), 2048u);
  EXPECT_EQ(records[0].at("truncated"), true);
  EXPECT_EQ(records[0].at("bytes"), 5000);
  EXPECT_EQ(records[1].at("hex"), "ff0010");
  EXPECT_TRUE(records[1].at("text").is_null());
  EXPECT_EQ(records[3].at("text"), "two");
  EXPECT_EQ(records[3].at("partition_key"), "second");
  EXPECT_EQ(records[3].at("sub_sequence"), 1);
  EXPECT_EQ(records[3].at("aggregated"), 2);
  EXPECT_EQ(records[2].at("sequence_number"), records[3].at("sequence_number"));
}

TEST_F(DataStreamOverviewTest, RefusesWhatIsNoPlace) {
  Create("s", 1);
  const std::string number(56, '9');
  for (const std::string query : {"limit=0", "limit=201", "limit=x", "limit=", "shard=x", "shard=7",
                                  "after=x", "after=0", "after=0:", "after=0:12", "after=:0", "after=-1:0",
                                  "after=99999999999:0", "after=0:0x", "after=,", "last=5"}) {
    const auto answer = Get("/v1/data-streams/s/records?" + query);
    EXPECT_TRUE(answer.status() == 400 || answer.status() == 404) << query << " " << answer.status();
  }
  EXPECT_EQ(Get("/v1/data-streams/s/records?after=7:0").status(), 404) << "no such shard";
  EXPECT_EQ(Get("/v1/data-streams/nope/records").status(), 404);
  EXPECT_EQ(Get("/v1/data-streams/s/records?after=0:" + number).status(), 400);
}

// However many there are, and however they lie in time, the newest are found.
TEST_F(DataStreamOverviewTest, FindsTheNewestOfMany) {
  Create("s", 1);
  auto put_many = [&](int from, int count) {
    std::vector<storage::PutRecord> records;
    for (int i = from; i < from + count; ++i) {
      storage::PutRecord record;
      record.partition_key = "k";
      const std::string text = std::to_string(i);
      record.data = SharedBytes(Bytes(text.begin(), text.end()));
      records.push_back(std::move(record));
    }
    std::promise<void> done;
    log_->PutMany("s", std::move(records), [&](auto) { done.set_value(); });
    done.get_future().wait();
  };
  for (int i = 0; i < 8; ++i) {
    put_many(i * 1000, 1000);
    clock_.Advance(std::chrono::milliseconds(400));
  }
  auto newest = FindNewest(*log_, "s", {storage::ShardId{0}}, 50, clock_.Now());
  ASSERT_TRUE(newest) << newest.error().ToString();
  EXPECT_THAT(newest->records, SizeIs(50));
  clock_.Advance(std::chrono::hours(1));
  newest = FindNewest(*log_, "s", {storage::ShardId{0}}, 50, clock_.Now());
  ASSERT_TRUE(newest);
  ASSERT_THAT(newest->records, SizeIs(50));
  EXPECT_EQ(AsText(log_->Fetch("s", storage::ShardId{0}, newest->records.back().sequence_number)->span()),
            "7999");
  EXPECT_THAT(FindAfter(*log_, "s", newest->next, 10)->records, IsEmpty());
}

}  // namespace
}  // namespace millrace::api::testing
