#include "api/data_streams/stream_throughput.h"

#include <algorithm>
#include <utility>

#include "api/aws/token_bucket.h"
#include "base/metrics.h"

namespace millrace::api {
namespace {

using storage::HashKey;
using storage::ShardId;
using TimePoint = std::chrono::steady_clock::time_point;

// Large records: the longest that there may be passes a shard of any rate, sometime.
constexpr std::uint64_t kBurstSeconds = 10;
constexpr std::uint64_t kRecordBytesMax = 10 << 20;
// Below it a shard's load says nothing about its keys.
constexpr std::uint64_t kLoadRecordsMin = 10;

prometheus::Counter& CounterOf(const char* name, const char* help) {
  return GetCounter(std::string("millrace_data_streams_") + name, help);
}

void CountWritten(std::uint64_t bytes, std::uint64_t records, std::uint64_t refused) {
  static auto& bytes_total =
      CounterOf("incoming_bytes_total", "Data and partition keys admitted into shards");
  static auto& records_total = CounterOf("incoming_records_total", "Records admitted into shards");
  static auto& refused_total =
      CounterOf("write_throughput_exceeded_total", "Records refused because their shard takes no more now");
  bytes_total.Increment(static_cast<double>(bytes));
  records_total.Increment(static_cast<double>(records));
  if (refused > 0) refused_total.Increment(static_cast<double>(refused));
}

}  // namespace

struct StreamThroughput::Shard {
  Shard(const ShardLimits& limits, TimePoint now)
      : second_bytes(limits.write_bytes),
        write_bytes(limits.write_bytes, limits.write_bytes, now),
        burst(limits.write_bytes, std::max(kBurstSeconds * limits.write_bytes, kRecordBytesMax), now),
        write_records(limits.write_records, limits.write_records, now),
        read_bytes(limits.read_bytes, limits.read_bytes, now),
        reads(limits.reads, limits.reads, now) {}

  bool Take(std::uint64_t bytes, TimePoint now) {
    const bool large = bytes > second_bytes;
    if (!write_records.Has(1, now) || !(large ? burst : write_bytes).Has(bytes, now)) return false;
    write_records.Take(1, now);
    if (large) {
      burst.Take(bytes, now);
    } else {
      write_bytes.Take(bytes, now);
      burst.TakeWhatIsThere(bytes, now);
    }
    return true;
  }

  // The candidate is the one hash key that may have most of the bytes; its weight is what it has beyond what
  // speaks against it (Boyer and Moore's vote).
  void Count(const HashKey& key, std::uint64_t bytes) {
    load.bytes += bytes;
    ++load.records;
    if (key == candidate) {
      weight += bytes;
    } else if (bytes <= weight) {
      weight -= bytes;
    } else {
      candidate = key;
      weight = bytes - weight;
    }
  }

  std::uint64_t second_bytes;
  TokenBucket write_bytes, burst, write_records, read_bytes, reads;
  ShardLoad load;
  HashKey candidate;
  std::uint64_t weight = 0;
};

struct StreamThroughput::Stream {
  struct Route {
    HashKey ending;
    ShardId shard;
  };

  // REQUIRES: mutex is held.
  Shard& Of(ShardId shard, TimePoint now) { return shards.try_emplace(shard, limits, now).first->second; }
  // Takes over what the stream's settings say now. REQUIRES: mutex is held.
  void Follow(const StreamThroughput& owner, const std::string& name) {
    auto current = owner.catalog_.SettingsOf(name);
    if (current == settings) return;
    settings = std::move(current);
    const ShardLimits now = owner.catalog_.IsInternal(name) ? ShardLimits::Off() : owner.LimitsBy(*settings);
    if (now == limits) return;
    limits = now;
    shards.clear();
  }

