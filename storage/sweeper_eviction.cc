// The sweeper's part that keeps the disk budget: the oldest records go, whole segments at once.
//
// Other than with retention, the space comes first: one small durable change of the control state says that
// everything up to a counter is gone and takes whole segments off the list; then their files go; and only
// then the rows of the index, which need space themselves. Rows without a segment are gone for readers by
// their counter, also over a stop in between.
#include <algorithm>
#include <utility>

#include "base/log.h"
#include "storage/segment_walker.h"
#include "storage/sweeper.h"

namespace millrace::storage {
namespace {

constexpr int kEvictionsAtOnce = 64;
constexpr std::size_t kRowsAtOnce = 1024;
constexpr std::uint64_t kWorthSealingPart = 64;  // of a full segment, where holds keep the rest

}  // namespace

Result<void> Sweeper::KeepBudget() {
  MILLRACE_RETURN_IF_ERROR(Measure());
  const StorageStatus status = engine_.monitor.Status(0);
  if (engine_.ballast.missing_bytes() > 0 && status.free_bytes >= 2 * engine_.options.reserve_bytes) {
    if (auto filled = engine_.ballast.Fill(); !filled && filled.error().code != ErrorCode::kNoSpace) {
      return filled;
    }
  }
  for (int i = 0; i < kEvictionsAtOnce; ++i) {
    const std::uint64_t excess = engine_.monitor.ExcessBytes();
    if (excess == 0) {
      engine_.monitor.NoteNothingToEvict(false);
      return {};
    }
    auto some = Evict(excess);
    if (!some && some.error().code == ErrorCode::kNoSpace && engine_.ballast.Release()) some = Evict(excess);
    if (!some) return std::move(some).error();
    engine_.monitor.NoteNothingToEvict(!*some);
    if (!*some) return {};
    MILLRACE_RETURN_IF_ERROR(Measure());
  }
  return {};
}

Result<void> Sweeper::Measure() {
  DiskMonitor::Facts facts;
  {
    std::shared_lock lock(engine_.mutex);
    facts.evicted_through = engine_.state.eviction.through;
    facts.held = held_;
    for (const auto& [id, stream] : engine_.state.streams()) {
      facts.longest_retention = std::max(facts.longest_retention, stream->retention);
      for (const auto& [key, rule] : stream->partitions) {
        facts.longest_retention = std::max(facts.longest_retention, stream->RetentionOf(&rule));
      }
    }
  }
  auto measured = engine_.monitor.Measure(facts);
  engine_.metrics.ShowStatus(engine_.monitor.Status(0));
  return measured;
}

std::vector<SegmentInfo> Sweeper::SealedOldestFirst() const {
  std::uint64_t through = 0;
  {
    const std::shared_lock lock(engine_.mutex);
    through = engine_.state.eviction.through;
  }
  // Of what was evicted before, only what is held is left.
  std::vector<SegmentInfo> sealed = engine_.segments.List();
  std::erase_if(
      sealed, [&](const SegmentInfo& segment) { return !segment.sealed || segment.last_counter <= through; });
  std::sort(sealed.begin(), sealed.end(),
            [](const SegmentInfo& a, const SegmentInfo& b) { return a.last_counter < b.last_counter; });
  return sealed;
}

Result<Sweeper::Choice> Sweeper::Choose(std::uint64_t excess) {
  Choice choice;
  {
    const std::shared_lock lock(engine_.mutex);
    choice.holds_version = engine_.state.holds_version();
  }
  for (const SegmentInfo& segment : SealedOldestFirst()) {
    if (choice.bytes >= excess) break;
    MILLRACE_ASSIGN_OR_RETURN(const Yield yield, YieldOf(segment));
    choice.through = segment.last_counter;
    choice.bytes += std::min(yield.bytes, segment.disk_bytes);
    if (yield.whole) choice.whole.push_back(segment);
  }
  return choice;
}

Result<Sweeper::Yield> Sweeper::YieldOf(const SegmentInfo& segment) {
  std::uint64_t version = 0;
  {
    const std::shared_lock lock(engine_.mutex);
    if (!engine_.state.has_holds()) return Yield{true, segment.disk_bytes};
    version = engine_.state.holds_version();
  }
  // All of a sealed one, also what the index does not know yet; of an open one what is surely written.
  std::uint64_t end = 0;
  if (segment.sealed) {
    MILLRACE_ASSIGN_OR_RETURN(const auto file, engine_.segments.OpenForRead(segment.segment));
    MILLRACE_ASSIGN_OR_RETURN(end, file->Size());
  } else {
    MILLRACE_ASSIGN_OR_RETURN(const auto marker, engine_.index->Marker(segment.segment));
    end = std::max<std::uint64_t>(marker.end, kSegmentHeaderBytes);
  }
  KnownYield& known = yields_[segment.segment];
  if (known.end == end && known.holds_version == version) return known.yield;
  MILLRACE_ASSIGN_OR_RETURN(const Yield yield, WalkYield(segment, end));
  known = {version, end, yield};
  return yield;
}

Result<Sweeper::Yield> Sweeper::WalkYield(const SegmentInfo& segment, std::uint64_t end) {
  MILLRACE_ASSIGN_OR_RETURN(const auto file, engine_.segments.OpenForRead(segment.segment));
  SegmentWalker walker(*file, engine_.directory.store, segment.segment, kSegmentHeaderBytes, end);
  Yield yield;
  while (true) {
    MILLRACE_ASSIGN_OR_RETURN(const auto outcome, walker.Next());
    if (outcome == WalkOutcome::kDamaged) return Yield{false, 0};
    if (outcome == WalkOutcome::kEnd) break;
    const std::shared_lock lock(engine_.mutex);
    for (const WalkedEntry& entry : walker.group().entries) {
      if (!entry.header.IsRecord()) continue;
      const StreamState* stream = std::as_const(engine_.state).FindStream(entry.header.stream);
      if (stream == nullptr || stream->IsGone(FactsOf(entry))) continue;
      if (stream->HoldOf(FactsOf(entry))) {
        yield.whole = false;
      } else {
        yield.bytes += WholeBlocks(entry.data_offset(), entry.header.data_bytes).length;
      }
    }
  }
  if (yield.whole) yield.bytes = segment.disk_bytes;
  return yield;
}

Result<bool> Sweeper::IsWorthSealing(std::uint64_t excess) {
  {
    const std::shared_lock lock(engine_.mutex);
    if (!engine_.state.has_holds()) return true;
  }
  std::uint64_t bytes = 0;
  for (const SegmentInfo& segment : engine_.segments.List()) {
    if (segment.sealed) continue;
    MILLRACE_ASSIGN_OR_RETURN(const Yield yield, YieldOf(segment));
    bytes += yield.bytes;
  }
  return bytes > 0 && bytes >= std::min(excess, engine_.monitor.segment_bytes() / kWorthSealingPart);
}

Result<bool> Sweeper::Evict(std::uint64_t excess) {
  MILLRACE_ASSIGN_OR_RETURN(auto choice, Choose(excess));
  if (choice.bytes == 0) {
    // Else a store full of what is held would get a new segment at every look.
    MILLRACE_ASSIGN_OR_RETURN(const bool worth, IsWorthSealing(excess));
    if (!worth) return false;
    MILLRACE_RETURN_IF_ERROR(writer_.Seal(true));
    MILLRACE_RETURN_IF_ERROR(Measure());
    MILLRACE_ASSIGN_OR_RETURN(choice, Choose(excess));
    if (choice.bytes == 0) return false;
  }
  bool outdated = false;
  MILLRACE_RETURN_IF_ERROR(writer_.Change([&](const CommitWriter::PlanContext& context)
                                              -> Result<ControlChange> {
    // A hold that was placed since then may keep something of them.
    outdated = context.state.holds_version() != choice.holds_version;
    if (outdated) return ControlChange{};
    ControlChange change = {EvictionRow({std::max(choice.through, context.state.eviction.through), false})};
    for (const SegmentInfo& segment : choice.whole) change.push_back(SegmentRemovedRow(segment.segment));
    return change;
  }));
  if (outdated) return true;
  Log(LogLevel::kInfo, "the disk budget is used up: the oldest records go",
      {{"segments", choice.whole.size()},
       {"bytes", choice.bytes},
       {"before", FormatRfc3339(Timestamp{static_cast<std::int64_t>(choice.through)})}});
  engine_.monitor.NoteEvicted(choice.through, 0, 0);
  engine_.metrics.evictions.Increment();
  IndexBatch batch;
  for (const SegmentInfo& segment : choice.whole) {
    yields_.erase(segment.segment);
    MILLRACE_RETURN_IF_ERROR(engine_.segments.Remove(segment.segment));
    engine_.monitor.NoteFreed(segment.disk_bytes);
    engine_.metrics.unlinked_segments.Increment();
    batch.RemoveSegment(segment.segment);
  }
  MILLRACE_RETURN_IF_ERROR(engine_.index->Write(batch));
  MILLRACE_RETURN_IF_ERROR(SweepEvicted());
  return true;
}

Result<void> Sweeper::SweepEvicted() {
  std::uint64_t through = 0;
  std::vector<std::pair<StreamId, ShardId>> shards;
  {
    std::shared_lock lock(engine_.mutex);
    if (engine_.state.eviction.swept) return {};
    through = engine_.state.eviction.through;
    for (const auto& [id, stream] : engine_.state.streams()) {
      for (const ShardState& shard : stream->shards) shards.emplace_back(id, shard.description.id);
    }
  }
  for (const auto& [stream, shard] : shards) {
    std::uint64_t after = evicted_swept_;  // up to there nothing is left: no walk over what was removed
    while (true) {
      std::vector<Removal> removals;
      std::uint64_t data_bytes = 0;
      // `stream` is named, as Clang 14 cannot capture a structured binding.
      MILLRACE_RETURN_IF_ERROR(
          engine_.index->ScanShard(stream, shard, after, [&, stream = stream](const IndexedRecord& record) {
            if (record.counter > through) return false;
            after = record.counter;
            if (!IsGone(stream, record)) return true;  // it is held
            data_bytes += record.data_bytes;
            removals.push_back({stream, record});
            return removals.size() < kRowsAtOnce;
          }));
      if (removals.empty()) break;
      MILLRACE_RETURN_IF_ERROR(Remove(removals));
      engine_.metrics.evicted_records.Increment(static_cast<double>(removals.size()));
      engine_.metrics.evicted_bytes.Increment(static_cast<double>(data_bytes));
      engine_.monitor.NoteEvicted(through, removals.size(), data_bytes);
    }
  }
  evicted_swept_ = through;
  return {};
}

// Written down now and then only: a stop before that costs the next start a look at what is left.
Result<void> Sweeper::SettleEviction() {
  const std::uint64_t through = evicted_swept_;
  {
    std::shared_lock lock(engine_.mutex);
    if (engine_.state.eviction.swept || engine_.state.eviction.through != through) return {};
  }
  MILLRACE_RETURN_IF_ERROR(engine_.index->Flush());
  return writer_.Change([&](const CommitWriter::PlanContext& context) -> Result<ControlChange> {
    if (context.state.eviction.through != through || context.state.eviction.swept) return ControlChange{};
    return ControlChange{EvictionRow({through, true})};
  });
}

}  // namespace millrace::storage
