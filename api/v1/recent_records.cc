#include "api/v1/recent_records.h"

#include <algorithm>
#include <chrono>
#include <iterator>

namespace millrace::api {
namespace {

using storage::RecordInfo;
using storage::RecordLog;
using storage::ShardId;
using storage::ShardPosition;

constexpr std::size_t kPageRecords = 1000;
constexpr int kPagesMax = 5;
constexpr Duration kFirstWindow = std::chrono::seconds(2);
constexpr Duration kLastWindow = std::chrono::hours(24 * 365 * 10);
constexpr int kStepsMax = 40;

storage::ReadLimits InfosOnly(std::size_t records) {
  storage::ReadLimits limits;
  limits.records_max = records;
  limits.data_bytes_max = ~std::uint64_t{0};
  limits.with_data = false;
  return limits;
}

std::uint64_t SizeOf(const RecordInfo& info) { return info.data_bytes + info.partition_key.size(); }

// The newest of what lies behind one place of a shard.
struct Tail {
  std::vector<RecordInfo> records;  // oldest first, at most as many as were asked for
  std::vector<ShardPosition> next;  // none: the shard has ended
  std::vector<storage::ShardDescription> children;
  bool whole = true;     // its end was reached
  bool dropped = false;  // there were more than were asked for
};

Result<Tail> ReadTail(RecordLog& log, const std::string& stream, ShardPosition position, std::size_t count) {
  Tail tail;
  tail.next = {position};
  for (int page = 0; page < kPagesMax; ++page) {
    MILLRACE_ASSIGN_OR_RETURN(storage::ReadBatch batch,
                              log.Read(stream, tail.next[0], InfosOnly(kPageRecords)));
    for (storage::Record& record : batch.records) tail.records.push_back(std::move(record.info));
    if (tail.records.size() > count) {
      tail.dropped = true;
      tail.records.erase(tail.records.begin(), tail.records.end() - static_cast<std::ptrdiff_t>(count));
    }
    if (!batch.next) {
      tail.next.clear();
      tail.children = std::move(batch.children);
      return tail;
    }
    tail.next[0] = *batch.next;
    if (batch.records.size() < kPageRecords) return tail;
  }
  tail.whole = false;
  return tail;
}

// The newest of a shard: looks back ever further, and where that is too far, less far again.
Result<Tail> FindShardNewest(RecordLog& log, const std::string& stream, ShardId shard, std::size_t count,
                             Timestamp now) {
  Duration window = kFirstWindow;
  Duration too_short{0};
  Duration too_long{0};  // 0: none was
  Tail best;
  for (int step = 0; step < kStepsMax; ++step) {
    storage::IteratorStart start;
    if (window < kLastWindow) {
      start.type = storage::IteratorType::kAtTimestamp;
      start.timestamp = now - window;
    }
    MILLRACE_ASSIGN_OR_RETURN(const ShardPosition position, log.Seek(stream, shard, start));
    MILLRACE_ASSIGN_OR_RETURN(Tail tail, ReadTail(log, stream, position, count));
    if (tail.whole) {
      const bool enough = tail.records.size() >= count || window >= kLastWindow;
      best = std::move(tail);
      if (enough) return best;
      too_short = window;
    } else {
      too_long = window;
    }
    if (too_long == Duration(0)) {
      window = std::min(window * 4, kLastWindow);
    } else {
      window = too_short + (too_long - too_short) / 2;
      if (too_long - too_short < std::chrono::milliseconds(2)) break;
    }
  }
  if (best.next.empty() && best.children.empty()) {
    // Thousands within the shortest time: from now on.
    storage::IteratorStart latest;
    latest.type = storage::IteratorType::kLatest;
    MILLRACE_ASSIGN_OR_RETURN(const ShardPosition position, log.Seek(stream, shard, latest));
    best.next = {position};
  }
  best.dropped = true;
  return best;
}

void KeepNewest(RecentRecords& recent, std::size_t count) {
  std::stable_sort(recent.records.begin(), recent.records.end(),
                   [](const RecordInfo& a, const RecordInfo& b) { return a.arrival.ns < b.arrival.ns; });
  if (recent.records.size() <= count) return;
  recent.skipped = true;
  recent.records.erase(recent.records.begin(), recent.records.end() - static_cast<std::ptrdiff_t>(count));
}

// `shards`: all that are looked at. A child goes on where its first parent has ended, or the one that is
// looked at: not where each of the two has.
void Add(RecentRecords& recent, const std::vector<ShardId>& shards, ShardId shard, Tail tail) {
  const auto looked_at = [&](ShardId id) {
    return std::find(shards.begin(), shards.end(), id) != shards.end();
  };
  std::move(tail.records.begin(), tail.records.end(), std::back_inserter(recent.records));
  for (const storage::ShardDescription& child : tail.children) {
    if (child.parent != shard && ((child.parent && looked_at(*child.parent)) || looked_at(child.id)))
      continue;
    recent.next.push_back({child.id, storage::SequenceNumber()});
  }
  recent.next.insert(recent.next.end(), tail.next.begin(), tail.next.end());
}

}  // namespace

Result<ShardRate> MeasureRate(RecordLog& log, const std::string& stream, ShardId shard, Timestamp now) {
  storage::IteratorStart start;
  start.type = storage::IteratorType::kAtTimestamp;
  start.timestamp = now - kRateWindow;
  MILLRACE_ASSIGN_OR_RETURN(const ShardPosition position, log.Seek(stream, shard, start));
  MILLRACE_ASSIGN_OR_RETURN(const storage::ReadBatch batch,
                            log.Read(stream, position, InfosOnly(kPageRecords)));
  Duration window = kRateWindow;
  if (batch.records.size() == kPageRecords) {
    window =
        std::max<Duration>(batch.records.back().info.arrival - start.timestamp, std::chrono::milliseconds(1));
  }
  std::uint64_t bytes = 0;
  for (const storage::Record& record : batch.records) bytes += SizeOf(record.info);
  const double seconds = std::chrono::duration<double>(window).count();
  return ShardRate{static_cast<double>(batch.records.size()) / seconds, static_cast<double>(bytes) / seconds};
}

Result<RecentRecords> FindNewest(RecordLog& log, const std::string& stream,
                                 const std::vector<ShardId>& shards, std::size_t count, Timestamp now) {
  RecentRecords recent;
  for (const ShardId shard : shards) {
    MILLRACE_ASSIGN_OR_RETURN(Tail tail, FindShardNewest(log, stream, shard, count, now));
    Add(recent, shards, shard, std::move(tail));
  }
  KeepNewest(recent, count);
  recent.skipped = false;  // older ones were not asked for
  return recent;
}

Result<RecentRecords> FindAfter(RecordLog& log, const std::string& stream,
                                const std::vector<ShardPosition>& after, std::size_t count) {
  RecentRecords recent;
  std::vector<ShardId> shards;
  for (const ShardPosition& position : after) shards.push_back(position.shard);
  for (const ShardPosition& position : after) {
    MILLRACE_ASSIGN_OR_RETURN(Tail tail, ReadTail(log, stream, position, count));
    recent.skipped = recent.skipped || tail.dropped || !tail.whole;
    if (!tail.whole) {
      storage::IteratorStart latest;
      latest.type = storage::IteratorType::kLatest;
      MILLRACE_ASSIGN_OR_RETURN(tail.next[0], log.Seek(stream, position.shard, latest));
    }
    Add(recent, shards, position.shard, std::move(tail));
  }
  KeepNewest(recent, count);
  return recent;
}

}  // namespace millrace::api
