#include "storage/record_reader.h"

#include <algorithm>
#include <mutex>
#include <utility>

#include "base/log.h"
#include "storage/crc32c.h"

namespace millrace::storage {

Error NoSuchStream(const std::string& name) {
  return Error{ErrorCode::kNotFound, "stream '" + name + "' does not exist"};
}

Error NoSuchShard(const std::string& stream, ShardId shard) {
  return Error{ErrorCode::kNotFound, "stream '" + stream + "' has no " + shard.ToString()};
}

Result<StreamId> RecordReader::StreamIdOf(const std::string& stream) {
  std::shared_lock lock(engine_.mutex);
  const StreamState* state = engine_.state.FindStream(stream);
  if (state == nullptr) return NoSuchStream(stream);
  return state->id;
}

Result<RecordReader::ShardView> RecordReader::ViewOf(const std::string& stream, ShardId shard) {
  std::shared_lock lock(engine_.mutex);
  const StreamState* state = std::as_const(engine_.state).FindStream(stream);
  if (state == nullptr) return NoSuchStream(stream);
  const ShardState* found = state->Find(shard);
  if (found == nullptr) return NoSuchShard(stream, shard);
  return ShardView{state->id, found->description,
                   found->description.starting_sequence_number.fields().shard_created_s, found->tip};
}

RecordReader::KeyRows RecordReader::KeyRowsOf(StreamId stream) {
  std::shared_lock lock(engine_.mutex);
  const StreamState* state = std::as_const(engine_.state).FindStream(stream);
  return state == nullptr ? KeyRows() : state->data_keys;
}

bool RecordReader::IsDead(StreamId stream, const IndexedRecord& record, Timestamp now) {
  std::shared_lock lock(engine_.mutex);
  const StreamState* state = std::as_const(engine_.state).FindStream(stream);
  return state == nullptr || state->IsDead(FactsOf(record), now);
}

RecordInfo RecordReader::ToInfo(const ShardView& view, IndexedRecord record) {
  RecordInfo info;
  info.shard = record.shard;
  info.sequence_number = MakeSequenceNumber(view.created_s, record.shard, record.counter);
  info.arrival = record.arrival;
  info.partition_key = std::move(record.partition_key);
  if (auto attributes = ParseAttributes(record.attributes)) info.attributes = std::move(*attributes);
  info.data_bytes = record.data_bytes;
  info.encrypted = record.sealed;
  return info;
}

Result<ShardPosition> RecordReader::Seek(const std::string& stream, ShardId shard,
                                         const IteratorStart& start) {
  MILLRACE_ASSIGN_OR_RETURN(auto view, ViewOf(stream, shard));
  const SequenceNumber& beginning = view.description.starting_sequence_number;
  auto behind = [&](std::uint64_t counter) {
    return ShardPosition{shard,
                         counter == 0 ? beginning : MakeSequenceNumber(view.created_s, shard, counter)};
  };
  switch (start.type) {
    case IteratorType::kTrimHorizon:
      return ShardPosition{shard, beginning};
    case IteratorType::kLatest:
      return behind(view.tip);
    case IteratorType::kAtSequenceNumber:
    case IteratorType::kAfterSequenceNumber: {
      auto fields = start.sequence_number.fields();
      if (fields.shard != shard || fields.shard_created_s != view.created_s) {
        return Error{ErrorCode::kInvalidArgument, "sequence number " + start.sequence_number.ToString() +
                                                      " did not come from " + shard.ToString() +
                                                      " of stream '" + stream + "'"};
      }
      bool at = start.type == IteratorType::kAtSequenceNumber;
      return behind(at && fields.counter > 0 ? fields.counter - 1 : fields.counter);
    }
    case IteratorType::kAtTimestamp: {
      // A counter is never below its record's arrival time: nothing before this can have arrived at or after
      // it.
      auto after = static_cast<std::uint64_t>(std::max<std::int64_t>(start.timestamp.ns - 1, 0));
      Timestamp now = engine_.Now();
      std::uint64_t found = std::max(view.tip, after);
      MILLRACE_RETURN_IF_ERROR(
          engine_.index->ScanShard(view.stream, shard, after, [&](const IndexedRecord& record) {
            if (record.arrival < start.timestamp || IsDead(view.stream, record, now)) return true;
            found = record.counter - 1;
            return false;
          }));
      return behind(found);
    }
  }
  return Error{ErrorCode::kInvalidArgument, "unknown iterator type"};
}

Result<ReadBatch> RecordReader::Read(const std::string& stream, const ShardPosition& position,
                                     const ReadLimits& limits) {
  MILLRACE_ASSIGN_OR_RETURN(auto view, ViewOf(stream, position.shard));
  Timestamp now = engine_.Now();
  std::size_t records_max = std::max<std::size_t>(limits.records_max, 1);
  std::uint64_t after = position.after.fields().counter;
  std::vector<IndexedRecord> rows;
  std::uint64_t bytes = 0;
  std::optional<Timestamp> unread;  // arrival of the first record that is left for the next read
  auto visit = [&](const IndexedRecord& record) {
    if (IsDead(view.stream, record, now)) {
      if (!unread) after = record.counter;
      return true;
    }
    if (rows.size() >= records_max || (!rows.empty() && bytes + record.data_bytes > limits.data_bytes_max)) {
      unread = record.arrival;
      return false;
    }
    bytes += record.data_bytes;
    after = record.counter;
    rows.push_back(record);
    return true;
  };
  MILLRACE_RETURN_IF_ERROR(engine_.index->ScanShard(view.stream, position.shard, after, visit));

  ReadBatch batch;
  const KeyRows keys = limits.with_data && !rows.empty() ? KeyRowsOf(view.stream) : KeyRows();
  RecordOpener opener(engine_.keys);
  batch.records.reserve(rows.size());
  std::uint64_t read_through = position.after.fields().counter;
  for (IndexedRecord& row : rows) {
    Record record;
    if (limits.with_data) {
      auto data = ReadData(view, keys, row, opener);
      if (!data) {
        if (batch.records.empty()) return std::move(data).error();
        unread = row.arrival;  // what was read is given; the error comes with the next read
        after = read_through;
        break;
      }
      read_through = row.counter;
      if (!*data) continue;
      record.data = std::move(**data);
    }
    record.info = ToInfo(view, std::move(row));
    batch.records.push_back(std::move(record));
  }

  if (unread) {
    batch.behind = std::max(now - *unread, Duration{0});
  } else if (view.description.closed) {
    std::shared_lock lock(engine_.mutex);
    if (const StreamState* state = std::as_const(engine_.state).FindStream(view.stream)) {
      for (const ShardState& child : state->shards) {
        if (child.description.parent == position.shard ||
            child.description.adjacent_parent == position.shard) {
          batch.children.push_back(child.description);
        }
      }
    }
    return batch;
  }
  batch.next = ShardPosition{position.shard, after == position.after.fields().counter
                                                 ? position.after
                                                 : MakeSequenceNumber(view.created_s, position.shard, after)};
  return batch;
}

bool RecordReader::IsReadable(StreamId stream, ShardId shard, std::uint64_t after) {
  {
    std::shared_lock lock(engine_.mutex);
    const StreamState* state = std::as_const(engine_.state).FindStream(stream);
    if (state == nullptr || state->deleting) return true;
    const ShardState* found = state->Find(shard);
    if (found == nullptr || found->description.closed) return true;
    if (found->tip <= after) return false;
  }
  bool readable = false;
  Timestamp now = engine_.Now();
  auto scanned = engine_.index->ScanShard(stream, shard, after, [&](const IndexedRecord& record) {
    readable = !IsDead(stream, record, now);
    return !readable;
  });
  return readable || !scanned;
}

Result<std::vector<RecordInfo>> RecordReader::Find(const std::string& stream,
                                                   const std::string& partition_key,
                                                   const AttributeQuery& query) {
  if (query.attribute >= kIndexedAttributesEnd) {
    return Error{ErrorCode::kInvalidArgument, "attribute " + std::to_string(query.attribute) +
                                                  " is not indexed: only those below " +
                                                  std::to_string(kIndexedAttributesEnd) + " are"};
  }
  std::vector<RecordInfo> found;
  MILLRACE_ASSIGN_OR_RETURN(auto id, StreamIdOf(stream));
  if (query.limit == 0) return found;
  Timestamp now = engine_.Now();
  std::optional<Error> gone;
  ShardView view;
  auto visit = [&](const IndexedRecord& record) {
    if (IsDead(id, record, now)) return true;
    if (found.empty() || view.description.id != record.shard) {
      auto shard = ViewOf(stream, record.shard);
      if (!shard) {
        gone = shard.error();
        return false;
      }
      view = std::move(*shard);
    }
    found.push_back(ToInfo(view, record));
    return found.size() < query.limit;
  };
  MILLRACE_RETURN_IF_ERROR(engine_.index->ScanAttribute(id, partition_key, query.attribute, query.from,
                                                        query.to, query.descending, visit));
  if (gone) return *gone;
  return found;
}

Result<SharedBytes> RecordReader::Fetch(const std::string& stream, ShardId shard,
                                        const SequenceNumber& sequence_number) {
  MILLRACE_ASSIGN_OR_RETURN(auto view, ViewOf(stream, shard));
  auto fields = sequence_number.fields();
  auto expired = [&] {
    return Error{ErrorCode::kOutOfRange, "record " + sequence_number.ToString() + " of stream '" + stream +
                                             "' is past its retention, or was deleted"};
  };
  auto absent = [&] {
    return Error{ErrorCode::kNotFound, "stream '" + stream + "' has no record " + sequence_number.ToString() +
                                           " in " + shard.ToString()};
  };
  if (sequence_number != MakeSequenceNumber(view.created_s, shard, fields.counter)) return absent();
  MILLRACE_ASSIGN_OR_RETURN(auto row, engine_.index->Get(view.stream, shard, fields.counter));
  if (!row) {
    std::shared_lock lock(engine_.mutex);
    const StreamState* state = std::as_const(engine_.state).FindStream(view.stream);
    bool old = state != nullptr && (fields.counter <= state->evicted_through ||
                                    Timestamp{static_cast<std::int64_t>(fields.counter)} <
                                        state->HorizonOf(nullptr, engine_.Now()));
    return old && fields.counter != 0 ? expired() : absent();
  }
  if (IsDead(view.stream, *row, engine_.Now())) return expired();
  RecordOpener opener(engine_.keys);
  const KeyRows keys = KeyRowsOf(view.stream);
  MILLRACE_ASSIGN_OR_RETURN(auto data, ReadData(view, keys, *row, opener));
  if (!data) return expired();
  return *data;
}

Result<SharedBytes> RecordReader::ReadBytes(const ShardView& view, const KeyRows& keys,
                                            const IndexedRecord& record, RecordOpener& opener) {
  auto damaged = [&](const std::string& what) {
    return Error{ErrorCode::kCorruption, engine_.segments.PathOf(record.segment) + ": data at offset " +
                                             std::to_string(record.data_offset()) + " of " +
                                             record.shard.ToString() + " counter " +
                                             std::to_string(record.counter) + ": " + what};
  };
  MILLRACE_ASSIGN_OR_RETURN(auto file, engine_.segments.OpenForRead(record.segment));
  const std::size_t seal_bytes = record.sealed ? kSealBytes : 0;
  const std::size_t wanted = seal_bytes + static_cast<std::size_t>(record.data_bytes);
  auto owner = std::make_shared_for_overwrite<std::uint8_t[]>(wanted);
  const std::span<std::uint8_t> bytes(owner.get(), wanted);
  MILLRACE_ASSIGN_OR_RETURN(auto got, file->ReadAt(record.data_offset() - seal_bytes, bytes));
  const std::span<std::uint8_t> data = bytes.subspan(seal_bytes);
  if (got != bytes.size() || Crc32c(data) != record.data_crc) {
    return damaged("it does not match its checksum");
  }
  const auto key = std::find_if(keys.begin(), keys.end(),
                                [&](const auto& one) { return one.second.Covers(record.counter); });
  if (record.sealed) {
    const RecordSeal seal = ParseSeal(bytes);
    if (key == keys.end() || key->first != seal.data_key) {
      return damaged("it is sealed with data key " + std::to_string(seal.data_key) +
                     ", which is not the one of this record");
    }
    const RecordIdentity identity{view.stream,      record.shard,   view.created_s,
                                  record.counter,   record.arrival, AsBytes(record.partition_key),
                                  record.attributes};
    if (auto opened = opener.Open(identity, seal, data); !opened) {
      if (opened.error().code == ErrorCode::kCorruption) return damaged(opened.error().message);
      return WithContext(std::move(opened).error(), "an encrypted record");
    }
  } else if (key != keys.end()) {
    return damaged("it is not encrypted, and its stream was");
  }
  return SharedBytes(std::move(owner), data);
}

Result<std::optional<SharedBytes>> RecordReader::ReadData(const ShardView& view, const KeyRows& keys,
                                                          const IndexedRecord& record, RecordOpener& opener) {
  auto data = ReadBytes(view, keys, record, opener);
  if (data) return std::optional<SharedBytes>(std::move(*data));
  // It may have expired, or been deleted, and its bytes given back, since its row was read.
  MILLRACE_ASSIGN_OR_RETURN(auto row, engine_.index->Get(view.stream, record.shard, record.counter));
  if (!row || IsDead(view.stream, *row, engine_.Now())) return std::optional<SharedBytes>{};
  if (data.error().code == ErrorCode::kNotFound) {
    // Of its segment, or of its data key: that one is not here, and the record is as it was.
    const bool locked = record.sealed && engine_.segments.Has(record.segment);
    data.error().code = locked ? ErrorCode::kFailedPrecondition : ErrorCode::kCorruption;
  }
  if (data.error().code == ErrorCode::kCorruption) {
    engine_.metrics.corrupt_reads.Increment();
    Log(LogLevel::kError, "damaged record", {{"error", data.error().message}});
  }
  return std::move(data).error();
}

Result<PartitionDescription> RecordReader::DescribePartition(const std::string& stream,
                                                             const std::string& partition_key) {
  PartitionDescription partition;
  partition.partition_key = partition_key;
  StreamId id = 0;
  {
    std::shared_lock lock(engine_.mutex);
    const StreamState* state = std::as_const(engine_.state).FindStream(stream);
    if (state == nullptr) return NoSuchStream(stream);
    id = state->id;
    if (const PartitionRule* rule = state->RuleOf(partition_key)) partition.retention = rule->retention;
  }
  MILLRACE_ASSIGN_OR_RETURN(auto count, engine_.index->Usage(id, partition_key));
  partition.records = static_cast<std::uint64_t>(std::max<std::int64_t>(count.records, 0));
  partition.data_bytes = static_cast<std::uint64_t>(std::max<std::int64_t>(count.data_bytes, 0));
  return partition;
}

}  // namespace millrace::storage
