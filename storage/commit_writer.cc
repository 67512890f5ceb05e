#include "storage/commit_writer.h"

#include <algorithm>
#include <cassert>
#include <set>
#include <tuple>
#include <utility>

#include "base/log.h"
#include "storage/crc32c.h"
#include "storage/stream_encryption.h"

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

CommitWriter::CommitWriter(Engine& engine, WriterStart start, std::function<void(StreamId)> on_stream_changed)
    : engine_(engine),
      on_stream_changed_(std::move(on_stream_changed)),
      control_(std::move(start.control)),
      lanes_(std::move(start.lanes)),
      sealer_(engine.keys),
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
  // Without the marks the next opening looks for the ends itself.
  if (!Failure()) std::ignore = MarkSeals();
}

CommitWriter::PreparedRecord CommitWriter::Prepare(PutRecord record, bool sealed, std::uint64_t& bytes) {
  PreparedRecord prepared;
  prepared.refused = Refusal(record);
  if (!prepared.refused) {
    // Here, so that it is done by many threads side by side and not by the one that writes.
    if (!sealed) prepared.data_crc = Crc32c(record.data.span());
    prepared.hash_key = record.explicit_hash_key.value_or(HashKey{});
    if (!record.explicit_hash_key) prepared.hash_key = HashKey::FromPartitionKey(record.partition_key);
    AppendAttributes(prepared.attributes, record.attributes);
    bytes += record.data.size() + record.partition_key.size() + prepared.attributes.size() + kQueueItemBytes;
  }
  prepared.record = std::move(record);
  return prepared;
}

bool CommitWriter::IsSealed(const std::string& stream) const {
  const std::shared_lock lock(engine_.mutex);
  const StreamState* state = std::as_const(engine_.state).FindStream(stream);
  return state != nullptr && state->encryption;
}

void CommitWriter::Put(const std::string& stream, std::vector<PutRecord> records, PutDone done) {
  PutJob job;
  job.stream = stream;
  job.since = std::chrono::steady_clock::now();
  job.done = std::move(done);
  job.records.reserve(records.size());
  const bool sealed = IsSealed(stream);
  for (PutRecord& record : records) job.records.push_back(Prepare(std::move(record), sealed, job.bytes));
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
  } else if (auto* batch = std::get_if<BatchJob>(&job)) {
    batch->done.set_value(refusal);
  } else if (auto* metadata = std::get_if<MetadataJob>(&job)) {
    metadata->done.set_value(refusal);
  } else if (auto* change = std::get_if<ChangeJob>(&job)) {
    change->done.set_value(refusal);
  } else if (auto* renew = std::get_if<RenewJob>(&job)) {
    renew->done.set_value(refusal);
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

Result<void> CommitWriter::RenewControl() {
  RenewJob job;
  auto done = job.done.get_future();
  Enqueue(std::move(job), 0);
  return done.get();
}

Result<void> CommitWriter::Seal(bool all) {
  SealJob job{all, {}};
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
    engine_.monitor.NoteWorking();
    // Those of one kind that wait at the queue's front, as many as one group takes.
    auto commit_group = [&](auto kind, auto commit) {
      std::vector<decltype(kind)> jobs;
      std::uint64_t bytes = 0;
      while (!queue_.empty()) {
        auto* job = std::get_if<decltype(kind)>(&queue_.front());
        if (job == nullptr || (!jobs.empty() && bytes + job->bytes > engine_.options.group_bytes_max)) break;
        bytes += job->bytes;
        jobs.push_back(std::move(*job));
        queue_.pop_front();
      }
      lock.unlock();
      commit(std::move(jobs));
      lock.lock();
      queued_bytes_ -= bytes;
      engine_.metrics.queue_bytes.Decrement(static_cast<double>(bytes));
    };
    if (std::holds_alternative<PutJob>(queue_.front())) {
      commit_group(PutJob(), [this](std::vector<PutJob> jobs) { CommitPuts(std::move(jobs)); });
    } else if (std::holds_alternative<BatchJob>(queue_.front())) {
      commit_group(BatchJob(), [this](std::vector<BatchJob> jobs) { CommitBatches(std::move(jobs)); });
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
      } else if (auto* renew = std::get_if<RenewJob>(&job)) {
        renew->done.set_value(Failure() ? Result<void>(*Failure()) : SnapshotControl());
      } else {
        auto& seal = std::get<SealJob>(job);
        seal.done.set_value(SealLanes(seal.all));
      }
      lock.lock();
    }
    engine_.monitor.NoteDone();
  }
}

// ---- puts

