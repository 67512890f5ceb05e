// A detection network's outputs as boxes, whatever its makers put into them: the form is told by the shape.
//
//   kRows         1 x N x (5+C)   YOLOv5: centre, size, objectness, a score for each class; pixels
//   kColumns      1 x (4+C) x N   YOLOv8: centre, size, a score for each class; pixels
//   kPlainRows    1 x N x (4+C)   the same, turned; told from kRows by the number of labels
//   kDetections   1 x 1 x N x 7   SSD's DetectionOutput: picture, class, score, two corners; ratios
//   kPair         1 x N x 4 and 1 x N x C   SSD without its last layer: two corners as ratios; scores
//
// Classes of the last two often begin with a background: C is then one more than the labels, and class 0
// none.
//
// Threads: pure functions, any.
#pragma once

#include <cstdint>
#include <opencv2/core/mat.hpp>
#include <string>
#include <vector>

#include "base/result.h"

namespace millrace {

struct OutputForm {
  enum class Kind : std::uint8_t { kRows, kColumns, kPlainRows, kDetections, kPair };
  Kind kind = Kind::kRows;
  int background = 0;      // 1: the first class is none
  std::size_t boxes = 0;   // of kPair: which output has the boxes, and which
  std::size_t scores = 0;  // the scores
};

// The form of outputs of these shapes, for so many labels. Errors: kUnsupported: none that is known, with the
// shapes; kInvalidArgument: the labels do not fit, with both numbers.
Result<OutputForm> FindOutputForm(const std::vector<std::vector<int>>& shapes, std::size_t labels);

struct Detection {
  cv::Rect2d box;  // in the network's picture, as ratios of its size; may reach beyond it
  std::size_t label = 0;
  double confidence = 0;  // 0 to 1
};

// What is said with at least this confidence, in no order, without what is not a number. `outputs`: float, of
// the shapes that the form was found for (N may differ). Errors: kUnsupported: another shape.
Result<std::vector<Detection>> ReadDetections(const OutputForm& form, const std::vector<cv::Mat>& outputs,
                                              cv::Size network, std::size_t labels, double confidence_min);

// "1x25200x85"
std::string ShapeText(const std::vector<int>& shape);
std::vector<int> ShapeOf(const cv::Mat& output);

}  // namespace millrace
