// Jobs that wait for the disk, on a thread of their own, so that those who ask for them do not.
//
// Threads: Add from any; jobs run one after the other on the own thread, those that were added before the end
// too.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <utility>

#include "base/time.h"

namespace millrace {

class BackgroundJobs {
 public:
  // `idle` runs whenever there was nothing to do for `idle_every`.
  BackgroundJobs(std::function<void()> idle, Duration idle_every)
      : idle_(std::move(idle)), idle_every_(idle_every), thread_([this] { Run(); }) {}
  ~BackgroundJobs() {
    {
      const std::lock_guard lock(mutex_);
      stopped_ = true;
    }
    wake_.notify_all();
    thread_.join();
  }

  void Add(std::function<void()> job) {
    {
      const std::lock_guard lock(mutex_);
      jobs_.push_back(std::move(job));
    }
    wake_.notify_all();
  }

 private:
  void Run() {
    std::unique_lock lock(mutex_);
    for (;;) {
      wake_.wait_for(lock, idle_every_, [this] { return stopped_ || !jobs_.empty(); });
      if (jobs_.empty() && stopped_) return;
      std::function<void()> job = idle_;
      if (!jobs_.empty()) {
        job = std::move(jobs_.front());
        jobs_.pop_front();
      }
      lock.unlock();
      job();
      job = nullptr;
      lock.lock();
    }
  }

  const std::function<void()> idle_;
  const Duration idle_every_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> jobs_;  // at most one or two a stream
  bool stopped_ = false;
  std::thread thread_;
};

}  // namespace millrace
