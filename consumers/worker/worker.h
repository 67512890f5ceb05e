// The consumer library: a worker of an application reads its share of a data stream's shards, on this machine
// or another, and commits how far it is. docs/consumer.md tells the whole of it.
//
//   WorkerOptions options;
//   options.endpoint = *wire::Endpoint::Parse("https://recorder:4568");
//   options.application = "billing";
//   options.stream = "orders";
//   auto worker = Worker::Start(options);                              // errors: the options
//   while (!stopped) {
//     auto record = (*worker)->Next(std::chrono::seconds(1));          // empty: nothing new
//     if (!record) continue;
//     if (Work(*record)) (*worker)->Done(*record); else (*worker)->GiveUp(*record);
//   }
//   (*worker)->Close();                                              // the shards are others' at once
//
// Workers of one application share the shards by leases: each takes up to its share of those that are free,
// and one at a time from whoever holds more. A shard's parents are read to their end before the shard.
// Records of a shard come in order; what was not committed comes again, to this worker or another.
//
// A record is done in one of three ways:
//   Done(record)             noted, and committed within checkpoint_interval. After a kill what was
//                            done since comes again: each record at least once.
//   Commit(record)           committed before it returns.
//   Commit(record, results)  likewise, together with records for data streams: all of it or nothing, and only
//                            while the lease is this worker's. So each record has its results exactly once.
// Each says that all records before it in its shard are done too: several may be taken, and the last
// committed.
//
// The user records of an aggregated record (as the Kinesis Producer Library writes them) come as single ones,
// each with its sub-sequence number, and are committed singly. Those whose hash key is not the shard's are
// left out: their producer has put them again.
//
// Bounds:  read-ahead, see WorkerOptions; an aggregated record a shard is taken apart at a time.
// Errors:  a server that is away is waited for: Next gives nothing meanwhile, and trouble() says why. Commit:
//          kFailedPrecondition: the lease is another worker's now, and so is the record: drop it.
//          kUnavailable and the like: nobody answered for some seconds: commit again, or give it up.
//          kInvalidArgument: the results, or a place before the one that is committed.
// Threads: one thread uses the worker; trouble, shards, metrics and Stop: any. Inside: one that keeps leases,
//          so that long work loses none, and those that read.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "consumers/worker/worker_metrics.h"
#include "consumers/worker/worker_options.h"
#include "consumers/worker/worker_record.h"

namespace millrace {

class Worker {
 public:
  // Errors: kInvalidArgument (the options). The server need not be there yet.
  static Result<std::unique_ptr<Worker>> Start(WorkerOptions options);
  ~Worker();  // Close
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // The next record that is wanted, of each shard in its turn; empty: none came within `wait`, or Stop was
  // called.
  std::optional<WorkerRecord> Next(Duration wait);
  // The same for several, in order and of one shard: up to `records_max` of those that are there. Commit the
  // last one and all are.
  std::vector<WorkerRecord> NextBatch(Duration wait, std::size_t records_max = 1000);

  // See above. REQUIRES: the record was given by this worker, and none behind it in its shard is done.
  void Done(const WorkerRecord& record);
  Result<void> Commit(const WorkerRecord& record, const std::vector<WorkerResult>& results = {});
  // Commits what Done and `wanted` have noted. What finds no server stays noted.
  void Flush();
  // The record is not done, nor any behind it: they come again once the shard's lease has changed hands, to
  // this worker or another.
  void GiveUp(const WorkerRecord& record);
  // How often this was attempted since the shard's checkpoint moved, this time included; durable before it
  // returns. A worker that takes a `suspect` record finds out so what ends it.
  Result<std::uint64_t> Attempt(const WorkerRecord& record, const std::string& what);

  // Commits what is done, and gives the leases back; nothing may follow but the metrics.
  void Close();

  // Ends a Next that waits, and every later one.
  void Stop();

  // What is wrong with the server now; empty: nothing.
  std::string trouble() const;
  std::size_t shards() const;  // that this worker holds
  WorkerMetrics metrics() const;
  // The metrics in Prometheus's text format.
  std::string PrometheusText() const;
  const std::string& owner() const;

 private:
  class Impl;
  explicit Worker(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace millrace
