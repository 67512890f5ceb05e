#include "consumers/faces/face_follower.h"

#include <algorithm>
#include <cmath>
#include <opencv2/imgproc.hpp>

namespace millrace {
namespace {

constexpr double kWidth = 24;  // pixels of the face when it is compared
constexpr double kHeightMax = 40;
constexpr double kSearchReach = 0.7;  // widths of the face around the expected place
constexpr double kAlikeMin = 0.6;     // normalised correlation

cv::Rect2d Pixels(const cv::Mat& picture, const cv::Rect2d& box) {
  return {box.x * picture.cols, box.y * picture.rows, box.width * picture.cols, box.height * picture.rows};
}

// A part of the picture at `scale`, and where its upper left corner lies in the picture.
cv::Mat Cut(const cv::Mat& picture, const cv::Rect2d& pixels, double scale, cv::Point2d& corner) {
  const cv::Rect part = cv::Rect(pixels) & cv::Rect(0, 0, picture.cols, picture.rows);
  corner = part.tl();
  const int columns = static_cast<int>(std::lround(part.width * scale));
  const int rows = static_cast<int>(std::lround(part.height * scale));
  if (part.empty() || columns < 1 || rows < 1) return {};
  cv::Mat cut;
  cv::resize(picture(part), cut, {columns, rows}, 0, 0, scale < 1 ? cv::INTER_AREA : cv::INTER_LINEAR);
  return cut;
}

double ScaleFor(const cv::Rect2d& pixels) {
  return std::min(kWidth / pixels.width, kHeightMax / pixels.height);
}

}  // namespace

void FaceFollower::Remember(const cv::Mat& gray, const cv::Rect2d& box) {
  patch_ = cv::Mat();
  const cv::Rect2d pixels = Pixels(gray, box);
  if (pixels.width < 4 || pixels.height < 4) return;
  cv::Point2d corner;
  patch_ = Cut(gray, pixels, ScaleFor(pixels), corner);
}

std::optional<cv::Rect2d> FaceFollower::Find(const cv::Mat& gray, const cv::Rect2d& expected) const {
  const cv::Rect2d pixels = Pixels(gray, expected);
  if (patch_.empty() || pixels.width < 4 || pixels.height < 4) return std::nullopt;
  const double scale = ScaleFor(pixels);
  cv::Point2d corner;
  const cv::Mat around = Cut(gray,
                             {pixels.x - kSearchReach * pixels.width, pixels.y - kSearchReach * pixels.height,
                              pixels.width * (1 + 2 * kSearchReach), pixels.height * (1 + 2 * kSearchReach)},
                             scale, corner);
  if (around.cols < patch_.cols || around.rows < patch_.rows) return std::nullopt;
  cv::Mat scores;
  cv::matchTemplate(around, patch_, scores, cv::TM_CCOEFF_NORMED);
  double best = 0;
  cv::Point at;
  cv::minMaxLoc(scores, nullptr, &best, nullptr, &at);
  if (!(best >= kAlikeMin)) return std::nullopt;
  const cv::Rect2d found((corner.x + at.x / scale) / gray.cols, (corner.y + at.y / scale) / gray.rows,
                         expected.width, expected.height);
  return found & cv::Rect2d(0, 0, 1, 1);
}

}  // namespace millrace
