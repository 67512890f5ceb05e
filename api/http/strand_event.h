// Lets a coroutine wait for something that another one on the same strand does; async_event.h is for what
// other threads tell.
//
// Threads: one strand. One waiter at a time.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>

namespace millrace::api {

class StrandEvent {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  explicit StrandEvent(const boost::asio::any_io_executor& executor) : timer_(executor) {}

  void Set() {
    if (set_) return;
    set_ = true;
    timer_.cancel();
  }

  // True: it was set since the last Wait that gave true, or is now. False: `until` came first.
  boost::asio::awaitable<bool> Wait(TimePoint until = TimePoint::max()) {
    while (!set_) {
      if (std::chrono::steady_clock::now() >= until) co_return false;
      timer_.expires_at(until);
      co_await timer_.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
    }
    set_ = false;
    co_return true;
  }

 private:
  boost::asio::steady_timer timer_;
  bool set_ = false;
};

}  // namespace millrace::api
