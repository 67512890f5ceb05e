#include "api/http/deadline_guard.h"

#include <boost/asio/error.hpp>
#include <string>

namespace millrace::api {

namespace net = boost::asio;

struct DeadlineGuard::State {
  explicit State(const net::any_io_executor& executor) : timer(executor) {}
  net::steady_timer timer;
  net::cancellation_signal signal;
  TimePoint until{};
  bool armed = false;
  bool waiting = false;
  bool expired = false;
  std::uint64_t generation = 0;  // of the newest wait: an older one's handler does nothing
};

DeadlineGuard::DeadlineGuard(const net::any_io_executor& executor)
    : state_(std::make_shared<State>(executor)) {}

DeadlineGuard::~DeadlineGuard() {
  state_->armed = false;
  state_->timer.cancel();
}

void DeadlineGuard::Arm(TimePoint until) {
  state_->armed = true;
  state_->expired = false;
  state_->until = until;
  if (!state_->waiting || until < state_->timer.expiry()) Wait(state_);
}

bool DeadlineGuard::Disarm() {
  state_->armed = false;
  return state_->expired;
}

void DeadlineGuard::Cancel() { state_->signal.emit(net::cancellation_type::terminal); }

net::cancellation_slot DeadlineGuard::slot() { return state_->signal.slot(); }

void DeadlineGuard::Wait(const std::shared_ptr<State>& state) {
  state->waiting = true;
  state->timer.expires_at(state->until);
  state->timer.async_wait([state, generation = ++state->generation](boost::system::error_code ec) {
    if (generation != state->generation) return;
    state->waiting = false;
    if (ec || !state->armed) return;
    if (std::chrono::steady_clock::now() < state->until) {
      Wait(state);
      return;
    }
    state->expired = true;
    state->signal.emit(net::cancellation_type::terminal);
  });
}

Error TransportError(const boost::system::error_code& ec, bool expired, const char* what) {
  if (expired) return Error{ErrorCode::kDeadlineExceeded, std::string(what) + " took too long"};
  if (ec == net::error::operation_aborted)
    return Error{ErrorCode::kCancelled, std::string(what) + " was cancelled"};
  return Error{ErrorCode::kUnavailable, std::string(what) + ": " + ec.message()};
}

}  // namespace millrace::api
