// The writer's changes of the control state, and the control segment that makes them durable.
#include <mutex>
#include <utility>

#include "base/log.h"
#include "storage/commit_writer.h"
#include "storage/crc32c.h"

namespace millrace::storage {

Result<std::unique_ptr<SegmentAppender>> MakeControlSegment(Engine& engine, std::uint64_t counter,
                                                            std::uint64_t durable_counter, Timestamp now) {
  FileSystem& files = engine.files();
  SegmentId segment = engine.state.next_segment;
  std::string path = engine.directory.SegmentPath(segment, SegmentKind::kControl);
  MILLRACE_ASSIGN_OR_RETURN(auto file, files.Open(path, OpenMode::kCreate));
  auto make = [&]() -> Result<std::unique_ptr<SegmentAppender>> {
    Bytes head;
    AppendSegmentHeader(head,
                        {engine.format, engine.directory.store, segment, SegmentKind::kControl, 0, now});
    ByteSpan part(head);
    MILLRACE_RETURN_IF_ERROR(file->WriteAt(0, std::span(&part, 1)));
    auto appender = std::make_unique<SegmentAppender>(std::move(file), engine.directory.store, segment,
                                                      std::uint64_t{kSegmentHeaderBytes});
    ControlChange snapshot = engine.state.Snapshot();
    snapshot.push_back(NextIdsRow(engine.state.next_stream, segment + 1));
    EntryHeader header;
    header.kind = EntryKind::kControl;
    header.counter = counter;
    header.arrival = now;
    SharedBytes data(EncodeChange(snapshot));
    header.data_crc = Crc32c(data.span());
    appender->AddEntry(header, {}, {}, std::move(data));
    MILLRACE_RETURN_IF_ERROR(appender->Write(durable_counter, counter, kGroupSnapshot));
    MILLRACE_RETURN_IF_ERROR(appender->Sync());
    MILLRACE_RETURN_IF_ERROR(files.SyncDirectory(engine.directory.LogPath()));
    return appender;
  };
  auto made = make();
  if (!made) {
    // A whole snapshot that came back after a power loss would hide what the old segment has taken since: it
    // has to be gone for good, or nothing more may be written.
    auto removed = files.Remove(path);
    if (!removed && removed.error().code == ErrorCode::kNotFound) removed = {};
    if (removed) removed = files.SyncDirectory(engine.directory.LogPath());
    if (!removed) return Error{ErrorCode::kUnavailable, removed.error().message};
    return made;
  }
  std::unique_lock lock(engine.mutex);
  engine.state.next_segment = segment + 1;
  return made;
}

void CommitWriter::CommitMetadata(std::vector<MetadataJob> jobs) {
  MetadataPlan plan(engine_.state, engine_.options.metadata_bytes_max);
  std::vector<ControlChange> changes;
  std::vector<std::pair<MetadataJob*, std::uint64_t>> accepted;
  for (MetadataJob& job : jobs) {
    std::vector<MetadataChange> change;
    change.push_back({job.key, std::move(job.value), job.expected_version});
    ControlChange rows;
    auto versions = plan.Add(std::move(change), rows);
    if (!versions) {
      job.done.set_value(std::move(versions).error());
      continue;
    }
    if (!rows.empty()) changes.push_back(std::move(rows));
    accepted.emplace_back(&job, versions->front());
  }
  Result<void> done;
  if (auto failure = Failure()) done = *failure;
  if (done && !changes.empty()) done = SnapshotControlIfLarge();
  if (done && !changes.empty()) done = AppendControl(changes);
  for (const ControlChange& change : changes) {
    if (done) done = Apply(change);
  }
  if (done) durable_counter_ = last_counter_;
  if (!done) engine_.monitor.NoteError(done.error());
  for (auto& [job, version] : accepted) {
    job->done.set_value(done ? Result<std::uint64_t>(version) : Result<std::uint64_t>(done.error()));
  }
}

Result<void> CommitWriter::RunChange(const Plan& plan) {
  if (auto failure = Failure()) return *failure;
  MILLRACE_RETURN_IF_ERROR(SnapshotControlIfLarge());  // before the plan looks at the next id
  MILLRACE_ASSIGN_OR_RETURN(auto change, plan({engine_.state, engine_.Now(), last_counter_}));
  if (change.empty()) return {};
  MILLRACE_RETURN_IF_ERROR(AppendControl({change}));
  durable_counter_ = last_counter_;
  MILLRACE_RETURN_IF_ERROR(Apply(change));
  for (const ControlRow& row : change) {
    if (auto stream = StreamOfRow(row)) touched_streams_.insert(*stream);
  }
  return {};
}

Result<void> CommitWriter::WriteControl(const std::vector<ControlChange>& changes,
                                        std::uint64_t durable_counter) {
  if (auto failure = Failure()) return *failure;
  Timestamp now = engine_.Now();
  for (const ControlChange& change : changes) {
    EntryHeader header;
    header.kind = EntryKind::kControl;
    header.counter = NextCounter(now);
    header.arrival = now;
    SharedBytes data(EncodeChange(change));
    header.data_crc = Crc32c(data.span());
    control_->AddEntry(header, {}, {}, std::move(data));
  }
  engine_.metrics.written_bytes.Increment(static_cast<double>(control_->pending_bytes()));
  auto written = control_->Write(durable_counter, last_counter_, 0);
  // The change may be one that frees space: for those the reserve is there.
  if (!written && written.error().code == ErrorCode::kNoSpace && engine_.ballast.Release()) {
    written = control_->Write(durable_counter, last_counter_, 0);
  }
  if (!written) {
    if (auto cut = control_->Rollback(); !cut) return Fail(cut.error());
    return written;
  }
  if (auto synced = SyncTimed(*control_); !synced) return Fail(synced.error());
  return {};
}

Result<void> CommitWriter::AppendControl(const std::vector<ControlChange>& changes) {
  MILLRACE_RETURN_IF_ERROR(WriteControl(changes, durable_counter_));
  // What is durable now must not be missing at the next opening: the marker tells a lost end from one that
  // was never written. A marker that lags tells less, and nothing false.
  IndexBatch batch;
  batch.SetMarker(control_->segment(), {control_->end(), last_counter_, false});
  if (auto marked = engine_.index->Write(batch); !marked) {
    Log(LogLevel::kWarning, "control marker not written", {{"error", marked.error().ToString()}});
  }
  return {};
}

Result<void> CommitWriter::Apply(const ControlChange& change) {
  std::unique_lock lock(engine_.mutex);
  if (auto applied = engine_.state.Apply(change); !applied) return Fail(applied.error());
  return {};
}

Result<void> CommitWriter::SnapshotControlIfLarge() {
  if (control_->end() < engine_.options.control_bytes || control_->end() < 2 * snapshot_bytes_) return {};
  auto written = SnapshotControl();
  if (written || Failure()) return written;
  // The old one goes on: nothing is lost but tidiness.
  Log(LogLevel::kWarning, "control snapshot not written", {{"error", written.error().ToString()}});
  return {};
}

Result<void> CommitWriter::SnapshotControl() {
  Timestamp now = engine_.Now();
  auto made = MakeControlSegment(engine_, NextCounter(now), durable_counter_, now);
  if (!made && made.error().code == ErrorCode::kUnavailable) return Fail(made.error());
  if (!made) return std::move(made).error();
  SegmentId old = control_->segment();
  control_ = std::move(*made);
  snapshot_bytes_ = control_->end();
  auto removed = engine_.files().Remove(engine_.directory.SegmentPath(old, SegmentKind::kControl));
  if (removed) removed = engine_.files().SyncDirectory(engine_.directory.LogPath());
  if (!removed) {
    Log(LogLevel::kWarning, "old control segment not removed", {{"error", removed.error().ToString()}});
  }
  return {};
}

}  // namespace millrace::storage
