// The index of the log, in RocksDB: where each record lies, which records an attribute value has, how much
// each partition key and each segment holds. Everything in it can be made again from the log, so nothing in
// it is durable before an append is acknowledged; the marker of a segment lies in the same batch as the rows
// it speaks of, so that whatever prefix of the batches survives a power loss says truthfully how far it goes.
//
// Keys are drawn in docs/storage-format.md. Threads: any; a cursor belongs to one thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "storage/file_system.h"
#include "storage/index_database.h"
#include "storage/log_format.h"
#include "storage/record_marks.h"

namespace millrace::storage {

// A record as the index knows it.
struct IndexedRecord {
  ShardId shard;
  std::uint64_t counter = 0;
  SegmentId segment = 0;
  std::uint64_t entry_offset = 0;
  std::uint64_t data_bytes = 0;
  std::uint32_t data_crc = 0;
  Timestamp arrival;
  std::string partition_key;
  Bytes attributes;  // as AppendAttributes writes them
  bool sealed = false;

  std::uint64_t data_offset() const {
    return entry_offset + kEntryHeaderBytes + partition_key.size() + attributes.size() +
           (sealed ? kSealBytes : 0);
  }
  friend bool operator==(const IndexedRecord&, const IndexedRecord&) = default;
};

// What the rules about records look at, of this one.
inline RecordFacts FactsOf(const IndexedRecord& record) {
  return {record.partition_key, record.counter, record.arrival, record.attributes};
}

// How far the index knows a segment.
struct SegmentMarker {
  std::uint64_t end = 0;           // offset behind the last group that is in the index
  std::uint64_t last_counter = 0;  // newest counter up to there
  bool sealed = false;
  friend bool operator==(const SegmentMarker&, const SegmentMarker&) = default;
};

struct RecordCount {
  std::int64_t records = 0;
  std::int64_t data_bytes = 0;
  friend bool operator==(const RecordCount&, const RecordCount&) = default;
};

// Changes that are made together or not at all.
class IndexBatch {
 public:
  IndexBatch();
  ~IndexBatch();
  IndexBatch(IndexBatch&&) noexcept;
  IndexBatch& operator=(IndexBatch&&) noexcept;

  // Rows and counts of a record. REQUIRES: its attributes are well formed.
  void AddRecord(StreamId stream, const IndexedRecord& record);
  // `counted`: its segment still has a count to take it from.
  void RemoveRecord(StreamId stream, const IndexedRecord& record, bool counted = true);
  void SetMarker(SegmentId segment, const SegmentMarker& marker);
  void RemoveSegment(SegmentId segment);    // marker and count
  void RemoveStreamUsage(StreamId stream);  // what is left of the counts of a deleted stream
  std::size_t changes() const;
  void Clear();

 private:
  friend class Index;
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

class Index {
 public:
  using Options = IndexDatabase::Options;

  // Makes an empty one where there is none. Errors: kCorruption (damaged), kFailedPrecondition (another
  // store's), kIo, kNoSpace.
  static Result<std::unique_ptr<Index>> Open(FileSystem& files, const std::string& path, StoreId store,
                                             const Options& options);
  ~Index();
  // All files of a closed one; the log makes it again.
  static Result<void> Remove(FileSystem& files, const std::string& path);

  // As IndexDatabase's.
  Result<void> Write(IndexBatch& batch);
  Result<void> Flush();
  Result<void> CheckWritable();

  Result<std::optional<IndexedRecord>> Get(StreamId stream, ShardId shard, std::uint64_t counter);
  Result<std::uint64_t> Tip(StreamId stream, ShardId shard);  // the newest counter in the shard, 0: no record
  Result<RecordCount> Usage(StreamId stream, const std::string& partition_key);
  Result<RecordCount> SegmentCount(SegmentId segment);
  Result<SegmentMarker> Marker(SegmentId segment);
  // Of every segment that the index has a row of.
  Result<void> ForEachSegment(
      const std::function<void(SegmentId, const SegmentMarker&, const RecordCount&)>& visit);
  Result<void> ForEachUsage(
      const std::function<void(StreamId, const std::string& partition_key, const RecordCount&)>& visit);

  // Calls `visit` for the records of a shard with a counter above `after`, in order, until it gives false.
  Result<void> ScanShard(StreamId stream, ShardId shard, std::uint64_t after,
                         const std::function<bool(const IndexedRecord&)>& visit);
  // The same for all records of a stream, by shard, from (shard, after).
  Result<void> ScanStream(StreamId stream, ShardId shard, std::uint64_t after,
                          const std::function<bool(const IndexedRecord&)>& visit);
  // The records of a partition key by the value of one indexed attribute, `from` to `to` inclusive.
  Result<void> ScanAttribute(StreamId stream, const std::string& partition_key, AttributeId attribute,
                             const std::optional<Bytes>& from, const std::optional<Bytes>& to,
                             bool descending, const std::function<bool(const IndexedRecord&)>& visit);
  // Every record of a partition key, each at least once.
  Result<void> ScanPartition(StreamId stream, const std::string& partition_key,
                             const std::function<bool(const IndexedRecord&)>& visit);
  // For the checker: every row of a record, by stream, shard and counter.
  Result<void> ForEachRecord(const std::function<bool(StreamId, const IndexedRecord&)>& visit);
  // Every attribute row, by stream and partition key.
  struct AttributeRow {
    StreamId stream = 0;
    std::string partition_key;
    ShardId shard;
    std::uint64_t counter = 0;
    bool matches = false;  // its record is there and has this attribute with this value
    bool first = false;    // the first of its record's rows: each record has one such
    std::uint64_t data_bytes = 0;
  };
  Result<void> ForEachAttributeRow(const std::function<bool(const AttributeRow&)>& visit);
  // True if all attribute rows of the record are there.
  Result<bool> HasAttributeRows(StreamId stream, const IndexedRecord& record);

 private:
  Index();
  Result<RecordCount> Count(const std::string& key);

  std::unique_ptr<IndexDatabase> database_;
};

}  // namespace millrace::storage
