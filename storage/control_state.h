// The small state that the log's control segment keeps: streams, shards, partition rules, metadata and the
// list of data segments. It is a table of rows; a change is a set of rows that are written, or removed, as
// one.
//
// On disk a change is one control entry; its data is row*: kind-and-id key (sized), 1 + value (sized) or 0
// (removed). The whole state is held in memory, and written anew as a snapshot when the control segment has
// grown. Threads: none inside; the engine guards it (the writer alone changes it).
#pragma once

#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"
#include "storage/log_format.h"
#include "storage/master_keys.h"
#include "storage/record_log.h"
#include "storage/record_marks.h"

namespace millrace::storage {

inline constexpr Timestamp kBeginningOfTime{std::numeric_limits<std::int64_t>::min()};

// What makes records of one partition key different from those of its stream.
struct PartitionRule {
  std::optional<Duration> retention;  // its own; none: the stream's
  Timestamp trim = kBeginningOfTime;  // what arrived before is gone for ever, whatever the retention becomes
  std::uint64_t purged_through = 0;   // records with a counter up to this are deleted
  bool purge_swept = true;            // and their rows and bytes are gone too
};

// A data key of a stream, as it lies on the disk. Which records are sealed with it is a matter of their
// counters alone, so a record that should be sealed and is not, or with another key, is damage.
struct DataKeyRow {
  static constexpr std::uint64_t kInUse = std::numeric_limits<std::uint64_t>::max();

  WrappedKey wrapped;
  Timestamp created;
  std::uint64_t after = 0;         // records with a counter above this,
  std::uint64_t through = kInUse;  // and up to this, are sealed with it

  bool Covers(std::uint64_t counter) const { return after < counter && counter <= through; }
};

struct ShardState {
  ShardDescription description;
  std::uint64_t tip = 0;  // counter of the newest committed record; not in the control log
};

struct StreamState {
  StreamId id = 0;
  std::string name;
  Timestamp created;
  Duration retention{0};
  Timestamp trim = kBeginningOfTime;  // as PartitionRule's, for keys without their own retention
  bool deleting = false;              // gone for readers; its rows and bytes are being removed
  std::uint64_t evicted_through = 0;  // as ControlState::eviction says
  std::vector<ShardState> shards;     // by id
  std::unordered_map<std::string, PartitionRule> partitions;
  std::unordered_map<std::string, RecordMarks> marks;  // by partition key; none of them empty
  // None: new records are not sealed. Else what the master key was called by whoever asked for it.
  std::optional<std::string> encryption;
  std::map<DataKeyId, DataKeyRow> data_keys;

  // The key that seals new records. Null where `encryption` is there: it is still to be made (after a
  // restore), and until then no record may be put.
  const std::pair<const DataKeyId, DataKeyRow>* CurrentKey() const;

  const ShardState* Find(ShardId shard) const;
  ShardState* Find(ShardId shard);
  // The open shard that owns the hash key. The open shards always cover the whole space.
  ShardState& Route(const HashKey& key);
  void Reroute();  // after shards changed

  const PartitionRule* RuleOf(const std::string& partition_key) const;
  Duration RetentionOf(const PartitionRule* rule) const;
  // Records of the rule's key (nullptr: no rule) that arrived before this are gone, whatever the retention.
  Timestamp TrimOf(const PartitionRule* rule) const;
  // As TrimOf, and those that have expired by now.
  Timestamp HorizonOf(const PartitionRule* rule, Timestamp now) const;
  const RecordMarks* MarksOf(const std::string& partition_key) const;
  // The hold that keeps the record; null: none does.
  const PlacedHold* HoldOf(const RecordFacts& record) const;
  // Purged, deleted, evicted or trimmed, and not held: durably, by what this state says alone.
  bool IsGone(const RecordFacts& record) const;
  // Gone, or expired by now and not held.
  bool IsDead(const RecordFacts& record, Timestamp now) const;
  // The first hold of any of its partition keys; null: there is none.
  const PlacedHold* AnyHold() const;

