// Load on a server that speaks the Data Streams protocol, from loopback; prints one JSON object.
//
//   wire_load put     --address 127.0.0.1:4567 --stream S [--connections 16] [--batch 1] [--bytes 1024] …
//   wire_load get     --address … --stream S --shard … [--connections 2]
//   wire_load latency --address … --stream S --shard … [--consumer ARN | --poll-ms 200] [--rate 1000]
//   wire_load idle    --address … --shard … --consumer ARN …      subscribers to whom nothing comes
//
// All of them end after --seconds. One thread: on the machines this is for it makes and takes some ten times
// what it measures; the share of a core that it took is printed, and 1.0 would mean that it was the limit.
#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <cstdio>
#include <memory>
#include <vector>

#include "benchmarks/wire_load/http_channel.h"
#include "benchmarks/wire_load/kinesis_requests.h"
#include "wire/base64.h"
#include "wire/event_stream.h"

namespace {

using namespace millrace;
using namespace millrace::bench;
using Clock = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;

struct Options {
  std::string address = "127.0.0.1:4567";
  std::string stream;
  std::vector<std::string> shards;
  std::vector<std::string> consumers;
  std::string key;  // "ID:SECRET"
  std::size_t connections = 16;
  std::size_t batch = 1;
  std::size_t bytes = 1024;
  double seconds = 5;
  double warm_up = 1;
  double rate = 1000;
  int poll_ms = 0;
};

double CpuSeconds() {
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
  };
  return seconds(used.ru_utime) + seconds(used.ru_stime);
}

double Percentile(std::vector<double>& values, double part) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  return values[std::min(values.size() - 1,
                         static_cast<std::size_t>(part * static_cast<double>(values.size())))];
}

// Data of a record: the moment, then filling. Base64 of it begins with the moment's.
std::string DataFrom(Clock::time_point moment, std::size_t bytes) {
  Bytes data;
  AppendBigEndian(data, static_cast<std::uint64_t>(moment.time_since_epoch().count()));
  std::uint64_t state = 88172645463325252u;
  while (data.size() < bytes) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    data.push_back(static_cast<std::uint8_t>(state >> 56));
  }
  return wire::EncodeBase64(data);
}

class Load {
 public:
  explicit Load(const Options& options) : options_(options) {
    const std::size_t colon = options.address.rfind(':');
    if (colon == std::string::npos) Die("no port in " + options.address);
    peer_ = {net::ip::make_address(options.address.substr(0, colon)),
             static_cast<net::ip::port_type>(std::stoul(options.address.substr(colon + 1)))};
    requests_.host = options.address;
    if (const std::size_t at = options.key.find(':'); at != std::string::npos) {
      requests_.key = wire::AccessKey{options.key.substr(0, at), options.key.substr(at + 1)};
    }
  }

  void Put();
  void Get();
  void Latency();
  void Idle();

 private:
  net::awaitable<void> PutForever(std::size_t first);
  net::awaitable<void> GetForever(std::string shard);
  net::awaitable<void> PutAtRate();
  net::awaitable<void> PutOne(std::shared_ptr<HttpChannel> channel);
  net::awaitable<void> Poll(std::string shard);
  net::awaitable<void> Subscribe(std::string consumer, std::string shard, bool measure);
  net::awaitable<void> SubscribeAll();

  std::unique_ptr<HttpChannel> Channel() { return std::make_unique<HttpChannel>(io_.get_executor(), peer_); }

  void Spawn(net::awaitable<void> work) {
    net::co_spawn(io_, std::move(work), [this](std::exception_ptr error) {
      if (!error || io_.stopped()) return;
      try {
        std::rethrow_exception(error);
      } catch (const std::exception& what) {
        Die(what.what());
      }
    });
  }

  // Runs what was spawned: the warm-up, then what counts.
  void Run() {
    io_.run_for(std::chrono::duration_cast<Clock::duration>(Seconds(options_.warm_up)));
    answers_ = records_ = body_bytes_ = refused_ = 0;
    times_ms_.clear();
    const double cpu = CpuSeconds();
    const auto start = Clock::now();
    io_.run_for(std::chrono::duration_cast<Clock::duration>(Seconds(options_.seconds)));
    seconds_ = Seconds(Clock::now() - start).count();
    cpu_ = (CpuSeconds() - cpu) / seconds_;
  }

  // Takes the records of an answer or event: how long ago each was put.
  void TakeRecords(std::string_view body) {
    constexpr std::string_view kData = "\"Data\":\"";
    const auto now = static_cast<std::uint64_t>(Clock::now().time_since_epoch().count());
    for (std::size_t at = body.find(kData); at != std::string_view::npos; at = body.find(kData, at)) {
      at += kData.size();
      const auto moment = wire::DecodeBase64(body.substr(at, 12));  // nine bytes
      if (!moment) Die("data that is no base64");
      times_ms_.push_back(static_cast<double>(now - ReadBigEndian<std::uint64_t>(*moment)) / 1e6);
      ++records_;
    }
  }

