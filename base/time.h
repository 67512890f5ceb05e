// Points in time and the clocks that give them.
//
// A Timestamp is nanoseconds since the Unix epoch (UTC, leap seconds as POSIX has them). Durations are
// std::chrono::nanoseconds. Code that needs the time takes a Clock, so that tests can set it.
#pragma once

#include <atomic>
#include <chrono>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace millrace {

using Duration = std::chrono::nanoseconds;

struct Timestamp {
  std::int64_t ns = 0;  // since 1970-01-01T00:00:00Z

  static constexpr Timestamp FromMillis(std::int64_t ms) { return Timestamp{ms * 1'000'000}; }
  static constexpr Timestamp FromSeconds(std::int64_t s) { return Timestamp{s * 1'000'000'000}; }

  // Rounded towards minus infinity, so that order is kept.
  constexpr std::int64_t millis() const { return FloorDivide(ns, 1'000'000); }
  constexpr std::int64_t seconds() const { return FloorDivide(ns, 1'000'000'000); }

  friend constexpr auto operator<=>(Timestamp, Timestamp) = default;
  friend constexpr Timestamp operator+(Timestamp t, Duration d) { return Timestamp{t.ns + d.count()}; }
  friend constexpr Timestamp operator-(Timestamp t, Duration d) { return Timestamp{t.ns - d.count()}; }
  friend constexpr Duration operator-(Timestamp a, Timestamp b) { return Duration{a.ns - b.ns}; }

 private:
  static constexpr std::int64_t FloorDivide(std::int64_t a, std::int64_t b) {
    return a / b - (a % b < 0 ? 1 : 0);
  }
};

// RFC 3339 in UTC with milliseconds: "2026-11-21T02:07:00.250Z".
std::string FormatRfc3339(Timestamp time);

// RFC 3339 with any offset and any fraction; also plain epoch seconds with an optional fraction
// ("1763690820.25"). Errors: kInvalidArgument, with a text that shows the wanted form.
Result<Timestamp> ParseTime(std::string_view text);

// Where time comes from. Threads: any.
class Clock {
 public:
  virtual ~Clock() = default;
  // Wall time: may step when somebody sets the clock.
  virtual Timestamp Now() const = 0;
  // Never steps; for intervals and deadlines. Its zero means nothing.
  virtual std::chrono::steady_clock::time_point SteadyNow() const = 0;
};

// The machine's clock. Lives for ever.
const Clock& SystemClock();

// A clock that tests set. Threads: any.
class ManualClock final : public Clock {
 public:
  explicit ManualClock(Timestamp now) : now_ns_(now.ns) {}
  Timestamp Now() const override { return Timestamp{now_ns_.load()}; }
  std::chrono::steady_clock::time_point SteadyNow() const override {
    return std::chrono::steady_clock::time_point(
        std::chrono::duration_cast<std::chrono::steady_clock::duration>(Duration{steady_ns_.load()}));
  }
  // Both times go on.
  void Advance(Duration by) {
    now_ns_ += by.count();
    steady_ns_ += by.count();
  }
  // The wall time steps, as when somebody sets the clock; the steady time stays.
  void StepTo(Timestamp now) { now_ns_ = now.ns; }

 private:
  std::atomic<std::int64_t> now_ns_;
  std::atomic<std::int64_t> steady_ns_{0};
};

}  // namespace millrace
