// The process's metrics, in Prometheus's form. Owners make their metrics once and keep the references.
//
// Names: millrace_<room>_<what>_<unit>[_total]. Threads: any. Returned references live as long as the
// process.
#pragma once

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>

#include <map>
#include <string>

namespace millrace {

using MetricLabels = std::map<std::string, std::string>;

// The metric of this name and these labels; made at the first call, the same one afterwards.
prometheus::Counter& GetCounter(const std::string& name, const std::string& help,
                                const MetricLabels& labels = {});
prometheus::Gauge& GetGauge(const std::string& name, const std::string& help,
                            const MetricLabels& labels = {});
prometheus::Histogram& GetHistogram(const std::string& name, const std::string& help,
                                    const prometheus::Histogram::BucketBoundaries& buckets,
                                    const MetricLabels& labels = {});

// Takes the metrics that carry all of `labels` out of the exposition, when what they speak of is gone (a
// removed camera). REQUIRES: nobody uses the references to them any more.
void RemoveMetrics(const MetricLabels& labels);

// The text exposition format, version 0.0.4.
std::string RenderMetrics();

}  // namespace millrace
