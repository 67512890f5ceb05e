// The log's deletions and holds of single records: storage/record_marks.h says what they mean.
#include <algorithm>
#include <utility>

#include "storage/embedded_log.h"
#include "storage/engine.h"
#include "storage/log_parts.h"
#include "storage/reopener.h"

namespace millrace::storage {
namespace {

Result<void> CheckPartitionKey(const std::string& partition_key) {
  if (!partition_key.empty() && partition_key.size() <= kPartitionKeyBytesMax) return {};
  return Error{ErrorCode::kInvalidArgument, "a bad partition key"};
}

Error NoSuchHold(const std::string& id) {
  return Error{ErrorCode::kNotFound, "there is no hold '" + id + "'"};
}

}  // namespace

Result<RemovedRecords> EmbeddedLog::DeleteRecords(const std::string& stream, const std::string& partition_key,
                                                  const std::vector<AttributeRange>& ranges) {
  MILLRACE_ASSIGN_OR_RETURN(auto parts, reopener_->Use());
  MILLRACE_RETURN_IF_ERROR(CheckPartitionKey(partition_key));
  MILLRACE_RETURN_IF_ERROR(CheckRanges(ranges));
  return parts->sweeper->DeleteRecords(stream, partition_key, ranges);
}

Result<void> EmbeddedLog::TrimPartition(const std::string& stream, const std::string& partition_key,
                                        Timestamp before) {
  MILLRACE_ASSIGN_OR_RETURN(auto parts, reopener_->Use());
  MILLRACE_RETURN_IF_ERROR(CheckPartitionKey(partition_key));
  StreamId id = 0;
  bool raised = false;
  auto plan = [&](const CommitWriter::PlanContext& context) -> Result<ControlChange> {
    const StreamState* state = context.state.FindStream(stream);
    if (state == nullptr) return NoSuchStream(stream);
    id = state->id;
    const PartitionRule* known = state->RuleOf(partition_key);
    PartitionRule rule = known != nullptr ? *known : PartitionRule{};
    raised = before > rule.trim;
    if (!raised) return ControlChange{};
    rule.trim = before;
    return ControlChange{PartitionRow(id, partition_key, rule)};
  };
  MILLRACE_RETURN_IF_ERROR(parts->writer->Change(plan));
  if (!raised) return {};
  return parts->sweeper->SweepTrimmed(id, partition_key);
}

Result<Hold> EmbeddedLog::PlaceHold(const std::string& stream, const std::string& partition_key, Hold hold) {
  MILLRACE_ASSIGN_OR_RETURN(auto parts, reopener_->Use());
  MILLRACE_RETURN_IF_ERROR(CheckPartitionKey(partition_key));
  MILLRACE_RETURN_IF_ERROR(CheckHold(hold));
  MILLRACE_RETURN_IF_ERROR(RaiseFormat(parts->engine, kFormatMarked));
  const auto planning = parts->sweeper->HoldOffDeletions();
  auto plan = [&](const CommitWriter::PlanContext& context) -> Result<ControlChange> {
    const StreamState* state = context.state.FindStream(stream);
    if (state == nullptr) return NoSuchStream(stream);
    PlacedHold placed;
    if (const RecordMarks* marks = state->MarksOf(partition_key)) {
      const auto known = marks->holds.find(hold.id);
      if (known != marks->holds.end()) {
        if (known->second.hold.ranges != hold.ranges) {
          return Error{ErrorCode::kAlreadyExists,
                       "there is a hold '" + hold.id + "' already, and it holds something else"};
        }
        placed = known->second;
        placed.hold.note = hold.note;
        hold.created = placed.hold.created;
        return ControlChange{HoldRow(state->id, partition_key, placed)};
      }
      if (marks->live_holds() >= kHoldsMax) {
        return Error{ErrorCode::kResourceExhausted,
                     "there are " + std::to_string(kHoldsMax) + " holds of this partition key already"};
      }
      if (marks->holds.size() >= kHoldRowsMax) {
        return Error{ErrorCode::kResourceExhausted,
                     "the log remembers " + std::to_string(kHoldRowsMax) +
                         " holds of this partition key already, most of them released, for the holds that "
                         "took over from them: release those to make room"};
      }
    }
    hold.created = context.now;
    placed.hold = hold;
    placed.placed = context.last_counter;
    placed.evicted_through = state->evicted_through;
    // By what is durable, not by the clock: what has expired and is there still can be held yet.
    placed.trim = state->TrimOf(state->RuleOf(partition_key));
    return ControlChange{HoldRow(state->id, partition_key, placed)};
  };
  MILLRACE_RETURN_IF_ERROR(parts->writer->Change(plan));
  return hold;
}

Result<std::vector<Hold>> EmbeddedLog::ListHolds(const std::string& stream,
                                                 const std::string& partition_key) {
  MILLRACE_ASSIGN_OR_RETURN(auto parts, reopener_->Use());
  const std::shared_lock lock(parts->engine.mutex);
  const StreamState* state = std::as_const(parts->engine.state).FindStream(stream);
  if (state == nullptr) return NoSuchStream(stream);
  std::vector<Hold> holds;
  if (const RecordMarks* marks = state->MarksOf(partition_key)) {
    for (const auto& [name, placed] : marks->holds) {
      if (placed.live()) holds.push_back(placed.hold);
    }
  }
  return holds;
}

Result<void> EmbeddedLog::ReleaseHold(const std::string& stream, const std::string& partition_key,
                                      const std::string& id) {
  MILLRACE_ASSIGN_OR_RETURN(auto parts, reopener_->Use());
  auto plan = [&](const CommitWriter::PlanContext& context) -> Result<ControlChange> {
    const StreamState* state = context.state.FindStream(stream);
    if (state == nullptr) return NoSuchStream(stream);
    const RecordMarks* marks = state->MarksOf(partition_key);
    if (marks == nullptr || !marks->holds.contains(id)) return NoSuchHold(id);
    RecordMarks after = *marks;
    PlacedHold released = after.holds.at(id);
    released.released = context.last_counter;
    after.holds.erase(id);
    after.holds[released.RowName()] = released;
    ControlChange change = {RemoveHoldRow(state->id, partition_key, id),
                            HoldRow(state->id, partition_key, released)};
    for (const std::string& idle : after.IdleHolds()) {
      change.push_back(RemoveHoldRow(state->id, partition_key, idle));
    }
    // What an eviction had to leave goes now: its rows are looked for again.
    const Eviction& eviction = context.state.eviction;
    if (eviction.through != 0) change.push_back(EvictionRow({eviction.through, false}));
    return change;
  };
  MILLRACE_RETURN_IF_ERROR(parts->writer->Change(plan));
  parts->sweeper->HoldReleased();
  return {};
}

}  // namespace millrace::storage
