// The reading side of the embedded engine: positions, batches, searches by attribute, single records.
//
// Threads: any. Everything that is read is checked against its checksum; what has expired or was deleted is
// invisible from that moment, whether or not its rows and bytes are gone yet.
#pragma once

#include <string>
#include <vector>

#include "storage/engine.h"
#include "storage/record_cipher.h"

namespace millrace::storage {

class RecordReader {
 public:
  explicit RecordReader(Engine& engine) : engine_(engine) {}

  Result<ShardPosition> Seek(const std::string& stream, ShardId shard, const IteratorStart& start);
  Result<ReadBatch> Read(const std::string& stream, const ShardPosition& position, const ReadLimits& limits);
  Result<std::vector<RecordInfo>> Find(const std::string& stream, const std::string& partition_key,
                                       const AttributeQuery& query);
  Result<SharedBytes> Fetch(const std::string& stream, ShardId shard, const SequenceNumber& sequence_number);
  Result<PartitionDescription> DescribePartition(const std::string& stream, const std::string& partition_key);

  // True if Read behind `after` would give a record, the shard's end, or an error.
  bool IsReadable(StreamId stream, ShardId shard, std::uint64_t after);
  Result<StreamId> StreamIdOf(const std::string& stream);

 private:
  struct ShardView {
    StreamId stream = 0;
    ShardDescription description;
    std::int64_t created_s = 0;
    std::uint64_t tip = 0;
  };
  using KeyRows = std::map<DataKeyId, DataKeyRow>;
  Result<ShardView> ViewOf(const std::string& stream, ShardId shard);
  // Those of records whose index rows were read before this: the writer enters a data key first. None where
  // the stream is gone.
  KeyRows KeyRowsOf(StreamId stream);
  bool IsDead(StreamId stream, const IndexedRecord& record, Timestamp now);
  RecordInfo ToInfo(const ShardView& view, IndexedRecord record);
  // None: the record has been removed since its row was read.
  Result<std::optional<SharedBytes>> ReadData(const ShardView& view, const KeyRows& keys,
                                              const IndexedRecord& record, RecordOpener& opener);
  // As ReadData, but says what went wrong, whatever became of the record meanwhile.
  Result<SharedBytes> ReadBytes(const ShardView& view, const KeyRows& keys, const IndexedRecord& record,
                                RecordOpener& opener);

  Engine& engine_;
};

}  // namespace millrace::storage
