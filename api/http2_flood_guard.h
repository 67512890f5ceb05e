// Ends connections whose peer sends frames that carry nothing: floods of PING, SETTINGS, PRIORITY, RST_STREAM
// (rapid reset), WINDOW_UPDATE, empty DATA and frames of unknown types, all of which cost the receiver more
// than their sender.
//
// A bucket of points. Such frames take some, time and frames that do carry something give some back, so that
// a busy connection may be chatty (a window update for each DATA frame, a ping every second) and an idle one
// may not.
//
// Threads: one owner at a time.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace millrace::api {

class Http2FloodGuard {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  static constexpr double kPointsMax = 1000;
  static constexpr double kPointsPerSecond = 100;
  static constexpr double kPerFrame = 1;      // PING, PRIORITY, WINDOW_UPDATE, empty DATA, unknown types
  static constexpr double kPerReset = 5;      // 200 at once, 20 a second
  static constexpr double kPerSettings = 20;  // 50 at once, 5 a second
  static constexpr double kEarnedByData =
      2;  // a DATA frame with bytes: an update for its stream, one for all

  explicit Http2FloodGuard(TimePoint now) : refilled_(now) {}

  // False: it is a flood.
  bool Spend(double points, TimePoint now) {
    const std::chrono::duration<double> passed = now - refilled_;
    refilled_ = now;
    points_ = std::min(kPointsMax, points_ + passed.count() * kPointsPerSecond) - points;
    return points_ >= 0;
  }
  void Earn(double points) { points_ = std::min(kPointsMax, points_ + points); }

 private:
  double points_ = kPointsMax;
  TimePoint refilled_;
};

}  // namespace millrace::api
