// The sharded durable log: streams of records with data-stream semantics. The interface that every engine
// implements; nothing of an engine shows here. Knows bytes, not video.
//
//   stream     a name, shards, a retention
//   shard      a range of hash keys; ordered records; closed by a split or a merge, which opens its children
//   record     partition key, data, arrival time, sequence number, attributes; immutable
//   attribute  a small value of a record; those with an id below kIndexedAttributesEnd can be searched by
//   order within
//              (stream, partition key)
//   metadata   small durable versioned values of other rooms (camera settings, leases, checkpoints)
//
// Durability: a callback or a control-plane call that reports success means that what it did
//             survives a power loss. A record is readable and findable before its put is
//             acknowledged, and never before it is durable.
// Threads:  every method may be called from any thread. Put never blocks on the disk; its callback
//           runs on the engine's thread and must not block: hand over and return. Every other
//           method may wait for the disk: call it on a pool that may.
// Errors:   kNotFound (stream, shard, record), kInvalidArgument, kAlreadyExists,
//           kFailedPrecondition (state), kOutOfRange (the record is past its retention),
//           kResourceExhausted (a put when the queue's bytes are used up: back-pressure, try again
//           later), kNoSpace, kIo and kUnavailable (the store has stopped taking writes until it is
//           reopened; reading goes on), kCorruption (what is stored does not match its checksum;
//           nothing damaged is ever returned).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"
#include "storage/ids.h"
#include "storage/storage_status.h"

namespace millrace::storage {

// ---- what is stored
// -------------------------------------------------------------------------------------------------

using AttributeId = std::uint8_t;
inline constexpr AttributeId kIndexedAttributesEnd = 16;  // ids 0..15 are indexed, 16..255 are only carried
inline constexpr std::size_t kIndexedAttributeBytesMax = 64;
inline constexpr std::size_t kAttributesBytesMax = 16 * 1024;  // all of a record's together
inline constexpr std::size_t kPartitionKeyBytesMax = 1024;     // 256 characters of up to 4 bytes
inline constexpr std::size_t kKeyNameBytesMax = 2048;          // of a master key's name
inline constexpr std::size_t kDataKeysPerDayMax = 25;
inline constexpr std::size_t kRecordBytesMax =
    64 * 1024 * 1024;  // data of one record: fragments may have 50 MB

struct Attribute {
  AttributeId id = 0;
  Bytes value;  // compared as bytes: write numbers big-endian
  friend bool operator==(const Attribute&, const Attribute&) = default;
};

struct PutRecord {
  std::string partition_key;                 // 1..kPartitionKeyBytesMax bytes
  std::optional<HashKey> explicit_hash_key;  // chooses the shard instead of the partition key's MD5
  std::vector<Attribute> attributes;         // each id at most once
  SharedBytes data;
};

struct PutReceipt {
  ShardId shard;
  SequenceNumber sequence_number;
  Timestamp arrival;
  bool encrypted = false;  // on the disk
};

// All of a record but its data.
struct RecordInfo {
  ShardId shard;
  SequenceNumber sequence_number;
  Timestamp arrival;
  std::string partition_key;
  std::vector<Attribute> attributes;
  std::uint64_t data_bytes = 0;
  bool encrypted = false;  // on the disk

