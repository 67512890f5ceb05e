#include "base/metrics.h"

#include <prometheus/family.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <functional>
#include <mutex>
#include <utility>
#include <vector>

namespace millrace {
namespace {

struct MetricEntry {
  MetricLabels labels;
  std::function<void()> remove;
};

struct MetricsState {
  prometheus::Registry registry;
  std::mutex mutex;
  std::vector<MetricEntry> labelled;  // GUARDED_BY(mutex)
};

MetricsState& State() {
  static auto* state = new MetricsState;  // never destroyed: threads may count until the very end
  return *state;
}

// Family<T>::Add gives back the existing metric when the labels are known already.
template <typename T, typename... Args>
T& GetMetric(prometheus::Family<T>& family, const MetricLabels& labels, const Args&... args) {
  MetricsState& state = State();
  std::lock_guard lock(state.mutex);
  bool known = family.Has(labels);
  T& metric = family.Add(labels, args...);
  if (!known && !labels.empty()) {
    state.labelled.push_back({labels, [&family, &metric] { family.Remove(&metric); }});
  }
  return metric;
}

}  // namespace

prometheus::Counter& GetCounter(const std::string& name, const std::string& help,
                                const MetricLabels& labels) {
  return GetMetric(prometheus::BuildCounter().Name(name).Help(help).Register(State().registry), labels);
}

prometheus::Gauge& GetGauge(const std::string& name, const std::string& help, const MetricLabels& labels) {
  return GetMetric(prometheus::BuildGauge().Name(name).Help(help).Register(State().registry), labels);
}

prometheus::Histogram& GetHistogram(const std::string& name, const std::string& help,
                                    const prometheus::Histogram::BucketBoundaries& buckets,
                                    const MetricLabels& labels) {
  return GetMetric(prometheus::BuildHistogram().Name(name).Help(help).Register(State().registry), labels,
                   buckets);
}

void RemoveMetrics(const MetricLabels& labels) {
  MetricsState& state = State();
  std::lock_guard lock(state.mutex);
  std::erase_if(state.labelled, [&](const MetricEntry& entry) {
    bool matches = std::all_of(labels.begin(), labels.end(), [&](const auto& label) {
      auto found = entry.labels.find(label.first);
      return found != entry.labels.end() && found->second == label.second;
    });
    if (matches) entry.remove();
    return matches;
  });
}

std::string RenderMetrics() { return prometheus::TextSerializer().Serialize(State().registry.Collect()); }

}  // namespace millrace
