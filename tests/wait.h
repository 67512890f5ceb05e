// Waiting for what nothing announces: a look every few milliseconds, and a deadline.
#pragma once

#include <chrono>
#include <functional>
#include <thread>

namespace millrace::test {

// Long: it only bounds a test that fails, on a machine that is busy.
inline constexpr std::chrono::seconds kPatience{40};

// False when it did not come true in time.
inline bool WaitUntil(const std::function<bool()>& condition,
                      std::chrono::milliseconds patience = kPatience) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
}

}  // namespace millrace::test
