// Follows a face between detections by correlation: its picture from the last detection is sought around the
// place where it is expected, at a width of 24 pixels. That takes a hundredth of a detection's time.
#pragma once

#include <opencv2/core/mat.hpp>
#include <optional>

#include "base/time.h"

namespace millrace {

// A face's picture, at most 40 pixels either way. Threads: one owner.
class FaceFollower {
 public:
  // `gray`: height x width, uint8. `box`: ratios.
  void Remember(const cv::Mat& gray, const cv::Rect2d& box);
  // Where the face is in this picture; none: not near `expected`, or not to be told from what is there.
  std::optional<cv::Rect2d> Find(const cv::Mat& gray, const cv::Rect2d& expected) const;

 private:
  cv::Mat patch_;
};

}  // namespace millrace
