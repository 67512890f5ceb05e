// What a fixed camera's view looks like when nothing moves, learned as it goes on; and so, what moves.
//
// Each pixel has a running mean and a running variance: what differs from the mean by more than the
// pixel usually does is foreground. Before that the whole mean is brought into the present light
// (light_fit.h), so that neither dusk nor a cloud is foreground. Foreground that stays as it is (a parked
// car, the place that one has left) is told from what moves by comparing with a moment ago, and soon belongs
// to the background.
//
// Why not MOG2 or KNN: docs/decisions/0017-motion-by-a-running-mean.md.
//
// Threads: one owner. Memory: some ten pictures of the size that it is given.
#pragma once

#include <deque>
#include <opencv2/core/mat.hpp>

#include "base/time.h"

namespace millrace {

struct BackgroundSettings {
  float difference_min = 12;  // levels: below, nothing is foreground
  float deviations = 3.2F;    // how often a pixel's standard deviation it must differ
};

class BackgroundModel {
 public:
  explicit BackgroundModel(const BackgroundSettings& settings) : settings_(settings) {}

  struct View {
    cv::Mat foreground;  // height x width, uint8: 255 where the picture differs from the background
    cv::Mat changed;     // likewise, where it differs from a moment ago as well
    float shift = 0;     // levels: by how much light has changed the picture since the one before, on average
    bool first = false;  // there was nothing to compare with: both are empty of 255
  };

  // `picture`: height x width, uint8, of one size until Reset; `watched`: 255 where it counts. What it gives
  // is valid until the next call. Learn is to follow.
  const View& Compare(const cv::Mat& picture, Timestamp time, const cv::Mat& watched);
  // Takes the last picture in. `moving`: 255 where something moves, which is kept out for long.
  void Learn(const cv::Mat& moving);
  // The last picture is the background from now on: everything has changed.
  void Restart();
  void Reset() { pictures_ = 0; }

 private:
  struct Moment {
    Timestamp time;
    cv::Mat residual;  // float: what was left of the picture without the background
  };

  const BackgroundSettings settings_;
  int pictures_ = 0;  // since the beginning
  Timestamp time_;    // of the last one
  Duration elapsed_{0};
  cv::Mat smooth_;              // uint8
  cv::Mat picture_;             // float
  cv::Mat background_;          // float
  cv::Mat variance_;            // float: of each pixel, levels squared
  cv::Mat difference_;          // float, not negative
  cv::Mat threshold_;           // float
  cv::Mat moment_;              // float: the difference from a moment ago
  cv::Mat steady_;              // uint8: all that does not move
  cv::Mat standing_;            // uint8: foreground among it
  std::deque<Moment> moments_;  // oldest first; one is at least kMomentAgo old, where there are any
  View view_;
};

}  // namespace millrace
