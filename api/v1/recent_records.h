// A data stream's newest records, and how fast they come: what a person who looks at it wants to know, found
// in the index without reading the stream.
//
// Threads: any; the functions wait for the disk.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "storage/record_log.h"

namespace millrace::api {

struct ShardRate {
  double records_per_second = 0;
  double bytes_per_second = 0;  // data and partition keys
};
inline constexpr Duration kRateWindow = std::chrono::seconds(10);

// Over the last kRateWindow, or its beginning where it has more than 1,000 records.
Result<ShardRate> MeasureRate(storage::RecordLog& log, const std::string& stream, storage::ShardId shard,
                              Timestamp now);

struct RecentRecords {
  std::vector<storage::RecordInfo> records;  // oldest first
  std::vector<storage::ShardPosition> next;  // where each shard goes on; a closed one's children instead
  bool skipped = false;                      // there were more than `count`, or than can be looked at
};

// The newest `count` of these shards together, by arrival. Looks at most at some thousand records of a shard.
Result<RecentRecords> FindNewest(storage::RecordLog& log, const std::string& stream,
                                 const std::vector<storage::ShardId>& shards, std::size_t count,
                                 Timestamp now);
// The newest `count` of those behind `after`.
Result<RecentRecords> FindAfter(storage::RecordLog& log, const std::string& stream,
                                const std::vector<storage::ShardPosition>& after, std::size_t count);

}  // namespace millrace::api
