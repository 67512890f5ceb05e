// Tells work on a pool that nobody waits for its answer any more.
//
//   PeerWatch watch(co_await net::this_coro::executor, writer);
//   auto work = [&, gone = watch.Check()] { return Decode(frames, gone); };
//   auto result = co_await pool.Run(work);
//
// Threads: made and destroyed on the request's strand; what Check gives on any thread, also later.
#pragma once

#include <atomic>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <utility>

#include "api/http/http.h"

namespace millrace::api {

class PeerWatch {
 public:
  // `strand`: the request's. `writer` outlives this.
  PeerWatch(const net::any_io_executor& strand, ResponseWriter& writer)
      : state_(std::make_shared<State>(strand, writer)) {
    Look(state_);
  }
  ~PeerWatch() {
    state_->writer = nullptr;
    state_->timer.cancel();
  }
  PeerWatch(const PeerWatch&) = delete;
  PeerWatch& operator=(const PeerWatch&) = delete;

  // Whether the peer is gone, or the server stops: found out within a tenth of a second.
  std::function<bool()> Check() const {
    return [state = state_] { return state->gone.load(); };
  }

 private:
  struct State {
    State(const net::any_io_executor& strand, ResponseWriter& to) : timer(strand), writer(&to) {}
    net::steady_timer timer;
    ResponseWriter* writer;  // null: it is over
    std::atomic<bool> gone{false};
  };

  static void Look(const std::shared_ptr<State>& state) {
    state->timer.expires_after(std::chrono::milliseconds(100));
    state->timer.async_wait([state](const boost::system::error_code& cancelled) {
      if (cancelled || state->writer == nullptr) return;
      state->gone = state->writer->ShouldEnd();
      if (!state->gone) Look(state);
    });
  }

  const std::shared_ptr<State> state_;
};

}  // namespace millrace::api
