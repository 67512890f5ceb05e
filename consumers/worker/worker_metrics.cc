#include "consumers/worker/worker_metrics.h"

#include <algorithm>
#include <array>
#include <cstdio>

namespace millrace {
namespace {

// A label's value (Prometheus, "Text format details").
std::string Quoted(const std::string& value) {
  std::string text = "\"";
  for (char c : value) {
    if (c == '\n') {
      text += "\\n";
      continue;
    }
    if (c == '\\' || c == '"') text.push_back('\\');
    text.push_back(c);
  }
  return text + '"';
}

struct Metric {
  const char* name;
  const char* type;
  const char* help;
  std::uint64_t WorkerMetrics::*value;
};

constexpr std::array kMetrics{
    Metric{"records_total", "counter", "Records given", &WorkerMetrics::records},
    Metric{"records_passed_total", "counter", "Records not wanted", &WorkerMetrics::records_passed},
    Metric{"bytes_total", "counter", "Data of records, given or not", &WorkerMetrics::bytes},
    Metric{"requests_total", "counter", "GetRecords calls", &WorkerMetrics::requests},
    Metric{"subscriptions_total", "counter", "SubscribeToShard calls", &WorkerMetrics::subscriptions},
    Metric{"events_total", "counter", "Events of subscriptions", &WorkerMetrics::events},
    Metric{"read_retries_total", "counter", "Reads that failed", &WorkerMetrics::read_retries},
    Metric{"commits_total", "counter", "Checkpoints committed", &WorkerMetrics::commits},
    Metric{"commit_retries_total", "counter", "Commits that found no server", &WorkerMetrics::commit_retries},
    Metric{"results_total", "counter", "Records put with commits", &WorkerMetrics::results},
    Metric{"leases_taken_total", "counter", "Leases taken", &WorkerMetrics::leases_taken},
    Metric{"leases_stolen_total", "counter", "Leases taken from others", &WorkerMetrics::leases_stolen},
    Metric{"leases_lost_total", "counter", "Leases lost or given up", &WorkerMetrics::leases_lost},
    Metric{"shards_ended_total", "counter", "Shards read to their end", &WorkerMetrics::shards_ended},
    Metric{"leases", "gauge", "Leases held", &WorkerMetrics::leases},
    Metric{"read_ahead_bytes", "gauge", "Data read and not given yet", &WorkerMetrics::read_ahead_bytes},
};

void Describe(std::string& text, const std::string& name, const char* help, const char* type) {
  text += "# HELP " + name + ' ' + help + "\n# TYPE " + name + ' ' + type + '\n';
}

}  // namespace

Duration WorkerMetrics::behind_max() const {
  Duration most{0};
  for (const auto& [shard, behind_it] : behind) most = std::max(most, behind_it);
  return most;
}

std::string PrometheusText(const WorkerMetrics& metrics, const std::string& application,
                           const std::string& stream, const std::string& worker) {
  const std::string labels =
      "application=" + Quoted(application) + ",stream=" + Quoted(stream) + ",worker=" + Quoted(worker);
  std::string text;
  for (const Metric& metric : kMetrics) {
    const std::string name = std::string("millrace_consumer_") + metric.name;
    Describe(text, name, metric.help, metric.type);
    text += name + '{' + labels + "} " + std::to_string(metrics.*metric.value) + '\n';
  }
  const std::string behind = "millrace_consumer_behind_seconds";
  Describe(text, behind, "Age of the oldest record of the shard that was not given yet", "gauge");
  for (const auto& [shard, behind_it] : metrics.behind) {
    char seconds[32];
    std::snprintf(seconds, sizeof(seconds), "%.3f", std::chrono::duration<double>(behind_it).count());
    text += behind + '{' + labels + ",shard=" + Quoted(shard) + "} " + seconds + '\n';
  }
  return text;
}

}  // namespace millrace
