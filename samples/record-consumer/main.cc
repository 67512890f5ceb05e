// Reads a data stream together with others of its application, prints each record, and ends at SIGINT or
// SIGTERM without leaving a shard to nobody:
//
//   record_consumer ENDPOINT APPLICATION STREAM [push|poll] [results]
//
// With `results`, the name of a data stream, each record's length is put there, exactly once whatever
// happens.
#include <atomic>
#include <csignal>
#include <iostream>
#include <string>

#include "consumers/worker/worker.h"

namespace {

std::atomic<bool> stopped{false};

void OnSignal(int) { stopped = true; }

const char* NameOf(millrace::ShardEvent::Kind kind) {
  switch (kind) {
    case millrace::ShardEvent::Kind::kTaken:
      return "taken";
    case millrace::ShardEvent::Kind::kLost:
      return "lost";
    case millrace::ShardEvent::Kind::kEnded:
      return "ended";
    case millrace::ShardEvent::Kind::kReleased:
      return "released";
  }
  return "?";
}

// The worker says once what is wrong, and once that it is over.
void SayTrouble(const millrace::Worker& worker, std::string& before) {
  std::string now = worker.trouble();
  if (now == before) return;
  std::cerr << (now.empty() ? "the server is there again" : now) << std::endl;
  before = std::move(now);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) {
    std::cerr << "usage: record_consumer ENDPOINT APPLICATION STREAM [push|poll] [RESULTS]\n";
    return 2;
  }
  auto endpoint = millrace::wire::Endpoint::Parse(argv[1]);
  if (!endpoint) {
    std::cerr << endpoint.error().ToString() << "\n";
    return 2;
  }
  millrace::WorkerOptions options;
  options.endpoint = *endpoint;
  options.application = argv[2];
  options.stream = argv[3];
  options.start = "TRIM_HORIZON";
  const bool push = argc > 4 && std::string(argv[4]) == "push";
  options.read_by = push ? millrace::ReadBy::kPush : millrace::ReadBy::kPolling;
  options.shard_event = [](const millrace::ShardEvent& event) {
    std::cerr << event.shard << " " << NameOf(event.kind) << std::endl;
  };
  const std::string results = argc > 5 ? argv[5] : "";

  auto started = millrace::Worker::Start(options);
  if (!started) {
    std::cerr << started.error().ToString() << "\n";
    return 2;
  }
  millrace::Worker& worker = **started;
  std::signal(SIGINT, OnSignal);
  std::signal(SIGTERM, OnSignal);

  std::string trouble;
  while (!stopped) {
    SayTrouble(worker, trouble);
    for (const auto& record : worker.NextBatch(std::chrono::milliseconds(200), 100)) {
      std::cout << record.shard << ' ' << record.sequence_number << ' ' << record.partition_key << ' '
                << millrace::AsText(record.data) << '\n';
      if (results.empty()) {
        worker.Done(record);  // committed within two seconds
        continue;
      }
      millrace::WorkerResult result;
      result.stream = results;
      result.partition_key = record.partition_key;
      result.data = std::to_string(record.data.size());
      auto committed = worker.Commit(record, {result});
      if (!committed) {
        std::cerr << committed.error().ToString() << std::endl;
        worker.GiveUp(record);  // it comes again, here or elsewhere
        break;
      }
    }
    std::cout.flush();
  }
  worker.Close();
  std::cerr << worker.PrometheusText();
  return 0;
}
