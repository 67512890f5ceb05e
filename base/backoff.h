// How long to wait before the next try: doubling, with jitter, so that a fleet that was lost together does
// not come back together.
#pragma once

#include <cstdint>
#include <random>

#include "base/time.h"

namespace millrace {

struct BackoffOptions {
  Duration base = std::chrono::seconds(1);
  Duration max = std::chrono::seconds(60);
};

// Threads: one owner.
class Backoff {
 public:
  Backoff(BackoffOptions options, std::uint64_t seed) : options_(options), random_(seed) {}
  // Between half of and all of min(max, base * 2^n) at the n-th call since Reset.
  Duration Next();
  void Reset() { tries_ = 0; }

 private:
  BackoffOptions options_;
  std::mt19937_64 random_;
  int tries_ = 0;
};

}  // namespace millrace
