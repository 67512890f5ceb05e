#include "server/stop_signals.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <thread>

#include "base/log.h"

namespace millrace::server {
namespace {

sigset_t StopSet() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  return set;
}

extern "C" void ExitAtOnce(int number) { _exit(128 + number); }

}  // namespace

void StopSignals::Block() {
  sigset_t set = StopSet();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  signal(SIGPIPE, SIG_IGN);
}

int StopSignals::Wait() {
  sigset_t set = StopSet();
  int number = 0;
  while (sigwait(&set, &number) != 0) {
  }
  struct sigaction action {};
  action.sa_handler = ExitAtOnce;
  sigaction(SIGTERM, &action, nullptr);
  sigaction(SIGINT, &action, nullptr);
  pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
  return number;
}

void StopSignals::ExitAfter(Duration at_most) {
  std::thread([at_most] {
    std::this_thread::sleep_for(at_most);
    Log(LogLevel::kError, "the stop took too long; what is not stored yet is recovered at the next start");
    _exit(1);
  }).detach();
}

}  // namespace millrace::server
