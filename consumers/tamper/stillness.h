// Whether a camera's picture still lives: since when each key frame has been the same as the one before.
//
// An encoder repeats what does not change from one key frame to the next, and so a quiet view looks still
// between them. A key frame is coded anew, with the noise of its moment; only of a frozen picture two of them
// are the same. Threads: one owner.
#pragma once

#include <opencv2/core/mat.hpp>
#include <optional>

#include "base/time.h"

namespace millrace {

class Stillness {
 public:
  // The time of the first key frame of those that are the same, up to the last; none: the last one differs.
  // `picture`: height x width, uint8; `watched`: 255 where it counts.
  std::optional<Timestamp> Look(const cv::Mat& picture, bool key_frame, Timestamp time,
                                const cv::Mat& watched);
  void Forget() { *this = Stillness(); }

 private:
  cv::Mat last_;  // key frame; empty: there was none
  Timestamp time_;
  cv::Mat difference_;
  std::optional<Timestamp> since_;
};

}  // namespace millrace
