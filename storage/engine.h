// What the parts of the embedded engine share. Internal to storage.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>

#include "storage/ballast.h"
#include "storage/control_state.h"
#include "storage/data_directory.h"
#include "storage/data_keys.h"
#include "storage/disk_monitor.h"
#include "storage/embedded_log.h"
#include "storage/index.h"
#include "storage/read_waiters.h"
#include "storage/segment_store.h"
#include "storage/storage_metrics.h"

namespace millrace::storage {

struct Engine {
  Engine(EmbeddedLogOptions o, DataDirectory d)
      : options(std::move(o)),
        directory(std::move(d)),
        format(directory.format),
        keys(options.master_keys, directory.store),
        segments(*options.files, directory),
        ballast(*options.files, BallastPath(directory.path), BallastBytes(options.reserve_bytes)),
        monitor(*options.files, directory, segments, ballast,
                {options.budget, options.reserve_bytes, options.segment_bytes, options.clock}) {}

  const EmbeddedLogOptions options;
  const DataDirectory directory;
  std::atomic<std::uint32_t>
      format;               // of the directory; rises with the first of what older programs do not know
  std::mutex format_mutex;  // one change of it at a time
  DataKeys keys;
  StorageMetrics metrics;

  // The writer thread alone changes the state, and may therefore read it without the lock.
  mutable std::shared_mutex mutex;
  ControlState state;  // GUARDED_BY(mutex)

  std::unique_ptr<Index> index;
  SegmentStore segments;
  Ballast ballast;
  DiskMonitor monitor;
  std::shared_ptr<ReadWaiters> waiters;
  std::function<void()> on_failure;  // the writer has stopped taking writes

  FileSystem& files() const { return *options.files; }
  Timestamp Now() const { return options.clock->Now(); }
};

// The marker says that older programs cannot read this directory; durable. Before the first change that they
// would not understand. Threads: any; may wait for the disk.
Result<void> RaiseFormat(Engine& engine, std::uint32_t format);

Error NoSuchStream(const std::string& name);
Error NoSuchShard(const std::string& stream, ShardId shard);

}  // namespace millrace::storage
