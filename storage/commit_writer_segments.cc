// The writer's data segments: which one takes a group, how one is made and how one is sealed.
#include <algorithm>
#include <chrono>
#include <utility>

#include "storage/commit_writer.h"

namespace millrace::storage {
namespace {

// Opening replays the segments that are still open and the bytes of this many sealed ones at most.
constexpr std::uint64_t kSegmentsReplayedMax = 4;

}  // namespace

Result<Lane*> CommitWriter::LaneFor(std::uint8_t retention_class, Timestamp now) {
  auto found = lanes_.find(retention_class);
  if (found != lanes_.end()) {
    Lane& lane = found->second;
    bool full = lane.appender->end() >= engine_.monitor.segment_bytes();
    bool old = now - lane.created > SegmentSpanMax(retention_class);
    if (lane.appender->pending() || (!full && !old)) return &lane;
    MILLRACE_RETURN_IF_ERROR(SealLane(retention_class));
  }
  MILLRACE_RETURN_IF_ERROR(OpenLane(retention_class, now));
  return &lanes_.at(retention_class);
}

Result<void> CommitWriter::OpenLane(std::uint8_t retention_class, Timestamp now) {
  MILLRACE_RETURN_IF_ERROR(SnapshotControlIfLarge());  // before an id is taken
  SegmentId segment = engine_.state.next_segment;
  std::string path = engine_.directory.SegmentPath(segment, SegmentKind::kData);
  MILLRACE_ASSIGN_OR_RETURN(auto file, engine_.files().Open(path, OpenMode::kCreate));
  auto make = [&]() -> Result<void> {
    Bytes header;
    AppendSegmentHeader(
        header, {engine_.format, engine_.directory.store, segment, SegmentKind::kData, retention_class, now});
    ByteSpan part(header);
    MILLRACE_RETURN_IF_ERROR(file->WriteAt(0, std::span(&part, 1)));
    MILLRACE_RETURN_IF_ERROR(file->Sync());
    return engine_.files().SyncDirectory(engine_.directory.LogPath());
  };
  ControlChange change = {NextIdsRow(engine_.state.next_stream, segment + 1),
                          SegmentAddedRow(segment, {retention_class, now})};
  Result<void> done = make();
  if (done) done = AppendControl({change});
  if (!done) {
    // Its id is not taken: the next try makes the same file. Left-overs would stand in its way.
    if (!Failure()) {
      auto removed = engine_.files().Remove(path);
      if (!removed && removed.error().code != ErrorCode::kNotFound) return Fail(removed.error());
    }
    return done;
  }
  MILLRACE_RETURN_IF_ERROR(Apply(change));
  lanes_[retention_class] = {std::make_unique<SegmentAppender>(std::move(file), engine_.directory.store,
                                                               segment, std::uint64_t{kSegmentHeaderBytes}),
                             now, 0};
  engine_.segments.Add({segment, retention_class, now, false, now + RetentionMin(retention_class), 0, 0});
  engine_.metrics.segments.Set(static_cast<double>(engine_.segments.Count()));
  return {};
}

Result<void> CommitWriter::SealLane(std::uint8_t retention_class) {
  Lane& lane = lanes_.at(retention_class);
  SegmentAppender& appender = *lane.appender;
  if (auto written = appender.Write(durable_counter_, last_counter_, kGroupSeals); !written) {
    if (auto cut = appender.Rollback(); !cut) return Fail(cut.error());
    return written;
  }
  if (auto synced = SyncTimed(appender); !synced) return Fail(synced.error());
  // Of its own records: newer counters may be given, in the middle of a round, and not be durable; a marker
  // proves what it names durable.
  const std::uint64_t last_counter = std::max(lane.last_counter, appender.last_counter());
  engine_.segments.SetSealed(appender.segment(), last_counter);
  unmarked_seals_[appender.segment()] = {appender.end(), last_counter, true};
  sealed_bytes_ += appender.end();
  lanes_.erase(retention_class);
  auto indexed = MarkSeals();
  if (indexed && sealed_bytes_ >= kSegmentsReplayedMax * engine_.options.segment_bytes) {
    indexed = engine_.index->Flush();
    if (indexed) sealed_bytes_ = 0;
  }
  if (!indexed && indexed.error().code != ErrorCode::kNoSpace) return Fail(indexed.error());
  return indexed;
}

Result<void> CommitWriter::MarkSeals() {
  if (unmarked_seals_.empty()) return {};
  IndexBatch batch;
  for (const auto& [segment, marker] : unmarked_seals_) batch.SetMarker(segment, marker);
  MILLRACE_RETURN_IF_ERROR(engine_.index->Write(batch));
  unmarked_seals_.clear();
  return {};
}

Result<void> CommitWriter::SealLanes(bool all) {
  if (auto failure = Failure()) return *failure;
  MILLRACE_RETURN_IF_ERROR(MarkSeals());
  Timestamp now = engine_.Now();
  std::vector<std::uint8_t> old;
  for (const auto& [retention_class, lane] : lanes_) {
    const bool holds = lane.appender->end() > kSegmentHeaderBytes;
    if ((all && holds) || now - lane.created > SegmentSpanMax(retention_class))
      old.push_back(retention_class);
  }
  for (std::uint8_t retention_class : old) MILLRACE_RETURN_IF_ERROR(SealLane(retention_class));
  return {};
}

Result<void> CommitWriter::SyncTimed(SegmentAppender& appender) {
  auto since = std::chrono::steady_clock::now();
  auto synced = appender.Sync();
  engine_.metrics.sync_seconds.Observe(
      std::chrono::duration<double>(std::chrono::steady_clock::now() - since).count());
  return synced;
}

Result<void> CommitWriter::CheckSpace(std::uint64_t bytes) { return engine_.monitor.CheckSpace(bytes); }

}  // namespace millrace::storage
