// Where something moves: parts of the picture that differ from a slow mean of the last half second or so. For
// the choice of where to look for faces; events are made by the motion analyzer.
#pragma once

#include <opencv2/core/mat.hpp>
#include <optional>
#include <vector>

#include "base/time.h"

namespace millrace {

// Threads: one owner. Memory: a picture 160 pixels wide.
class MovingRegions {
 public:
  static constexpr std::size_t kRegionsMax = 4;

  // `gray`: height x width, uint8. Gives rectangles as ratios that do not overlap, widened so that a face of
  // which a part moves lies inside; the whole picture at first, and where most of it moves.
  std::vector<cv::Rect2d> Update(Timestamp time, const cv::Mat& gray);

 private:
  cv::Mat mean_;  // float
  std::optional<Timestamp> last_;
};

}  // namespace millrace
