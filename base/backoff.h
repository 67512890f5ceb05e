// How long to wait before the next try: doubling, with jitter, so that a fleet that was lost together does
// not come back together. The generator is the thread's, so that one of these costs a few words.
#pragma once

#include "base/time.h"

namespace millrace {

struct BackoffOptions {
  Duration base = std::chrono::seconds(1);
  Duration max = std::chrono::seconds(60);
};

// Threads: one owner.
class Backoff {
 public:
  explicit Backoff(BackoffOptions options = {}) : options_(options) {}
  // Between half of and all of min(max, base * 2^n) at the n-th call since Reset.
  Duration Next();
  void Reset() { tries_ = 0; }

 private:
  BackoffOptions options_;
  int tries_ = 0;
};

}  // namespace millrace
