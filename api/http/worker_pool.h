// A bounded pool for what may block (reads from the store, remuxing), so that the threads of the I/O never
// do.
//
// Bounds:  `threads` run, at most `queue_max` more wait; what comes then is refused at once with
// kResourceExhausted. Threads: Run from any coroutine. Destroying it waits for what runs.
#pragma once

#include <atomic>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/thread_pool.hpp>
#include <exception>
#include <functional>
#include <optional>
#include <string>
#include <type_traits>

#include "base/result.h"

namespace millrace::api {

class WorkerPool {
 public:
  WorkerPool(std::size_t threads, std::size_t queue_max);
  ~WorkerPool();

  // Runs `work` (which gives a Result) on the pool and comes back to the awaiting coroutine's executor. An
  // exception from `work` becomes kInternal.
  //
  // Give `work` a name before awaiting: a temporary lambda inside co_await is destroyed twice by GCC 12.
  template <typename Work>
  boost::asio::awaitable<std::invoke_result_t<Work&>> Run(Work& work) {
    using R = std::invoke_result_t<Work&>;
    if (!Enter()) co_return R(Refused());
    Place place{*this};  // left again however this ends
    std::optional<R> result;
    std::function<void()> job = [&] {
      try {
        result.emplace(work());
      } catch (const std::exception& e) {
        result.emplace(Error{ErrorCode::kInternal, std::string("unexpected exception: ") + e.what()});
      }
    };
    co_await RunOnPool(job);
    co_return std::move(*result);
  }

  std::size_t busy() const { return busy_; }

 private:
  struct Place {
    WorkerPool& pool;
    ~Place() { pool.Leave(); }
  };

  boost::asio::awaitable<void> RunOnPool(std::function<void()>& job);
  bool Enter();
  void Leave();
  static Error Refused();

  const std::size_t busy_max_;
  std::atomic<std::size_t> busy_{0};  // running and waiting
  boost::asio::thread_pool pool_;
};

}  // namespace millrace::api
