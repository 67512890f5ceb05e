// The data streams as the API has them: the log's streams, and beside each what the log has no use for (its
// capacity mode, limits, tags), kept in the log's metadata under "api/data-streams/<name>".
//
// The fragment log is one of them, but an internal one: nobody may make, delete or write it from outside.
//
// Threads: any. Create, Delete and Describe may wait for the disk; Find does not.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/result.h"
#include "storage/record_log.h"

namespace millrace::api {

struct DataStreamSettings {
  bool on_demand = false;
  std::uint32_t record_kib_max = 1024;  // data and partition key together
  std::uint32_t warm_mibps = 0;         // asked for at creation; 0: not
  bool spread = false;                  // records go to any shard; partition keys count for nothing
  std::map<std::string, std::string> tags;
};

struct DataStream {
  storage::StreamDescription description;
  DataStreamSettings settings;
  bool internal = false;
};

class DataStreamCatalog {
 public:
  // `log` outlives the catalog. Errors: those of the log; kCorruption.
  static Result<std::unique_ptr<DataStreamCatalog>> Open(storage::RecordLog& log, std::string fragment_log);

  // Errors: kAlreadyExists; kResourceExhausted: more than kOpenShardsMax open shards.
  Result<void> Create(const std::string& name, std::uint32_t shards, Duration retention,
                      const DataStreamSettings& settings);
  Result<void> Delete(const std::string& name);
  // Errors: kNotFound.
  Result<DataStream> Describe(const std::string& name);
  // In name order; internal ones too.
  std::vector<std::string> List();

  DataStreamSettings SettingsOf(const std::string& name) const;
  bool IsInternal(const std::string& name) const { return name == fragment_log_; }
  const std::string& fragment_log() const { return fragment_log_; }

  // How many there are in all streams but the internal ones.
  std::uint32_t OpenShards();

  storage::RecordLog& log() { return log_; }

 private:
  DataStreamCatalog(storage::RecordLog& log, std::string fragment_log)
      : log_(log), fragment_log_(std::move(fragment_log)) {}

  storage::RecordLog& log_;
  const std::string fragment_log_;
  std::mutex control_mutex_;  // one change of the set of streams at a time; taken before mutex_
  mutable std::mutex mutex_;  // never held while the disk is waited for
  std::map<std::string, DataStreamSettings> settings_;  // GUARDED_BY(mutex_)
};

inline constexpr std::uint32_t kOpenShardsMax = 10'000;

// As it is kept: JSON with a version. Errors: kCorruption, kUnsupported (a newer version).
std::string EncodeDataStreamSettings(const DataStreamSettings& settings);
Result<DataStreamSettings> DecodeDataStreamSettings(std::string_view json);

}  // namespace millrace::api