  // The value of an attribute, or an empty span. Lives as long as this.
  ByteSpan Find(AttributeId id) const {
    for (const Attribute& attribute : attributes) {
      if (attribute.id == id) return attribute.value;
    }
    return {};
  }
};

struct Record {
  RecordInfo info;
  SharedBytes data;
};

struct ShardDescription {
  ShardId id;
  std::optional<ShardId> parent;
  std::optional<ShardId> adjacent_parent;  // of a merge: the second parent
  HashKeyRange hash_keys;
  SequenceNumber starting_sequence_number;
  std::optional<SequenceNumber> ending_sequence_number;  // of a closed shard
  Timestamp created;
  std::optional<Timestamp> closed;
};

// How the records of a stream that are put from now on are encrypted on the disk.
struct StreamEncryption {
  std::string key_name;        // of the master key, as whoever asked for it called it
  std::string master_key_id;   // of the master key that opens the stream's current data key
  std::uint32_t data_key = 0;  // the current one; one more with each rotation; 0: made with the first put
  Timestamp since;             // of the current data key
};

struct StreamDescription {
  std::string name;
  Timestamp created;
  Duration retention{0};
  std::optional<StreamEncryption> encryption;  // none: new records are not encrypted
  std::vector<ShardDescription> shards;        // by id; closed ones until nothing of them is kept
};

// ---- reading a shard
// ------------------------------------------------------------------------------------------------

enum class IteratorType { kTrimHorizon, kLatest, kAtSequenceNumber, kAfterSequenceNumber, kAtTimestamp };

struct IteratorStart {
  IteratorType type = IteratorType::kTrimHorizon;
  SequenceNumber sequence_number;  // for the two sequence number types
  Timestamp timestamp;             // for kAtTimestamp: the first record that arrived at or after it
};

// A place between two records of a shard: reading goes on with the first record after `after`. A plain value:
// it may be written down and used in another process.
struct ShardPosition {
  ShardId shard;
  SequenceNumber after;
  friend bool operator==(const ShardPosition&, const ShardPosition&) = default;
};

struct ReadLimits {
  std::size_t records_max = 10'000;
  std::uint64_t data_bytes_max = 10 * 1024 * 1024;  // of data; one record is always returned, however large
  bool with_data = true;                            // false: Record::data stays empty
};

struct ReadBatch {
  std::vector<Record> records;             // oldest first; empty: nothing newer yet
  std::optional<ShardPosition> next;       // none: the shard is closed and read to its end
  std::vector<ShardDescription> children;  // then: the shards that carry on
  Duration behind{0};                      // the age of the oldest unread record; zero at the tip
};

// ---- finding records by attribute
// -----------------------------------------------------------------------------------

// The records of one partition key, ordered by one indexed attribute. Ties come in the order of sequence
// numbers.
struct AttributeQuery {
  AttributeId attribute = 0;
  std::optional<Bytes> from;  // inclusive; none: from the lowest
  std::optional<Bytes> to;    // inclusive; none: to the highest
  bool descending = false;
  std::size_t limit = 1000;
};

struct PartitionDescription {
  std::string partition_key;
  std::optional<Duration> retention;  // its own; none: the stream's
  std::uint64_t records = 0;
  std::uint64_t data_bytes = 0;
};

// ---- deleting and holding records by attribute
// ----------------------------------------------------------------------

// Records of one partition key whose attribute has a value from `from` to `to`, both inclusive; none: open.
struct AttributeRange {
  AttributeId attribute = 0;  // an indexed one
  std::optional<Bytes> from{}, to{};
  // A record that also has this attribute lies in the range only with this value or a higher one. It may be
  // one that is only carried.
  std::optional<Attribute> at_least{};
  friend bool operator==(const AttributeRange&, const AttributeRange&) = default;
};

struct RemovedRecords {
  std::uint64_t records = 0;
  std::uint64_t data_bytes = 0;
};

// Keeps records that lie in one of its ranges: those that are there when it is placed, and those that are put
// later. They outlive every retention, trim and eviction, and are not deleted, until the hold is released.
struct Hold {
  std::string id;  // 1..kHoldIdBytesMax bytes
  std::vector<AttributeRange> ranges;
  Bytes note;         // for whoever placed it; at most kHoldNoteBytesMax bytes
  Timestamp created;  // given by the log
};

inline constexpr std::size_t kRangesMax = 1000;  // of one deletion, of one hold
inline constexpr std::size_t kHoldIdBytesMax = 128;
inline constexpr std::size_t kHoldNoteBytesMax = 4096;
inline constexpr std::size_t kHoldsMax = 256;       // of one partition key
inline constexpr std::size_t kDeletionsMax = 4096;  // of one partition key that the log still has to remember

// ---- metadata
// -------------------------------------------------------------------------------------------------------

struct MetadataEntry {
  std::string key;
  Bytes value;
  std::uint64_t version = 0;  // 1 for a new one, one more at each write
};

// ---- several changes as one
// --------------------------------------------------------------------------------------------

struct MetadataChange {
  std::string key;
  std::optional<Bytes> value;                     // none: removed
  std::optional<std::uint64_t> expected_version;  // as PutMetadata's
};
struct StreamRecord {
  std::string stream;
  PutRecord record;
};

inline constexpr std::size_t kBatchRecordsMax = 10'000;
inline constexpr std::size_t kBatchMetadataMax = 20'000;

// Metadata and records, of any streams, that are committed together or not at all.
struct CommitBatch {
  std::vector<MetadataChange> metadata;  // each key at most once
  std::vector<StreamRecord> records;     // their data together at most kRecordBytesMax
};
struct CommitReceipt {
  std::vector<std::uint64_t> versions;  // in the order of the metadata changes; 0 for a removal
  std::vector<PutReceipt> records;      // in the order of the records
};

// ---- the log
// --------------------------------------------------------------------------------------------------------

// Holds a registration; letting it go ends it: afterwards the callback does not run and is not running
// (unless it is the callback itself that lets go).
using Subscription = std::shared_ptr<void>;

class RecordLog {
 public:
  using PutCallback = std::function<void(Result<PutReceipt>)>;
  using PutManyCallback = std::function<void(std::vector<Result<PutReceipt>>)>;

