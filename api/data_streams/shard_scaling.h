// Scales a stream's open shards to a number by splits and merges, one at a time, so that each shard's parents
// and children are known to readers all the way.
//
// Up: the widest shard is split in the middle, again and again; down: the two neighbours that are the
// narrowest together are merged. So a stream of equal shards that is doubled or halved has equal shards.
//
// Threads: any; waits for the disk. One change of a stream's shards at a time (DataStreamCatalog::Change).
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "storage/record_log.h"

namespace millrace::api {

std::uint32_t CountOpenShards(const storage::StreamDescription& stream);

// REQUIRES: target > 0. Errors: those of the log: what was done until then stays, and is whole.
Result<void> ScaleShards(storage::RecordLog& log, const storage::StreamDescription& stream,
                         std::uint32_t target);

// False: it is closed, or too narrow.
Result<bool> SplitInTheMiddle(storage::RecordLog& log, const storage::StreamDescription& stream,
                              storage::ShardId shard);

}  // namespace millrace::api
