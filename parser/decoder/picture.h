// A decoded picture, and the form in which its reader wants it. No library but OpenCV's headers.
#pragma once

#include <cstdint>
#include <opencv2/core/mat.hpp>

namespace millrace {

enum class PictureFormat : std::uint8_t {
  kBgr,   // height x width x 3, BGR, uint8
  kGray,  // height x width, uint8: luma as it is coded, which costs next to nothing. 16 to 235 in most videos
};

struct PictureForm {
  PictureFormat format = PictureFormat::kBgr;
  // A picture with more rows is reduced to so many, and its columns in proportion, both at least 1. 0: as
  // coded.
  int rows_max = 0;
  // So many columns and rows, whatever the picture has: it is stretched. Where one of them is 0 it follows
  // from the other in proportion; where both are, rows_max speaks.
  int width = 0;
  int height = 0;
  friend bool operator==(const PictureForm&, const PictureForm&) = default;
};

// As it is to be shown: cropped as the codec says, in display order; not turned or stretched.
struct Picture {
  // May lie in the decoder's memory: valid while the decoder lends it; clone() keeps it. Read only.
  cv::Mat image;
  std::int64_t timestamp_ns = 0;  // the frame's, to the nanosecond: MkvFrame::timestamp_ns
  bool key_frame = false;
  int width = 0;  // before it was reduced, in pixels
  int height = 0;
};

}  // namespace millrace