void CommitWriter::CommitPuts(std::vector<PutJob> jobs) {
  Round round;
  std::vector<std::vector<Result<PutReceipt>>> all_results;  // by job, by record
  auto done = CommitRound(jobs, round, all_results);
  if (done) {
    std::unique_lock lock(engine_.mutex);
    RaiseTips(round);
  } else {
    const Error& error = done.error();
    for (auto& results : all_results) {
      for (auto& result : results) {
        if (result) result = error;
      }
    }
    CountFailure(error, round.placed.size());
  }
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    engine_.metrics.put_seconds.Observe(SecondsSince(jobs[i].since));
    jobs[i].done(std::move(all_results[i]));
  }
  if (done) {
    for (const auto& [where, tip] : round.tips) engine_.waiters->FireShard(where.first, where.second, tip);
  }
}

Result<void> CommitWriter::CommitRound(std::vector<PutJob>& jobs, Round& round,
                                       std::vector<std::vector<Result<PutReceipt>>>& results) {
  std::uint64_t bytes = 0;
  for (PutJob& job : jobs) {
    auto& of_job = results.emplace_back();
    bytes += job.bytes;
    for (PreparedRecord& record : job.records) {
      if (record.refused) engine_.metrics.put_refused.Increment();
      of_job.push_back(record.refused ? Result<PutReceipt>(*record.refused)
                                      : Result<PutReceipt>(PutReceipt{}));
    }
  }
  MILLRACE_RETURN_IF_ERROR(CheckReady(bytes));

  Result<void> placed;
  Timestamp now = engine_.Now();
  std::set<std::string> streams;
  for (const PutJob& job : jobs) streams.insert(job.stream);
  MILLRACE_RETURN_IF_ERROR(RotateDataKeys(streams, now));
  for (std::size_t j = 0; j < jobs.size() && placed; ++j) {
    auto stream = StreamFor(jobs[j].stream);
    for (std::size_t r = 0; r < jobs[j].records.size() && placed; ++r) {
      PreparedRecord& record = jobs[j].records[r];
      if (record.refused) continue;
      if (!stream) {
        results[j][r] = stream.error();
        continue;
      }
      results[j][r] = PlaceRecord(**stream, record, EntryKind::kRecord, now, round);
      if (!results[j][r]) placed = results[j][r].error();
    }
  }
  MILLRACE_RETURN_IF_ERROR(WriteLanes(round, std::move(placed)));

  IndexBatch batch = ToIndexBatch(round);
  if (auto indexed = engine_.index->Write(batch); !indexed) {
    if (indexed.error().code != ErrorCode::kNoSpace) return Fail(indexed.error());
    // Not readable, so not to be acknowledged: taken back, until there is space for both.
    MILLRACE_RETURN_IF_ERROR(TakeBackLanes(round));
    return std::move(indexed).error();
  }
  durable_counter_ = last_counter_;
  return {};
}

// ---- what puts and batches are made of

Result<void> CommitWriter::CheckReady(std::uint64_t bytes) {
  if (auto failure = Failure()) return *failure;
  MILLRACE_RETURN_IF_ERROR(CheckSpace(bytes));
  // Before anything is written to the log that could not be indexed.
  if (auto writable = engine_.index->CheckWritable(); !writable) {
    if (writable.error().code != ErrorCode::kNoSpace) return Fail(writable.error());
    return writable;
  }
  return {};
}

Result<StreamState*> CommitWriter::StreamFor(const std::string& name) {
  StreamState* stream = engine_.state.FindStream(name);
  if (stream == nullptr) return NoSuchStream(name);
  const auto* key = stream->CurrentKey();
  if (stream->encryption && (key == nullptr || !engine_.keys.Has(stream->id, key->first))) {
    return Error{ErrorCode::kFailedPrecondition,
                 "stream '" + name + "' is encrypted, and its data key cannot be opened here"};
  }
  return stream;
}

Result<void> CommitWriter::RotateDataKeys(const std::set<std::string>& streams, Timestamp now) {
  for (const std::string& name : streams) {
    const StreamState* stream = engine_.state.FindStream(name);
    if (stream == nullptr || !stream->encryption || engine_.keys.masters() == nullptr) continue;
    if (const auto* key = stream->CurrentKey()) {
      const auto usage = sealer_.UsageOf(stream->id, key->first);
      const auto& age_max = engine_.options.data_key_age_max;
      const bool due = usage.records >= engine_.options.data_key_records_max ||
                       usage.bytes >= kDataKeyBytesMax || (age_max && now - key->second.created > *age_max);
      if (!due) continue;
    }
    MILLRACE_ASSIGN_OR_RETURN(const auto change, PlanNextDataKey(engine_, *stream, last_counter_, now));
    MILLRACE_RETURN_IF_ERROR(SnapshotControlIfLarge());  // before anything is pending
    MILLRACE_RETURN_IF_ERROR(AppendControl({change}));
    MILLRACE_RETURN_IF_ERROR(Apply(change));
  }
  return {};
}

