// The data streams as the API has them: the log's streams, and beside each what the log has no use for (its
// settings), kept in the log's metadata under "api/data-streams/<name>".
//
// The fragment log is one of them, but an internal one: nobody may make, delete or write it from outside.
//
// Threads: any. Create, Delete, Change and Describe may wait for the disk; the others do not.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "api/aws/aws_error.h"
#include "api/data_streams/data_stream_settings.h"
#include "api/data_streams/stream_consumers.h"
#include "base/result.h"
#include "storage/record_log.h"

namespace millrace::api {

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
  // Changes a stream: one change of the catalog at a time, so that `change` sees the stream as it is and may
  // change it in the log as well (its shards, its retention). What it makes of the settings is durable when
  // this returns, and given back. An error of `change` leaves the settings as they were.
  // Errors: kNotFound; those of `change` and of the log.
  using StreamChange = std::function<std::optional<AwsError>(DataStream&)>;
  AwsResult<DataStream> Change(const std::string& name, const StreamChange& change);
  // Errors: kNotFound.
  Result<DataStream> Describe(const std::string& name);
  // In name order; internal ones too.
  std::vector<std::string> List();

  // Never null: the defaults for a stream that has none.
  std::shared_ptr<const DataStreamSettings> SettingsOf(const std::string& name) const;
  bool IsInternal(const std::string& name) const { return name == fragment_log_; }
  const std::string& fragment_log() const { return fragment_log_; }

  // How many there are in all streams but the internal ones.
  std::uint32_t OpenShards();

  StreamConsumers& consumers() { return *consumers_; }
  storage::RecordLog& log() { return log_; }

 private:
  DataStreamCatalog(storage::RecordLog& log, std::string fragment_log)
      : log_(log), fragment_log_(std::move(fragment_log)) {}

  // Durably. REQUIRES: control_mutex_ is held.
  Result<void> Save(const std::string& name, const DataStreamSettings& settings);

  storage::RecordLog& log_;
  const std::string fragment_log_;
  std::unique_ptr<StreamConsumers> consumers_;  // set by Open, never changes
  std::mutex control_mutex_;  // one change of the set of streams at a time; taken before mutex_
  mutable std::mutex mutex_;  // never held while the disk is waited for
  std::map<std::string, std::shared_ptr<const DataStreamSettings>> settings_;  // GUARDED_BY(mutex_)
};

inline constexpr std::uint32_t kOpenShardsMax = 10'000;

}  // namespace millrace::api
