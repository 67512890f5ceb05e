#include "consumers/faces/moving_regions.h"

#include <algorithm>
#include <cmath>
#include <opencv2/imgproc.hpp>

namespace millrace {
namespace {

constexpr int kColumns = 160;
constexpr double kDiffers = 10;       // of 255, after smoothing: noise stays below
constexpr int kChangedPixelsMin = 6;  // of 160 columns' pixels
constexpr double kMostOfIt = 0.5;     // of the picture's area
constexpr double kMeanSeconds = 0.5;
constexpr double kWiden = 0.08;  // of the picture, on each side; and a quarter of the region

const cv::Rect2d kWholePicture(0, 0, 1, 1);

cv::Rect2d Widened(const cv::Rect2d& region) {
  const double x = kWiden + region.width / 4;
  const double y = kWiden + region.height / 4;
  return cv::Rect2d(region.x - x, region.y - y, region.width + 2 * x, region.height + 2 * y) & kWholePicture;
}

// Those that overlap become one, until none do.
std::vector<cv::Rect2d> Joined(const std::vector<cv::Rect2d>& regions) {
  std::vector<cv::Rect2d> joined;
  for (cv::Rect2d region : regions) {
    for (std::size_t i = 0; i < joined.size();) {
      if ((joined[i] & region).empty()) {
        ++i;
        continue;
      }
      region |= joined[i];
      joined.erase(joined.begin() + static_cast<std::ptrdiff_t>(i));
      i = 0;  // it may now overlap what was passed over
    }
    joined.push_back(region);
  }
  return joined;
}

}  // namespace

std::vector<cv::Rect2d> MovingRegions::Update(Timestamp time, const cv::Mat& gray) {
  cv::Mat small;
  const int columns = std::min(kColumns, gray.cols);
  const int rows = std::max(1, static_cast<int>(std::lround(1.0 * gray.rows * columns / gray.cols)));
  cv::resize(gray, small, {columns, rows}, 0, 0, cv::INTER_AREA);
  cv::GaussianBlur(small, small, {3, 3}, 0);
  small.convertTo(small, CV_32F);
  const bool anew = mean_.size() != small.size() || !last_ || time < *last_;
  const double passed = anew ? 0 : std::chrono::duration<double>(time - *last_).count();
  last_ = time;
  if (anew) {
    mean_ = small;
    return {kWholePicture};
  }
  cv::Mat differs;
  cv::absdiff(small, mean_, differs);
  cv::Mat moving = differs > kDiffers;
  cv::accumulateWeighted(small, mean_, 1 - std::exp(-passed / kMeanSeconds));
  cv::dilate(moving, moving, cv::Mat(), {-1, -1}, 2);
  cv::Mat labels;
  cv::Mat parts;
  cv::Mat centres;
  const int count = cv::connectedComponentsWithStats(moving, labels, parts, centres);
  std::vector<cv::Rect2d> regions;
  for (int i = 1; i < count; ++i) {  // 0: what does not move
    const int* part = parts.ptr<int>(i);
    if (part[cv::CC_STAT_AREA] < kChangedPixelsMin) continue;
    regions.push_back(
        Widened({1.0 * part[cv::CC_STAT_LEFT] / columns, 1.0 * part[cv::CC_STAT_TOP] / rows,
                 1.0 * part[cv::CC_STAT_WIDTH] / columns, 1.0 * part[cv::CC_STAT_HEIGHT] / rows}));
  }
  regions = Joined(regions);
  if (regions.size() > kRegionsMax) {
    for (const cv::Rect2d& region : regions) regions.front() |= region;
    regions.resize(1);
  }
  double area = 0;
  for (const cv::Rect2d& region : regions) area += region.area();
  if (area > kMostOfIt) return {kWholePicture};
  return regions;
}

}  // namespace millrace
