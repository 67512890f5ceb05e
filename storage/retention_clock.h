// The time that retention deletes by: the machine's clock, unless it has leapt ahead.
//
// A clock that is set years ahead by mistake (a bad time server, a typing error) would have everything expire
// at once, and what is deleted does not come back when the clock does. So a leap is believed only after it
// has lasted; until then time goes on from where it was. What readers see goes by the machine's clock all the
// while: that mends itself.
//
// Threads: one at a time.
#pragma once

#include <chrono>
#include <optional>

#include "base/time.h"

namespace millrace::storage {

class RetentionClock {
 public:
  // More than slewing or a leap second, or a machine that slept for a moment.
  static constexpr Duration kLeapMin = std::chrono::minutes(5);
  static constexpr Duration kDoubtFor = std::chrono::hours(1);

  // `clock` outlives this, and is believed now.
  explicit RetentionClock(const Clock& clock);

  Timestamp Now();

 private:
  const Clock& clock_;
  Timestamp believed_;  // at believed_at_
  std::chrono::steady_clock::time_point believed_at_;
  std::optional<std::chrono::steady_clock::time_point> leapt_at_;  // while a leap is not believed
};

}  // namespace millrace::storage
