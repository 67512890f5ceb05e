// What tells one view from another, whatever the light: where its edges are, how sharp it is, and what is
// dark and bright in it.
//
// Threads: one owner each. Memory: some five pictures of the size that is given.
#pragma once

#include <opencv2/core/mat.hpp>

namespace millrace {

struct ViewMeasures {
  double brightness = 0;  // the mean level; 0 to 255
  double lit = 0;         // the part of pixels that are not as good as black; 0 to 1
  double contrast = 0;    // standard deviation of the levels
  double detail = 0;      // the mean gradient; levels
  cv::Mat edges;          // height x width, uint8: 255 at the strongest gradients
  cv::Mat near_edges;     // likewise, and within a pixel of them
  cv::Mat coarse;         // float: the picture in some hundred cells

  // `picture`: height x width, uint8; `watched`: 255 where it counts.
  void Measure(const cv::Mat& picture, const cv::Mat& watched);

 private:
  cv::Mat smooth_;
  cv::Mat dx_;
  cv::Mat dy_;
  cv::Mat gradient_;
};

// The view that a camera usually has, learned slowly.
class ReferenceView {
 public:
  // By this part the view becomes what is seen; the first few views count alike.
  void Learn(const ViewMeasures& view, double share);
  void Forget() { views_ = 0; }
  bool known() const { return views_ > 0; }

  struct Likeness {
    // The part of the usual edges that are still there, beyond chance: 1 the same view, about 0 another one.
    double edges = 1;
    double coarse = 1;     // correlation of the cells: -1 to 1
    double detail = 1;     // of the usual one
    double sharpness = 1;  // likewise; detail for the contrast that there is
  };
  Likeness Compare(const ViewMeasures& view) const;

 private:
  int views_ = 0;
  cv::Mat edges_;   // float: how often a pixel is an edge, 0 to 1
  cv::Mat coarse_;  // float
  double detail_ = 0;
  double sharpness_ = 0;
};

}  // namespace millrace
