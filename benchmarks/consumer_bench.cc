// What the consumer library costs: records a second of a stream that is there already, and idle shards.
//
//   consumer_bench fill --stream s --records 1000000 --bytes 100      puts them
//   consumer_bench bare --stream s --records 1000000                  GetRecords in a loop over the same
//   client consumer_bench poll|push --stream s --records 1000000             a worker, batches, Done
//   consumer_bench idle-poll|idle-push --stream s --seconds 30        a worker of shards where nothing comes
//
// Prints one line of JSON. benchmarks/consumer.py runs it against a server.
#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

#include "consumers/worker/worker.h"
#include "wire/base64.h"
#include "wire/cbor.h"
#include "wire/service_client.h"

namespace millrace::bench {
namespace {

using std::chrono::steady_clock;

struct Arguments {
  std::string what;
  std::string endpoint = "http://127.0.0.1:4567";
  std::string stream = "bench";
  std::string application = "bench";
  std::uint64_t records = 1'000'000;
  std::size_t bytes = 100;
  double seconds = 30;
};

template <typename T>
T Get(Result<T> result) {
  if (!result) {
    std::cerr << result.error().ToString() << "\n";
    std::exit(1);
  }
  return std::move(*result);
}

double CpuSeconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

double MemoryMib() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmRSS:")) return std::strtod(line.c_str() + 6, nullptr) / 1024;
  }
  return 0;
}

double Since(steady_clock::time_point start) {
  return std::chrono::duration<double>(steady_clock::now() - start).count();
}

boost::json::object Rate(std::uint64_t records, std::uint64_t bytes, double seconds, double cpu) {
  boost::json::object found;
  found["records_per_s"] = static_cast<double>(records) / seconds;
  found["mib_per_s"] = static_cast<double>(bytes) / seconds / (1 << 20);
  found["cpu_us_a_record"] = cpu * 1e6 / static_cast<double>(records);
  return found;
}

boost::json::object Fill(const Arguments& arguments, wire::ServiceClient& client) {
  const std::string data = wire::EncodeBase64(AsBytes(std::string(arguments.bytes, 'x')));
  const auto start = steady_clock::now();
  for (std::uint64_t at = 0; at < arguments.records;) {
    boost::json::array records;
    for (; records.size() < 500 && at < arguments.records; ++at) {
      records.push_back(boost::json::object{{"Data", data}, {"PartitionKey", std::to_string(at)}});
    }
    boost::json::object request;
    request["StreamName"] = arguments.stream;
    request["Records"] = std::move(records);
    (void)Get(client.DataStreams("PutRecords", request));
  }
  return Rate(arguments.records, arguments.records * arguments.bytes, Since(start), CpuSeconds());
}

// Each shard from its beginning to its tip.
boost::json::object Bare(const Arguments& arguments, wire::ServiceClient& client) {
  boost::json::object request;
  request["StreamName"] = arguments.stream;
  const auto shards = Get(client.DataStreams("ListShards", request));
  std::uint64_t records = 0, bytes = 0;
  const auto start = steady_clock::now();
  const double cpu = CpuSeconds();
  for (const auto& shard : shards.at("Shards").as_array()) {
    request["ShardId"] = shard.at("ShardId");
    request["ShardIteratorType"] = "TRIM_HORIZON";
    std::string iterator(
        Get(client.DataStreams("GetShardIterator", request)).at("ShardIterator").as_string());
    for (bool more = true; more;) {
      wire::CborWriter body;
      body.BeginObject().Key("ShardIterator").String(iterator).Key("Limit").Integer(1000).EndObject();
      const auto answer = Get(client.DataStreamsCbor("GetRecords", std::move(body).Take()));
      for (const auto& record : answer.at("Records").as_array()) {
        ++records;
        bytes += wire::CborBytesOf(record.at("Data").as_string())->size();
      }
      iterator = std::string(answer.at("NextShardIterator").as_string());
      more = answer.at("MillisBehindLatest").as_int64() > 0;
    }
  }
  return Rate(records, bytes, Since(start), CpuSeconds() - cpu);
}

