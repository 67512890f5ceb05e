#include "storage/sweeper.h"

#include <algorithm>
#include <set>
#include <utility>

#include "base/log.h"
#include "storage/recovery.h"
#include "storage/segment_walker.h"

namespace millrace::storage {
namespace {

constexpr std::size_t kRemovalsAtOnce = 1024;

}  // namespace

Sweeper::Sweeper(Engine& engine, CommitWriter& writer, RetentionClock& clock)
    : engine_(engine), writer_(writer), clock_(clock), thread_([this] { Run(); }) {}

Sweeper::~Sweeper() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void Sweeper::Run() {
  const Duration interval = std::min(engine_.options.sweep_interval, engine_.options.budget_interval);
  auto swept_at = std::chrono::steady_clock::now();
  std::unique_lock lock(mutex_);
  while (!changed_.wait_for(lock, interval, [this] { return stopping_; })) {
    lock.unlock();
    const auto now = std::chrono::steady_clock::now();
    Result<void> done;
    if (now - swept_at >= engine_.options.sweep_interval) {
      swept_at = now;
      done = Sweep();
    } else {
      const std::lock_guard sweeping(sweep_mutex_);
      done = KeepBudget();
    }
    Report(done);
    lock.lock();
  }
}

void Sweeper::Report(const Result<void>& done) {
  if (done) {
    failing_ = false;
    return;
  }
  if (stopping()) return;  // what was left undone for that is no failure
  engine_.monitor.NoteError(done.error());
  // What keeps failing is said once, until it works again.
  if (!std::exchange(failing_, true)) {
    Log(LogLevel::kWarning, "sweeping what has expired failed; trying again until it works",
        {{"error", done.error().ToString()}});
  }
  // Deleting needs a little space of its own: the next try has it.
  if (done.error().code == ErrorCode::kNoSpace) engine_.ballast.Release();
}

bool Sweeper::stopping() {
  std::lock_guard lock(mutex_);
  return stopping_;
}

Result<void> Sweeper::Sweep() {
  std::unique_lock lock(sweep_mutex_);
  if (auto counted = CountHeld(); !counted) return counted;
  auto kept = KeepBudget();
  auto swept = SweepLocked(lock);
  if (auto measured = Measure(); kept && swept && !measured) return measured;
  return kept ? swept : kept;
}

Result<void> Sweeper::SweepLocked(std::unique_lock<std::mutex>& sweeping) {
  if (auto sealed = writer_.Seal(false); !sealed && sealed.error().code == ErrorCode::kUnavailable)
    return sealed;
  Result<void> first;
  KeepFirst(first, SweepEvicted());
  KeepFirst(first, SettleEviction());
  KeepFirst(first, SweepStreams());
  KeepFirst(first, SweepPartitions());
  sweeping.unlock();
  KeepFirst(first, SweepDeletions());
  sweeping.lock();
  const Timestamp now = clock_.Now();
  for (const SegmentInfo& segment : engine_.segments.List()) {
    if (segment.sweep_due <= now) KeepFirst(first, SweepSegment(segment, now));
    if (stopping()) return first;
  }
  KeepFirst(first, RemoveEmptySegments());
  KeepFirst(first, RemoveOldShards(now));
  KeepFirst(first, RemoveOldRules());
  return first;
}

void Sweeper::LookEverywhere() {
  for (const SegmentInfo& segment : engine_.segments.List()) {
    engine_.segments.SetSweepDue(segment.segment, Timestamp{0});
  }
}

Result<void> Sweeper::SweepStreams() {
  std::vector<StreamId> deleting;
  {
    std::shared_lock lock(engine_.mutex);
    for (const auto& [id, stream] : engine_.state.streams()) {
      if (stream->deleting) deleting.push_back(id);
    }
  }
  for (StreamId stream : deleting) {
    while (true) {
      std::vector<Removal> removals;
      MILLRACE_RETURN_IF_ERROR(
          engine_.index->ScanStream(stream, ShardId{0}, 0, [&](const IndexedRecord& record) {
            removals.push_back({stream, record});
            return removals.size() < kRemovalsAtOnce;
          }));
      if (removals.empty()) break;
      MILLRACE_RETURN_IF_ERROR(Remove(removals));
    }
    IndexBatch batch;
    batch.RemoveStreamUsage(stream);
    MILLRACE_RETURN_IF_ERROR(engine_.index->Write(batch));
    MILLRACE_RETURN_IF_ERROR(engine_.index->Flush());
    MILLRACE_RETURN_IF_ERROR(writer_.Change([&](const CommitWriter::PlanContext&) -> Result<ControlChange> {
      return ControlChange{RemoveStreamRow(stream)};
    }));
    engine_.keys.Forget(stream);
  }
  return {};
}

Result<void> Sweeper::SweepPartitions() {
  std::vector<std::pair<StreamId, std::string>> purged;
  {
    std::shared_lock lock(engine_.mutex);
    for (const auto& [id, stream] : engine_.state.streams()) {
      for (const auto& [key, rule] : stream->partitions) {
        if (!rule.purge_swept && !stream->deleting) purged.emplace_back(id, key);
      }
    }
  }
  Result<void> first;
  for (const auto& [stream, key] : purged) KeepFirst(first, SweepPartitionLocked(stream, key));
  return first;
}

Result<void> Sweeper::SweepPartition(StreamId stream, const std::string& partition_key) {
  std::lock_guard lock(sweep_mutex_);
  return SweepPartitionLocked(stream, partition_key);
}

Result<void> Sweeper::SweepPartitionLocked(StreamId stream, const std::string& partition_key) {
  std::uint64_t purged_through = 0;
  {
    std::shared_lock lock(engine_.mutex);
    const StreamState* state = std::as_const(engine_.state).FindStream(stream);
    const PartitionRule* rule = state == nullptr ? nullptr : state->RuleOf(partition_key);
    if (rule == nullptr || rule->purge_swept) return {};
    purged_through = rule->purged_through;
  }
  while (true) {
    std::vector<Removal> removals;
    std::set<std::pair<ShardId, std::uint64_t>> seen;  // a record comes once for each of its attributes
    MILLRACE_RETURN_IF_ERROR(
        engine_.index->ScanPartition(stream, partition_key, [&](const IndexedRecord& record) {
          if (record.counter <= purged_through && seen.emplace(record.shard, record.counter).second) {
            removals.push_back({stream, record});
          }
          return removals.size() < kRemovalsAtOnce;
        }));
    if (removals.empty()) break;
    MILLRACE_RETURN_IF_ERROR(Remove(removals));
  }
  MILLRACE_RETURN_IF_ERROR(engine_.index->Flush());
  return writer_.Change([&](const CommitWriter::PlanContext& context) -> Result<ControlChange> {
    const StreamState* state = context.state.FindStream(stream);
    const PartitionRule* rule = state == nullptr ? nullptr : state->RuleOf(partition_key);
    if (rule == nullptr || rule->purged_through != purged_through) return ControlChange{};
    PartitionRule swept = *rule;
    swept.purge_swept = true;
    return ControlChange{PartitionRow(stream, partition_key, swept)};
  });
}

Result<void> Sweeper::SweepSegment(const SegmentInfo& segment, Timestamp now) {
  auto opened = engine_.segments.OpenForRead(segment.segment);
  if (!opened) return std::move(opened).error();
  MILLRACE_ASSIGN_OR_RETURN(auto marker, engine_.index->Marker(segment.segment));
  std::vector<Removal> removals;
  Trims trims;  // that the removals need; those that are durable already, too
  bool raised = true;
  auto remove = [&]() -> Result<void> {
    if (!std::exchange(raised, true)) MILLRACE_RETURN_IF_ERROR(RaiseTrims(trims));
    return RemovePresent(std::exchange(removals, {}));
  };
  Timestamp due{std::numeric_limits<std::int64_t>::max()};
  if (!segment.sealed) due = now + SegmentSpanMax(segment.retention_class);
  SegmentWalker walker(**opened, engine_.directory.store, segment.segment, kSegmentHeaderBytes,
                       std::max<std::uint64_t>(marker.end, kSegmentHeaderBytes));
  while (true) {
    MILLRACE_ASSIGN_OR_RETURN(auto outcome, walker.Next());
    if (outcome == WalkOutcome::kEnd) break;
    if (outcome == WalkOutcome::kDamaged) {
      // Its records stay until the segment can be read again; the checker and the readers say what is
      // damaged.
      Log(LogLevel::kError, "a segment is damaged",
          {{"segment", segment.segment}, {"found", walker.problem()}});
      break;
    }
    {
      std::shared_lock lock(engine_.mutex);
      for (const WalkedEntry& entry : walker.group().entries) {
        if (!entry.header.IsRecord()) continue;
        const StreamState* stream = std::as_const(engine_.state).FindStream(entry.header.stream);
        if (stream == nullptr || stream->deleting) continue;
        const PartitionRule* rule = stream->RuleOf(entry.partition_key);
        if (!stream->IsDead(FactsOf(entry), now)) {
          // What is held goes after it has been released, and then everything is looked at.
          if (!stream->HoldOf(FactsOf(entry)))
            due = std::min(due, entry.header.arrival + stream->RetentionOf(rule));
          continue;
        }
        removals.push_back({entry.header.stream, ToIndexed(entry, segment.segment)});
        // By the retention as it is now: if it becomes longer before this is durable, that does not bring
        // back what is removed here.
        const bool own = rule != nullptr && rule->retention;
        const Timestamp horizon = now - stream->RetentionOf(rule);
        auto [trim, added] = trims.try_emplace(
            {entry.header.stream, own ? std::optional(entry.partition_key) : std::nullopt}, kBeginningOfTime);
        if (horizon > trim->second) {
          trim->second = horizon;
          raised = false;
        }
      }
    }
    if (removals.size() >= kRemovalsAtOnce) MILLRACE_RETURN_IF_ERROR(remove());
  }
  MILLRACE_RETURN_IF_ERROR(remove());
  engine_.segments.SetSweepDue(segment.segment, due);
  return {};
}

Result<void> Sweeper::RaiseTrims(const Trims& trims) {
  return writer_.Change([&](const CommitWriter::PlanContext& context) -> Result<ControlChange> {
    ControlChange change;
    for (const auto& [place, trim] : trims) {
      const auto& [id, key] = place;
      const StreamState* stream = context.state.FindStream(id);
      if (stream == nullptr) continue;
      if (!key) {
        if (trim <= stream->trim) continue;
        StreamState raised;
        raised.id = id;
        raised.name = stream->name;
        raised.created = stream->created;
        raised.retention = stream->retention;
        raised.deleting = stream->deleting;
        raised.trim = trim;
        change.push_back(StreamRow(raised));
        continue;
      }
      const PartitionRule* rule = stream->RuleOf(*key);
      PartitionRule raised = rule == nullptr ? PartitionRule() : *rule;
      if (trim <= raised.trim) continue;
      raised.trim = trim;
      change.push_back(PartitionRow(id, *key, raised));
    }
    return change;
  });
}

Result<void> Sweeper::RemovePresent(const std::vector<Removal>& removals) {
  std::vector<Removal> present;
  for (const Removal& removal : removals) {
    MILLRACE_ASSIGN_OR_RETURN(
        auto row, engine_.index->Get(removal.stream, removal.record.shard, removal.record.counter));
    if (row && IsGone(removal.stream, *row)) present.push_back(removal);
  }
  return Remove(present);
}

bool Sweeper::IsGone(StreamId stream, const IndexedRecord& record) const {
  const std::shared_lock lock(engine_.mutex);
  const StreamState* state = std::as_const(engine_.state).FindStream(stream);
  return state == nullptr || state->IsGone(FactsOf(record));
}

bool Sweeper::IsHeld(StreamId stream, const IndexedRecord& record) const {
  const std::shared_lock lock(engine_.mutex);
  const StreamState* state = std::as_const(engine_.state).FindStream(stream);
  return state != nullptr && !state->IsGone(FactsOf(record)) && state->HoldOf(FactsOf(record)) != nullptr;
}

Result<void> Sweeper::RemoveRows(const std::vector<Removal>& removals) {
  if (removals.empty()) return {};
  IndexBatch batch;
  for (const Removal& removal : removals) {
    batch.RemoveRecord(removal.stream, removal.record, engine_.segments.Has(removal.record.segment));
  }
  MILLRACE_RETURN_IF_ERROR(engine_.index->Write(batch));
  engine_.metrics.expired_records.Increment(static_cast<double>(removals.size()));
  return {};
}

Result<File*> Sweeper::OpenForErasing(Files& files, SegmentId segment) {
  auto& file = files[segment];
  if (!file) {
    MILLRACE_ASSIGN_OR_RETURN(file,
                              engine_.files().Open(engine_.segments.PathOf(segment), OpenMode::kReadWrite));
  }
  return file.get();
}

Result<void> Sweeper::Remove(const std::vector<Removal>& removals) {
  // A deletion says that no byte is left when it finds no row any more: whoever takes the row has to have
  // erased the data.
  std::vector<Removal> erased;
  std::vector<Removal> others;
  for (const Removal& removal : removals) {
    (IsToBeErased(removal.stream, removal.record) ? erased : others).push_back(removal);
  }
  MILLRACE_RETURN_IF_ERROR(Erase(erased));
  MILLRACE_RETURN_IF_ERROR(RemoveRows(removals));
  Files files;
  erased.clear();
  for (const Removal& removal : others) {
    // Of a deletion that looked at the rows before they went, and has waited for this.
    if (IsToBeErased(removal.stream, removal.record)) {
      erased.push_back(removal);
      continue;
    }
    BlockRange range = WholeBlocks(removal.record.data_offset(), removal.record.data_bytes);
    if (range.length == 0 || !engine_.segments.Has(removal.record.segment)) continue;
    MILLRACE_ASSIGN_OR_RETURN(File * file, OpenForErasing(files, removal.record.segment));
    MILLRACE_RETURN_IF_ERROR(file->PunchHole(range.offset, range.length));
    engine_.segments.SetDiskBytes(removal.record.segment, 0);
    engine_.metrics.punched_bytes.Increment(static_cast<double>(range.length));
  }
  return Erase(erased);
}

Result<void> Sweeper::RemoveEmptySegments() {
  std::vector<SegmentId> empty;
  for (const SegmentInfo& segment : engine_.segments.List()) {
    if (!segment.sealed) continue;
    MILLRACE_ASSIGN_OR_RETURN(auto count, engine_.index->SegmentCount(segment.segment));
    MILLRACE_ASSIGN_OR_RETURN(auto marker, engine_.index->Marker(segment.segment));
    if (count.records <= 0 && marker.sealed) empty.push_back(segment.segment);
  }
  if (empty.empty()) return {};
  // Their rows must not come back. Then nobody lists them, then they go: a segment that is listed and not
  // there is damage.
  MILLRACE_RETURN_IF_ERROR(engine_.index->Flush());
  MILLRACE_RETURN_IF_ERROR(writer_.Change([&](const CommitWriter::PlanContext&) -> Result<ControlChange> {
    ControlChange change;
    for (SegmentId segment : empty) change.push_back(SegmentRemovedRow(segment));
    return change;
  }));
  IndexBatch batch;
  for (SegmentId segment : empty) {
    yields_.erase(segment);
    MILLRACE_RETURN_IF_ERROR(engine_.segments.Remove(segment));
    batch.RemoveSegment(segment);
    engine_.metrics.unlinked_segments.Increment();
  }
  return engine_.index->Write(batch);
}

Result<void> Sweeper::RemoveOldShards(Timestamp now) {
  std::vector<std::pair<StreamId, ShardId>> old;
  {
    std::shared_lock lock(engine_.mutex);
    for (const auto& [id, stream] : engine_.state.streams()) {
      if (stream->deleting) continue;
      Duration longest = stream->retention;
      for (const auto& [key, rule] : stream->partitions)
        longest = std::max(longest, stream->RetentionOf(&rule));
      for (const ShardState& shard : stream->shards) {
        if (shard.description.closed && *shard.description.closed + longest < now) {
          old.emplace_back(id, shard.description.id);
        }
      }
    }
  }
  ControlChange change;
  for (const auto& [stream, shard] : old) {
    MILLRACE_ASSIGN_OR_RETURN(auto tip, engine_.index->Tip(stream, shard));
    if (tip == 0) change.push_back(RemoveShardRow(stream, shard));
  }
  if (change.empty()) return {};
  MILLRACE_RETURN_IF_ERROR(engine_.index->Flush());
  return writer_.Change([&](const CommitWriter::PlanContext& context) -> Result<ControlChange> {
    std::erase_if(change, [&](const ControlRow& row) {
      auto stream = StreamOfRow(row);
      return !stream || context.state.FindStream(*stream) == nullptr;
    });
    return change;
  });
}

Result<void> Sweeper::RemoveOldRules() {
  Timestamp oldest{std::numeric_limits<std::int64_t>::max()};
  for (const SegmentInfo& segment : engine_.segments.List()) oldest = std::min(oldest, segment.created);
  // A segment's records have counters from its creation on.
  const auto beginning = static_cast<std::uint64_t>(std::max<std::int64_t>(oldest.ns, 0));
  auto plan = [&](const CommitWriter::PlanContext& context) -> Result<ControlChange> {
    ControlChange change;
    for (const auto& [id, stream] : context.state.streams()) {
      for (const auto& [key, rule] : stream->partitions) {
        // What the rule hides lay in segments that are gone.
        bool idle =
            !rule.retention && rule.purge_swept && rule.trim < oldest && rule.purged_through < beginning;
        if (idle) change.push_back(RemovePartitionRow(id, key));
      }
      for (const auto& [key, marks] : stream->marks) {
        for (const auto& [at, deletion] : marks.deletions) {
          if (deletion.swept && deletion.through < beginning) {
            change.push_back(RemoveDeletionRow(id, key, at));
          }
        }
      }
      for (const auto& [key, row] : stream->data_keys) {
        // Nothing is left that this key opens.
        if (row.through < beginning) change.push_back(DataKeyRemovedRow(id, key));
      }
    }
    return change;
  };
  return writer_.Change(plan);
}

}  // namespace millrace::storage