  virtual ~RecordLog() = default;

  // -- streams and shards. Names: [a-zA-Z0-9_.-]{1,128}.
  virtual Result<StreamDescription> CreateStream(const std::string& name, std::uint32_t shard_count,
                                                 Duration retention) = 0;
  // The records are gone for readers at once; their space comes back soon after.
  virtual Result<void> DeleteStream(const std::string& name) = 0;
  virtual Result<StreamDescription> DescribeStream(const std::string& name) = 0;
  // Its StreamDescription::created alone, however many shards it has.
  virtual Result<Timestamp> StreamCreated(const std::string& name);
  virtual std::vector<std::string> ListStreams() = 0;  // in name order
  virtual Result<void> SetRetention(const std::string& stream, Duration retention) = 0;
  // One partition key's own retention inside the stream (longer or shorter than the stream's); none: as the
  // stream.
  virtual Result<void> SetPartitionRetention(const std::string& stream, const std::string& partition_key,
                                             std::optional<Duration> retention) = 0;
  // Records that are put from now on are encrypted, with a new data key each time this is called; none: they
  // are not. Those that are there already stay as they are, and readable. `key_name` is kept and described.
  // Errors: kFailedPrecondition (no master key is configured), kResourceExhausted (more than
  // kDataKeysPerDayMax new keys in 24 hours), kInvalidArgument (a name of more than kKeyNameBytesMax bytes),
  // kUnsupported (an engine that does not encrypt).
  virtual Result<void> SetStreamEncryption(const std::string& stream, std::optional<std::string> key_name);
  // The ids of the master keys that there are, the current one first. Empty: nothing can be encrypted.
  virtual std::vector<std::string> MasterKeyIds() { return {}; }
  // The two children, lower range first. kInvalidArgument unless start + 1 < new_starting_hash_key < end of
  // the shard.
  virtual Result<std::vector<ShardDescription>> SplitShard(const std::string& stream, ShardId shard,
                                                           HashKey new_starting_hash_key) = 0;
  // `shard` is the lower neighbour of `adjacent`. The one child.
  virtual Result<ShardDescription> MergeShards(const std::string& stream, ShardId shard,
                                               ShardId adjacent) = 0;

  // -- writing
  virtual void Put(const std::string& stream, PutRecord record, PutCallback done) = 0;
  // Each on its own, as PutRecords: some may fail. Receipts in the order of the records; those of one shard
  // keep that order.
  virtual void PutMany(const std::string& stream, std::vector<PutRecord> records, PutManyCallback done) = 0;

