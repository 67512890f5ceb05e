// SIGTERM and SIGINT: the first asks for an orderly stop, the second ends the process at once.
//
// Threads: Block on the main thread before any other is started (they inherit the mask); Wait on the main
// thread.
#pragma once

#include "base/time.h"

namespace millrace::server {

class StopSignals {
 public:
  // No thread is interrupted by the signals from here on.
  static void Block();
  // Returns at the first signal, with its number. Afterwards a second one exits at once (128 + number).
  static int Wait();
  // From now on the process exits with code 1, with a log line, when it lives longer than this: a stop is
  // bounded.
  static void ExitAfter(Duration at_most);
};

}  // namespace millrace::server
