#include "storage/commit_writer.h"

#include <algorithm>
#include <cassert>
#include <set>
#include <utility>

#include "base/log.h"
#include "storage/crc32c.h"

namespace millrace::storage {
namespace {

constexpr std::uint64_t kQueueItemBytes = 256;  // counted for a queued record besides its own bytes
constexpr std::size_t kMetadataGroupMax = 1000;

double SecondsSince(std::chrono::steady_clock::time_point since) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - since).count();
}

// What can be said about a record before it is queued.
std::optional<Error> Refusal(const PutRecord& record) {
  auto invalid = [](std::string text) { return Error{ErrorCode::kInvalidArgument, std::move(text)}; };
  if (record.partition_key.empty() || record.partition_key.size() > kPartitionKeyBytesMax) {
    return invalid("a partition key has 1 to " + std::to_string(kPartitionKeyBytesMax) + " bytes, not " +
                   std::to_string(record.partition_key.size()));
  }
  if (record.data.size() > kRecordBytesMax) {
    return invalid("a record has at most " + std::to_string(kRecordBytesMax) + " bytes of data, not " +
                   std::to_string(record.data.size()));
  }
  std::size_t attribute_bytes = 0;
  std::set<AttributeId> ids;
  for (const Attribute& attribute : record.attributes) {
    attribute_bytes += attribute.value.size() + 3;
    if (!ids.insert(attribute.id).second)
      return invalid("attribute " + std::to_string(attribute.id) + " comes twice");
    if (attribute.id < kIndexedAttributesEnd && attribute.value.size() > kIndexedAttributeBytesMax) {
      return invalid("indexed attribute " + std::to_string(attribute.id) + " has more than " +
                     std::to_string(kIndexedAttributeBytesMax) + " bytes");
    }
  }
  if (attribute_bytes > kAttributesBytesMax) {
    return invalid("a record's attributes have more than " + std::to_string(kAttributesBytesMax) + " bytes");
  }
  return std::nullopt;
}

}  // namespace

// One record on its way: what the index gets and what the caller is told.
struct CommitWriter::Placed {
  StreamId stream;
  IndexedRecord indexed;
};

struct CommitWriter::Round {
  std::set<Lane*> lanes;
  std::vector<Placed> placed;
  std::map<std::pair<StreamId, ShardId>, std::uint64_t> tips;
  std::vector<std::vector<Result<PutReceipt>>> results;  // by job, by record
  std::uint64_t data_bytes = 0;
};