  std::mutex mutex;
  // GUARDED_BY(mutex):
  std::shared_ptr<const DataStreamSettings> settings;  // that `limits` came from
  ShardLimits limits;
  std::vector<Route> routes;  // of the open shards, by hash key; empty: not known
  std::map<ShardId, Shard> shards;
  TimePoint counting_since;
};

StreamThroughput::StreamThroughput(DataStreamCatalog& catalog, const Clock& clock,
                                   const ShardLimits& defaults)
    : catalog_(catalog), clock_(clock), defaults_(defaults) {}
StreamThroughput::~StreamThroughput() = default;

ShardLimits StreamThroughput::LimitsBy(const DataStreamSettings& settings) const {
  const auto tag = settings.tags.find(std::string(kLimitsTag));
  if (tag == settings.tags.end()) return defaults_;
  const auto limits = ParseShardLimits(tag->second, defaults_);
  return limits ? *limits : defaults_;
}

ShardLimits StreamThroughput::LimitsOf(const std::string& stream) const {
  if (catalog_.IsInternal(stream)) return ShardLimits::Off();
  return LimitsBy(*catalog_.SettingsOf(stream));
}

std::shared_ptr<StreamThroughput::Stream> StreamThroughput::Find(const std::string& stream) const {
  const std::lock_guard lock(mutex_);
  const auto found = streams_.find(stream);
  return found == streams_.end() ? nullptr : found->second;
}

std::shared_ptr<StreamThroughput::Stream> StreamThroughput::FindOrAdd(const std::string& stream) {
  const std::lock_guard lock(mutex_);
  auto& found = streams_[stream];
  if (!found) {
    found = std::make_shared<Stream>();
    found->counting_since = clock_.SteadyNow();
  }
  return found;
}

bool StreamThroughput::Knows(const std::string& stream) const {
  const auto found = Find(stream);
  if (!found) return false;
  const std::lock_guard lock(found->mutex);
  return !found->routes.empty();
}

Result<void> StreamThroughput::Learn(const std::string& stream) {
  const auto described = catalog_.log().DescribeStream(stream);
  if (!described) {
    if (described.error().code == ErrorCode::kNotFound) Forget(stream);
    return described.error();
  }
  std::vector<std::pair<HashKey, Stream::Route>> open;  // by the first hash key
  for (const storage::ShardDescription& shard : described->shards) {
    if (!shard.closed) open.push_back({shard.hash_keys.starting, {shard.hash_keys.ending, shard.id}});
  }
  std::sort(open.begin(), open.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  const auto found = FindOrAdd(stream);
  const std::lock_guard lock(found->mutex);
  found->routes.clear();
  for (const auto& [starting, route] : open) found->routes.push_back(route);
  std::erase_if(found->shards, [&](const auto& one) {
    return std::none_of(described->shards.begin(), described->shards.end(),
                        [&](const auto& shard) { return shard.id == one.first; });
  });
  return {};
}

void StreamThroughput::Unlearn(const std::string& stream) {
  const auto found = Find(stream);
  if (!found) return;
  const std::lock_guard lock(found->mutex);
  found->routes.clear();
}

void StreamThroughput::Forget(const std::string& stream) {
  const std::lock_guard lock(mutex_);
  streams_.erase(stream);
}

StreamThroughput::Admission StreamThroughput::Admit(const std::string& stream,
                                                    std::vector<storage::PutRecord>& records) {
  Admission admission;
  const auto found = Find(stream);
  if (!found) return admission;
  const TimePoint now = clock_.SteadyNow();
  std::uint64_t admitted_bytes = 0;
  std::uint64_t admitted = 0;
  {
    const std::lock_guard lock(found->mutex);
    if (found->routes.empty()) return admission;
    found->Follow(*this, stream);
    for (storage::PutRecord& record : records) {
      if (!record.explicit_hash_key) {
        record.explicit_hash_key = HashKey::FromPartitionKey(record.partition_key);
      }
      const HashKey& key = *record.explicit_hash_key;
      auto route =
          std::lower_bound(found->routes.begin(), found->routes.end(), key,
                           [](const Stream::Route& one, const HashKey& k) { return one.ending < k; });
      if (route == found->routes.end()) --route;
      const std::uint64_t bytes = record.data.size() + record.partition_key.size();
      Shard& shard = found->Of(route->shard, now);
      shard.Count(key, bytes);
      const bool taken = shard.Take(bytes, now);
      admission.shards.push_back(route->shard);
      admission.refused.push_back(!taken);
      if (!taken) continue;
      admitted_bytes += bytes;
      ++admitted;
    }
  }
  CountWritten(admitted_bytes, admitted, records.size() - admitted);
  return admission;
}

bool StreamThroughput::AdmitRead(const std::string& stream, ShardId shard) {
  const auto found = FindOrAdd(stream);
  const TimePoint now = clock_.SteadyNow();
  bool admitted = false;
  {
    const std::lock_guard lock(found->mutex);
    found->Follow(*this, stream);
    Shard& buckets = found->Of(shard, now);
    admitted = buckets.reads.Has(1, now) && buckets.read_bytes.Has(0, now);
    if (admitted) buckets.reads.Take(1, now);
  }
  if (!admitted) {
    static auto& refused = CounterOf("read_throughput_exceeded_total",
                                     "Calls of GetRecords refused because their shard gives no more now");
    refused.Increment();
  }
  return admitted;
}

void StreamThroughput::ChargeRead(const std::string& stream, ShardId shard, std::uint64_t bytes,
                                  std::size_t records) {
  static auto& bytes_total = CounterOf("outgoing_bytes_total", "Data given by GetRecords");
  static auto& records_total = CounterOf("outgoing_records_total", "Records given by GetRecords");
  bytes_total.Increment(static_cast<double>(bytes));
  records_total.Increment(static_cast<double>(records));
  const auto found = Find(stream);
  if (!found) return;
  const TimePoint now = clock_.SteadyNow();
  const std::lock_guard lock(found->mutex);
  found->Of(shard, now).read_bytes.Take(bytes, now);
}

StreamLoad StreamThroughput::TakeLoad(const std::string& stream) {
  StreamLoad load;
  const auto found = Find(stream);
  if (!found) return load;
  const TimePoint now = clock_.SteadyNow();
  const std::lock_guard lock(found->mutex);
  load.since = now - std::exchange(found->counting_since, now);
  for (auto& [id, shard] : found->shards) {
    ShardLoad one = std::exchange(shard.load, {});
    one.shard = id;
    // What has more than four fifths of the bytes keeps more than three of these.
    one.one_key = one.records >= kLoadRecordsMin && shard.weight > one.bytes / 5 * 3;
    shard.weight = 0;
    if (one.records > 0) load.shards.push_back(one);
  }
  return load;
}

}  // namespace millrace::api
