// Takes the aggregated records of a shard apart, one at a time, as its user records are asked for
// (wire/aggregated_record.h). Those whose hash key is not the shard's are left out: their producer has put
// them again, to the shard that they belong to.
//
// Memory:  one record and its parts.
// Threads: one owner.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "consumers/worker/worker_record.h"
#include "wire/aggregated_record.h"

namespace millrace::consumer {

// Both ends belong to the shard; decimal.
struct HashKeyRange {
  std::string first;
  std::string last;
};

class AggregateUnpacker {
 public:
  // True: `record` is aggregated, and was taken; its user records come from Next. Those up to `done`, where
  // that is of this record, do not. REQUIRES: Next has given all of the one before. False: it is an ordinary
  // one, and untouched.
  bool Begin(WorkerRecord& record, const ShardPlace& done);

  // Whether one was begun and is not over.
  bool active() const { return active_; }
  // The next user record; none: the record is over, and all of it is passed at passed().
  std::optional<WorkerRecord> Next(const HashKeyRange& range);
  // Where the record that was over last ends.
  ShardPlace passed() const { return {record_.sequence_number, std::nullopt}; }

 private:
  bool active_ = false;
  WorkerRecord record_;
  std::vector<wire::UserRecord> parts_;  // in record_.data
  std::size_t next_ = 0;
};

}  // namespace millrace::consumer
