// Splits the shards of streams in the ON_DEMAND capacity mode as what is written to them grows: a shard that
// was given more than about half of what it can take, over a whole window, becomes two. What was refused
// counts too. A shard whose load is nearly all of one hash key stays as it is: that key would only move.
//
// Threads: any; one look at a time. A thread of its own after Start.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>

#include "api/data_streams/data_stream_catalog.h"
#include "api/data_streams/stream_throughput.h"
#include "base/time.h"

namespace millrace::api {

class OnDemandScaling {
 public:
  struct Options {
    Duration window = std::chrono::minutes(1);
    std::uint64_t bytes_per_s = 500'000;  // of a shard; above it is split
    std::uint64_t records_per_s = 500;
    std::uint32_t stream_shards_max = 200;  // open ones
  };

  // Both outlive it.
  OnDemandScaling(DataStreamCatalog& catalog, StreamThroughput& throughput, Options options);
  ~OnDemandScaling() = default;

  // Looks once a window from now on. REQUIRES: called once.
  void Start();
  // Looks now, at what was written since the last look. Gives the number of shards that it split.
  std::size_t Look();

 private:
  std::size_t LookAt(const std::string& stream);

  DataStreamCatalog& catalog_;
  StreamThroughput& throughput_;
  const Options options_;
  std::mutex look_mutex_;  // one look at a time
  std::mutex wait_mutex_;
  std::condition_variable_any stopping_;
  std::jthread thread_;  // last: it ends before what it uses
};

}  // namespace millrace::api
