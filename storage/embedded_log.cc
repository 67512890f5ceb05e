#include "storage/embedded_log.h"

#include <algorithm>
#include <utility>

#include "storage/backup.h"
#include "storage/reopener.h"
#include "storage/stream_encryption.h"

namespace millrace::storage {
namespace {

constexpr std::uint32_t kShardsMax = 10'000;
constexpr Duration kRetentionMax = std::chrono::hours(24 * 365 * 50);
// A new stream's shards are as old as the service makes them: two seconds.
constexpr std::int64_t kShardAgeAtStart_s = 2;
constexpr std::uint64_t kEndingCounter = ~std::uint64_t{0} >> 1;

Error Invalid(std::string text) { return Error{ErrorCode::kInvalidArgument, std::move(text)}; }

Result<void> CheckStreamName(const std::string& name) {
  auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '.' || c == '-';
  };
  if (name.empty() || name.size() > 128 || !std::all_of(name.begin(), name.end(), allowed)) {
    return Invalid("a stream's name has 1 to 128 characters of a-z A-Z 0-9 _ . -");
  }
  return {};
}

Result<void> CheckRetention(Duration retention) {
  if (retention < Duration{0} || retention > kRetentionMax) {
    return Invalid("a retention lies between 0 and 50 years");
  }
  return {};
}

// Range i of n equal ones; the last takes what is left over.
HashKeyRange InitialRange(std::uint32_t i, std::uint32_t n) {
  __extension__ using Wide = unsigned __int128;
  // floor(2^128 / n) without 2^128: (2^128 - 1) / n, and one more where n divides 2^128.
  Wide width = ~Wide{0} / n;
  if (n > 1 && (n & (n - 1)) == 0) ++width;
  auto key = [](Wide value) {
    return HashKey{static_cast<std::uint64_t>(value >> 64), static_cast<std::uint64_t>(value)};
  };
  if (i + 1 == n) return {n == 1 ? HashKey{} : key(width * i), HashKey::Max()};
  return {key(width * i), key(width * (i + 1) - 1)};
}

ShardDescription NewShard(ShardId id, const HashKeyRange& range, Timestamp created, std::int64_t created_s) {
  ShardDescription shard;
  shard.id = id;
  shard.hash_keys = range;
  shard.created = created;
  shard.starting_sequence_number = SequenceNumber::FromFields({created_s, 0, created_s, id});
  return shard;
}

// Rows of the stream as it will be, without its shards and partitions.
StreamState HeadOf(const StreamState& stream) {
  StreamState head;
  head.id = stream.id;
  head.name = stream.name;
  head.created = stream.created;
  head.retention = stream.retention;
  head.trim = stream.trim;
  head.deleting = stream.deleting;
  return head;
}

// The second in which the shard closes: not before its newest record, or its own beginning.
std::int64_t ClosingSecond(const ShardState& shard, Timestamp now) {
  return std::max({now.seconds(), static_cast<std::int64_t>(shard.tip / 1'000'000'000),
                   shard.description.starting_sequence_number.fields().shard_created_s});
}

ShardDescription Closed(const ShardState& shard, Timestamp now) {
  ShardDescription closed = shard.description;
  closed.closed = now;
  auto fields = closed.starting_sequence_number.fields();
  closed.ending_sequence_number = SequenceNumber::FromFields(
      {fields.shard_created_s, kEndingCounter, ClosingSecond(shard, now), closed.id});
  return closed;
}

Result<void> CheckOpen(const std::string& stream, const ShardState& shard) {
  if (!shard.description.closed) return {};
  return Error{ErrorCode::kFailedPrecondition, shard.description.id.ToString() + " of stream '" + stream +
                                                   "' is closed: it has been split or merged"};
}

Error HeldBy(const PlacedHold& placed) {
  return Error{ErrorCode::kFailedPrecondition, "hold '" + placed.hold.id + "' is placed: release it first"};
}

StreamDescription Describe(const StreamState& stream) {
  StreamDescription description;
  description.name = stream.name;
  description.created = stream.created;
  description.retention = stream.retention;
  for (const ShardState& shard : stream.shards) description.shards.push_back(shard.description);
  if (stream.encryption) {
    StreamEncryption& encryption = description.encryption.emplace();
    encryption.key_name = *stream.encryption;
    if (const auto* key = stream.CurrentKey()) {
      encryption.data_key = key->first;
      encryption.master_key_id = key->second.wrapped.master_id;
      encryption.since = key->second.created;
    }
  }
  return description;
}

}  // namespace

EmbeddedLog::EmbeddedLog(std::shared_ptr<ReadWaiters> waiters, std::unique_ptr<Reopener> reopener)
    : waiters_(std::move(waiters)), reopener_(std::move(reopener)) {}

EmbeddedLog::~EmbeddedLog() = default;

Result<std::unique_ptr<EmbeddedLog>> EmbeddedLog::Open(EmbeddedLogOptions options) {
  if (options.path.empty()) return Invalid("a data directory has to be named");
  while (options.path.size() > 1 && options.path.back() == '/') options.path.pop_back();
  if (options.group_bytes_max == 0 || options.queue_bytes_max == 0 || options.sweep_interval <= Duration{0} ||
      options.budget_interval <= Duration{0}) {
    return Invalid("group_bytes_max, queue_bytes_max, sweep_interval and budget_interval are above zero");
  }
  auto waiters = std::make_shared<ReadWaiters>();
  MILLRACE_ASSIGN_OR_RETURN(auto reopener, Reopener::Open(std::move(options), waiters));
  return std::unique_ptr<EmbeddedLog>(new EmbeddedLog(std::move(waiters), std::move(reopener)));
}

// ---- streams and shards

Result<StreamDescription> EmbeddedLog::CreateStream(const std::string& name, std::uint32_t shard_count,
                                                    Duration retention) {
  MILLRACE_ASSIGN_OR_RETURN(auto parts, reopener_->Use());
  MILLRACE_RETURN_IF_ERROR(CheckStreamName(name));
  MILLRACE_RETURN_IF_ERROR(CheckRetention(retention));
  if (shard_count == 0 || shard_count > kShardsMax) {
    return Invalid("a stream has 1 to " + std::to_string(kShardsMax) + " shards at first");
  }
  Engine& engine = parts->engine;
  const bool encrypt = engine.options.encrypt_new_stream && engine.options.encrypt_new_stream(name);
  if (encrypt) MILLRACE_RETURN_IF_ERROR(RaiseFormat(engine, kFormatSealed));
  auto plan = [&](const CommitWriter::PlanContext& context) -> Result<ControlChange> {
    if (context.state.FindStream(name) != nullptr) {
      return Error{ErrorCode::kAlreadyExists, "stream '" + name + "' exists already"};
    }
    StreamState stream;
    stream.id = context.state.next_stream;
    stream.name = name;
    stream.created = context.now;
    stream.retention = retention;
    ControlChange change = {NextIdsRow(stream.id + 1, context.state.next_segment), StreamRow(stream)};
    std::int64_t created_s = std::max<std::int64_t>(context.now.seconds() - kShardAgeAtStart_s, 0);
    for (std::uint32_t i = 0; i < shard_count; ++i) {
      change.push_back(
          ShardRow(stream.id, NewShard(ShardId{i}, InitialRange(i, shard_count), context.now, created_s)));
    }
    if (encrypt) {
      MILLRACE_ASSIGN_OR_RETURN(const auto encryption, PlanEncryption(engine, stream, std::string(),
                                                                      context.last_counter, context.now));
      change.insert(change.end(), encryption.begin(), encryption.end());
    }
    return change;
  };
  MILLRACE_RETURN_IF_ERROR(parts->writer->Change(plan));
  return DescribeStream(name);
}

Result<void> EmbeddedLog::DeleteStream(const std::string& name) {
  MILLRACE_ASSIGN_OR_RETURN(auto parts, reopener_->Use());
  return parts->writer->Change([&](const CommitWriter::PlanContext& context) -> Result<ControlChange> {
    const StreamState* stream = context.state.FindStream(name);
    if (stream == nullptr) return NoSuchStream(name);
    if (const PlacedHold* hold = stream->AnyHold()) return HeldBy(*hold);
    StreamState head = HeadOf(*stream);
    head.deleting = true;
    return ControlChange{StreamRow(head)};
  });
}

Result<StreamDescription> EmbeddedLog::DescribeStream(const std::string& name) {
  MILLRACE_ASSIGN_OR_RETURN(auto parts, reopener_->Use());
  std::shared_lock lock(parts->engine.mutex);
  const StreamState* stream = std::as_const(parts->engine.state).FindStream(name);
  if (stream == nullptr) return NoSuchStream(name);
  return Describe(*stream);
}

Result<Timestamp> EmbeddedLog::StreamCreated(const std::string& name) {
  MILLRACE_ASSIGN_OR_RETURN(auto parts, reopener_->Use());
  std::shared_lock lock(parts->engine.mutex);
  const StreamState* stream = std::as_const(parts->engine.state).FindStream(name);
  if (stream == nullptr) return NoSuchStream(name);
  return stream->created;
}

std::vector<std::string> EmbeddedLog::ListStreams() {
  std::vector<std::string> names;
  auto parts = reopener_->Use();
  if (!parts) return names;
  std::shared_lock lock((*parts)->engine.mutex);
  for (const auto& [name, stream] : (*parts)->engine.state.streams_by_name()) names.push_back(name);
  return names;
}

Result<void> EmbeddedLog::SetRetention(const std::string& stream, Duration retention) {
  MILLRACE_ASSIGN_OR_RETURN(auto parts, reopener_->Use());
  MILLRACE_RETURN_IF_ERROR(CheckRetention(retention));
  bool shorter = false;
  auto plan = [&](const CommitWriter::PlanContext& context) -> Result<ControlChange> {
    const StreamState* state = context.state.FindStream(stream);
    if (state == nullptr) return NoSuchStream(stream);
    shorter = retention < state->retention;
    StreamState head = HeadOf(*state);
    head.trim = state->HorizonOf(nullptr, context.now);  // what has expired does not come back
    head.retention = retention;
    return ControlChange{StreamRow(head)};
  };
  MILLRACE_RETURN_IF_ERROR(parts->writer->Change(plan));
  if (shorter) parts->sweeper->LookEverywhere();
  return {};
}

Result<void> EmbeddedLog::SetPartitionRetention(const std::string& stream, const std::string& partition_key,
                                                std::optional<Duration> retention) {
  MILLRACE_ASSIGN_OR_RETURN(auto parts, reopener_->Use());
  if (retention) MILLRACE_RETURN_IF_ERROR(CheckRetention(*retention));
  if (partition_key.empty() || partition_key.size() > kPartitionKeyBytesMax)
    return Invalid("a bad partition key");
  bool shorter = false;
  auto plan = [&](const CommitWriter::PlanContext& context) -> Result<ControlChange> {
    const StreamState* state = context.state.FindStream(stream);
    if (state == nullptr) return NoSuchStream(stream);
    const PartitionRule* known = state->RuleOf(partition_key);
    PartitionRule rule = known != nullptr ? *known : PartitionRule{};
    rule.trim = state->HorizonOf(known, context.now);
    rule.retention = retention;
    // Also where the own one was shorter: the horizon of the stream, which the key falls back to, never goes
    // back.
    shorter = state->RetentionOf(&rule) < state->RetentionOf(known) ||
              state->HorizonOf(&rule, context.now) > state->HorizonOf(known, context.now);
    return ControlChange{PartitionRow(state->id, partition_key, rule)};
  };
  MILLRACE_RETURN_IF_ERROR(parts->writer->Change(plan));
  if (shorter) parts->sweeper->LookEverywhere();
  return {};
}

Result<void> EmbeddedLog::SetStreamEncryption(const std::string& stream,
                                              std::optional<std::string> key_name) {
  MILLRACE_ASSIGN_OR_RETURN(auto parts, reopener_->Use());
  if (key_name && key_name->size() > kKeyNameBytesMax) {
    return Invalid("the name of a master key has at most " + std::to_string(kKeyNameBytesMax) + " bytes");
  }
  Engine& engine = parts->engine;
  if (key_name && engine.keys.masters() == nullptr) {
    return Error{ErrorCode::kFailedPrecondition, "no master key is configured, so nothing can be encrypted"};
  }
  if (key_name) MILLRACE_RETURN_IF_ERROR(RaiseFormat(engine, kFormatSealed));
  return parts->writer->Change([&](const CommitWriter::PlanContext& context) -> Result<ControlChange> {
    const StreamState* state = context.state.FindStream(stream);
    if (state == nullptr) return NoSuchStream(stream);
    return PlanEncryption(engine, *state, key_name, context.last_counter, context.now);
  });
}

std::vector<std::string> EmbeddedLog::MasterKeyIds() {
  auto parts = reopener_->Use();
  if (!parts || (*parts)->engine.keys.masters() == nullptr) return {};
  return (*parts)->engine.keys.masters()->Ids();
}

Result<std::vector<ShardDescription>> EmbeddedLog::SplitShard(const std::string& stream, ShardId shard,
                                                              HashKey new_starting_hash_key) {
  MILLRACE_ASSIGN_OR_RETURN(auto parts, reopener_->Use());
  std::vector<ShardDescription> children;
  auto plan = [&](const CommitWriter::PlanContext& context) -> Result<ControlChange> {
    const StreamState* state = context.state.FindStream(stream);
    if (state == nullptr) return NoSuchStream(stream);
    const ShardState* parent = state->Find(shard);
    if (parent == nullptr) return NoSuchShard(stream, shard);
    MILLRACE_RETURN_IF_ERROR(CheckOpen(stream, *parent));
    const HashKeyRange& range = parent->description.hash_keys;
    bool inside = range.starting < new_starting_hash_key && range.starting.Next() < new_starting_hash_key &&
                  new_starting_hash_key < range.ending;
    if (!inside) {
      return Invalid("new starting hash key " + new_starting_hash_key.ToString() +
                     " is not both greater than one plus the shard's starting hash key " +
                     range.starting.ToString() + " and less than its ending hash key " +
                     range.ending.ToString());
    }
    std::int64_t created_s = ClosingSecond(*parent, context.now) + 1;
    std::uint32_t next = state->shards.back().description.id.index + 1;
    children = {
        NewShard(ShardId{next}, {range.starting, new_starting_hash_key.Previous()}, context.now, created_s),
        NewShard(ShardId{next + 1}, {new_starting_hash_key, range.ending}, context.now, created_s)};
    for (ShardDescription& child : children) child.parent = shard;
    return ControlChange{ShardRow(state->id, Closed(*parent, context.now)), ShardRow(state->id, children[0]),
                         ShardRow(state->id, children[1])};
  };
  MILLRACE_RETURN_IF_ERROR(parts->writer->Change(plan));
  return children;
}

Result<ShardDescription> EmbeddedLog::MergeShards(const std::string& stream, ShardId shard,
                                                  ShardId adjacent) {
  MILLRACE_ASSIGN_OR_RETURN(auto parts, reopener_->Use());
  ShardDescription child;
  auto plan = [&](const CommitWriter::PlanContext& context) -> Result<ControlChange> {
    const StreamState* state = context.state.FindStream(stream);
    if (state == nullptr) return NoSuchStream(stream);
    const ShardState* lower = state->Find(shard);
    const ShardState* upper = state->Find(adjacent);
    if (lower == nullptr) return NoSuchShard(stream, shard);
    if (upper == nullptr) return NoSuchShard(stream, adjacent);
    MILLRACE_RETURN_IF_ERROR(CheckOpen(stream, *lower));
    MILLRACE_RETURN_IF_ERROR(CheckOpen(stream, *upper));
    const HashKeyRange& low = lower->description.hash_keys;
    const HashKeyRange& high = upper->description.hash_keys;
    if (low.ending == HashKey::Max() || low.ending.Next() != high.starting) {
      return Invalid(shard.ToString() + " and " + adjacent.ToString() + " of stream '" + stream +
                     "' are not an adjacent pair, lower one first");
    }
    std::int64_t created_s =
        std::max(ClosingSecond(*lower, context.now), ClosingSecond(*upper, context.now)) + 1;
    std::uint32_t next = state->shards.back().description.id.index + 1;
    child = NewShard(ShardId{next}, {low.starting, high.ending}, context.now, created_s);
    child.parent = shard;
    child.adjacent_parent = adjacent;
    return ControlChange{ShardRow(state->id, Closed(*lower, context.now)),
                         ShardRow(state->id, Closed(*upper, context.now)), ShardRow(state->id, child)};
  };
  MILLRACE_RETURN_IF_ERROR(parts->writer->Change(plan));
  return child;
}

// ---- writing

void EmbeddedLog::Put(const std::string& stream, PutRecord record, PutCallback done) {
  std::vector<PutRecord> records;
  records.push_back(std::move(record));
  PutMany(stream, std::move(records), [done = std::move(done)](std::vector<Result<PutReceipt>> results) {
    done(std::move(results.front()));
  });
}

void EmbeddedLog::PutMany(const std::string& stream, std::vector<PutRecord> records, PutManyCallback done) {
  auto parts = reopener_->Use();
  if (parts) return (*parts)->writer->Put(stream, std::move(records), std::move(done));
  refusals_.Post([done = std::move(done), count = records.size(), error = parts.error()] {
    done(std::vector<Result<PutReceipt>>(count, error));
  });
}

// ---- reading

Result<ShardPosition> EmbeddedLog::Seek(const std::string& stream, ShardId shard,
                                        const IteratorStart& start) {
  MILLRACE_ASSIGN_OR_RETURN(auto parts, reopener_->Use());
  return parts->reader->Seek(stream, shard, start);
}

Result<ReadBatch> EmbeddedLog::Read(const std::string& stream, const ShardPosition& position,
                                    const ReadLimits& limits) {
  MILLRACE_ASSIGN_OR_RETURN(auto parts, reopener_->Use());
  return parts->reader->Read(stream, position, limits);
}

Subscription EmbeddedLog::NotifyReadable(const std::string& stream, const ShardPosition& position,
                                         std::function<void()> ready) {
  auto parts = reopener_->Use();
  std::uint64_t after = position.after.fields().counter;
  // No such stream: Read says so at once. Not open: everybody is told when it is.
  StreamId stream_id = 0;
  if (parts) {
    if (auto id = (*parts)->reader->StreamIdOf(stream)) stream_id = *id;
  }
  auto waiter = waiters_->Add(stream_id, position.shard, after, std::move(ready));
  if (parts) {
    // What was committed before the waiter was there did not fire it.
    (*parts)->writer->PostToNotifier([reader = (*parts)->reader.get(), stream_id, shard = position.shard,
                                      after, weak = std::weak_ptr(waiter)] {
      if (!reader->IsReadable(stream_id, shard, after)) return;
      if (auto held = weak.lock()) ReadWaiters::Fire(*held);
    });
  }
  return ReadWaiters::ToSubscription(std::move(waiter));
}

Result<std::vector<RecordInfo>> EmbeddedLog::Find(const std::string& stream, const std::string& partition_key,
                                                  const AttributeQuery& query) {
  MILLRACE_ASSIGN_OR_RETURN(auto parts, reopener_->Use());
  return parts->reader->Find(stream, partition_key, query);
}

Result<SharedBytes> EmbeddedLog::Fetch(const std::string& stream, ShardId shard,
                                       const SequenceNumber& sequence_number) {
  MILLRACE_ASSIGN_OR_RETURN(auto parts, reopener_->Use());
  return parts->reader->Fetch(stream, shard, sequence_number);
}

Result<PartitionDescription> EmbeddedLog::DescribePartition(const std::string& stream,
                                                            const std::string& partition_key) {
  MILLRACE_ASSIGN_OR_RETURN(auto parts, reopener_->Use());
  return parts->reader->DescribePartition(stream, partition_key);
}

Result<void> EmbeddedLog::DeletePartition(const std::string& stream, const std::string& partition_key) {
  MILLRACE_ASSIGN_OR_RETURN(auto parts, reopener_->Use());
  StreamId id = 0;
  auto plan = [&](const CommitWriter::PlanContext& context) -> Result<ControlChange> {
    const StreamState* state = context.state.FindStream(stream);
    if (state == nullptr) return NoSuchStream(stream);
    id = state->id;
    const RecordMarks* marks = state->MarksOf(partition_key);
    if (marks != nullptr && marks->AnyHold() != nullptr) return HeldBy(*marks->AnyHold());
    const PartitionRule* known = state->RuleOf(partition_key);
    PartitionRule rule = known != nullptr ? *known : PartitionRule{};
    rule.purged_through = context.last_counter;
    rule.purge_swept = false;
    return ControlChange{PartitionRow(id, partition_key, rule)};
  };
  MILLRACE_RETURN_IF_ERROR(parts->writer->Change(plan));
  // Durable from here on; rows and bytes that cannot go now go with the next sweep.
  return parts->sweeper->SweepPartition(id, partition_key);
}

// ---- metadata

Result<MetadataEntry> EmbeddedLog::GetMetadata(const std::string& key) {
  MILLRACE_ASSIGN_OR_RETURN(auto parts, reopener_->Use());
  std::shared_lock lock(parts->engine.mutex);
  const auto& metadata = parts->engine.state.metadata();
  auto found = metadata.find(key);
  if (found == metadata.end()) return Error{ErrorCode::kNotFound, "there is no metadata '" + key + "'"};
  return MetadataEntry{key, found->second.value, found->second.version};
}

Result<std::vector<MetadataEntry>> EmbeddedLog::ListMetadata(const std::string& key_prefix) {
  MILLRACE_ASSIGN_OR_RETURN(auto parts, reopener_->Use());
  std::shared_lock lock(parts->engine.mutex);
  const auto& metadata = parts->engine.state.metadata();
  std::vector<MetadataEntry> entries;
  for (auto it = metadata.lower_bound(key_prefix); it != metadata.end() && it->first.starts_with(key_prefix);
       ++it) {
    entries.push_back({it->first, it->second.value, it->second.version});
  }
  return entries;
}

Result<std::uint64_t> EmbeddedLog::PutMetadata(const std::string& key, Bytes value,
                                               std::optional<std::uint64_t> expected_version) {
  MILLRACE_ASSIGN_OR_RETURN(auto parts, reopener_->Use());
  MILLRACE_RETURN_IF_ERROR(CheckMetadata(key, value));
  return parts->writer->PutMetadata(key, std::move(value), expected_version);
}

Result<void> EmbeddedLog::DeleteMetadata(const std::string& key) {
  MILLRACE_ASSIGN_OR_RETURN(auto parts, reopener_->Use());
  auto removed = parts->writer->PutMetadata(key, std::nullopt, std::nullopt);
  if (!removed) return std::move(removed).error();
  return {};
}

Result<CommitReceipt> EmbeddedLog::Commit(CommitBatch batch) {
  MILLRACE_ASSIGN_OR_RETURN(auto parts, reopener_->Use());
  return parts->writer->Commit(std::move(batch));
}

Result<Bytes> EmbeddedLog::Backup() {
  MILLRACE_ASSIGN_OR_RETURN(auto parts, reopener_->Use());
  Bytes backup;
  // On the writer's thread, so that no record gets a number meanwhile.
  auto plan = [&](const CommitWriter::PlanContext& context) -> Result<ControlChange> {
    backup = EncodeBackup(context.state, parts->engine.directory.store, context.now, context.last_counter);
    return ControlChange{};
  };
  MILLRACE_RETURN_IF_ERROR(parts->writer->Change(plan));
  return backup;
}

StorageStatus EmbeddedLog::Status() { return reopener_->Status(); }

Result<void> EmbeddedLog::Sweep() {
  MILLRACE_ASSIGN_OR_RETURN(auto parts, reopener_->Use());
  return parts->sweeper->Sweep();
}

}  // namespace millrace::storage
