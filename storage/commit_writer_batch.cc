// The writer's batches: metadata and records that are committed as one.
//
// The records go to their segments first, marked as a batch's, and are synced; then one control entry with
// the metadata and the counter up to which batches count makes all of it true at once. Until that entry is
// durable the records are a torn tail, whatever the disk has of them.
#include <mutex>
#include <utility>

#include "storage/commit_writer.h"

namespace millrace::storage {

Result<CommitReceipt> CommitWriter::Commit(CommitBatch batch) {
  MILLRACE_RETURN_IF_ERROR(CheckBatch(batch));
  BatchJob job;
  for (MetadataChange& change : batch.metadata) {
    job.bytes += change.key.size() + (change.value ? change.value->size() : 0);
  }
  job.metadata = std::move(batch.metadata);
  for (StreamRecord& record : batch.records) {
    const bool sealed = IsSealed(record.stream);
    job.streams.push_back(std::move(record.stream));
    job.records.push_back(Prepare(std::move(record.record), sealed, job.bytes));
    if (job.records.back().refused) return *job.records.back().refused;
  }
  auto done = job.done.get_future();
  std::uint64_t bytes = job.bytes;
  Enqueue(std::move(job), bytes);
  return done.get();
}

void CommitWriter::CommitBatches(std::vector<BatchJob> jobs) {
  Round round;
  std::vector<Result<CommitReceipt>> results;
  std::vector<ControlChange> changes;
  auto done = CommitBatchRound(jobs, round, results, changes);
  if (done) {
    std::unique_lock lock(engine_.mutex);
    for (const ControlChange& change : changes) {
      if (done) done = engine_.state.Apply(change);
    }
    RaiseTips(round);
  }
  if (!done) {
    if (done.error().code == ErrorCode::kCorruption) done = Fail(done.error());
    CountFailure(done.error(), round.placed.size());
  }
  results.resize(jobs.size(), CommitReceipt());
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    if (!done && results[i]) results[i] = done.error();
    jobs[i].done.set_value(std::move(results[i]));
  }
  if (!done) return;
  for (const auto& [where, tip] : round.tips) engine_.waiters->FireShard(where.first, where.second, tip);
}

Result<void> CommitWriter::CommitBatchRound(std::vector<BatchJob>& jobs, Round& round,
                                            std::vector<Result<CommitReceipt>>& results,
                                            std::vector<ControlChange>& changes) {
  std::uint64_t bytes = 0;
  for (const BatchJob& job : jobs) bytes += job.bytes;
  MILLRACE_RETURN_IF_ERROR(CheckReady(bytes));
  MILLRACE_RETURN_IF_ERROR(SnapshotControlIfLarge());  // before anything is pending

  Timestamp now = engine_.Now();
  std::set<std::string> streams;
  for (const BatchJob& job : jobs) streams.insert(job.streams.begin(), job.streams.end());
  MILLRACE_RETURN_IF_ERROR(RotateDataKeys(streams, now));
  MetadataPlan metadata(engine_.state, engine_.options.metadata_bytes_max);
  Result<void> placed;
  for (BatchJob& job : jobs) {
    auto stays = [&]() -> Result<void> {
      for (const std::string& stream : job.streams) {
        if (auto found = StreamFor(stream); !found) return std::move(found).error();
      }
      return {};
    };
    ControlChange rows;
    CommitReceipt receipt;
    Result<void> accepted = stays();
    if (accepted) {
      auto versions = metadata.Add(std::move(job.metadata), rows);
      if (versions) receipt.versions = std::move(*versions);
      if (!versions) accepted = std::move(versions).error();
    }
    if (!accepted) {
      results.push_back(std::move(accepted).error());
      continue;
    }
    for (std::size_t i = 0; i < job.records.size() && placed; ++i) {
      StreamState& stream = *engine_.state.FindStream(job.streams[i]);
      auto record = PlaceRecord(stream, job.records[i], EntryKind::kBatch, now, round);
      if (record) receipt.records.push_back(std::move(*record));
      if (!record) placed = std::move(record).error();
    }
    if (!rows.empty()) changes.push_back(std::move(rows));
    results.push_back(std::move(receipt));
    if (!placed) break;
  }
  MILLRACE_RETURN_IF_ERROR(WriteLanes(round, std::move(placed)));
  if (!round.placed.empty()) {
    changes.push_back({CommittedBatchesRow(round.placed.back().indexed.counter)});
  }
  if (changes.empty()) return {};

  if (auto committed = WriteControl(changes, last_counter_); !committed) {
    if (!Failure()) MILLRACE_RETURN_IF_ERROR(TakeBackLanes(round));
    return committed;
  }
  IndexBatch batch = ToIndexBatch(round);
  batch.SetMarker(control_->segment(), {control_->end(), last_counter_, false});
  if (auto indexed = engine_.index->Write(batch); !indexed) {
    if (indexed.error().code != ErrorCode::kNoSpace) return Fail(indexed.error());
    // Not readable, so not to be acknowledged. The commit goes first: without it the records do not count.
    if (auto cut = control_->TakeBack(); !cut) return Fail(cut.error());
    MILLRACE_RETURN_IF_ERROR(TakeBackLanes(round));
    return std::move(indexed).error();
  }
  durable_counter_ = last_counter_;
  return {};
}

}  // namespace millrace::storage
