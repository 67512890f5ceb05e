// Ends connections whose peer sends frames that carry nothing: floods of PING, SETTINGS, PRIORITY, RST_STREAM
// (rapid reset), WINDOW_UPDATE, empty DATA and frames of unknown types, all of which cost the receiver more
// than their sender.
//
// A bucket of points. Such frames take some; time gives some back, and so do bytes that a peer sends, in
// proportion: a byte beside each reset pays for nothing. What is sent to the peer pays for the window updates
// that it answers with, and for nothing else. So a busy connection may be chatty (two updates for each DATA
// frame, a ping every second) and an idle one may not.
//
// Threads: one owner at a time.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>

namespace millrace::api {

class Http2FloodGuard {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  static constexpr double kPointsMax = 1000;
  static constexpr double kPointsPerSecond = 100;
  static constexpr double kPerFrame = 1;      // PING, PRIORITY, WINDOW_UPDATE, empty DATA, unknown types
  static constexpr double kPerReset = 5;      // 200 at once, 20 a second
  static constexpr double kPerSettings = 20;  // 50 at once, 5 a second
  static constexpr double kEarnedMax = 2;     // by a DATA frame that came, however large
  static constexpr double kBytesPerPoint = 512;
  static constexpr double kUpdatesPerFrame =
      2;  // for a DATA frame that was sent: its stream's, and that of all
  static constexpr double kUpdatesMax = 1000;

  explicit Http2FloodGuard(TimePoint now) : refilled_(now) {}

  // False: it is a flood.
  bool Spend(double points, TimePoint now) {
    const std::chrono::duration<double> passed = now - refilled_;
    refilled_ = now;
    points_ = std::min(kPointsMax, points_ + passed.count() * kPointsPerSecond) - points;
    return points_ >= 0;
  }
  // A window update: paid for by what was sent, or else by points. False: it is a flood.
  bool SpendUpdate(TimePoint now) {
    if (updates_ < 1) return Spend(kPerFrame, now);
    updates_ -= 1;
    return true;
  }
  // A DATA frame came with so many bytes that are not padding.
  void EarnByReceiving(std::size_t bytes) {
    points_ =
        std::min(kPointsMax, points_ + std::min(kEarnedMax, static_cast<double>(bytes) / kBytesPerPoint));
  }
  // A DATA frame was sent.
  void EarnBySending() { updates_ = std::min(kUpdatesMax, updates_ + kUpdatesPerFrame); }

 private:
  double points_ = kPointsMax;
  double updates_ = 0;
  TimePoint refilled_;
};

}  // namespace millrace::api
