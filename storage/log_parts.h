// The embedded engine, opened: its parts, in the order of their dependencies. Internal to storage.
#pragma once

#include <functional>
#include <memory>

#include "base/result.h"
#include "storage/commit_writer.h"
#include "storage/engine.h"
#include "storage/record_reader.h"
#include "storage/sweeper.h"

namespace millrace::storage {

struct LogParts {
  // Recovers what is in the directory. `waiters` may hold waits already. `on_failure` is called once, by the
  // writer, when it stops taking writes: it must not wait for anything.
  // `retention_clock` outlives the parts.
  static Result<std::unique_ptr<LogParts>> Open(const EmbeddedLogOptions& options,
                                                RetentionClock& retention_clock,
                                                std::shared_ptr<ReadWaiters> waiters,
                                                std::function<void()> on_failure);
  ~LogParts();  // commits what was put, and runs every callback

  Engine engine;
  std::unique_ptr<RecordReader> reader;
  std::unique_ptr<CommitWriter> writer;
  std::unique_ptr<Sweeper> sweeper;

 private:
  LogParts(const EmbeddedLogOptions& options, DataDirectory directory)
      : engine(options, std::move(directory)) {}
  static Result<std::unique_ptr<LogParts>> OpenOnce(const EmbeddedLogOptions& options,
                                                    RetentionClock& retention_clock,
                                                    std::shared_ptr<ReadWaiters> waiters,
                                                    std::function<void()> on_failure);
};

}  // namespace millrace::storage
