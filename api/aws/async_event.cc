#include "api/aws/async_event.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <mutex>

namespace millrace::api {

namespace net = boost::asio;

struct AsyncEvent::State {
  std::mutex mutex;
  net::any_io_executor executor;       // GUARDED_BY(mutex); empty when the event is gone
  net::steady_timer* timer = nullptr;  // used on the executor only; null when the event is gone
  bool set = false;                    // GUARDED_BY(mutex)
};

AsyncEvent::AsyncEvent(net::any_io_executor executor) : timer_(executor), state_(std::make_shared<State>()) {
  state_->executor = std::move(executor);
  state_->timer = &timer_;
}

AsyncEvent::~AsyncEvent() {
  const std::lock_guard lock(state_->mutex);
  state_->timer = nullptr;
  state_->executor = {};  // setters may outlive the io_context
}

std::function<void()> AsyncEvent::Setter() {
  return [state = state_] {
    const std::lock_guard lock(state->mutex);
    if (state->set || !state->executor) return;
    state->set = true;
    net::post(state->executor, [state] {
      if (state->timer != nullptr) state->timer->cancel();
    });
  };
}

net::awaitable<bool> AsyncEvent::Wait(std::chrono::steady_clock::time_point until) {
  for (;;) {
    {
      const std::lock_guard lock(state_->mutex);
      if (state_->set) {
        state_->set = false;
        co_return true;
      }
    }
    if (std::chrono::steady_clock::now() >= until) co_return false;
    timer_.expires_at(until);
    co_await timer_.async_wait(net::as_tuple(net::use_awaitable));
  }
}

}  // namespace millrace::api
