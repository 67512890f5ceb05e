// The log's identifiers: hash keys, shard ids and sequence numbers, in Kinesis's forms. Three things that are
// never mixed.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"

namespace millrace::storage {

// A point of the 128-bit hash key space: MD5 of the partition key as a big-endian number.
struct HashKey {
  std::uint64_t high = 0;
  std::uint64_t low = 0;

  static HashKey FromPartitionKey(std::string_view partition_key);
  // Decimal, 0 to 2^128-1, no sign and no leading zero. Errors: kInvalidArgument.
  static Result<HashKey> Parse(std::string_view decimal);
  static constexpr HashKey Max() { return {~std::uint64_t{0}, ~std::uint64_t{0}}; }

  std::string ToString() const;  // decimal
  HashKey Next() const;          // + 1. REQUIRES: *this != Max().
  HashKey Previous() const;      // - 1. REQUIRES: not zero.

  friend constexpr auto operator<=>(const HashKey&, const HashKey&) = default;
};

// Both ends inclusive.
struct HashKeyRange {
  HashKey starting;
  HashKey ending;

  bool Contains(const HashKey& key) const { return starting <= key && key <= ending; }
  friend constexpr bool operator==(const HashKeyRange&, const HashKeyRange&) = default;
};

// A shard's index in its stream: counts up over the stream's life, never reused.
struct ShardId {
  std::uint32_t index = 0;

  std::string ToString() const;  // "shardId-000000000007"
  // Takes what Kinesis takes: "shardId-000000000007", "foo-7", "-7", "7". Errors: kInvalidArgument.
  static Result<ShardId> Parse(std::string_view text);

  friend constexpr auto operator<=>(ShardId, ShardId) = default;
};

// A record's place in its shard. A 186-bit number of Kinesis's layout, version 2: hex digits
//   1 '2' | 9 shard creation time, s | 1 shard index & 15 | 16 counter | 2 '00' | 9 record time, s | 8 shard
//   index | 1 '2'
// kept as 24 bytes big-endian, so that byte order is number order. Written as 56 decimal digits.
class SequenceNumber {
 public:
  struct Fields {
    std::int64_t shard_created_s = 0;  // seconds since 1970
    std::uint64_t counter = 0;         // below 2^63
    std::int64_t time_s = 0;           // seconds since 1970
    ShardId shard;
  };

  SequenceNumber() = default;  // zero: before every real one
  static SequenceNumber FromFields(const Fields& fields);
  // Errors: kInvalidArgument (not digits, too large, not of version 2).
  static Result<SequenceNumber> Parse(std::string_view decimal);
  // The 24 bytes that bytes() gave. REQUIRES: bytes.size() == 24.
  static SequenceNumber FromBytes(ByteSpan bytes);

  Fields fields() const;
  std::string ToString() const;
  const std::array<std::uint8_t, 24>& bytes() const { return bytes_; }

  friend auto operator<=>(const SequenceNumber&, const SequenceNumber&) = default;

 private:
  std::array<std::uint8_t, 24> bytes_{};
};

}  // namespace millrace::storage
