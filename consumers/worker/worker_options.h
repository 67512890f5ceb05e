// What a worker is told: which server, which application and stream, and how to read.
//
// Threads: values.
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "base/result.h"
#include "base/time.h"
#include "consumers/worker/worker_record.h"
#include "wire/endpoint.h"

namespace millrace {

enum class ReadBy {
  // GetRecords, again and again: costs two megabytes and five calls a second of each shard's allowance, which
  // all who poll share, and a request an interval for each shard where nothing comes.
  kPolling,
  // SubscribeToShard over HTTP/2: records come as they are put, at two megabytes a second for this consumer
  // alone; a shard where nothing comes costs next to nothing.
  kPush,
};

struct WorkerOptions {
  wire::Endpoint endpoint;
  // Requests are signed with it; by default MILLRACE_ACCESS_KEY_ID and MILLRACE_SECRET_ACCESS_KEY, or AWS's.
  std::optional<wire::AccessKey> key = wire::AccessKeyFromEnvironment();
  // PEM: whose certificates are trusted over https, in place of the system's; "": the system's. By default
  // MILLRACE_CA_FILE.
  std::filesystem::path ca_file = wire::CaFileFromEnvironment();

  std::string application;  // workers of one name share the shards
  std::string stream = "millrace-fragments";
  std::string owner;  // this worker's name, of its own; empty: one is made
  // Where the application begins, the first time that any of its workers starts: "LATEST", "TRIM_HORIZON" or
  // a time (RFC 3339).
  std::string start = "LATEST";

  Duration lease_length = std::chrono::seconds(15);  // 1 s to 10 min; renewed every third of it
  std::size_t leases_max = 10'000;                   // that this worker takes, whatever its share is

  ReadBy read_by = ReadBy::kPolling;
  Duration poll_interval = std::chrono::milliseconds(200);  // between two polls of a shard that has records
  Duration poll_interval_idle = std::chrono::seconds(1);    // grows up to it while none come
  std::size_t pollers = 4;                                  // requests at a time; 1 to 64
  // The registered consumer's name; empty: the application's. It is registered where it is not there.
  std::string consumer;
  // A subscription is made anew after this; the server ends it after five minutes.
  Duration subscription_length = std::chrono::seconds(270);

  // Where a shard has so many that were read and not given, it is not read on; nor is any shard where all
  // have so many bytes. One answer more may come (10 MiB, and as many requests at a time as there may be).
  std::size_t read_ahead_records = 1000;  // 1 to 10,000
  std::size_t read_ahead_bytes = 64 * 1024 * 1024;
  // What Done and `wanted` say is committed after so long at the latest, when the worker is called.
  Duration checkpoint_interval = std::chrono::seconds(2);
  bool deaggregate = true;  // false: aggregated records come as they are stored

  // What Next gives; the rest only moves the checkpoint. Called on the using thread. Empty: all.
  std::function<bool(const WorkerRecord&)> wanted;
  // Told on the using thread, within Next, NextBatch, Commit and Close. Empty: nobody is.
  std::function<void(const ShardEvent&)> shard_event;
};

// The options with what was left empty filled in. Errors: kInvalidArgument, naming the option.
Result<WorkerOptions> CheckWorkerOptions(WorkerOptions options);

}  // namespace millrace
