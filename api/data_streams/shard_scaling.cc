#include "api/data_streams/shard_scaling.h"

#include <algorithm>
#include <vector>

namespace millrace::api {
namespace {

using storage::HashKey;
using storage::ShardDescription;

__extension__ using Wide = unsigned __int128;

Wide ToWide(const HashKey& key) { return (Wide{key.high} << 64) | key.low; }
HashKey ToKey(Wide wide) {
  return {static_cast<std::uint64_t>(wide >> 64), static_cast<std::uint64_t>(wide)};
}

// The distance of the ends, which for all of the keys still fits.
Wide Width(const HashKey& starting, const HashKey& ending) { return ToWide(ending) - ToWide(starting); }
Wide Width(const ShardDescription& shard) { return Width(shard.hash_keys.starting, shard.hash_keys.ending); }

// Where the upper half begins.
HashKey MiddleOf(const ShardDescription& shard) {
  return ToKey(ToWide(shard.hash_keys.starting) + Width(shard) / 2 + 1);
}

// Open shards in the order of their hash keys.
using Row = std::vector<ShardDescription>;

Row OpenShardsOf(const storage::StreamDescription& stream) {
  Row row;
  std::copy_if(stream.shards.begin(), stream.shards.end(), std::back_inserter(row),
               [](const ShardDescription& shard) { return !shard.closed; });
  std::sort(row.begin(), row.end(), [](const ShardDescription& a, const ShardDescription& b) {
    return a.hash_keys.starting < b.hash_keys.starting;
  });
  return row;
}

Result<void> SplitWidest(storage::RecordLog& log, const std::string& stream, Row& row) {
  const auto widest = std::max_element(
      row.begin(), row.end(),
      [](const ShardDescription& a, const ShardDescription& b) { return Width(a) < Width(b); });
  MILLRACE_ASSIGN_OR_RETURN(const Row children, log.SplitShard(stream, widest->id, MiddleOf(*widest)));
  const auto at = row.erase(widest);
  row.insert(at, children.begin(), children.end());
  return {};
}

Result<void> MergeNarrowest(storage::RecordLog& log, const std::string& stream, Row& row) {
  auto narrowest = row.begin();
  const auto together = [](Row::const_iterator lower) {
    return Width(lower->hash_keys.starting, std::next(lower)->hash_keys.ending);
  };
  for (auto lower = row.begin(); std::next(lower) != row.end(); ++lower) {
    if (together(lower) < together(narrowest)) narrowest = lower;
  }
  MILLRACE_ASSIGN_OR_RETURN(const ShardDescription child,
                            log.MergeShards(stream, narrowest->id, std::next(narrowest)->id));
  *narrowest = child;
  row.erase(std::next(narrowest));
  return {};
}

}  // namespace

Result<bool> SplitInTheMiddle(storage::RecordLog& log, const storage::StreamDescription& stream,
                              storage::ShardId shard) {
  constexpr Wide kWidthMin = 8;
  const auto found = std::find_if(stream.shards.begin(), stream.shards.end(),
                                  [&](const ShardDescription& one) { return one.id == shard; });
  if (found == stream.shards.end() || found->closed || Width(*found) < kWidthMin) return false;
  const auto split = log.SplitShard(stream.name, shard, MiddleOf(*found));
  if (!split) return split.error();
  return true;
}

std::uint32_t CountOpenShards(const storage::StreamDescription& stream) {
  return static_cast<std::uint32_t>(
      std::count_if(stream.shards.begin(), stream.shards.end(),
                    [](const ShardDescription& shard) { return !shard.closed; }));
}

Result<void> ScaleShards(storage::RecordLog& log, const storage::StreamDescription& stream,
                         std::uint32_t target) {
  Row row = OpenShardsOf(stream);
  while (row.size() < target) MILLRACE_RETURN_IF_ERROR(SplitWidest(log, stream.name, row));
  while (row.size() > target) MILLRACE_RETURN_IF_ERROR(MergeNarrowest(log, stream.name, row));
  return {};
}

}  // namespace millrace::api
