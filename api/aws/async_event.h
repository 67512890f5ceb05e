// Lets one coroutine wait for something that another room's thread tells: a put that became durable, a
// fragment that was closed.
//
//   AsyncEvent event(co_await net::this_coro::executor);
//   auto subscription = feed.Subscribe(event.Setter());
//   while (co_await event.Wait(until)) …
//
// Threads: the event itself on its executor (a strand) only; what Setter gives on any thread, also when the
//          event and its executor are gone already.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <functional>
#include <memory>

namespace millrace::api {

class AsyncEvent {
 public:
  explicit AsyncEvent(boost::asio::any_io_executor executor);
  ~AsyncEvent();
  AsyncEvent(const AsyncEvent&) = delete;
  AsyncEvent& operator=(const AsyncEvent&) = delete;

  // Sets the event; may be called any number of times. Never waits for the executor.
  std::function<void()> Setter();

  // True: it was set since the last Wait that gave true, or is now. False: `until` came first.
  boost::asio::awaitable<bool> Wait(std::chrono::steady_clock::time_point until);

 private:
  struct State;
  boost::asio::steady_timer timer_;
  std::shared_ptr<State> state_;
};

}  // namespace millrace::api
