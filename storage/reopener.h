// Keeps a log open: when it has stopped taking writes, closes it and opens it again, as often as it takes.
//
// After a sync that failed nobody knows what the disk has, so nothing is written on top: everything is
// closed, what is on the disk is recovered, and only then writing goes on. Reading goes on until the disk
// takes writes again (a small file is tried), and stops for the moment of the recovery.
//
// Threads: any. The log is closed and opened on a thread of the reopener's own.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include "base/result.h"
#include "storage/log_parts.h"

namespace millrace::storage {

class Reopener {
 public:
  // Errors: those of LogParts::Open.
  static Result<std::unique_ptr<Reopener>> Open(EmbeddedLogOptions options,
                                                std::shared_ptr<ReadWaiters> waiters);
  ~Reopener();
  Reopener(const Reopener&) = delete;
  Reopener& operator=(const Reopener&) = delete;

  // The log as it is open now; it stays open while this is held, so hold it for one call only. Errors:
  // kUnavailable: it is being opened again; the text says why.
  Result<std::shared_ptr<LogParts>> Use();
  // Of the log, also while it is not open.
  StorageStatus Status();

 private:
  Reopener(EmbeddedLogOptions options, std::shared_ptr<ReadWaiters> waiters);
  Result<void> OpenParts();
  // Waits until nobody uses it.
  void Close();
  void Run();
  void Reopen();
  Result<void> TryDisk();

  const EmbeddedLogOptions options_;
  const std::shared_ptr<ReadWaiters> waiters_;
  RetentionClock
      retention_clock_;  // of the sweeper that is open; one that is opened again doubts what it doubted

  std::mutex mutex_;
  std::condition_variable changed_;
  std::shared_ptr<LogParts> parts_;  // GUARDED_BY(mutex_); null: not open. Its deleter hands it to retired_
  LogParts* retired_ = nullptr;      // GUARDED_BY(mutex_); owned; nobody uses it any more
  bool failed_ = false;              // GUARDED_BY(mutex_); the open log takes no writes
  bool stopping_ = false;            // GUARDED_BY(mutex_)
  StorageStatus closed_status_;      // GUARDED_BY(mutex_); while it is not open
  std::thread thread_;               // last: starts when the rest is there
};

}  // namespace millrace::storage