  // -- reading in order
  virtual Result<ShardPosition> Seek(const std::string& stream, ShardId shard,
                                     const IteratorStart& start) = 0;
  virtual Result<ReadBatch> Read(const std::string& stream, const ShardPosition& position,
                                 const ReadLimits& limits) = 0;
  // Calls `ready` once, as soon as Read at `position` would give a record or the shard's end (at once, when
  // it would now), or after an interruption (then Read may give nothing). On the engine's thread: hand over
  // and return. Letting the subscription go ends the wait.
  virtual Subscription NotifyReadable(const std::string& stream, const ShardPosition& position,
                                      std::function<void()> ready) = 0;

  // -- finding and fetching
  virtual Result<std::vector<RecordInfo>> Find(const std::string& stream, const std::string& partition_key,
                                               const AttributeQuery& query) = 0;
  virtual Result<SharedBytes> Fetch(const std::string& stream, ShardId shard,
                                    const SequenceNumber& sequence_number) = 0;
  virtual Result<PartitionDescription> DescribePartition(const std::string& stream,
                                                         const std::string& partition_key) = 0;
  // Takes away all records of the partition key (a purge), durably; new ones may be put at any time.
  // kFailedPrecondition while a hold keeps some of them, as DeleteStream.
  virtual Result<void> DeletePartition(const std::string& stream, const std::string& partition_key) = 0;

  // Takes away for good what lies in one of the ranges and is readable now: gone for readers, and its data
  // off the disk, when this returns. An error may leave it gone for readers and its data on the disk for a
  // while: the log goes on by itself, also over a stop; and saying it again does no harm. Errors:
  // kFailedPrecondition: a hold keeps one of the records (nothing is taken; the text names the hold);
  // kResourceExhausted: kDeletionsMax; kInvalidArgument.
  virtual Result<RemovedRecords> DeleteRecords(const std::string& stream, const std::string& partition_key,
                                               const std::vector<AttributeRange>& ranges);
  // What arrived before is gone for good. An earlier time than one that was given changes nothing. For
  // partition keys of not too many records: it looks at each. Holds keep what they hold.
  virtual Result<void> TrimPartition(const std::string& stream, const std::string& partition_key,
                                     Timestamp before);
  // Durable when it returns. A hold of this id that has the same ranges gets the new note; with others:
  // kAlreadyExists. kResourceExhausted: kHoldsMax.
  virtual Result<Hold> PlaceHold(const std::string& stream, const std::string& partition_key, Hold hold);
  virtual Result<std::vector<Hold>> ListHolds(const std::string& stream, const std::string& partition_key);
  // What the hold alone kept goes as retention, trims and evictions have it. kNotFound: there is none.
  virtual Result<void> ReleaseHold(const std::string& stream, const std::string& partition_key,
                                   const std::string& id);

  // -- metadata of other rooms. Keys: "<room>/<what>/<name>".
  virtual Result<MetadataEntry> GetMetadata(const std::string& key) = 0;
  virtual Result<std::vector<MetadataEntry>> ListMetadata(const std::string& key_prefix) = 0;
  // `expected_version` none: whatever is there; 0: only if nothing is there; n: only over version n
  // (kFailedPrecondition otherwise). Gives the new version.
  virtual Result<std::uint64_t> PutMetadata(const std::string& key, Bytes value,
                                            std::optional<std::uint64_t> expected_version = std::nullopt) = 0;
  virtual Result<void> DeleteMetadata(const std::string& key) = 0;

  // -- metadata and records as one: after a power loss all of the batch is there or none of it. Waits until
  // it is durable; by then readers see all of it. Nothing is done where a version is not the expected one
  // (kFailedPrecondition), a stream is not there (kNotFound), or a record or key is refused.
  virtual Result<CommitReceipt> Commit(CommitBatch batch) = 0;

  // -- the disk. Never waits for it. An engine without one is always well.
  virtual StorageStatus Status() { return {}; }
};

// Puts and waits: for tests and tools.
Result<PutReceipt> PutAndWait(RecordLog& log, const std::string& stream, PutRecord record);

}  // namespace millrace::storage
