// What a worker has done and how far behind it is.
//
// Counts are since its start. Threads: values.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "base/time.h"

namespace millrace {

struct WorkerMetrics {
  std::uint64_t records = 0;         // given by Next and NextBatch; of aggregated records, the user records
  std::uint64_t records_passed = 0;  // not given: `wanted` said no
  std::uint64_t bytes = 0;           // of the data of both
  std::uint64_t requests = 0;        // GetRecords
  std::uint64_t subscriptions = 0;   // SubscribeToShard, each renewal one
  std::uint64_t events = 0;          // of subscriptions, those without records included
  std::uint64_t read_retries = 0;    // reads that failed and were made again
  std::uint64_t commits = 0;         // checkpoints that the server has
  std::uint64_t commit_retries = 0;  // commits that found no server
  std::uint64_t results = 0;         // records put with commits
  std::uint64_t leases_taken = 0;    // those that were stolen included
  std::uint64_t leases_stolen = 0;   // from workers that had more
  std::uint64_t leases_lost = 0;     // to others, or given up
  std::uint64_t shards_ended = 0;
  std::uint64_t leases = 0;            // held now
  std::uint64_t read_ahead_bytes = 0;  // read and not given yet, now
  // How long ago the oldest record was put that was not given yet, by the server's clock; 0: all are. Of each
  // shard that is held and has been read.
  std::map<std::string, Duration> behind;

  Duration behind_max() const;
};

// The metrics in Prometheus's text format (version 0.0.4), named millrace_consumer_…, with the labels
// `application`, `stream` and `worker`; behind also with `shard`.
std::string PrometheusText(const WorkerMetrics& metrics, const std::string& application,
                           const std::string& stream, const std::string& worker);

}  // namespace millrace
