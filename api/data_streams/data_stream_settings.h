// What a data stream has beside what the log keeps of it: its capacity mode, limits, tags, policy.
//
// Kept as JSON with a version. A member that was not there yet has its default when it is read, so that older
// data directories open; whoever adds one needs no new version unless older servers must not take it.
//
// Threads: plain values and pure functions, any thread.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace millrace::api {

struct DataStreamSettings {
  bool on_demand = false;
  std::uint32_t record_kib_max = 1024;  // data and partition key together
  std::uint32_t warm_mibps = 0;         // asked for; 0: not
  bool spread = false;                  // records go to any shard; partition keys count for nothing
  std::map<std::string, std::string> tags;
  std::set<std::string> shard_metrics;   // of enhanced monitoring: "IncomingBytes"
  std::string policy;                    // who may use it, as JSON text; empty: none
  std::vector<Timestamp> mode_changes;   // of the last 24 hours
  std::vector<Timestamp> count_changes;  // by UpdateShardCount, of the last 24 hours

  friend bool operator==(const DataStreamSettings&, const DataStreamSettings&) = default;
};

// Errors: kCorruption, kUnsupported (a newer version).
std::string EncodeDataStreamSettings(const DataStreamSettings& settings);
Result<DataStreamSettings> DecodeDataStreamSettings(std::string_view json);

}  // namespace millrace::api
