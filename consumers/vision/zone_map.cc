#include "consumers/vision/zone_map.h"

#include <cmath>
#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>

namespace millrace {
namespace {

// 255 within the polygon.
cv::Mat Filled(cv::Size size, const Zone& zone) {
  if (zone.polygon.empty()) return cv::Mat(size, CV_8UC1, cv::Scalar(255));
  cv::Mat mask = cv::Mat::zeros(size, CV_8UC1);
  // To a sixteenth of a pixel; pixel centres lie at whole numbers in OpenCV.
  constexpr int kShift = 4;
  std::vector<cv::Point> corners;
  for (const cv::Point2d& corner : zone.polygon) {
    corners.emplace_back(static_cast<int>(std::lround((corner.x * size.width - 0.5) * (1 << kShift))),
                         static_cast<int>(std::lround((corner.y * size.height - 0.5) * (1 << kShift))));
  }
  cv::fillPoly(mask, std::vector<std::vector<cv::Point>>{corners}, cv::Scalar(255), cv::LINE_8, kShift);
  return mask;
}

}  // namespace

ZoneMap::ZoneMap(cv::Size size, const std::vector<Zone>& zones, const std::vector<Zone>& masks)
    : size_(size), watched_(cv::Mat::zeros(size, CV_8UC1)) {
  cv::Mat masked = cv::Mat::zeros(size, CV_8UC1);
  for (const Zone& mask : masks) cv::bitwise_or(masked, Filled(size, mask), masked);
  cv::bitwise_not(masked, open_);
  for (const Zone& zone : zones) {
    Pixels pixels;
    cv::bitwise_and(Filled(size, zone), open_, pixels.mask);
    pixels.count = cv::countNonZero(pixels.mask);
    if (pixels.count > 0) pixels.bounds = cv::boundingRect(pixels.mask);
    cv::bitwise_or(watched_, pixels.mask, watched_);
    zones_.push_back(std::move(pixels));
  }
  watched_count_ = cv::countNonZero(watched_);
  open_count_ = cv::countNonZero(open_);
}

}  // namespace millrace