Result<PutReceipt> CommitWriter::PlaceRecord(StreamState& stream, PreparedRecord& record, EntryKind kind,
                                             Timestamp now, Round& round) {
  Duration retention = stream.RetentionOf(stream.RuleOf(record.record.partition_key));
  MILLRACE_ASSIGN_OR_RETURN(Lane * lane, LaneFor(RetentionClass(retention), now));
  const ShardDescription& shard = stream.Route(record.hash_key).description;
  EntryHeader header;
  header.kind = kind;
  header.stream = stream.id;
  header.shard = shard.id;
  header.counter = NextCounter(now);
  header.arrival = now;
  header.shard_created_s = shard.starting_sequence_number.fields().shard_created_s;
  SharedBytes data = std::move(record.record.data);
  Bytes seal;
  if (const auto* key = stream.CurrentKey()) {
    MILLRACE_ASSIGN_OR_RETURN(auto sealed,
                              sealer_.Seal({stream.id, shard.id, header.shard_created_s, header.counter, now,
                                            AsBytes(record.record.partition_key), record.attributes},
                                           key->first, data));
    AppendSeal(seal, sealed.seal);
    data = std::move(sealed.data);
    header.data_crc = Crc32c(data.span());
  } else {
    header.data_crc = record.data_crc ? *record.data_crc : Crc32c(data.span());
  }

  Placed placed;
  placed.stream = stream.id;
  placed.indexed.shard = shard.id;
  placed.indexed.counter = header.counter;
  placed.indexed.segment = lane->appender->segment();
  placed.indexed.data_bytes = data.size();
  placed.indexed.data_crc = header.data_crc;
  placed.indexed.sealed = !seal.empty();
  placed.indexed.arrival = now;
  round.data_bytes += data.size();
  placed.indexed.entry_offset = lane->appender->AddEntry(header, AsBytes(record.record.partition_key),
                                                         record.attributes, std::move(data), seal);
  placed.indexed.partition_key = std::move(record.record.partition_key);
  placed.indexed.attributes = std::move(record.attributes);
  round.lanes.insert(lane);
  round.tips[{stream.id, shard.id}] = header.counter;
  round.placed.push_back(std::move(placed));
  return PutReceipt{shard.id, MakeSequenceNumber(header.shard_created_s, shard.id, header.counter), now,
                    !seal.empty()};
}

Result<void> CommitWriter::WriteLanes(const Round& round, Result<void> placed) {
  Result<void> written = std::move(placed);
  for (Lane* lane : round.lanes) {
    if (!written) break;
    engine_.metrics.group_bytes.Observe(static_cast<double>(lane->appender->pending_bytes()));
    engine_.metrics.written_bytes.Increment(static_cast<double>(lane->appender->pending_bytes()));
    engine_.monitor.NoteWritten(lane->appender->pending_bytes());
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
  return {};
}

Result<void> CommitWriter::TakeBackLanes(const Round& round) {
  for (Lane* lane : round.lanes) {
    if (auto cut = lane->appender->TakeBack(); !cut) return Fail(cut.error());
  }
  return {};
}

IndexBatch CommitWriter::ToIndexBatch(const Round& round) const {
  IndexBatch batch;
  for (const Placed& placed : round.placed) batch.AddRecord(placed.stream, placed.indexed);
  for (const Lane* lane : round.lanes) {
    batch.SetMarker(lane->appender->segment(),
                    {lane->appender->end(), lane->appender->last_counter(), false});
  }
  return batch;
}

void CommitWriter::RaiseTips(const Round& round) {
  for (const auto& [where, tip] : round.tips) {
    engine_.state.FindStream(where.first)->Find(where.second)->tip = tip;
  }
  engine_.metrics.put_records.Increment(static_cast<double>(round.placed.size()));
  engine_.metrics.put_bytes.Increment(static_cast<double>(round.data_bytes));
}

void CommitWriter::CountFailure(const Error& error, std::size_t records) {
  engine_.monitor.NoteError(error);
  auto& counter =
      error.code == ErrorCode::kNoSpace ? engine_.metrics.put_no_space : engine_.metrics.put_failed;
  counter.Increment(static_cast<double>(std::max<std::size_t>(records, 1)));
}

// ---- what everything above ends in

Error CommitWriter::Fail(const Error& cause) {
  {
    std::lock_guard lock(mutex_);
    if (failure_) return *failure_;
    failure_ = Error{ErrorCode::kUnavailable,
                     "the log has stopped taking writes until it is opened again: " + cause.ToString()};
  }
  Log(LogLevel::kError, "the log has stopped taking writes", {{"cause", cause.ToString()}});
  engine_.monitor.NoteFailure(*Failure());
  engine_.on_failure();
  return *Failure();
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
