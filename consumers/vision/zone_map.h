// Named parts of a picture: the zones that are watched, and the masks that are not.
//
// A zone is a polygon in ratios of the picture's width and height, so that it holds for any resolution; its
// sides may cross (the even-odd rule). Threads: pure functions and one owner.
#pragma once

#include <opencv2/core/mat.hpp>
#include <string>
#include <vector>

namespace millrace {

struct Zone {
  std::string name;
  std::vector<cv::Point2d> polygon;  // at least three corners, each from 0 to 1; empty: the whole picture
};

// The zones' pixels in a picture of one size.
class ZoneMap {
 public:
  struct Pixels {
    cv::Mat mask;     // height x width, uint8: 255 within the zone and outside of all masks
    cv::Rect bounds;  // of them
    int count = 0;    // of them; 0: the zone is masked, or smaller than a pixel
  };

  ZoneMap() = default;
  ZoneMap(cv::Size size, const std::vector<Zone>& zones, const std::vector<Zone>& masks);

  cv::Size size() const { return size_; }
  const std::vector<Pixels>& zones() const { return zones_; }  // in the order that they were given in
  const cv::Mat& watched() const { return watched_; }          // 255 within any of them
  int watched_count() const { return watched_count_; }
  const cv::Mat& open() const { return open_; }  // 255 outside of all masks, in a zone or not
  int open_count() const { return open_count_; }

 private:
  cv::Size size_;
  std::vector<Pixels> zones_;
  cv::Mat watched_;
  int watched_count_ = 0;
  cv::Mat open_;
  int open_count_ = 0;
};

}  // namespace millrace
