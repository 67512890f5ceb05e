// The aggregated records of the Kinesis Producer Library: many user records in one record's data.
//
//   F3 89 9A C2 | AggregatedRecord (protocol buffers, proto2) | MD5 of the part before, 16 bytes
//
//   AggregatedRecord  1 repeated string partition_key_table   2 repeated string explicit_hash_key_table
//                     3 repeated Record
//   Record            1 required uint64 partition_key_index   2 optional uint64 explicit_hash_key_index
//                     3 required bytes data                   4 repeated Tag (not used)
//
// Whoever reads a stream takes what is not exactly this for an ordinary record: other bytes in front, another
// digest, a message that is malformed, an index outside of its table, a partition key that is no UTF-8, a
// hash key that is none, no user record at all.
//
// Bounds:  everything points into the record's bytes; memory is at most about thirty times their number
//          (a user record has six bytes or more).
// Threads: pure functions, any thread.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "base/bytes.h"

namespace millrace::wire {

struct UserRecord {
  std::string_view partition_key;
  // Decimal, 0 to 2^128-1, no leading zeros.
  std::optional<std::string_view> explicit_hash_key;
  ByteSpan data;
};

// The user records in their order: the place in it is the sub-sequence number, from 0. They live as long as
// the bytes behind `data`. None: `data` is an ordinary record's.
std::optional<std::vector<UserRecord>> ReadAggregatedRecord(ByteSpan data);

// Whether the record's hash key (its explicit one, else the MD5 of its partition key) lies in the range of a
// shard, whose ends are decimal and inclusive. A producer that has not seen a split yet puts user records
// into a shard that is not theirs, and puts those again that it finds there; whoever reads leaves them out.
bool BelongsTo(const UserRecord& record, std::string_view first_hash_key, std::string_view last_hash_key);

// What ReadAggregatedRecord reads. REQUIRES: one record or more, whose explicit hash keys are some.
Bytes WriteAggregatedRecord(const std::vector<UserRecord>& records);

}  // namespace millrace::wire
