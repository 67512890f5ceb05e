// Hash keys, shard ids and sequence numbers against the service's known numbers.
#include "storage/ids.h"

#include <gtest/gtest.h>

#include "storage/crc32c.h"
#include "tests/storage/log_fixture.h"

namespace millrace::storage {
namespace {

TEST(HashKey, IsTheMd5OfThePartitionKey) {
  // MD5("") and MD5("a"), RFC 1321 appendix A.5.
  EXPECT_EQ(HashKey::FromPartitionKey(""), (HashKey{0xd41d8cd98f00b204, 0xe9800998ecf8427e}));
  EXPECT_EQ(HashKey::FromPartitionKey("a"), (HashKey{0x0cc175b9c0f1b6a8, 0x31c399e269772661}));
}

TEST(HashKey, DecimalBothWays) {
  EXPECT_EQ(HashKey{}.ToString(), "0");
  EXPECT_EQ(HashKey::Max().ToString(), "340282366920938463463374607431768211455");
  for (const char* text : {"0", "1", "18446744073709551616", "170141183460469231731687303715884105728",
                           "340282366920938463463374607431768211455"}) {
    EXPECT_EQ(Get(HashKey::Parse(text)).ToString(), text);
  }
  EXPECT_EQ(Get(HashKey::Parse("18446744073709551615")).Next(), (HashKey{1, 0}));
  EXPECT_EQ((HashKey{1, 0}.Previous()), (HashKey{0, ~std::uint64_t{0}}));
}

class BadHashKey : public testing::TestWithParam<const char*> {};
TEST_P(BadHashKey, IsRefused) { EXPECT_EQ(CodeOf(HashKey::Parse(GetParam())), ErrorCode::kInvalidArgument); }
INSTANTIATE_TEST_SUITE_P(HashKey, BadHashKey,
                         testing::Values("", "-1", "+1", "01", "00", "1 ", " 1", "0x1", "1e3", "a",
                                         "340282366920938463463374607431768211456",
                                         "999999999999999999999999999999999999999999999999999999999999"));

TEST(ShardId, TakesWhatKinesisTakes) {
  EXPECT_EQ(ShardId{7}.ToString(), "shardId-000000000007");
  for (const char* text : {"shardId-000000000007", "foo-7", "-7", "7", "shardId-7", "a-b-7"}) {
    EXPECT_EQ(Get(ShardId::Parse(text)), ShardId{7}) << text;
  }
  EXPECT_EQ(Get(ShardId::Parse("shardId-002147483647")).index, 2147483647u);
}

class BadShardId : public testing::TestWithParam<const char*> {};
TEST_P(BadShardId, IsRefused) { EXPECT_EQ(CodeOf(ShardId::Parse(GetParam())), ErrorCode::kInvalidArgument); }
INSTANTIATE_TEST_SUITE_P(ShardId, BadShardId,
                         testing::Values("", "-", "shardId-", "shardId-x", "shardId-7x", "shardId-2147483648",
                                         "shardId-99999999999999999999", "7-", "shard 7"));

TEST(SequenceNumber, OfTheServiceReadsAsItsFields) {
  const char* text = "49594189147623985939251953501666965394405037144469929986";
  auto number = Get(SequenceNumber::Parse(text));
  EXPECT_EQ(number.ToString(), text);
  auto fields = number.fields();
  EXPECT_EQ(SequenceNumber::FromFields(fields), number);
  EXPECT_EQ(fields.shard.index & 15, number.bytes()[5] & 15);
  EXPECT_GT(fields.shard_created_s, 1'400'000'000);
  EXPECT_LT(fields.time_s - fields.shard_created_s, 365 * 86400);
}

TEST(SequenceNumber, HasFiftySixDigitsAndRoundTrips) {
  SequenceNumber::Fields fields{1'750'000'000, 0x7123456789abcdef, 1'750'000'123, ShardId{0x12345678}};
  auto number = SequenceNumber::FromFields(fields);
  EXPECT_EQ(number.ToString().size(), 56u);
  EXPECT_EQ(Get(SequenceNumber::Parse(number.ToString())), number);
  EXPECT_EQ(SequenceNumber::FromBytes(number.bytes()), number);
  auto read = number.fields();
  EXPECT_EQ(read.shard_created_s, fields.shard_created_s);
  EXPECT_EQ(read.counter, fields.counter);
  EXPECT_EQ(read.time_s, fields.time_s);
  EXPECT_EQ(read.shard, fields.shard);
}

TEST(SequenceNumber, OrderIsTheCountersThenTheTimes) {
  auto make = [](std::int64_t created, std::uint64_t counter, std::int64_t time) {
    return SequenceNumber::FromFields({created, counter, time, ShardId{3}});
  };
  EXPECT_LT(SequenceNumber(), make(1, 0, 1));
  EXPECT_LT(make(10, 5, 99), make(10, 6, 1));
  EXPECT_LT(make(10, ~std::uint64_t{0} >> 1, 99), make(11, 0, 1));
}

class BadSequenceNumber : public testing::TestWithParam<const char*> {};
TEST_P(BadSequenceNumber, IsRefused) {
  EXPECT_EQ(CodeOf(SequenceNumber::Parse(GetParam())), ErrorCode::kInvalidArgument);
}
INSTANTIATE_TEST_SUITE_P(
    SequenceNumber, BadSequenceNumber,
    testing::Values("", "0", "1", "-1", "LATEST",
                    "49594189147623985939251953501666965394405037144469929985",  // version 1
                    "49594189147623985939251953501666965394405037144469929984",  // version 0
                    "149594189147623985939251953501666965394405037144469929986",
                    "99999999999999999999999999999999999999999999999999999999",
                    "4959418914762398593925195350166696539440503714446992998x"));

TEST(Crc32c, KnownAnswers) {
  // RFC 3720 appendix B.4.
  EXPECT_EQ(Crc32c(Bytes(32, 0x00)), 0x8A9136AAu);
  EXPECT_EQ(Crc32c(Bytes(32, 0xff)), 0x62A8AB43u);
  EXPECT_EQ(Crc32c(AsBytes("123456789")), 0xE3069283u);
  EXPECT_EQ(Crc32c({}), 0u);
}

TEST(Crc32c, InstructionAndTablesAgreeInAnySplit) {
  Bytes data = MakeData(100'000, 1);
  for (std::size_t size : {0, 1, 7, 8, 9, 255, 767, 768, 769, 1537, 24575, 24576, 24577, 50'001, 99'990}) {
    for (std::size_t start : {0, 1, 3}) {
      ByteSpan bytes = ByteSpan(data).subspan(start, size);
      std::uint32_t whole = Crc32c(bytes);
      EXPECT_EQ(whole, Crc32cPortable(bytes)) << size;
      ByteSpan first = bytes.first(size / 3);
      EXPECT_EQ(whole, Crc32c(bytes.subspan(size / 3), Crc32c(first))) << size;
    }
  }
}

}  // namespace
}  // namespace millrace::storage
