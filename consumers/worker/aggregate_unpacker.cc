#include "consumers/worker/aggregate_unpacker.h"

#include <algorithm>
#include <utility>

namespace millrace::consumer {

bool AggregateUnpacker::Begin(WorkerRecord& record, const ShardPlace& done) {
  auto parts = wire::ReadAggregatedRecord(record.data);
  if (!parts) return false;
  record_ = std::move(record);  // its bytes stay where they are, and the parts in them
  parts_ = std::move(*parts);
  next_ = 0;
  if (done.sub_sequence && done.sequence_number == record_.sequence_number) {
    next_ = static_cast<std::size_t>(std::min<std::uint64_t>(*done.sub_sequence + 1, parts_.size()));
  }
  active_ = true;
  return true;
}

std::optional<WorkerRecord> AggregateUnpacker::Next(const HashKeyRange& range) {
  while (active_ && next_ < parts_.size()) {
    const std::size_t index = next_++;
    const wire::UserRecord& part = parts_[index];
    if (!wire::BelongsTo(part, range.first, range.last)) continue;
    WorkerRecord record;
    record.shard = record_.shard;
    record.sequence_number = record_.sequence_number;
    record.sub_sequence = index;
    record.last_of_record = next_ == parts_.size();
    record.partition_key = part.partition_key;
    record.arrival = record_.arrival;
    record.data.assign(part.data.begin(), part.data.end());
    return record;
  }
  active_ = false;
  parts_.clear();
  record_.data.clear();
  return std::nullopt;
}

}  // namespace millrace::consumer
