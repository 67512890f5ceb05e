#include "storage/control_state.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "storage/coding.h"

namespace millrace::storage {
namespace {

// The first byte of a row's key.
enum RowKind : char {
  kNextIds = 'n',
  kStream = 's',
  kShard = 'h',
  kPartition = 'p',
  kSegment = 'g',
  kMetadata = 'm',
  kBatches = 'b',
  kEviction = 'e',
  kEncryption = 'c',
  kDataKey = 'd',
  kDeletion = 'x',
  kHold = 'y',
};

std::string RowKey(RowKind kind, std::initializer_list<std::uint32_t> ids, std::string_view text = {}) {
  Bytes key{static_cast<std::uint8_t>(kind)};
  for (std::uint32_t id : ids) AppendBigEndian(key, id);
  AppendRaw(key, AsBytes(text));
  return std::string(AsText(key));
}

void AppendTime(Bytes& out, Timestamp time) { AppendBigEndian(out, static_cast<std::uint64_t>(time.ns)); }
Timestamp ReadTime(ByteReader& in) {
  return Timestamp{static_cast<std::int64_t>(in.Integer<std::uint64_t>())};
}
void AppendHash(Bytes& out, const HashKey& key) {
  AppendBigEndian(out, key.high);
  AppendBigEndian(out, key.low);
}
HashKey ReadHash(ByteReader& in) {
  auto high = in.Integer<std::uint64_t>();
  return {high, in.Integer<std::uint64_t>()};
}

// Of a row that belongs to a partition key: the key, then what else names the row.
std::string KeyAndName(const std::string& partition_key, ByteSpan name) {
  Bytes text;
  AppendSized(text, partition_key);
  AppendRaw(text, name);
  return std::string(AsText(text));
}

// An optional value: 0, or 1 and the value.
template <typename T, typename Append>
void AppendOptional(Bytes& out, const std::optional<T>& value, Append append) {
  out.push_back(value ? 1 : 0);
  if (value) append(*value);
}

Result<ShardDescription> ReadShard(ShardId id, ByteSpan value) {
  ByteReader in(value);
  ShardDescription shard;
  shard.id = id;
  if (in.Integer<std::uint8_t>() != 0) shard.parent = ShardId{in.Integer<std::uint32_t>()};
  if (in.Integer<std::uint8_t>() != 0) shard.adjacent_parent = ShardId{in.Integer<std::uint32_t>()};
  shard.hash_keys.starting = ReadHash(in);
  shard.hash_keys.ending = ReadHash(in);
  shard.created = ReadTime(in);
  ByteSpan number = in.Raw(24);
  if (in.ok()) shard.starting_sequence_number = SequenceNumber::FromBytes(number);
  if (in.Integer<std::uint8_t>() != 0) {
    shard.closed = ReadTime(in);
    number = in.Raw(24);
    if (in.ok()) shard.ending_sequence_number = SequenceNumber::FromBytes(number);
  }
  if (!in.AtEnd()) return Error{ErrorCode::kCorruption, "malformed row of " + id.ToString()};
  return shard;
}

}  // namespace

const ShardState* StreamState::Find(ShardId shard) const {
  auto found = std::lower_bound(shards.begin(), shards.end(), shard, [](const ShardState& s, ShardId wanted) {
    return s.description.id < wanted;
  });
  return found != shards.end() && found->description.id == shard ? &*found : nullptr;
}

ShardState* StreamState::Find(ShardId shard) {
  return const_cast<ShardState*>(std::as_const(*this).Find(shard));
}

ShardState& StreamState::Route(const HashKey& key) {
  auto behind = std::upper_bound(open_.begin(), open_.end(), key,
                                 [](const HashKey& k, const auto& open) { return k < open.first; });
  assert(behind != open_.begin());
  return shards[std::prev(behind)->second];
}

void StreamState::Reroute() {
  open_.clear();
  for (std::size_t i = 0; i < shards.size(); ++i) {
    if (!shards[i].description.closed) open_.emplace_back(shards[i].description.hash_keys.starting, i);
  }
  std::sort(open_.begin(), open_.end());
}

const std::pair<const DataKeyId, DataKeyRow>* StreamState::CurrentKey() const {
  if (!encryption || data_keys.empty()) return nullptr;
  const auto& newest = *data_keys.rbegin();
  return newest.second.through == DataKeyRow::kInUse ? &newest : nullptr;
}

const PartitionRule* StreamState::RuleOf(const std::string& partition_key) const {
  if (partitions.empty()) return nullptr;
  auto found = partitions.find(partition_key);
  return found == partitions.end() ? nullptr : &found->second;
}

Duration StreamState::RetentionOf(const PartitionRule* rule) const {
  return rule != nullptr && rule->retention ? *rule->retention : retention;
}

Timestamp StreamState::TrimOf(const PartitionRule* rule) const {
  if (rule == nullptr) return trim;
  return rule->retention ? rule->trim : std::max(trim, rule->trim);
}

Timestamp StreamState::HorizonOf(const PartitionRule* rule, Timestamp now) const {
  return std::max(now - RetentionOf(rule), TrimOf(rule));
}

const RecordMarks* StreamState::MarksOf(const std::string& partition_key) const {
  if (marks.empty()) return nullptr;
  auto found = marks.find(partition_key);
  return found == marks.end() ? nullptr : &found->second;
}

const PlacedHold* StreamState::HoldOf(const RecordFacts& record) const {
  const RecordMarks* of_key = MarksOf(record.partition_key);
  return of_key == nullptr ? nullptr : of_key->HoldOf(record);
}

bool StreamState::IsGone(const RecordFacts& record) const {
  if (deleting) return true;
  const PartitionRule* rule = RuleOf(record.partition_key);
  if (rule != nullptr && record.counter <= rule->purged_through) return true;
  if (const RecordMarks* of_key = MarksOf(record.partition_key); of_key && of_key->Deletes(record)) {
    return true;
  }
  const bool old = record.counter <= evicted_through || record.arrival < TrimOf(rule);
  return old && HoldOf(record) == nullptr;
}

bool StreamState::IsDead(const RecordFacts& record, Timestamp now) const {
  if (IsGone(record)) return true;
  return record.arrival < now - RetentionOf(RuleOf(record.partition_key)) && HoldOf(record) == nullptr;
}

const PlacedHold* StreamState::AnyHold() const {
  for (const auto& [key, of_key] : marks) {
    if (const PlacedHold* hold = of_key.AnyHold()) return hold;
  }
  return nullptr;
}

Result<void> ControlState::Apply(const ControlChange& change) {
  for (const ControlRow& row : change) MILLRACE_RETURN_IF_ERROR(ApplyRow(row));
  return {};
}

Result<void> ControlState::ApplyRow(const ControlRow& row) {
  auto malformed = [&] {
    return Error{ErrorCode::kCorruption, "malformed control row of kind '" + row.key.substr(0, 1) +
                                             "' with " + std::to_string(row.key.size()) + " bytes of key"};
  };
  if (row.key.empty()) return malformed();
  ByteReader key(AsBytes(row.key).subspan(1));
  ByteReader value(row.value ? ByteSpan(*row.value) : ByteSpan());
  switch (row.key[0]) {
    case kNextIds:
      next_stream = std::max(next_stream, value.Integer<std::uint32_t>());
      next_segment = std::max(next_segment, value.Integer<std::uint32_t>());
      return value.AtEnd() ? Result<void>() : malformed();
    case kStream: {
      auto id = key.Integer<std::uint32_t>();
      if (!key.AtEnd()) return malformed();
      auto& slot = streams_[id];
      if (slot && by_name_.contains(slot->name) && by_name_[slot->name] == slot.get())
        by_name_.erase(slot->name);
      if (!row.value) {
        streams_.erase(id);
        return {};
      }
      if (!slot) slot = std::make_unique<StreamState>();
      slot->id = id;
      slot->evicted_through = eviction.through;
      slot->name = value.Text();
      slot->created = ReadTime(value);
      slot->retention = Duration{static_cast<std::int64_t>(value.Integer<std::uint64_t>())};
      slot->trim = ReadTime(value);
      slot->deleting = value.Integer<std::uint8_t>() != 0;
      if (!slot->deleting) by_name_[slot->name] = slot.get();
      return value.AtEnd() ? Result<void>() : malformed();
    }
    case kShard: {
      StreamState* stream = FindStream(key.Integer<std::uint32_t>());
      ShardId id{key.Integer<std::uint32_t>()};
      if (!key.AtEnd() || stream == nullptr) return malformed();
      ShardState* known = stream->Find(id);
      if (!row.value) {
        if (known != nullptr) stream->shards.erase(stream->shards.begin() + (known - stream->shards.data()));
      } else {
        MILLRACE_ASSIGN_OR_RETURN(auto shard, ReadShard(id, *row.value));
        if (known != nullptr) {
          known->description = std::move(shard);
        } else {
          auto at = std::lower_bound(stream->shards.begin(), stream->shards.end(), id,
                                     [](const ShardState& s, ShardId i) { return s.description.id < i; });
          stream->shards.insert(at, ShardState{std::move(shard), 0});
        }
      }
      stream->Reroute();
      return {};
    }
    case kPartition: {
      StreamState* stream = FindStream(key.Integer<std::uint32_t>());
      if (!key.ok() || stream == nullptr) return malformed();
      std::string partition_key(AsText(key.rest()));
      if (!row.value) {
        stream->partitions.erase(partition_key);
        return {};
      }
      PartitionRule rule;
      if (value.Integer<std::uint8_t>() != 0) {
        rule.retention = Duration{static_cast<std::int64_t>(value.Integer<std::uint64_t>())};
      }
      rule.trim = ReadTime(value);
      rule.purged_through = value.Integer<std::uint64_t>();
      rule.purge_swept = value.Integer<std::uint8_t>() != 0;
      stream->partitions[partition_key] = rule;
      return value.AtEnd() ? Result<void>() : malformed();
    }
    case kDeletion:
    case kHold: {
      StreamState* stream = FindStream(key.Integer<std::uint32_t>());
      const std::string partition_key = key.Text();
      if (!key.ok() || stream == nullptr) return malformed();
      RecordMarks& marks = stream->marks[partition_key];
      if (row.key[0] == kDeletion) {
        const auto id = key.Integer<std::uint64_t>();
        if (!key.AtEnd()) return malformed();
        marks.deletions.erase(id);
        if (row.value) {
          MILLRACE_ASSIGN_OR_RETURN(marks.deletions[id], DecodeDeletion(*row.value));
        }
      } else {
        std::string name(AsText(key.rest()));
        ++holds_version_;
        marks.holds.erase(name);
        if (row.value) {
          MILLRACE_ASSIGN_OR_RETURN(marks.holds[name], DecodeHold(name, *row.value));
        }
      }
      if (marks.empty()) stream->marks.erase(partition_key);
      return {};
    }
    case kEncryption: {
      StreamState* stream = FindStream(key.Integer<std::uint32_t>());
      if (!key.AtEnd() || stream == nullptr) return malformed();
      stream->encryption.reset();
      if (row.value) stream->encryption = value.Text();
      return !row.value || value.AtEnd() ? Result<void>() : malformed();
    }
    case kDataKey: {
      StreamState* stream = FindStream(key.Integer<std::uint32_t>());
      const auto id = key.Integer<std::uint32_t>();
      if (!key.AtEnd() || stream == nullptr) return malformed();
      if (!row.value) {
        stream->data_keys.erase(id);
        return {};
      }
      DataKeyRow data_key;
      data_key.wrapped.master_id = value.Text();
      const ByteSpan wrapped = value.Sized();
      data_key.wrapped.bytes.assign(wrapped.begin(), wrapped.end());
      data_key.created = ReadTime(value);
      data_key.after = value.Integer<std::uint64_t>();
      data_key.through = value.Integer<std::uint64_t>();
      if (!value.AtEnd() || wrapped.size() != kWrappedKeyBytes) return malformed();
      auto [known, added] = stream->data_keys.try_emplace(id);
      if (!added && known->second.wrapped.master_id != data_key.wrapped.master_id) superseded_keys_ = true;
      known->second = std::move(data_key);
      return {};
    }
    case kSegment: {
      auto id = key.Integer<std::uint32_t>();
      if (!key.AtEnd()) return malformed();
      if (!row.value) {
        segments_.erase(id);
        return {};
      }
      SegmentRow& segment = segments_[id];
      segment.retention_class = value.Integer<std::uint8_t>();
      segment.created = ReadTime(value);
      return value.AtEnd() ? Result<void>() : malformed();
    }
    case kEviction: {
      eviction.through = value.Integer<std::uint64_t>();
      eviction.swept = value.Integer<std::uint8_t>() != 0;
      for (const auto& [id, stream] : streams_) stream->evicted_through = eviction.through;
      return key.AtEnd() && value.AtEnd() ? Result<void>() : malformed();
    }
    case kMetadata: {
      std::string name(AsText(key.rest()));
      auto found = metadata_.find(name);
      if (found != metadata_.end()) metadata_bytes_ -= name.size() + found->second.value.size();
      if (!row.value) {
        if (found != metadata_.end()) metadata_.erase(found);
        return {};
      }
      MetadataRow entry;
      entry.version = value.Integer<std::uint64_t>();
      ByteSpan bytes = value.rest();
      entry.value.assign(bytes.begin(), bytes.end());
      metadata_bytes_ += name.size() + entry.value.size();
      metadata_[name] = std::move(entry);
      return value.ok() ? Result<void>() : malformed();
    }
    case kBatches: {
      committed_batches = value.Integer<std::uint64_t>();
      return key.AtEnd() && row.value && value.AtEnd() ? Result<void>() : malformed();
    }
    default:
      return malformed();
  }
}

Result<void> ControlState::Check() const {
  auto wrong = [](const std::string& what) {
    return Error{ErrorCode::kCorruption, "the control state is not whole: " + what};
  };
  for (const auto& [id, stream] : streams_) {
    const std::string name = "stream " + std::to_string(id);
    if (id >= next_stream) return wrong(name + " has an id that is still to be given");
    if (stream->retention < Duration{0}) return wrong(name + " has a negative retention");
    for (const auto& [key, rule] : stream->partitions) {
      if (rule.retention && *rule.retention < Duration{0}) return wrong(name + " has a negative retention");
    }
    if (stream->deleting) continue;
    std::uint64_t covered = 0;
    for (const auto& [key, row] : stream->data_keys) {
      if (row.after < covered || row.through < row.after)
        return wrong("the data keys of " + name + " overlap");
      covered = row.through;
    }
    if (stream->encryption && !stream->data_keys.empty() && covered != DataKeyRow::kInUse) {
      return wrong(name + " is encrypted, and has no data key in use");
    }
    std::vector<HashKeyRange> open;
    for (const ShardState& shard : stream->shards) {
      if (!shard.description.closed) open.push_back(shard.description.hash_keys);
    }
    std::sort(open.begin(), open.end(),
              [](const HashKeyRange& a, const HashKeyRange& b) { return a.starting < b.starting; });
    bool covers = !open.empty() && open.front().starting == HashKey{} && open.back().ending == HashKey::Max();
    for (std::size_t i = 0; covers && i < open.size(); ++i) {
      const HashKey* before = i == 0 ? nullptr : &open[i - 1].ending;
      covers = open[i].starting <= open[i].ending &&
               (before == nullptr || (*before < open[i].starting && before->Next() == open[i].starting));
    }
    if (!covers) return wrong("the open shards of " + name + " do not cover the hash keys");
  }
  if (!segments_.empty() && segments_.rbegin()->first >= next_segment) {
    return wrong("segment " + std::to_string(segments_.rbegin()->first) +
                 " has an id that is still to be given");
  }
  return {};
}

bool ControlState::has_holds() const {
  return std::ranges::any_of(streams_, [](const auto& one) { return one.second->AnyHold() != nullptr; });
}

ControlChange ControlState::Snapshot() const {
  ControlChange change;
  change.push_back(NextIdsRow(next_stream, next_segment));
  for (const auto& [id, stream] : streams_) {
    change.push_back(StreamRow(*stream));
    for (const ShardState& shard : stream->shards) change.push_back(ShardRow(id, shard.description));
    for (const auto& [key, rule] : stream->partitions) change.push_back(PartitionRow(id, key, rule));
    for (const auto& [key, marks] : stream->marks) {
      for (const auto& [at, deletion] : marks.deletions) change.push_back(DeletionRow(id, key, at, deletion));
      for (const auto& [name, hold] : marks.holds) change.push_back(HoldRow(id, key, hold));
    }
    if (stream->encryption) change.push_back(EncryptionRow(id, stream->encryption));
    for (const auto& [key, row] : stream->data_keys) change.push_back(DataKeySetRow(id, key, row));
  }
  for (const auto& [id, row] : segments_) change.push_back(SegmentAddedRow(id, row));
  if (eviction.through != 0) change.push_back(EvictionRow(eviction));
  for (const auto& [key, row] : metadata_) change.push_back(MetadataSetRow(key, row));
  if (committed_batches != 0) change.push_back(CommittedBatchesRow(committed_batches));
  return change;
}

const StreamState* ControlState::FindStream(const std::string& name) const {
  auto found = by_name_.find(name);
  return found == by_name_.end() ? nullptr : found->second;
}
StreamState* ControlState::FindStream(const std::string& name) {
  return const_cast<StreamState*>(std::as_const(*this).FindStream(name));
}
const StreamState* ControlState::FindStream(StreamId id) const {
  auto found = streams_.find(id);
  return found == streams_.end() ? nullptr : found->second.get();
}
StreamState* ControlState::FindStream(StreamId id) {
  return const_cast<StreamState*>(std::as_const(*this).FindStream(id));
}

ControlRow NextIdsRow(StreamId next_stream, SegmentId next_segment) {
  Bytes value;
  AppendBigEndian(value, next_stream);
  AppendBigEndian(value, next_segment);
  return {RowKey(kNextIds, {}), std::move(value)};
}

ControlRow StreamRow(const StreamState& stream) {
  Bytes value;
  AppendSized(value, stream.name);
  AppendTime(value, stream.created);
  AppendBigEndian(value, static_cast<std::uint64_t>(stream.retention.count()));
  AppendTime(value, stream.trim);
  value.push_back(stream.deleting ? 1 : 0);
  return {RowKey(kStream, {stream.id}), std::move(value)};
}

ControlRow RemoveStreamRow(StreamId stream) { return {RowKey(kStream, {stream}), std::nullopt}; }

ControlRow ShardRow(StreamId stream, const ShardDescription& shard) {
  Bytes value;
  auto append_shard = [&](ShardId id) { AppendBigEndian(value, id.index); };
  AppendOptional(value, shard.parent, append_shard);
  AppendOptional(value, shard.adjacent_parent, append_shard);
  AppendHash(value, shard.hash_keys.starting);
  AppendHash(value, shard.hash_keys.ending);
  AppendTime(value, shard.created);
  AppendRaw(value, shard.starting_sequence_number.bytes());
  AppendOptional(value, shard.closed, [&](Timestamp closed) {
    AppendTime(value, closed);
    AppendRaw(value, shard.ending_sequence_number.value_or(SequenceNumber()).bytes());
  });
  return {RowKey(kShard, {stream, shard.id.index}), std::move(value)};
}

ControlRow RemoveShardRow(StreamId stream, ShardId shard) {
  return {RowKey(kShard, {stream, shard.index}), std::nullopt};
}

ControlRow PartitionRow(StreamId stream, const std::string& partition_key, const PartitionRule& rule) {
  Bytes value;
  AppendOptional(value, rule.retention, [&](Duration retention) {
    AppendBigEndian(value, static_cast<std::uint64_t>(retention.count()));
  });
  AppendTime(value, rule.trim);
  AppendBigEndian(value, rule.purged_through);
  value.push_back(rule.purge_swept ? 1 : 0);
  return {RowKey(kPartition, {stream}, partition_key), std::move(value)};
}

ControlRow RemovePartitionRow(StreamId stream, const std::string& partition_key) {
  return {RowKey(kPartition, {stream}, partition_key), std::nullopt};
}

ControlRow DeletionRow(StreamId stream, const std::string& partition_key, std::uint64_t id,
                       const RangeDeletion& deletion) {
  ControlRow row = RemoveDeletionRow(stream, partition_key, id);
  row.value = EncodeDeletion(deletion);
  return row;
}

ControlRow RemoveDeletionRow(StreamId stream, const std::string& partition_key, std::uint64_t id) {
  Bytes name;
  AppendBigEndian(name, id);
  return {RowKey(kDeletion, {stream}, KeyAndName(partition_key, name)), std::nullopt};
}

ControlRow HoldRow(StreamId stream, const std::string& partition_key, const PlacedHold& placed) {
  ControlRow row = RemoveHoldRow(stream, partition_key, placed.RowName());
  row.value = EncodeHold(placed);
  return row;
}

ControlRow RemoveHoldRow(StreamId stream, const std::string& partition_key, const std::string& row_name) {
  return {RowKey(kHold, {stream}, KeyAndName(partition_key, AsBytes(row_name))), std::nullopt};
}

ControlRow EncryptionRow(StreamId stream, const std::optional<std::string>& key_name) {
  std::optional<Bytes> value;
  if (key_name) AppendSized(value.emplace(), *key_name);
  return {RowKey(kEncryption, {stream}), std::move(value)};
}

ControlRow DataKeySetRow(StreamId stream, DataKeyId id, const DataKeyRow& row) {
  Bytes value;
  AppendSized(value, row.wrapped.master_id);
  AppendSized(value, row.wrapped.bytes);
  AppendTime(value, row.created);
  AppendBigEndian(value, row.after);
  AppendBigEndian(value, row.through);
  return {RowKey(kDataKey, {stream, id}), std::move(value)};
}

ControlRow DataKeyRemovedRow(StreamId stream, DataKeyId id) {
  return {RowKey(kDataKey, {stream, id}), std::nullopt};
}

ControlRow SegmentAddedRow(SegmentId segment, const SegmentRow& row) {
  Bytes value{row.retention_class};
  AppendTime(value, row.created);
  return {RowKey(kSegment, {segment}), std::move(value)};
}

ControlRow SegmentRemovedRow(SegmentId segment) { return {RowKey(kSegment, {segment}), std::nullopt}; }

ControlRow EvictionRow(const Eviction& eviction) {
  Bytes value;
  AppendBigEndian(value, eviction.through);
  value.push_back(eviction.swept ? 1 : 0);
  return {RowKey(kEviction, {}), std::move(value)};
}

ControlRow MetadataSetRow(const std::string& key, const MetadataRow& row) {
  Bytes value;
  AppendBigEndian(value, row.version);
  AppendRaw(value, row.value);
  return {RowKey(kMetadata, {}, key), std::move(value)};
}

ControlRow MetadataRemovedRow(const std::string& key) { return {RowKey(kMetadata, {}, key), std::nullopt}; }

ControlRow CommittedBatchesRow(std::uint64_t counter) {
  Bytes value;
  AppendBigEndian(value, counter);
  return {RowKey(kBatches, {}), std::move(value)};
}

bool SpeaksOfRecords(const ControlRow& row) {
  return !row.key.empty() && (row.key[0] == kSegment || row.key[0] == kEviction || row.key[0] == kDataKey ||
                              row.key[0] == kDeletion);
}

std::optional<StreamId> StreamOfRow(const ControlRow& row) {
  constexpr std::string_view kOfStreams{"shpcdxy"};  // the row kinds above
  if (row.key.size() < 5 || kOfStreams.find(row.key[0]) == std::string_view::npos) return std::nullopt;
  return ReadBigEndian<std::uint32_t>(AsBytes(row.key).subspan(1));
}

Bytes EncodeChange(const ControlChange& change) {
  Bytes out;
  for (const ControlRow& row : change) {
    AppendSized(out, row.key);
    AppendOptional(out, row.value, [&](const Bytes& value) { AppendSized(out, value); });
  }
  return out;
}

Result<ControlChange> DecodeChange(ByteSpan bytes) {
  ByteReader in(bytes);
  ControlChange change;
  while (!in.AtEnd()) {
    ControlRow row;
    row.key = in.Text();
    if (in.Integer<std::uint8_t>() != 0) {
      ByteSpan value = in.Sized();
      row.value = Bytes(value.begin(), value.end());
    }
    if (!in.ok()) return Error{ErrorCode::kCorruption, "malformed control entry"};
    change.push_back(std::move(row));
  }
  return change;
}

}  // namespace millrace::storage
