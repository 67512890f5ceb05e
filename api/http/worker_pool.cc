#include "api/http/worker_pool.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/metrics.h"

namespace millrace::api {
namespace {

prometheus::Gauge& BusyGauge() {
  static auto& gauge = GetGauge("millrace_api_workers_busy", "Blocking pieces of requests that run or wait");
  return gauge;
}

}  // namespace

WorkerPool::WorkerPool(std::size_t threads, std::size_t queue_max)
    : busy_max_(threads + queue_max), pool_(threads) {}

WorkerPool::~WorkerPool() { pool_.join(); }

boost::asio::awaitable<void> WorkerPool::RunOnPool(std::function<void()>& job) {
  auto run = [](std::function<void()>& what) -> boost::asio::awaitable<void> {
    what();
    co_return;
  };
  co_await boost::asio::co_spawn(pool_, run(job), boost::asio::use_awaitable);
}

bool WorkerPool::Enter() {
  if (busy_.fetch_add(1) >= busy_max_) {
    busy_.fetch_sub(1);
    return false;
  }
  BusyGauge().Increment();
  return true;
}

void WorkerPool::Leave() {
  busy_.fetch_sub(1);
  BusyGauge().Decrement();
}

Error WorkerPool::Refused() {
  return Error{ErrorCode::kResourceExhausted,
               "the server is busy with other requests; try again in a moment"};
}

}  // namespace millrace::api
