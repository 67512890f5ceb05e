// Boxes and labels drawn into a picture: what an analyzer found, for people.
//
//   cv::Mat image = picture.image.clone();          // the decoder's memory is read only
//   const LabeledBox found[] = {{{0.25, 0.1, 0.2, 0.3}, "ada 97%"}};
//   DrawBoxes(image, found);
//
// Threads: pure; any. Errors: kInvalidArgument: neither BGR nor gray bytes.
#pragma once

#include <opencv2/core/mat.hpp>
#include <opencv2/core/types.hpp>
#include <span>
#include <string>

#include "base/result.h"

namespace millrace {

// As Rekognition's: ratios of the picture's columns and rows, from its upper left corner.
struct BoundingBox {
  double left = 0;
  double top = 0;
  double width = 0;
  double height = 0;
  friend bool operator==(const BoundingBox&, const BoundingBox&) = default;
};

struct LabeledBox {
  BoundingBox box;
  std::string label{};  // ASCII; other characters show as '?', and line ends too. Empty: none
  cv::Scalar colour = {80, 220, 60, 0};  // blue, green, red; of a gray picture: white
};

// In pixels, cut to a picture of this size; empty where nothing of it lies inside, or the numbers are no
// numbers.
cv::Rect PixelsOf(const BoundingBox& box, cv::Size size);

// Lines of a thickness that goes with the picture's size, each label above its box where there is room, else
// in it. Boxes reach over the picture's edge as they like.
Result<void> DrawBoxes(cv::Mat& image, std::span<const LabeledBox> boxes);

}  // namespace millrace