Result<std::unique_ptr<SegmentAppender>> MakeControlSegment(Engine& engine, std::uint64_t counter,
                                                            std::uint64_t durable_counter, Timestamp now) {
  FileSystem& files = engine.files();
  SegmentId segment = engine.state.next_segment;
  std::string path = engine.directory.SegmentPath(segment, SegmentKind::kControl);
  MILLRACE_ASSIGN_OR_RETURN(auto file, files.Open(path, OpenMode::kCreate));
  auto make = [&]() -> Result<std::unique_ptr<SegmentAppender>> {
    Bytes head;
    AppendSegmentHeader(head, {engine.directory.store, segment, SegmentKind::kControl, 0, now});
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

CommitWriter::CommitWriter(Engine& engine, WriterStart start, std::function<void(StreamId)> on_stream_changed)
    : engine_(engine),
      on_stream_changed_(std::move(on_stream_changed)),
      control_(std::move(start.control)),
      lanes_(std::move(start.lanes)),
      last_counter_(start.last_counter),
      durable_counter_(start.last_counter),
      thread_([this] { Run(); }) {}

CommitWriter::~CommitWriter() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void CommitWriter::Put(const std::string& stream, std::vector<PutRecord> records, PutDone done) {
  PutJob job;
  job.stream = stream;
  job.since = std::chrono::steady_clock::now();
  job.done = std::move(done);
  job.records.reserve(records.size());
  for (PutRecord& record : records) {
    PreparedRecord prepared;
    prepared.refused = Refusal(record);
    if (!prepared.refused) {
      // Here, so that it is done by many threads side by side and not by the one that writes.
      prepared.data_crc = Crc32c(record.data.span());
      prepared.hash_key = record.explicit_hash_key.value_or(HashKey{});
      if (!record.explicit_hash_key) prepared.hash_key = HashKey::FromPartitionKey(record.partition_key);
      AppendAttributes(prepared.attributes, record.attributes);
      job.bytes +=
          record.data.size() + record.partition_key.size() + prepared.attributes.size() + kQueueItemBytes;
    }
    prepared.record = std::move(record);
    job.records.push_back(std::move(prepared));
  }
  std::uint64_t bytes = job.bytes;
  Enqueue(std::move(job), bytes);
}

bool CommitWriter::Enqueue(Job job, std::uint64_t bytes) {
  Error refusal;
  {
    std::lock_guard lock(mutex_);
    if (stopping_) {
      refusal = {ErrorCode::kUnavailable, "the log is being closed"};
    } else if (queued_bytes_ > 0 && queued_bytes_ + bytes > engine_.options.queue_bytes_max) {
      refusal = {ErrorCode::kResourceExhausted, "the log's queue is full (" + std::to_string(queued_bytes_) +
                                                    " bytes): the disk is slower than the puts"};
    } else {
      queued_bytes_ += bytes;
      queue_.push_back(std::move(job));
      engine_.metrics.queue_bytes.Increment(static_cast<double>(bytes));
      changed_.notify_one();
      return true;
    }
  }
  if (auto* put = std::get_if<PutJob>(&job)) {
    engine_.metrics.put_queue_full.Increment(static_cast<double>(put->records.size()));
    notifier_.Post([done = std::move(put->done), count = put->records.size(), refusal] {
      done(std::vector<Result<PutReceipt>>(count, refusal));
    });
  } else if (auto* metadata = std::get_if<MetadataJob>(&job)) {
    metadata->done.set_value(refusal);
  } else if (auto* change = std::get_if<ChangeJob>(&job)) {
    change->done.set_value(refusal);
  } else if (auto* seal = std::get_if<SealJob>(&job)) {
    seal->done.set_value(refusal);
  }
  return false;
}

Result<void> CommitWriter::Change(Plan plan) {
  ChangeJob job{std::move(plan), {}};
  auto done = job.done.get_future();
  Enqueue(std::move(job), 0);
  return done.get();
}

Result<std::uint64_t> CommitWriter::PutMetadata(const std::string& key, std::optional<Bytes> value,
                                                std::optional<std::uint64_t> expected_version) {
  MetadataJob job{key, std::move(value), expected_version, {}};
  auto done = job.done.get_future();
  Enqueue(std::move(job), 0);
  return done.get();
}

Result<void> CommitWriter::SealOld() {
  SealJob job;
  auto done = job.done.get_future();
  Enqueue(std::move(job), 0);
  return done.get();
}

void CommitWriter::Run() {
  std::unique_lock lock(mutex_);
  while (true) {
    bool was_idle = queue_.empty();
    changed_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
    if (queue_.empty()) return;
    if (was_idle && engine_.options.group_wait > Duration{0} && !stopping_) {
      changed_.wait_for(lock, engine_.options.group_wait,
                        [this] { return stopping_ || queued_bytes_ >= engine_.options.group_bytes_max; });
    }
    if (std::holds_alternative<PutJob>(queue_.front())) {
      std::vector<PutJob> jobs;
      std::uint64_t bytes = 0;
      while (!queue_.empty()) {
        auto* job = std::get_if<PutJob>(&queue_.front());
        if (job == nullptr || (!jobs.empty() && bytes + job->bytes > engine_.options.group_bytes_max)) break;
        bytes += job->bytes;
        jobs.push_back(std::move(*job));
        queue_.pop_front();
      }
      lock.unlock();
      CommitPuts(std::move(jobs));
      lock.lock();
      queued_bytes_ -= bytes;
      engine_.metrics.queue_bytes.Decrement(static_cast<double>(bytes));
    } else if (std::holds_alternative<MetadataJob>(queue_.front())) {
      std::vector<MetadataJob> jobs;
      while (!queue_.empty() && jobs.size() < kMetadataGroupMax) {
        auto* job = std::get_if<MetadataJob>(&queue_.front());
        if (job == nullptr) break;
        jobs.push_back(std::move(*job));
        queue_.pop_front();
      }
      lock.unlock();
      CommitMetadata(std::move(jobs));
      lock.lock();
    } else {
      Job job = std::move(queue_.front());
      queue_.pop_front();
      lock.unlock();
      if (auto* change = std::get_if<ChangeJob>(&job)) {
        auto done = RunChange(change->plan);
        for (StreamId stream : std::exchange(touched_streams_, {})) on_stream_changed_(stream);
        change->done.set_value(std::move(done));
      } else {
        std::get<SealJob>(job).done.set_value(SealOldLanes());
      }
      lock.lock();
    }
  }
}

// ---- puts

void CommitWriter::CommitPuts(std::vector<PutJob> jobs) {
  Round round;
  auto failed = CommitRound(jobs, round);
  if (failed) {
    {
      std::unique_lock lock(engine_.mutex);
      for (const auto& [where, tip] : round.tips) {
        engine_.state.FindStream(where.first)->Find(where.second)->tip = tip;
      }
    }
    engine_.metrics.put_records.Increment(static_cast<double>(round.placed.size()));
    engine_.metrics.put_bytes.Increment(static_cast<double>(round.data_bytes));
  } else {
    const Error& error = failed.error();
    for (auto& results : round.results) {
      for (auto& result : results) {
        if (result) result = error;
      }
    }
    auto& counter =
        error.code == ErrorCode::kNoSpace ? engine_.metrics.put_no_space : engine_.metrics.put_failed;
    counter.Increment(static_cast<double>(std::max<std::size_t>(round.placed.size(), 1)));
  }
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    engine_.metrics.put_seconds.Observe(SecondsSince(jobs[i].since));
    jobs[i].done(std::move(round.results[i]));
  }
  if (failed) {
    for (const auto& [where, tip] : round.tips) engine_.waiters->FireShard(where.first, where.second, tip);
  }
}

Result<void> CommitWriter::CommitRound(std::vector<PutJob>& jobs, Round& round) {
  std::uint64_t bytes = 0;
  for (PutJob& job : jobs) {
    auto& results = round.results.emplace_back();
    bytes += job.bytes;
    for (PreparedRecord& record : job.records) {
      if (record.refused) engine_.metrics.put_refused.Increment();
      results.push_back(record.refused ? Result<PutReceipt>(*record.refused)
                                       : Result<PutReceipt>(PutReceipt{}));
    }
  }
  if (auto failure = Failure()) return *failure;
  MILLRACE_RETURN_IF_ERROR(CheckSpace(bytes));
  if (index_stuck_) {
    if (!engine_.index->Resume())
      return Error{ErrorCode::kNoSpace, "the disk is full: the index cannot be written"};
    index_stuck_ = false;
  }

  Result<void> written;
  Timestamp now = engine_.Now();
  for (std::size_t j = 0; j < jobs.size() && written; ++j) {
    StreamState* stream = engine_.state.FindStream(jobs[j].stream);
    for (std::size_t r = 0; r < jobs[j].records.size() && written; ++r) {
      PreparedRecord& record = jobs[j].records[r];
      Result<PutReceipt>& result = round.results[j][r];
      if (record.refused) continue;
      if (stream == nullptr) {
        result = NoSuchStream(jobs[j].stream);
        continue;
      }
      Duration retention = stream->RetentionOf(stream->RuleOf(record.record.partition_key));
      auto lane = LaneFor(RetentionClass(retention), now);
      if (!lane) {
        written = std::move(lane).error();
        break;
      }
      PlaceRecord(*stream, record, **lane, now, round);
      const IndexedRecord& indexed = round.placed.back().indexed;
      result = PutReceipt{
          indexed.shard,
          MakeSequenceNumber(
              stream->Find(indexed.shard)->description.starting_sequence_number.fields().shard_created_s,
              indexed.shard, indexed.counter),
          now};
    }
  }
  for (Lane* lane : round.lanes) {
    if (!written) break;
    engine_.metrics.group_bytes.Observe(static_cast<double>(lane->appender->pending_bytes()));
    engine_.metrics.written_bytes.Increment(static_cast<double>(lane->appender->pending_bytes()));
    written = lane->appender->Write(durable_counter_, last_counter_, 0);
  }
  if (!written) {
    for (Lane* lane : round.lanes) {
      if (auto cut = lane->appender->Rollback(); !cut) return Fail(cut.error());
    }
    return Failure() ? *Failure() : std::move(written).error();
  }
  for (Lane* lane : round.lanes) {
    if (auto synced = SyncTimed(*lane->appender); !synced) return Fail(synced.error());
  }

  IndexBatch batch;
  for (const Placed& placed : round.placed) batch.AddRecord(placed.stream, placed.indexed);
  for (Lane* lane : round.lanes) {
    batch.SetMarker(lane->appender->segment(),
                    {lane->appender->end(), lane->appender->last_counter(), false});
  }
  if (auto indexed = engine_.index->Write(batch); !indexed) {
    if (indexed.error().code != ErrorCode::kNoSpace) return Fail(indexed.error());
    // Not readable, so not to be acknowledged: taken back, until there is space for both.
    index_stuck_ = true;
    for (Lane* lane : round.lanes) {
      if (auto cut = lane->appender->TakeBack(); !cut) return Fail(cut.error());
    }
    return std::move(indexed).error();
  }
  durable_counter_ = last_counter_;
  return {};
}

void CommitWriter::PlaceRecord(StreamState& stream, PreparedRecord& record, Lane& lane, Timestamp now,
                               Round& round) {
  const ShardDescription& shard = stream.Route(record.hash_key).description;
  EntryHeader header;
  header.kind = EntryKind::kRecord;
  header.stream = stream.id;
  header.shard = shard.id;
  header.counter = NextCounter(now);
  header.arrival = now;
  header.shard_created_s = shard.starting_sequence_number.fields().shard_created_s;
  header.data_crc = record.data_crc;

  Placed placed;
  placed.stream = stream.id;
  placed.indexed.shard = shard.id;
  placed.indexed.counter = header.counter;
  placed.indexed.segment = lane.appender->segment();
  placed.indexed.data_bytes = record.record.data.size();
  placed.indexed.data_crc = record.data_crc;
  placed.indexed.arrival = now;
  round.data_bytes += record.record.data.size();
  placed.indexed.entry_offset = lane.appender->AddEntry(header, AsBytes(record.record.partition_key),
                                                        record.attributes, std::move(record.record.data));
  placed.indexed.partition_key = std::move(record.record.partition_key);
  placed.indexed.attributes = std::move(record.attributes);
  round.lanes.insert(&lane);
  round.tips[{stream.id, shard.id}] = header.counter;
  round.placed.push_back(std::move(placed));
}

// ---- the control state

void CommitWriter::CommitMetadata(std::vector<MetadataJob> jobs) {
  std::map<std::string, std::uint64_t> versions;  // as they will be; 0: not there
  std::vector<ControlChange> changes;
  std::vector<std::pair<MetadataJob*, std::uint64_t>> accepted;
  std::uint64_t bytes = engine_.state.metadata_bytes();
  for (MetadataJob& job : jobs) {
    auto [known, added] = versions.try_emplace(job.key, 0);
    if (added) {
      auto found = engine_.state.metadata().find(job.key);
      if (found != engine_.state.metadata().end()) known->second = found->second.version;
    }
    if (job.expected_version && *job.expected_version != known->second) {
      job.done.set_value(Error{ErrorCode::kFailedPrecondition, "metadata '" + job.key + "' has version " +
                                                                   std::to_string(known->second) + ", not " +
                                                                   std::to_string(*job.expected_version)});
      continue;
    }
    if (job.value) {
      bytes += job.key.size() + job.value->size();
      if (bytes > engine_.options.metadata_bytes_max) {
        job.done.set_value(Error{
            ErrorCode::kResourceExhausted,
            "the metadata take more than " + std::to_string(engine_.options.metadata_bytes_max) + " bytes"});
        continue;
      }
      std::uint64_t version = known->second + 1;
      known->second = version;
      changes.push_back({MetadataSetRow(job.key, {std::move(*job.value), version})});
      accepted.emplace_back(&job, version);
    } else {
      if (known->second != 0) changes.push_back({MetadataRemovedRow(job.key)});
      known->second = 0;
      accepted.emplace_back(&job, 0);
    }
  }
  Result<void> done;
  if (auto failure = Failure()) done = *failure;
  if (done && !changes.empty()) done = SnapshotControlIfLarge();
  if (done && !changes.empty()) done = AppendControl(changes);
  for (const ControlChange& change : changes) {
    if (done) done = Apply(change);
  }
  if (done) durable_counter_ = last_counter_;
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

Result<void> CommitWriter::AppendControl(const std::vector<ControlChange>& changes) {
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
  if (auto written = control_->Write(durable_counter_, last_counter_, 0); !written) {
    if (auto cut = control_->Rollback(); !cut) return Fail(cut.error());
    return written;
  }
  if (auto synced = SyncTimed(*control_); !synced) return Fail(synced.error());
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
  Timestamp now = engine_.Now();
  auto made = MakeControlSegment(engine_, NextCounter(now), durable_counter_, now);
  if (!made && made.error().code == ErrorCode::kUnavailable) return Fail(made.error());
  if (!made) {
    // The old one goes on: nothing is lost but tidiness.
    Log(LogLevel::kWarning, "control snapshot not written", {{"error", made.error().ToString()}});
    return {};
  }
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

// ---- segments

Result<Lane*> CommitWriter::LaneFor(std::uint8_t retention_class, Timestamp now) {
  auto found = lanes_.find(retention_class);
  if (found != lanes_.end()) {
    Lane& lane = found->second;
    bool full = lane.appender->end() >= engine_.options.segment_bytes;
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
    AppendSegmentHeader(header, {engine_.directory.store, segment, SegmentKind::kData, retention_class, now});
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
                             now};
  engine_.segments.Add({segment, retention_class, now, false, now + RetentionMin(retention_class), 0});
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
  engine_.segments.SetSealed(appender.segment());
  IndexBatch batch;
  batch.SetMarker(appender.segment(), {appender.end(), last_counter_, true});
  lanes_.erase(retention_class);
  // So that opening never replays more than the segments that are still open.
  auto indexed = engine_.index->Write(batch);
  if (indexed) indexed = engine_.index->Sync();
  if (!indexed && indexed.error().code != ErrorCode::kNoSpace) return Fail(indexed.error());
  if (!indexed) index_stuck_ = true;
  return indexed;
}

Result<void> CommitWriter::SealOldLanes() {
  if (auto failure = Failure()) return *failure;
  Timestamp now = engine_.Now();
  std::vector<std::uint8_t> old;
  for (const auto& [retention_class, lane] : lanes_) {
    if (now - lane.created > SegmentSpanMax(retention_class)) old.push_back(retention_class);
  }
  for (std::uint8_t retention_class : old) MILLRACE_RETURN_IF_ERROR(SealLane(retention_class));
  return {};
}

Result<void> CommitWriter::SyncTimed(SegmentAppender& appender) {
  auto since = std::chrono::steady_clock::now();
  auto synced = appender.Sync();
  engine_.metrics.sync_seconds.Observe(SecondsSince(since));
  return synced;
}

Result<void> CommitWriter::CheckSpace(std::uint64_t bytes) {
  MILLRACE_ASSIGN_OR_RETURN(auto free, engine_.files().FreeBytes(engine_.directory.path));
  if (free >= engine_.options.reserve_bytes + bytes) return {};
  return Error{ErrorCode::kNoSpace, "the disk of " + engine_.directory.path +
                                        " is full: " + std::to_string(free) + " bytes are free, and " +
                                        std::to_string(engine_.options.reserve_bytes) +
                                        " are kept for deleting"};
}

Error CommitWriter::Fail(const Error& cause) {
  std::lock_guard lock(mutex_);
  if (!failure_) {
    failure_ = Error{ErrorCode::kUnavailable,
                     "the log has stopped taking writes until it is opened again: " + cause.ToString()};
    Log(LogLevel::kError, "the log has stopped taking writes", {{"cause", cause.ToString()}});
  }
  return *failure_;
}

std::optional<Error> CommitWriter::Failure() const {
  std::lock_guard lock(mutex_);
  return failure_;
}

std::uint64_t CommitWriter::NextCounter(Timestamp now) {
  last_counter_ = std::max(last_counter_ + 1, static_cast<std::uint64_t>(std::max<std::int64_t>(now.ns, 0)));
  return last_counter_;
}

}  // namespace millrace::storage
