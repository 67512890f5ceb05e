#include "base/backoff.h"

#include <algorithm>
#include <cstdint>
#include <random>

namespace millrace {

Duration Backoff::Next() {
  Duration delay = std::min(options_.base, options_.max);
  for (int i = 0; i < tries_ && delay < options_.max; ++i) delay = std::min(delay * 2, options_.max);
  if (tries_ < 62) ++tries_;
  thread_local std::minstd_rand random{std::random_device()()};
  std::uniform_int_distribution<std::int64_t> part(delay.count() / 2, delay.count());
  return Duration{part(random)};
}

}  // namespace millrace
