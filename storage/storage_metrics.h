// The storage room's metrics; one set a process, whatever the number of open logs.
#pragma once

#include "base/metrics.h"
#include "storage/storage_status.h"

namespace millrace::storage {

struct StorageMetrics {
  prometheus::Gauge& queue_bytes =
      GetGauge("millrace_storage_queue_bytes", "Record bytes that wait for their commit");
  prometheus::Histogram& put_seconds =
      GetHistogram("millrace_storage_put_seconds", "From a put to its acknowledgement",
                   {0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30});
  prometheus::Histogram& sync_seconds =
      GetHistogram("millrace_storage_sync_seconds", "One fdatasync of a segment",
                   {0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1, 5, 30});
  prometheus::Histogram& group_bytes =
      GetHistogram("millrace_storage_group_bytes", "Bytes of one group commit",
                   {1 << 10, 1 << 12, 1 << 14, 1 << 16, 1 << 18, 1 << 20, 1 << 22, 1 << 24, 1 << 26});
  prometheus::Counter& written_bytes =
      GetCounter("millrace_storage_written_bytes_total", "Bytes written to segments, framing included");
  prometheus::Counter& put_bytes =
      GetCounter("millrace_storage_put_bytes_total", "Record bytes acknowledged");
  prometheus::Counter& put_records = GetCounter("millrace_storage_put_records_total", "Records acknowledged");
  prometheus::Counter& put_refused =
      GetCounter("millrace_storage_put_errors_total", "Records not stored", {{"reason", "refused"}});
  prometheus::Counter& put_queue_full =
      GetCounter("millrace_storage_put_errors_total", "Records not stored", {{"reason", "queue_full"}});
  prometheus::Counter& put_no_space =
      GetCounter("millrace_storage_put_errors_total", "Records not stored", {{"reason", "no_space"}});
  prometheus::Counter& put_failed =
      GetCounter("millrace_storage_put_errors_total", "Records not stored", {{"reason", "io"}});
  prometheus::Counter& corrupt_reads = GetCounter("millrace_storage_corrupt_reads_total",
                                                  "Records whose stored bytes do not match their checksum");
  prometheus::Gauge& segments = GetGauge("millrace_storage_segments", "Data segment files");
  prometheus::Gauge& disk_bytes =
      GetGauge("millrace_storage_disk_bytes", "What records, index and reserve take on the disk");
  prometheus::Gauge& disk_free_bytes =
      GetGauge("millrace_storage_disk_free_bytes", "What is free on the disk");
  prometheus::Gauge& budget_bytes = GetGauge("millrace_storage_budget_bytes",
                                             "What the store may take of the disk now; 0: no budget is set");
  prometheus::Gauge& state = GetGauge("millrace_storage_state",
                                      "0 ok, 1 evicting, 2 held, 3 full, 4 stalled, 5 failing, 6 read-only");
  prometheus::Gauge& held_bytes =
      GetGauge("millrace_storage_held_bytes", "Data of the records that holds keep");
  prometheus::Counter& expired_records =
      GetCounter("millrace_storage_removed_records_total", "Records removed: expired or deleted");
  prometheus::Counter& evictions =
      GetCounter("millrace_storage_evictions_total", "How often the oldest records went for the disk budget");
  prometheus::Counter& evicted_records =
      GetCounter("millrace_storage_evicted_records_total", "Records that went for the disk budget");
  prometheus::Counter& evicted_bytes = GetCounter("millrace_storage_evicted_bytes_total", "Their data");
  prometheus::Counter& unlinked_segments =
      GetCounter("millrace_storage_unlinked_segments_total", "Segments given back to the disk whole");
  prometheus::Counter& punched_bytes =
      GetCounter("millrace_storage_punched_bytes_total", "Bytes given back to the disk as holes");

  void ShowStatus(const StorageStatus& status) {
    disk_bytes.Set(static_cast<double>(status.used_bytes));
    disk_free_bytes.Set(static_cast<double>(status.free_bytes));
    budget_bytes.Set(static_cast<double>(status.budget_bytes.value_or(0)));
    held_bytes.Set(static_cast<double>(status.held_bytes));
    state.Set(static_cast<double>(status.state));
  }
};

}  // namespace millrace::storage
