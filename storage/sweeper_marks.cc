// The sweeper's part in deletions by range and in holds: what was deleted goes off the disk at once, and what
// is held is counted.
#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include "base/log.h"
#include "storage/segment_walker.h"
#include "storage/sweeper.h"

namespace millrace::storage {
namespace {

constexpr std::size_t kRecordsAtOnce = 1024;
// Held records are counted again after this, and after so many times as long as counting took.
constexpr std::chrono::seconds kCountHeldEvery{60};
constexpr int kCountHeldShare = 100;

// Calls `visit` for each indexed record of the key that lies in one of the ranges, once, until it gives
// false.
Result<void> ScanRanges(Index& index, StreamId stream, const std::string& partition_key,
                        const std::vector<AttributeRange>& ranges,
                        const std::function<bool(const IndexedRecord&)>& visit) {
  bool going_on = true;
  for (std::size_t i = 0; i < ranges.size() && going_on; ++i) {
    const AttributeRange& range = ranges[i];
    auto in_range = [&](const IndexedRecord& record) {
      const bool seen =
          std::any_of(ranges.begin(), ranges.begin() + static_cast<std::ptrdiff_t>(i),
                      [&](const AttributeRange& earlier) { return LiesIn(earlier, record.attributes); });
      if (seen || !LiesIn(range, record.attributes)) return true;
      going_on = visit(record);
      return going_on;
    };
    MILLRACE_RETURN_IF_ERROR(
        index.ScanAttribute(stream, partition_key, range.attribute, range.from, range.to, false, in_range));
  }
  return {};
}

Error Held(const PlacedHold& placed) {
  return Error{ErrorCode::kFailedPrecondition,
               "hold '" + placed.hold.id + "' keeps some of these records: release it first"};
}

// Nothing of the data can be read from the file afterwards. A hole takes whole blocks only; what is beside
// them is overwritten, in blocks that the file has, so that a full disk is no obstacle.
Result<void> Overwrite(File& file, std::uint64_t offset, std::uint64_t length) {
  static constexpr std::array<std::uint8_t, 2 * kBlockBytes> kZeros{};
  const BlockRange blocks = WholeBlocks(offset, length);
  auto zero = [&](std::uint64_t from, std::uint64_t to) -> Result<void> {
    if (from >= to) return {};
    const ByteSpan part = ByteSpan(kZeros).first(static_cast<std::size_t>(to - from));
    return file.WriteAt(from, std::span(&part, 1));
  };
  if (blocks.length == 0) return zero(offset, offset + length);
  MILLRACE_RETURN_IF_ERROR(zero(offset, blocks.offset));
  MILLRACE_RETURN_IF_ERROR(zero(blocks.offset + blocks.length, offset + length));
  return file.PunchHole(blocks.offset, blocks.length);
}

}  // namespace

// ---- deletions

Result<RemovedRecords> Sweeper::DecideDeletion(const std::string& name, const std::string& partition_key,
                                               const std::vector<AttributeRange>& ranges, StreamId& id) {
  RangeDeletion deletion{ranges, 0, false};
  {
    const std::unique_lock lock(engine_.mutex);
    const StreamState* stream = std::as_const(engine_.state).FindStream(name);
    if (stream == nullptr) return NoSuchStream(name);
    id = stream->id;
    for (const ShardState& shard : stream->shards) deletion.through = std::max(deletion.through, shard.tip);
    planned_ = PlannedDeletion{id, partition_key, deletion};
  }
  const Timestamp now = engine_.Now();
  RemovedRecords removed;
  bool any = false;  // also of what has expired, and lies there still
  std::optional<Error> held;
  auto look = [&](const IndexedRecord& record) {
    if (record.counter > deletion.through) return true;
    const std::shared_lock lock(engine_.mutex);
    const StreamState* stream = std::as_const(engine_.state).FindStream(id);
    if (stream == nullptr) return false;
    any = true;
    const RecordFacts facts = FactsOf(record);
    if (stream->IsDead(facts, now)) return true;
    if (const PlacedHold* hold = stream->HoldOf(facts)) {
      held = Held(*hold);
      return false;
    }
    ++removed.records;
    removed.data_bytes += record.data_bytes;
    return true;
  };
  MILLRACE_RETURN_IF_ERROR(ScanRanges(*engine_.index, id, partition_key, ranges, look));
  if (held) return *held;
  if (!any) return removed;
  MILLRACE_RETURN_IF_ERROR(RaiseFormat(engine_, kFormatMarked));
  MILLRACE_RETURN_IF_ERROR(
      writer_.Change([&](const CommitWriter::PlanContext& context) -> Result<ControlChange> {
        const StreamState* stream = context.state.FindStream(id);
        if (stream == nullptr || stream->deleting) return NoSuchStream(name);
        const RecordMarks* marks = stream->MarksOf(partition_key);
        if (marks != nullptr && marks->deletions.size() >= kDeletionsMax) {
          return Error{ErrorCode::kResourceExhausted,
                       "the log remembers " + std::to_string(kDeletionsMax) +
                           " deletions of this partition key already, until the segments of then are gone: "
                           "delete larger ranges at once"};
        }
        return ControlChange{DeletionRow(id, partition_key, context.last_counter, deletion)};
      }));
  return removed;
}

Result<RemovedRecords> Sweeper::DeleteRecords(const std::string& name, const std::string& partition_key,
                                              const std::vector<AttributeRange>& ranges) {
  StreamId id = 0;
  Result<RemovedRecords> removed = RemovedRecords{};
  {
    const std::lock_guard planning(marks_mutex_);  // no hold is placed meanwhile
    removed = DecideDeletion(name, partition_key, ranges, id);
    const std::unique_lock lock(engine_.mutex);
    planned_.reset();
  }
  if (!removed) return removed;
  // Durable from here on. What an earlier deletion could not finish is finished with it.
  if (auto swept = SweepDeletionsOf(id, partition_key); !swept) {
    return WithContext(std::move(swept).error(),
                       "the records are gone for readers; their bytes are not yet, and go by themselves");
  }
  return removed;
}

bool Sweeper::IsToBeErased(StreamId stream, const IndexedRecord& record) const {
  const std::shared_lock lock(engine_.mutex);
  const RecordFacts facts = FactsOf(record);
  if (planned_ && planned_->stream == stream && planned_->partition_key == record.partition_key &&
      planned_->deletion.Covers(facts)) {
    return true;
  }
  const StreamState* state = std::as_const(engine_.state).FindStream(stream);
  const RecordMarks* marks = state == nullptr ? nullptr : state->MarksOf(record.partition_key);
  return marks != nullptr && marks->IsToBeErased(facts);
}

Result<void> Sweeper::SweepDeletions() {
  std::vector<std::pair<StreamId, std::string>> left;
  {
    const std::shared_lock lock(engine_.mutex);
    for (const auto& [id, stream] : engine_.state.streams()) {
      for (const auto& [key, marks] : stream->marks) {
        if (!stream->deleting && !marks.deletions.empty()) left.emplace_back(id, key);
      }
    }
  }
  Result<void> first;
  for (const auto& [stream, key] : left) KeepFirst(first, SweepDeletionsOf(stream, key));
  return first;
}

Result<void> Sweeper::SweepDeletionsOf(StreamId stream, const std::string& partition_key) {
  std::vector<std::pair<std::uint64_t, RangeDeletion>> unswept;
  {
    const std::shared_lock lock(engine_.mutex);
    const StreamState* state = std::as_const(engine_.state).FindStream(stream);
    const RecordMarks* marks = state == nullptr ? nullptr : state->MarksOf(partition_key);
    if (marks == nullptr) return {};
    for (const auto& [id, deletion] : marks->deletions) {
      if (!deletion.swept) unswept.emplace_back(id, deletion);
    }
  }
  Result<void> first;
  for (const auto& [id, deletion] : unswept) {
    KeepFirst(first, SweepDeletion(stream, partition_key, id, deletion));
  }
  return first;
}

Result<bool> Sweeper::EraseBatch(const std::vector<Removal>& removals) {
  // The log may be waiting to be closed, or to be opened again: what is left goes on then.
  if (stopping()) return Error{ErrorCode::kUnavailable, "the log is being closed"};
  if (auto failure = writer_.Failure()) return *failure;
  const std::lock_guard sweeping(sweep_mutex_);
  MILLRACE_RETURN_IF_ERROR(Erase(removals));
  // Another sweep may have taken some of the rows since they were found.
  std::vector<Removal> present;
  for (const Removal& removal : removals) {
    MILLRACE_ASSIGN_OR_RETURN(
        auto row, engine_.index->Get(removal.stream, removal.record.shard, removal.record.counter));
    if (row) present.push_back(removal);
  }
  // The bytes are what has to go; on a full disk the index may have no space to forget them.
  auto forgotten = RemoveRows(present);
  if (!forgotten && forgotten.error().code != ErrorCode::kNoSpace) return std::move(forgotten).error();
  return forgotten.has_value();
}

Result<void> Sweeper::SweepDeletion(StreamId stream, const std::string& partition_key, std::uint64_t id,
                                    const RangeDeletion& deletion) {
  std::vector<Removal> removals;
  Result<void> done;
  bool rows_left = false;
  auto erase = [&]() -> Result<void> {
    MILLRACE_ASSIGN_OR_RETURN(const bool forgotten, EraseBatch(std::exchange(removals, {})));
    rows_left = rows_left || !forgotten;
    return {};
  };
  auto take = [&](const IndexedRecord& record) {
    if (record.counter > deletion.through) return true;
    removals.push_back({stream, record});
    if (removals.size() >= kRecordsAtOnce) done = erase();
    return done.has_value();
  };
  MILLRACE_RETURN_IF_ERROR(ScanRanges(*engine_.index, stream, partition_key, deletion.ranges, take));
  if (done) done = erase();
  if (!done || rows_left) return done;
  auto settled = engine_.index->Flush();
  if (settled)
    settled = writer_.Change([&](const CommitWriter::PlanContext& context) -> Result<ControlChange> {
      const StreamState* state = context.state.FindStream(stream);
      const RecordMarks* marks = state == nullptr ? nullptr : state->MarksOf(partition_key);
      if (marks == nullptr || !marks->deletions.contains(id)) return ControlChange{};
      RangeDeletion swept = deletion;
      swept.swept = true;
      return ControlChange{DeletionRow(stream, partition_key, id, swept)};
    });
  // Everything is done but the note of it, which the next sweep makes.
  return !settled && settled.error().code == ErrorCode::kNoSpace ? Result<void>() : settled;
}

Result<void> Sweeper::Erase(const std::vector<Removal>& removals) {
  std::map<SegmentId, std::unique_ptr<File>> files;
  for (const Removal& removal : removals) {
    const IndexedRecord& record = removal.record;
    if (record.data_bytes == 0 || !engine_.segments.Has(record.segment)) continue;
    MILLRACE_ASSIGN_OR_RETURN(File * file, OpenForErasing(files, record.segment));
    MILLRACE_RETURN_IF_ERROR(Overwrite(*file, record.data_offset(), record.data_bytes));
    engine_.segments.SetDiskBytes(record.segment, 0);
    engine_.metrics.punched_bytes.Increment(
        static_cast<double>(WholeBlocks(record.data_offset(), record.data_bytes).length));
  }
  for (const auto& [segment, file] : files) MILLRACE_RETURN_IF_ERROR(file->Sync());
  return {};
}

Result<void> Sweeper::SweepTrimmed(StreamId stream, const std::string& partition_key) {
  const std::lock_guard sweeping(sweep_mutex_);
  std::vector<Removal> removals;
  std::set<std::pair<ShardId, std::uint64_t>> seen;  // a record comes once for each of its attributes
  MILLRACE_RETURN_IF_ERROR(
      engine_.index->ScanPartition(stream, partition_key, [&](const IndexedRecord& record) {
        if (IsGone(stream, record) && seen.emplace(record.shard, record.counter).second) {
          removals.push_back({stream, record});
        }
        return removals.size() < kRecordsAtOnce;
      }));
  return Remove(removals);
}

// ---- holds

void Sweeper::HoldReleased() {
  {
    const std::lock_guard sweeping(sweep_mutex_);
    evicted_swept_ = 0;
  }
  LookEverywhere();
}

Result<void> Sweeper::CountHeld() {
  const auto now = std::chrono::steady_clock::now();
  std::vector<std::pair<std::pair<StreamId, std::string>, std::vector<AttributeRange>>> all;
  {
    const std::shared_lock lock(engine_.mutex);
    const std::uint64_t version = engine_.state.holds_version();
    if (held_version_ == version && now < count_held_at_) return {};
    held_version_ = version;
    for (const auto& [id, stream] : engine_.state.streams()) {
      for (const auto& [key, marks] : stream->marks) {
        std::vector<AttributeRange> ranges;
        for (const auto& [name, placed] : marks.holds) {
          if (!placed.live()) continue;
          ranges.insert(ranges.end(), placed.hold.ranges.begin(), placed.hold.ranges.end());
        }
        if (!ranges.empty()) all.push_back({{id, key}, std::move(ranges)});
      }
    }
  }
  RemovedRecords held;
  for (const auto& [place, ranges] : all) {
    const StreamId stream = place.first;
    auto count = [&](const IndexedRecord& record) {
      if (!IsHeld(stream, record)) return true;
      ++held.records;
      held.data_bytes += record.data_bytes;
      return true;
    };
    MILLRACE_RETURN_IF_ERROR(ScanRanges(*engine_.index, stream, place.second, ranges, count));
  }
  held_ = held;
  const auto took = std::chrono::steady_clock::now() - now;
  count_held_at_ =
      now + std::max<std::chrono::steady_clock::duration>(kCountHeldEvery, kCountHeldShare * took);
  return {};
}

}  // namespace millrace::storage
