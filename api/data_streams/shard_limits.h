// How much may go into and out of one shard of a data stream in a second, and the text that says so in the
// configuration and in a stream's tag.
//
//   on | off | name=number …, of the names below; what is not named is as it is by default:
//   "write_bytes=4194304 write_records=4000 reads=0"
//
// Threads: plain values and pure functions, any thread.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/result.h"

namespace millrace::api {

// The tag that gives a stream limits of its own.
inline constexpr std::string_view kLimitsTag = "millrace.limits";

// The defaults are those of the Kinesis service. 0: no limit.
struct ShardLimits {
  std::uint64_t write_bytes = 1 << 20;  // data and partition keys
  std::uint64_t write_records = 1000;
  std::uint64_t read_bytes = 2 << 20;  // by all GetRecords together
  std::uint64_t reads = 5;
  std::uint64_t consumer_bytes = 2 << 20;  // to each registered consumer

  static constexpr ShardLimits Off() { return {0, 0, 0, 0, 0}; }
  friend bool operator==(const ShardLimits&, const ShardLimits&) = default;
};

// Errors: kInvalidArgument, with a text that says what may be said.
Result<ShardLimits> ParseShardLimits(std::string_view text, const ShardLimits& defaults);

}  // namespace millrace::api
