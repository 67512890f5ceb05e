// Which hash keys the shards of a stream have, asked for when it is first needed.
//
// Threads: one owner.
#pragma once

#include <map>
#include <string>

#include "consumers/worker/aggregate_unpacker.h"
#include "consumers/worker/worker_options.h"
#include "wire/service_client.h"

namespace millrace::consumer {

class ShardRanges {
 public:
  // `options` outlive this.
  explicit ShardRanges(const WorkerOptions& options);

  // Errors: kNotFound: the stream has no such shard (any more); those of the call.
  Result<HashKeyRange> Find(const std::string& shard);
  // Its lease was lost: the stream may have been made again, and its shards may be others.
  void Forget(const std::string& shard) { ranges_.erase(shard); }

 private:
  Result<void> ReadAll();

  const WorkerOptions& options_;
  wire::ServiceClient client_;
  std::map<std::string, HashKeyRange> ranges_;
};

}  // namespace millrace::consumer
