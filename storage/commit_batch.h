// What metadata changes come to before they are made durable: versions are checked against the state and
// against what the same group has accepted before. Internal to storage.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "storage/control_state.h"

namespace millrace::storage {

// Errors: kInvalidArgument (the key's or the value's length).
Result<void> CheckMetadata(const std::string& key, const Bytes& value);
// What can be said of a batch before it is queued. Errors: kInvalidArgument.
Result<void> CheckBatch(const CommitBatch& batch);

// The metadata as one group of changes will leave them. Threads: the writer's.
class MetadataPlan {
 public:
  // `state` outlives this and does not change meanwhile.
  MetadataPlan(const ControlState& state, std::uint64_t bytes_max);

  // Adds all of `changes` or none: their rows go into `rows`. Gives the new versions, 0 for a removal.
  // Errors: kFailedPrecondition (a version is not the expected one), kResourceExhausted (too much metadata).
  Result<std::vector<std::uint64_t>> Add(std::vector<MetadataChange> changes, ControlChange& rows);

 private:
  std::uint64_t VersionOf(const std::string& key) const;

  const ControlState& state_;
  const std::uint64_t bytes_max_;
  std::map<std::string, std::uint64_t> versions_;  // that the group changes; 0: not there
  std::uint64_t bytes_;
};

}  // namespace millrace::storage
