#include "storage/log_parts.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "storage/recovery.h"
#include "storage/stream_encryption.h"

namespace millrace::storage {

Result<std::unique_ptr<LogParts>> LogParts::Open(const EmbeddedLogOptions& options,
                                                 RetentionClock& retention_clock,
                                                 std::shared_ptr<ReadWaiters> waiters,
                                                 std::function<void()> on_failure) {
  auto parts = OpenOnce(options, retention_clock, waiters, on_failure);
  if (parts || parts.error().code != ErrorCode::kNoSpace) return parts;
  // Recovery needs a little space too, and the sweeper then makes more.
  Ballast ballast(*options.files, BallastPath(options.path), BallastBytes(options.reserve_bytes));
  if (auto adopted = ballast.Adopt(); !adopted || !ballast.Release()) return parts;
  return OpenOnce(options, retention_clock, std::move(waiters), std::move(on_failure));
}

Result<std::unique_ptr<LogParts>> LogParts::OpenOnce(const EmbeddedLogOptions& options,
                                                     RetentionClock& retention_clock,
                                                     std::shared_ptr<ReadWaiters> waiters,
                                                     std::function<void()> on_failure) {
  MILLRACE_ASSIGN_OR_RETURN(auto directory, DataDirectory::Open(*options.files, options.path));
  std::unique_ptr<LogParts> parts(new LogParts(options, std::move(directory)));
  Engine& engine = parts->engine;
  engine.waiters = std::move(waiters);
  engine.on_failure = std::move(on_failure);
  MILLRACE_RETURN_IF_ERROR(engine.ballast.Adopt());
  MILLRACE_ASSIGN_OR_RETURN(auto start, Recover(engine));
  engine.monitor.SetEvictedThrough(engine.state.eviction.through);
  parts->reader = std::make_unique<RecordReader>(engine);
  auto on_stream_changed = [&engine, reader = parts->reader.get()](StreamId stream) {
    engine.waiters->FireStream(
        stream, [&](ShardId shard, std::uint64_t after) { return reader->IsReadable(stream, shard, after); });
  };
  parts->writer = std::make_unique<CommitWriter>(engine, std::move(start), on_stream_changed);
  const auto& streams = engine.state.streams();
  if (std::any_of(streams.begin(), streams.end(), [](const auto& s) { return s.second->encryption; })) {
    MILLRACE_RETURN_IF_ERROR(RaiseFormat(engine, kFormatSealed));
  }
  if (engine.state.has_holds()) MILLRACE_RETURN_IF_ERROR(RaiseFormat(engine, kFormatMarked));  // of a backup
  if (auto rewrapped = RewrapDataKeys(engine, *parts->writer); !rewrapped) {
    Log(LogLevel::kWarning, "data keys are still wrapped with an older master key: keep it",
        {{"error", rewrapped.error().ToString()}});
  }
  parts->sweeper = std::make_unique<Sweeper>(engine, *parts->writer, retention_clock);
  return parts;
}

LogParts::~LogParts() {
  sweeper.reset();
  writer.reset();
  if (!engine.index) return;  // it did not open
  // So that the next opening has nothing to replay. Without it, it replays.
  if (auto flushed = engine.index->Flush(); !flushed) return;
}

}  // namespace millrace::storage
