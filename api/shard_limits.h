// How much may go into and out of one shard of a data stream in a second.
#pragma once

#include <cstdint>

namespace millrace::api {

// The defaults are those of the Kinesis service in provisioned mode. 0: no limit.
struct ShardLimits {
  std::uint64_t write_bytes_per_s = 1 << 20;  // data and partition keys
  std::uint64_t write_records_per_s = 1000;
  std::uint64_t read_bytes_per_s = 2 << 20;  // by all GetRecords together
  std::uint64_t reads_per_s = 5;
  std::uint64_t consumer_bytes_per_s = 2 << 20;  // to each registered consumer

  static constexpr ShardLimits Off() { return {0, 0, 0, 0, 0}; }
  friend bool operator==(const ShardLimits&, const ShardLimits&) = default;
};

}  // namespace millrace::api
