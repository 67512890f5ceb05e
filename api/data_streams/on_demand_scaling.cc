#include "api/data_streams/on_demand_scaling.h"

#include <algorithm>
#include <string>

#include "api/data_streams/shard_scaling.h"
#include "base/log.h"

namespace millrace::api {
namespace {

// A look that comes sooner after the last one says little.
constexpr Duration kWindowMin = std::chrono::seconds(1);

}  // namespace

OnDemandScaling::OnDemandScaling(DataStreamCatalog& catalog, StreamThroughput& throughput, Options options)
    : catalog_(catalog), throughput_(throughput), options_(options) {}

void OnDemandScaling::Start() {
  thread_ = std::jthread([this](const std::stop_token& stop) {
    std::unique_lock lock(wait_mutex_);
    while (!stop.stop_requested()) {
      (void)stopping_.wait_for(lock, stop, options_.window, [] { return false; });
      if (!stop.stop_requested()) (void)Look();
    }
  });
}

std::size_t OnDemandScaling::Look() {
  const std::lock_guard look(look_mutex_);
  std::size_t splits = 0;
  for (const std::string& name : catalog_.List()) {
    if (!catalog_.IsInternal(name) && catalog_.SettingsOf(name)->on_demand) splits += LookAt(name);
  }
  return splits;
}

std::size_t OnDemandScaling::LookAt(const std::string& stream) {
  const StreamLoad load = throughput_.TakeLoad(stream);
  if (load.since < kWindowMin) return 0;
  const double seconds = std::chrono::duration<double>(load.since).count();
  std::size_t splits = 0;
  for (const ShardLoad& shard : load.shards) {
    const bool busy =
        static_cast<double>(shard.bytes) > static_cast<double>(options_.bytes_per_s) * seconds ||
        static_cast<double>(shard.records) > static_cast<double>(options_.records_per_s) * seconds;
    if (!busy || shard.one_key) continue;
    bool split = false;
    auto changed = catalog_.Change(stream, [&](DataStream& now) -> std::optional<AwsError> {
      // Read anew: the mode and the shards may have been changed meanwhile.
      if (!now.settings.on_demand || CountOpenShards(now.description) >= options_.stream_shards_max ||
          catalog_.OpenShards() >= kOpenShardsMax) {
        return std::nullopt;
      }
      auto done = SplitInTheMiddle(catalog_.log(), now.description, shard.shard);
      if (!done) return AwsError(std::move(done).error());
      split = *done;
      return std::nullopt;
    });
    if (!changed) {
      Log(LogLevel::kWarning, "a busy shard could not be split",
          {{"stream", stream}, {"shard", shard.shard.ToString()}, {"error", changed.error().message}});
    } else if (split) {
      ++splits;
      Log(LogLevel::kInfo, "a busy shard was split",
          {{"stream", stream},
           {"shard", shard.shard.ToString()},
           {"bytes_per_s",
            std::to_string(static_cast<std::uint64_t>(static_cast<double>(shard.bytes) / seconds))}});
    }
  }
  if (splits > 0) (void)throughput_.Learn(stream);
  return splits;
}

}  // namespace millrace::api
