// What a worker gives, and what it is given back: records of a data stream, and results that are put beside a
// checkpoint.
//
// Threads: values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/bytes.h"
#include "base/time.h"

namespace millrace {

// How far a shard is done: everything up to here.
struct ShardPlace {
  std::string sequence_number;                // 56 digits; empty: nothing is done
  std::optional<std::uint64_t> sub_sequence;  // of the last user record done; none: all of the record
  friend bool operator==(const ShardPlace&, const ShardPlace&) = default;
};

struct WorkerRecord {
  std::string shard;            // "shardId-000000000003"
  std::string sequence_number;  // strictly increasing within a shard
  // Of a user record of an aggregated one: its place there, from 0.
  std::optional<std::uint64_t> sub_sequence;
  bool last_of_record = true;  // false: more user records of the same record follow
  std::string partition_key;
  Timestamp arrival;  // the server's clock when it was put
  Bytes data;
  // The first one behind a lease whose owner lost it: it may be what ended that owner.
  bool suspect = false;
  std::uint64_t lease = 0;  // the counter of the lease under which it was given

  // The checkpoint that says that this one is done.
  ShardPlace place() const { return {sequence_number, last_of_record ? std::nullopt : sub_sequence}; }
};

// A record that is put to a data stream together with a checkpoint: both are there afterwards, or neither.
struct WorkerResult {
  std::string stream;
  std::string partition_key;  // 1 to 256 bytes
  std::string data;           // with the key at most 1 MiB
  // A result whose key its partition has already is left out; empty: none. At most 512 bytes.
  std::string key;
  std::optional<Timestamp> time;  // what it is found by
};

// What happened to a shard of this worker.
struct ShardEvent {
  enum class Kind {
    kTaken,     // its records come from now on
    kLost,      // another worker's now, or soon: what is not committed will be read there
    kEnded,     // it was closed by resharding, and all of it is done; its children are read next
    kReleased,  // given back by Close: all that is done is committed
  };
  Kind kind = Kind::kTaken;
  std::string shard;
  ShardPlace place;  // kTaken: where reading begins, behind it
};

}  // namespace millrace
