// Ends one asynchronous operation at a time by its cancellation slot, when its deadline comes.
//
// Moving the deadline later costs nothing: the timer that is set looks again when it fires. The timer's
// handler shares the state, so the guard may go while it is pending.
//
// Threads: one strand.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/system/error_code.hpp>
#include <chrono>
#include <cstdint>
#include <memory>

#include "base/result.h"

namespace millrace::api {

class DeadlineGuard {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  explicit DeadlineGuard(const boost::asio::any_io_executor& executor);
  ~DeadlineGuard();
  DeadlineGuard(const DeadlineGuard&) = delete;
  DeadlineGuard& operator=(const DeadlineGuard&) = delete;

  void Arm(TimePoint until);
  // Whether the deadline ended the operation.
  bool Disarm();
  // Ends the operation now.
  void Cancel();
  boost::asio::cancellation_slot slot();

 private:
  struct State;
  static void Wait(const std::shared_ptr<State>& state);

  std::shared_ptr<State> state_;
};

// What an operation on a connection failed with: kDeadlineExceeded (`expired`), kCancelled, kUnavailable.
Error TransportError(const boost::system::error_code& ec, bool expired, const char* what);

}  // namespace millrace::api