  const Options& options_;
  RequestMaker requests_;
  net::io_context io_{1};
  net::ip::tcp::endpoint peer_;
  std::size_t answers_ = 0, records_ = 0, body_bytes_ = 0, refused_ = 0, subscribed_ = 0;
  std::vector<double> times_ms_;
  double seconds_ = 0, cpu_ = 0;
};

net::awaitable<void> Load::PutForever(std::size_t first) {
  const std::size_t variants = options_.batch == 1 ? 64 : 4;  // made beforehand; of a batch each has all keys
  const std::string data = DataFrom(Clock::now(), options_.bytes);
  std::vector<std::string> requests;
  for (std::size_t i = 0; i < variants; ++i) {
    requests.push_back(
        requests_.Put(options_.stream, options_.batch, (first * variants + i) * options_.batch, data));
  }
  auto channel = Channel();
  co_await channel->Connect();
  for (std::size_t i = 0;; ++i) {
    const auto start = Clock::now();
    const HttpChannel::Answer answer = co_await channel->Exchange(requests[i % variants]);
    if (answer.status != 200) Die("a put was answered: " + std::string(answer.body.substr(0, 300)));
    if (answer.body.find("\"ErrorCode\"") != std::string_view::npos) ++refused_;
    times_ms_.push_back(Seconds(Clock::now() - start).count() * 1000);
    ++answers_;
    records_ += options_.batch;
  }
}

net::awaitable<void> Load::GetForever(std::string shard) {
  auto channel = Channel();
  co_await channel->Connect();
  for (;;) {
    HttpChannel::Answer answer =
        co_await channel->Exchange(requests_.GetShardIterator(options_.stream, shard, "TRIM_HORIZON"));
    std::string iterator(JsonText(answer.body, "ShardIterator"));
    for (;;) {
      answer = co_await channel->Exchange(requests_.GetRecords(iterator));
      if (answer.status != 200) Die("GetRecords: " + std::string(answer.body.substr(0, 300)));
      const std::size_t before = records_;
      for (std::size_t at = answer.body.find("\"Data\""); at != std::string_view::npos;
           at = answer.body.find("\"Data\"", at + options_.bytes)) {
        ++records_;
      }
      ++answers_;
      body_bytes_ += answer.body.size();
      iterator = JsonText(answer.body, "NextShardIterator");
      if (records_ == before || iterator.empty()) break;  // the tip: from the beginning again
    }
  }
}

net::awaitable<void> Load::PutOne(std::shared_ptr<HttpChannel> channel) {
  const std::string request =
      requests_.Put(options_.stream, 1, answers_++, DataFrom(Clock::now(), options_.bytes));
  const HttpChannel::Answer answer = co_await channel->Exchange(request);
  if (answer.status != 200) ++refused_;
}

// Puts by the clock and not by the answers: `connections` of them take turns, each as often as its share.
net::awaitable<void> Load::PutAtRate() {
  const auto every = std::chrono::duration_cast<Clock::duration>(Seconds(1 / options_.rate));
  const auto start = Clock::now();
  for (std::size_t c = 0; c < options_.connections; ++c) {
    auto work = [](Load* load, Clock::time_point due, Clock::duration step) -> net::awaitable<void> {
      std::shared_ptr<HttpChannel> channel = load->Channel();
      co_await channel->Connect();
      net::steady_timer timer(load->io_);
      for (;; due += step) {
        timer.expires_at(due);
        co_await timer.async_wait(net::use_awaitable);
        co_await load->PutOne(channel);
      }
    };
    Spawn(work(this, start + every * c, every * options_.connections));
  }
  co_return;
}

net::awaitable<void> Load::Poll(std::string shard) {
  auto channel = Channel();
  co_await channel->Connect();
  HttpChannel::Answer answer =
      co_await channel->Exchange(requests_.GetShardIterator(options_.stream, shard, "LATEST"));
  std::string iterator(JsonText(answer.body, "ShardIterator"));
  net::steady_timer timer(io_);
  for (auto due = Clock::now();; due += std::chrono::milliseconds(options_.poll_ms)) {
    timer.expires_at(due);
    co_await timer.async_wait(net::use_awaitable);
    answer = co_await channel->Exchange(requests_.GetRecords(iterator));
    if (answer.status != 200) {
      ++refused_;
      continue;
    }
    TakeRecords(answer.body);
    iterator = JsonText(answer.body, "NextShardIterator");
  }
}

