// How the light has changed between two pictures of one view: brightness and contrast, and nothing of what
// moves.
#pragma once

#include <opencv2/core/mat.hpp>

namespace millrace {

// now = gain * before + offset, for what has not moved.
struct LightChange {
  float gain = 1;
  float offset = 0;    // levels
  float residual = 0;  // levels: the median distance of what is left
};

// The change that most pixels agree with: a robust fit (Tukey's biweight, begun once from no change and once
// from all pixels) over a grid of some thousand of them. What covers less than about a third of the picture
// does not count. `before`, `now`: height x width, float, of one size. `mask`: height x width, uint8: what is
// looked at. No change where there is too little to look at. Threads: a pure function, any.
LightChange FitLightChange(const cv::Mat& before, const cv::Mat& now, const cv::Mat& mask);

}  // namespace millrace
