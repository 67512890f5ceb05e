// What goes into and out of the shards of data streams, and how much of it may.
//
// Writing: each shard takes so many bytes and records a second, and what was saved up of the last second. A
//          record larger than a second's bytes goes by a second allowance, of ten seconds, which all writing
//          uses up: large records pass at the shard's rate on average.
// Reading: by GetRecords so many calls and bytes a second; a call that took more than there was is paid off
//          before the next one.
// Limits:  those of the stream's tag (shard_limits.h), else the server's. None for internal streams.
//
// The shard of a record is worked out here from what is known of the stream's shards; when the log says
// otherwise, as the shards were split or merged meanwhile, that is learned anew.
//
// Threads: any. Learn waits for the disk; the others do not.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "api/data_streams/data_stream_catalog.h"
#include "api/data_streams/shard_limits.h"
#include "base/result.h"
#include "base/time.h"
#include "storage/record_log.h"

namespace millrace::api {

// What was written to one shard, or was to be, since it was last asked.
struct ShardLoad {
  storage::ShardId shard;
  std::uint64_t bytes = 0;
  std::uint64_t records = 0;
  bool one_key = false;  // nearly all of it with one hash key: splitting the shard would not help
};
struct StreamLoad {
  Duration since{0};  // over this long
  std::vector<ShardLoad> shards;
};

class StreamThroughput {
 public:
  // Both outlive it.
  StreamThroughput(DataStreamCatalog& catalog, const Clock& clock, const ShardLimits& defaults);
  ~StreamThroughput();

  ShardLimits LimitsOf(const std::string& stream) const;

  // Whether the stream's shards are known. Where they are not, Learn finds out.
  bool Knows(const std::string& stream) const;
  // Errors: those of DescribeStream.
  Result<void> Learn(const std::string& stream);
  // Its shards are not as they were known.
  void Unlearn(const std::string& stream);
  // The stream is gone.
  void Forget(const std::string& stream);

  // For each record the shard that it goes to, and whether that takes it now. Empty where the stream's shards
  // are not known: the log takes them all. Gives each record its hash key, so that the log need not work it
  // out again.
  struct Admission {
    std::vector<storage::ShardId> shards;
    std::vector<bool> refused;
  };
  Admission Admit(const std::string& stream, std::vector<storage::PutRecord>& records);

  bool AdmitRead(const std::string& stream, storage::ShardId shard);
  void ChargeRead(const std::string& stream, storage::ShardId shard, std::uint64_t bytes,
                  std::size_t records);

  // And begins anew.
  StreamLoad TakeLoad(const std::string& stream);

 private:
  struct Shard;
  struct Stream;
  std::shared_ptr<Stream> Find(const std::string& stream) const;
  std::shared_ptr<Stream> FindOrAdd(const std::string& stream);
  ShardLimits LimitsBy(const DataStreamSettings& settings) const;

  DataStreamCatalog& catalog_;
  const Clock& clock_;
  const ShardLimits defaults_;
  mutable std::mutex mutex_;
  std::map<std::string, std::shared_ptr<Stream>> streams_;  // GUARDED_BY(mutex_)
};

}  // namespace millrace::api
