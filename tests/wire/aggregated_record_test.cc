// The producer library's aggregated format: what is read, and what is left as an ordinary record.
#include "wire/aggregated_record.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "tests/wire/aggregated_bytes.h"

namespace millrace::wire {
namespace {

using test::AggregatedBytes;

Bytes Joined(std::initializer_list<Bytes> parts) {
  Bytes out;
  for (const Bytes& part : parts) out.insert(out.end(), part.begin(), part.end());
  return out;
}

const Bytes kKeyA{0x0a, 1, 'a'};                      // field 1: "a"
const Bytes kHashKey7{0x12, 1, '7'};                  // field 2: "7"
const Bytes kRecord{0x1a, 5, 0x08, 0, 0x1a, 1, 'x'};  // field 3: { 1: 0, 3: "x" }

TEST(AggregatedRecord, IsReadAsItWasWritten) {
  const std::vector<UserRecord> records{{"key", std::nullopt, AsBytes("one")},
                                        {"key", "0", AsBytes("")},
                                        {"kéy", "340282366920938463463374607431768211455", AsBytes("three")},
                                        {"", "0", AsBytes(std::string_view("\0\xff", 2))}};
  const Bytes bytes = WriteAggregatedRecord(records);
  const auto read = ReadAggregatedRecord(bytes);
  ASSERT_TRUE(read);
  ASSERT_EQ(read->size(), records.size());
  for (std::size_t i = 0; i < records.size(); ++i) {
    EXPECT_EQ((*read)[i].partition_key, records[i].partition_key);
    EXPECT_EQ((*read)[i].explicit_hash_key, records[i].explicit_hash_key);
    EXPECT_EQ(AsText((*read)[i].data), AsText(records[i].data));
  }
}

TEST(AggregatedRecord, TablesShareKeys) {
  const std::string key(200, 'k');
  const std::vector<UserRecord> records(100, {key, std::nullopt, AsBytes("x")});
  EXPECT_LT(WriteAggregatedRecord(records).size(), 1000u);
}

struct Case {
  const char* name;
  Bytes message;
  int records;  // 0: an ordinary record
};

class AggregatedMessage : public ::testing::TestWithParam<Case> {};

TEST_P(AggregatedMessage, IsTakenOrLeft) {
  const Bytes bytes = AggregatedBytes(GetParam().message);
  const auto read = ReadAggregatedRecord(bytes);
  EXPECT_EQ(read ? static_cast<int>(read->size()) : 0, GetParam().records);
}

INSTANTIATE_TEST_SUITE_P(
    Wire, AggregatedMessage,
    ::testing::Values(
        Case{"one", Joined({kKeyA, kRecord}), 1}, Case{"two", Joined({kKeyA, kRecord, kRecord}), 2},
        Case{"tables_last", Joined({kRecord, kKeyA}), 1},
        Case{"unknown_fields",
             Joined({kKeyA,
                     {0x20, 0xff, 1},
                     {0x29, 1, 2, 3, 4, 5, 6, 7, 8},
                     {0x35, 1, 2, 3, 4},
                     {0x3a, 1, 9},
                     kRecord}),
             1},
        Case{"tags_of_a_record", Joined({kKeyA, {0x1a, 10, 0x08, 0, 0x1a, 1, 'x', 0x22, 3, 0x0a, 1, 't'}}),
             1},
        Case{"said_again", Joined({kKeyA, {0x1a, 7, 0x08, 9, 0x08, 0, 0x1a, 1, 'x'}}), 1},
        Case{"hash_key", Joined({kKeyA, kHashKey7, {0x1a, 7, 0x08, 0, 0x10, 0, 0x1a, 1, 'x'}}), 1},
        Case{"nothing", {}, 0}, Case{"no_record", kKeyA, 0}, Case{"no_table", kRecord, 0},
        Case{"key_outside_of_table", Joined({kKeyA, {0x1a, 5, 0x08, 1, 0x1a, 1, 'x'}}), 0},
        Case{
            "key_far_outside",
            Joined({kKeyA,
                    {0x1a, 14, 0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 0x1a, 1, 'x'}}),
            0},
        Case{"hash_key_outside", Joined({kKeyA, {0x1a, 7, 0x08, 0, 0x10, 0, 0x1a, 1, 'x'}}), 0},
        Case{"no_key", Joined({kKeyA, {0x1a, 3, 0x1a, 1, 'x'}}), 0},
        Case{"no_data", Joined({kKeyA, {0x1a, 2, 0x08, 0}}), 0},
        Case{"data_cut", Joined({kKeyA, {0x1a, 5, 0x08, 0, 0x1a, 2, 'x'}}), 0},
        Case{"record_cut", Joined({kKeyA, {0x1a, 6, 0x08, 0, 0x1a, 1, 'x'}}), 0},
        Case{"length_of_all_bits",
             Joined({kKeyA, {0x1a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1}}), 0},
        Case{"varint_over_64_bits",
             Joined({kKeyA, kRecord, {0x20, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2}}), 0},
        Case{"varint_without_end", Joined({kKeyA, kRecord, {0x20, 0x80, 0x80}}), 0},
        Case{"field_zero", Joined({kKeyA, kRecord, {0x00, 1}}), 0},
        Case{"group", Joined({kKeyA, kRecord, {0x23, 0x24}}), 0},
        Case{"reserved_type", Joined({kKeyA, kRecord, {0x26, 1}}), 0},
        Case{"fixed_cut", Joined({kKeyA, kRecord, {0x29, 1, 2}}), 0},
        Case{"key_is_a_number", Joined({{0x08, 1}, kRecord}), 0},
        Case{"key_not_utf8", Joined({{0x0a, 1, 0xff}, kRecord}), 0},
        Case{"hash_key_empty", Joined({kKeyA, {0x12, 0}, kRecord}), 0},
        Case{"hash_key_no_number", Joined({kKeyA, {0x12, 1, 'x'}, kRecord}), 0},
        Case{"hash_key_negative", Joined({kKeyA, {0x12, 2, '-', '1'}, kRecord}), 0},
        Case{"hash_key_leading_zero", Joined({kKeyA, {0x12, 2, '0', '1'}, kRecord}), 0}),
    [](const auto& test) { return std::string(test.param.name); });

TEST(AggregatedRecord, BelongsToTheShardOfItsHashKey) {
  const std::string_view half = "170141183460469231731687303715884105728";  // 2^127
  const std::string_view below = "170141183460469231731687303715884105727";
  const std::string_view last = "340282366920938463463374607431768211455";
  EXPECT_TRUE(BelongsTo({"x", "0", {}}, "0", below));
  EXPECT_TRUE(BelongsTo({"x", below, {}}, "0", below));
  EXPECT_FALSE(BelongsTo({"x", half, {}}, "0", below));
  EXPECT_TRUE(BelongsTo({"x", half, {}}, half, last));
  EXPECT_TRUE(BelongsTo({"x", last, {}}, half, last));
  // MD5 of "a" begins with 0c, that of "b" with 92.
  EXPECT_TRUE(BelongsTo({"a", std::nullopt, {}}, "0", below));
  EXPECT_FALSE(BelongsTo({"b", std::nullopt, {}}, "0", below));
  EXPECT_TRUE(BelongsTo({"b", std::nullopt, {}}, half, last));
}

TEST(AggregatedRecord, HashKeysEndAtTheirMaximum) {
  const std::vector<UserRecord> over{{"a", "340282366920938463463374607431768211456", {}}};
  EXPECT_FALSE(ReadAggregatedRecord(WriteAggregatedRecord(over)));
  const std::vector<UserRecord> longer{{"a", "1000000000000000000000000000000000000000", {}}};
  EXPECT_FALSE(ReadAggregatedRecord(WriteAggregatedRecord(longer)));
}

TEST(AggregatedRecord, EveryOtherByteMakesAnOrdinaryRecord) {
  const Bytes whole = AggregatedBytes(Joined({kKeyA, kRecord, kRecord}));
  ASSERT_TRUE(ReadAggregatedRecord(whole));
  for (std::size_t i = 0; i < whole.size(); ++i) {
    Bytes changed = whole;
    changed[i] ^= 0x10;
    EXPECT_FALSE(ReadAggregatedRecord(changed)) << "byte " << i;
    EXPECT_FALSE(ReadAggregatedRecord(ByteSpan(whole).first(i))) << "first " << i;
  }
  Bytes longer = whole;
  longer.push_back(0);
  EXPECT_FALSE(ReadAggregatedRecord(longer));
  EXPECT_FALSE(ReadAggregatedRecord({}));
}

}  // namespace
}  // namespace millrace::wire