 private:
  std::vector<std::pair<HashKey, std::size_t>> open_;  // starting hash key, index in shards
};

struct SegmentRow {
  std::uint8_t retention_class = 0;
  Timestamp created;
};

// What had to go for the disk budget, whatever its stream: the oldest by the order of their commit, which no
// clock disturbs.
struct Eviction {
  std::uint64_t through = 0;  // records with a counter up to this are gone
  bool swept = true;          // and their rows too
};

struct MetadataRow {
  Bytes value;
  std::uint64_t version = 0;
};

struct ControlRow {
  std::string key;
  std::optional<Bytes> value;  // none: removed
};
using ControlChange = std::vector<ControlRow>;

class ControlState {
 public:
  // Errors: kCorruption, naming the row. A change that fails leaves a part of it applied: the caller gives
  // up.
  Result<void> Apply(const ControlChange& change);
  // What every whole change keeps true: each stream that is not being deleted has open shards that cover the
  // hash keys without a gap or an overlap, ids lie below the next ones, retentions are not negative, no
  // two data keys of a stream cover the same counters, and the newest of an encrypted one is in use. Errors:
  // kCorruption, naming what is wrong.
  Result<void> Check() const;
  // Everything, as a change to an empty state.
  ControlChange Snapshot() const;

  // The active stream of this name, or nullptr.
  StreamState* FindStream(const std::string& name);
  const StreamState* FindStream(const std::string& name) const;
  StreamState* FindStream(StreamId id);
  const StreamState* FindStream(StreamId id) const;

  const std::map<StreamId, std::unique_ptr<StreamState>>& streams() const { return streams_; }
  const std::map<std::string, StreamState*>& streams_by_name() const { return by_name_; }
  const std::map<std::string, MetadataRow>& metadata() const { return metadata_; }
  const std::map<SegmentId, SegmentRow>& segments() const { return segments_; }
  std::uint64_t metadata_bytes() const { return metadata_bytes_; }
  // Counts up with every change of a hold.
  std::uint64_t holds_version() const { return holds_version_; }
  bool has_holds() const;
  // A data key's row was replaced by one of another master key: where the changes came from, what the older
  // one opens still lies there.
  bool has_superseded_keys() const { return superseded_keys_; }

  StreamId next_stream = 1;
  SegmentId next_segment = 1;
  std::uint64_t committed_batches = 0;  // records of batches count up to this counter
  Eviction eviction;

 private:
  Result<void> ApplyRow(const ControlRow& row);

  std::map<StreamId, std::unique_ptr<StreamState>> streams_;
  std::map<std::string, StreamState*> by_name_;
  std::map<std::string, MetadataRow> metadata_;
  std::map<SegmentId, SegmentRow> segments_;
  std::uint64_t metadata_bytes_ = 0;
  bool superseded_keys_ = false;
  std::uint64_t holds_version_ = 0;
};

// Rows, made from the state that they are to bring about.
ControlRow NextIdsRow(StreamId next_stream, SegmentId next_segment);
ControlRow StreamRow(const StreamState& stream);  // without its shards and partitions
ControlRow RemoveStreamRow(StreamId stream);      // with its shards and partitions
ControlRow ShardRow(StreamId stream, const ShardDescription& shard);
ControlRow RemoveShardRow(StreamId stream, ShardId shard);
ControlRow PartitionRow(StreamId stream, const std::string& partition_key, const PartitionRule& rule);
ControlRow RemovePartitionRow(StreamId stream, const std::string& partition_key);
// `id`: the counter of the change that it comes with.
ControlRow DeletionRow(StreamId stream, const std::string& partition_key, std::uint64_t id,
                       const RangeDeletion& deletion);
ControlRow RemoveDeletionRow(StreamId stream, const std::string& partition_key, std::uint64_t id);
ControlRow HoldRow(StreamId stream, const std::string& partition_key, const PlacedHold& hold);
ControlRow RemoveHoldRow(StreamId stream, const std::string& partition_key, const std::string& row_name);
ControlRow EncryptionRow(StreamId stream, const std::optional<std::string>& key_name);
ControlRow DataKeySetRow(StreamId stream, DataKeyId id, const DataKeyRow& row);
ControlRow DataKeyRemovedRow(StreamId stream, DataKeyId id);
ControlRow SegmentAddedRow(SegmentId segment, const SegmentRow& row);
ControlRow SegmentRemovedRow(SegmentId segment);
ControlRow EvictionRow(const Eviction& eviction);
ControlRow MetadataSetRow(const std::string& key, const MetadataRow& row);
ControlRow MetadataRemovedRow(const std::string& key);
ControlRow CommittedBatchesRow(std::uint64_t counter);

// Of where records lie, what opens them, or which of them are gone whatever their stream.
bool SpeaksOfRecords(const ControlRow& row);
// The stream that a row of a stream, its shards, partitions or encryption speaks of.
std::optional<StreamId> StreamOfRow(const ControlRow& row);

Bytes EncodeChange(const ControlChange& change);
Result<ControlChange> DecodeChange(ByteSpan bytes);

}  // namespace millrace::storage