std::unique_ptr<Worker> StartWorker(const Arguments& arguments, bool push, const std::string& start) {
  WorkerOptions options;
  options.endpoint = Get(wire::Endpoint::Parse(arguments.endpoint));
  options.stream = arguments.stream;
  options.application = arguments.application;
  options.start = start;
  options.read_by = push ? ReadBy::kPush : ReadBy::kPolling;
  return Get(Worker::Start(options));
}

boost::json::object Read(const Arguments& arguments, bool push) {
  auto worker = StartWorker(arguments, push, "TRIM_HORIZON");
  std::uint64_t records = 0;
  steady_clock::time_point start;
  double cpu = 0;
  while (records < arguments.records) {
    const auto batch = worker->NextBatch(std::chrono::seconds(1));
    if (batch.empty()) continue;
    if (records == 0) {
      start = steady_clock::now();
      cpu = CpuSeconds();
    }
    records += batch.size();
    worker->Done(batch.back());
  }
  auto found = Rate(records, worker->metrics().bytes, Since(start), CpuSeconds() - cpu);
  found["commits"] = worker->metrics().commits;
  return found;
}

boost::json::object Idle(const Arguments& arguments, bool push) {
  wire::ServiceClient client(Get(wire::Endpoint::Parse(arguments.endpoint)));
  boost::json::object request;
  request["StreamName"] = arguments.stream;
  const std::size_t shards = Get(client.DataStreams("ListShards", request)).at("Shards").as_array().size();
  auto worker = StartWorker(arguments, push, "LATEST");
  while (worker->shards() < shards || worker->metrics().behind.size() < shards) {
    (void)worker->Next(std::chrono::milliseconds(100));
  }
  std::cout << "idle" << std::endl;  // whoever measures the server begins now
  const WorkerMetrics before = worker->metrics();
  const double cpu = CpuSeconds();
  const auto start = steady_clock::now();
  while (Since(start) < arguments.seconds) (void)worker->Next(std::chrono::milliseconds(500));
  const WorkerMetrics after = worker->metrics();
  boost::json::object found;
  found["shards"] = shards;
  found["requests_per_s"] = static_cast<double>(after.requests - before.requests) / Since(start);
  found["events_per_s"] = static_cast<double>(after.events - before.events) / Since(start);
  found["cpu_cores"] = (CpuSeconds() - cpu) / Since(start);
  found["memory_mib"] = MemoryMib();
  return found;
}

boost::json::object Run(const Arguments& arguments) {
  wire::ServiceClient client(Get(wire::Endpoint::Parse(arguments.endpoint)));
  if (arguments.what == "fill") return Fill(arguments, client);
  if (arguments.what == "bare") return Bare(arguments, client);
  if (arguments.what == "poll" || arguments.what == "push") return Read(arguments, arguments.what == "push");
  return Idle(arguments, arguments.what == "idle-push");
}

}  // namespace
}  // namespace millrace::bench

int main(int argc, char** argv) {
  millrace::bench::Arguments arguments;
  CLI::App app("what the consumer library costs");
  app.add_option("what", arguments.what)
      ->required()
      ->check(CLI::IsMember({"fill", "bare", "poll", "push", "idle-poll", "idle-push"}));
  app.add_option("--endpoint", arguments.endpoint);
  app.add_option("--stream", arguments.stream);
  app.add_option("--application", arguments.application);
  app.add_option("--records", arguments.records);
  app.add_option("--bytes", arguments.bytes);
  app.add_option("--seconds", arguments.seconds);
  CLI11_PARSE(app, argc, argv);
  std::cout << boost::json::serialize(millrace::bench::Run(arguments)) << std::endl;
  return 0;
}
