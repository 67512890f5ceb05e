#include "storage/retention_clock.h"

#include <string>

#include "base/log.h"

namespace millrace::storage {

RetentionClock::RetentionClock(const Clock& clock)
    : clock_(clock), believed_(clock.Now()), believed_at_(clock.SteadyNow()) {}

Timestamp RetentionClock::Now() {
  const Timestamp wall = clock_.Now();
  const auto steady = clock_.SteadyNow();
  const Timestamp expected = believed_ + (steady - believed_at_);
  const bool ahead = wall - expected > kLeapMin;
  if (ahead && !leapt_at_) {
    leapt_at_ = steady;
    Log(LogLevel::kWarning,
        "the clock has leapt ahead: nothing more expires until it is back or has stayed for an hour",
        {{"from", FormatRfc3339(expected)}, {"to", FormatRfc3339(wall)}});
  }
  if (ahead && steady - *leapt_at_ < kDoubtFor) return expected;
  if (leapt_at_) {
    Log(LogLevel::kInfo, ahead ? "the clock's leap has lasted: retention goes by it" : "the clock is back",
        {{"now", FormatRfc3339(wall)}});
  }
  leapt_at_.reset();
  believed_ = wall;
  believed_at_ = steady;
  return wall;
}

}  // namespace millrace::storage
