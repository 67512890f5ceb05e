// Where applications stand in the shards that they read: a typed view of the log's metadata.
//
// Key: "checkpoints/<application>/<stream>/<shard>"; value: the sequence number's 24 bytes. Durable when Set
// returns. Threads: any.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "base/result.h"
#include "storage/record_log.h"

namespace millrace::storage {

struct Checkpoint {
  SequenceNumber sequence_number;  // everything up to it, included, is done
  std::uint64_t version = 0;
};

class Checkpoints {
 public:
  // `log` outlives this. Application: [a-zA-Z0-9_.-]{1,128}.
  Checkpoints(RecordLog& log, std::string application);

  // None: nothing is done yet.
  Result<std::optional<Checkpoint>> Get(const std::string& stream, ShardId shard);
  // Of all shards of the stream that have one.
  Result<std::map<ShardId, Checkpoint>> List(const std::string& stream);
  // Gives the new version. `expected_version` as PutMetadata's; errors: kInvalidArgument (a bad application
  // name), kFailedPrecondition (somebody else has moved it).
  Result<std::uint64_t> Set(const std::string& stream, ShardId shard, const SequenceNumber& sequence_number,
                            std::optional<std::uint64_t> expected_version = std::nullopt);
  Result<void> Remove(const std::string& stream, ShardId shard);

 private:
  Result<std::string> Prefix(const std::string& stream) const;

  RecordLog& log_;
  const std::string application_;
};

}  // namespace millrace::storage