net::awaitable<void> Load::Subscribe(std::string consumer, std::string shard, bool measure) {
  auto channel = Channel();
  co_await channel->Connect();
  const int status = co_await channel->Open(requests_.Subscribe(consumer, shard));
  if (status != 200) Die("SubscribeToShard was answered with " + std::to_string(status));
  ++subscribed_;
  wire::EventStreamDecoder decoder;
  for (;;) {
    const Bytes piece = co_await channel->ReadPiece();
    if (piece.empty()) Die("a subscription ended");
    const auto messages = decoder.Append(piece);
    if (!messages) Die("an event stream: " + messages.error().ToString());
    for (const wire::EventMessage& message : *messages) {
      ++answers_;
      if (measure) TakeRecords(AsText(message.payload));
    }
  }
}

net::awaitable<void> Load::SubscribeAll() {
  net::steady_timer timer(io_);
  for (const std::string& consumer : options_.consumers) {
    for (const std::string& shard : options_.shards) Spawn(Subscribe(consumer, shard, false));
    timer.expires_after(std::chrono::milliseconds(100));  // some at a time, so that none waits to be accepted
    co_await timer.async_wait(net::use_awaitable);
  }
  while (subscribed_ < options_.consumers.size() * options_.shards.size()) {
    timer.expires_after(std::chrono::milliseconds(20));
    co_await timer.async_wait(net::use_awaitable);
  }
  std::printf("{\"subscribed\": %zu}\n", subscribed_);
  std::fflush(stdout);
}

void Load::Put() {
  for (std::size_t i = 0; i < options_.connections; ++i) Spawn(PutForever(i));
  Run();
  const double records = static_cast<double>(records_) / seconds_;
  std::printf(
      "{\"requests_per_s\": %.0f, \"records_per_s\": %.0f, \"mib_per_s\": %.2f, \"p50_ms\": %.2f, "
      "\"p99_ms\": "
      "%.2f, \"refused\": %zu, \"load_cpu_cores\": %.2f}\n",
      static_cast<double>(answers_) / seconds_, records,
      records * static_cast<double>(options_.bytes) / 1048576, Percentile(times_ms_, 0.5),
      Percentile(times_ms_, 0.99), refused_, cpu_);
}

void Load::Get() {
  for (std::size_t i = 0; i < options_.connections; ++i) {
    Spawn(GetForever(options_.shards[i % options_.shards.size()]));
  }
  Run();
  const double records = static_cast<double>(records_) / seconds_;
  std::printf(
      "{\"requests_per_s\": %.0f, \"records_per_s\": %.0f, \"data_mb_per_s\": %.1f, \"answer_mb_per_s\": "
      "%.1f, "
      "\"load_cpu_cores\": %.2f}\n",
      static_cast<double>(answers_) / seconds_, records, records * static_cast<double>(options_.bytes) / 1e6,
      static_cast<double>(body_bytes_) / seconds_ / 1e6, cpu_);
}

void Load::Latency() {
  for (const std::string& shard : options_.shards) {
    if (options_.consumers.empty()) {
      Spawn(Poll(shard));
    } else {
      Spawn(Subscribe(options_.consumers[0], shard, true));
    }
  }
  io_.run_for(std::chrono::milliseconds(500));  // the readers first: they begin at the tip
  Spawn(PutAtRate());
  Run();
  const double rate = static_cast<double>(times_ms_.size()) / seconds_;
  std::printf(
      "{\"records_per_s\": %.0f, \"p50_ms\": %.2f, \"p99_ms\": %.2f, \"max_ms\": %.2f, \"refused\": %zu, "
      "\"load_cpu_cores\": %.2f}\n",
      rate, Percentile(times_ms_, 0.5), Percentile(times_ms_, 0.99), Percentile(times_ms_, 1), refused_,
      cpu_);
}

void Load::Idle() {
  Spawn(SubscribeAll());
  Run();
  std::printf("{\"subscribers\": %zu, \"events_per_s\": %.0f, \"load_cpu_cores\": %.2f}\n", subscribed_,
              static_cast<double>(answers_) / seconds_, cpu_);
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"Load on a server that speaks the Data Streams protocol"};
  Options options;
  app.add_option("--address", options.address);
  app.add_option("--stream", options.stream);
  app.add_option("--shard", options.shards);
  app.add_option("--consumer", options.consumers);
  app.add_option("--key", options.key, "ID:SECRET: sign the requests");
  app.add_option("--connections", options.connections);
  app.add_option("--batch", options.batch);
  app.add_option("--bytes", options.bytes);
  app.add_option("--seconds", options.seconds);
  app.add_option("--warm-up", options.warm_up);
  app.add_option("--rate", options.rate);
  app.add_option("--poll-ms", options.poll_ms);
  std::string what;
  app.add_option("what", what)->required()->check(CLI::IsMember({"put", "get", "latency", "idle"}));
  CLI11_PARSE(app, argc, argv);
  Load load(options);
  if (what == "put") load.Put();
  if (what == "get") load.Get();
  if (what == "latency") load.Latency();
  if (what == "idle") load.Idle();
  std::fflush(stdout);
  std::_Exit(0);  // connections are as they are: nothing is drained
}
