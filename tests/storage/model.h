// What the log has to hold, in plain maps: the model that the random operations are compared with. No
// cleverness: a record is there until its stream, its partition or its time is over.
#pragma once

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "storage/log_format.h"
#include "storage/record_log.h"
#include "storage/record_marks.h"

namespace millrace::storage {

struct ModelRecord {
  std::uint64_t serial = 0;  // its own number, in attribute 200
  std::string key;
  HashKey hash_key;
  Bytes data;
  std::vector<Attribute> attributes;
  Timestamp arrival;
};

inline bool LiesInAny(const std::vector<AttributeRange>& ranges, const ModelRecord& record) {
  Bytes attributes;
  AppendAttributes(attributes, record.attributes);
  return LiesInAny(ranges, ByteSpan(attributes));
}

struct ModelShard {
  HashKeyRange hash_keys;
  std::set<std::uint32_t> parents;
  std::optional<Timestamp> closed;
  std::map<SequenceNumber, ModelRecord> records;
};

struct ModelStream {
  std::uint64_t incarnation = 0;
  Duration retention{0};
  Timestamp horizon;  // what arrived before is gone for keys without their own retention
  std::map<std::string, Duration> own_retention;  // by partition key
  std::map<std::string, Timestamp> trims;         // by partition key: what arrived before has expired once
  std::map<std::string, std::map<std::string, std::vector<AttributeRange>>> holds;  // by key and id
  std::map<std::uint32_t, ModelShard> shards;

  Duration RetentionOf(const std::string& key) const {
    auto own = own_retention.find(key);
    return own == own_retention.end() ? retention : own->second;
  }
  Duration LongestRetention() const {
    Duration longest = retention;
    for (const auto& [key, own] : own_retention) longest = std::max(longest, own);
    return longest;
  }
  std::uint32_t OpenShardOf(const HashKey& hash_key) const {
    for (const auto& [id, shard] : shards) {
      if (!shard.closed && shard.hash_keys.Contains(hash_key)) return id;
    }
    return ~std::uint32_t{0};
  }
  void Split(std::uint32_t id, const HashKey& at, Timestamp now) {
    std::uint32_t next = shards.rbegin()->first + 1;
    HashKeyRange range = shards[id].hash_keys;
    shards[id].closed = now;
    shards[next] = {{range.starting, at.Previous()}, {id}, {}, {}};
    shards[next + 1] = {{at, range.ending}, {id}, {}, {}};
  }
  void Merge(std::uint32_t low, std::uint32_t high, Timestamp now) {
    std::uint32_t next = shards.rbegin()->first + 1;
    shards[low].closed = shards[high].closed = now;
    shards[next] = {{shards[low].hash_keys.starting, shards[high].hash_keys.ending}, {low, high}, {}, {}};
  }
  void DeletePartition(const std::string& key) {
    for (auto& [id, shard] : shards) {
      std::erase_if(shard.records, [&](const auto& record) { return record.second.key == key; });
    }
  }
  bool IsHeld(const ModelRecord& record) const {
    auto of_key = holds.find(record.key);
    return of_key != holds.end() && std::ranges::any_of(of_key->second, [&](const auto& hold) {
             return LiesInAny(hold.second, record);
           });
  }
  bool HasHolds(const std::string& key) const {
    auto of_key = holds.find(key);
    return of_key != holds.end() && !of_key->second.empty();
  }
  bool HasHolds() const {
    return std::ranges::any_of(holds, [](const auto& of_key) { return !of_key.second.empty(); });
  }
  std::vector<const ModelRecord*> In(const std::string& key,
                                     const std::vector<AttributeRange>& ranges) const {
    std::vector<const ModelRecord*> found;
    for (const auto& [id, shard] : shards) {
      for (const auto& [number, record] : shard.records) {
        if (record.key == key && LiesInAny(ranges, record)) found.push_back(&record);
      }
    }
    return found;
  }
  void Delete(const std::string& key, const std::vector<AttributeRange>& ranges) {
    for (auto& [id, shard] : shards) {
      std::erase_if(shard.records, [&](const auto& record) {
        return record.second.key == key && LiesInAny(ranges, record.second);
      });
    }
  }
  // What has expired is gone for ever, whatever the retention becomes; but for what is held.
  void Expire(Timestamp now) {
    horizon = std::max(horizon, now - retention);
    for (auto& [id, shard] : shards) {
      std::erase_if(shard.records, [&](const auto& record) {
        const std::string& key = record.second.key;
        Timestamp& trim = trims[key];
        trim = std::max(trim, own_retention.contains(key) ? now - RetentionOf(key) : horizon);
        return record.second.arrival < trim && !IsHeld(record.second);
      });
    }
  }
};

struct ModelMetadata {
  Bytes value;
  std::uint64_t version = 0;
};

struct Model {
  std::map<std::string, ModelStream> streams;
  std::map<std::string, ModelMetadata> metadata;

  void Expire(Timestamp now) {
    for (auto& [name, stream] : streams) stream.Expire(now);
  }
  // What was committed up to the counter had to go for the disk budget.
  void Evict(std::uint64_t through) {
    for (auto& [name, stream] : streams) {
      for (auto& [id, shard] : stream.shards) {
        std::erase_if(shard.records, [&, &stream = stream](const auto& record) {
          return record.first.fields().counter <= through && !stream.IsHeld(record.second);
        });
      }
    }
  }
  void PutMetadata(const std::string& key, Bytes value) {
    ModelMetadata& entry = metadata[key];
    entry.value = std::move(value);
    ++entry.version;
  }
};

}  // namespace millrace::storage
