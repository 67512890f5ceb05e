#include "consumers/faces/lbph_recognizer.h"

#include <cmath>
#include <opencv2/imgproc.hpp>
#include <vector>

namespace millrace {
namespace {

constexpr int kRadius = 2;
constexpr int kPoints = 8;
constexpr int kCells = 6;
constexpr int kSide = 64;        // pixels of a face when it is described
constexpr double kSmooth = 1.5;  // pixels: noise and compression make patterns of their own

// Measured (docs/faces.md): of pairs of different people one in a thousand is nearer than 0.43, half are
// beyond 0.60; of pairs of the same photograph in other light, size and noise 95 in a hundred are within
// 0.32.
constexpr double kHalfAlike = 0.472;
constexpr double kSlope = 0.0374;

// The box's square, as kSide x kSide.
cv::Mat Cut(const cv::Mat& picture, const cv::Rect2d& box) {
  const cv::Rect2d pixels(box.x * picture.cols, box.y * picture.rows, box.width * picture.cols,
                          box.height * picture.rows);
  const double side = (pixels.width + pixels.height) / 2;
  const double scale = kSide / side;
  const cv::Matx23d place(scale, 0, kSide / 2.0 - (pixels.x + pixels.width / 2) * scale, 0, scale,
                          kSide / 2.0 - (pixels.y + pixels.height / 2) * scale);
  cv::Mat source = picture;
  cv::Matx23d map = place;
  if (scale < 0.5) {
    // Sampling would leave most pixels out: reduced first.
    const double less = scale * 1.5;
    cv::resize(picture, source, {}, less, less, cv::INTER_AREA);
    map(0, 0) /= less;
    map(1, 1) /= less;
  }
  cv::Mat cut;
  cv::warpAffine(source, cut, map, {kSide, kSide}, cv::INTER_LINEAR, cv::BORDER_REPLICATE);
  return cut;
}

}  // namespace

LbphRecognizer::LbphRecognizer()
    : patterns_(cv::face::LBPHFaceRecognizer::create(kRadius, kPoints, kCells, kCells)) {}

cv::Mat LbphRecognizer::Describe(const cv::Mat& picture, const Face& face) {
  if (picture.empty() || face.box.empty()) return {};
  // The surroundings alone, so that a large picture is not reduced for a small face.
  const cv::Rect2d wide(face.box.x - face.box.width, face.box.y - face.box.height, face.box.width * 3,
                        face.box.height * 3);
  const cv::Rect around = cv::Rect(cv::Rect2d(wide.x * picture.cols, wide.y * picture.rows,
                                              wide.width * picture.cols, wide.height * picture.rows)) &
                          cv::Rect(0, 0, picture.cols, picture.rows);
  if (around.empty()) return {};
  cv::Mat gray = picture(around);
  if (gray.channels() == 3) cv::cvtColor(picture(around), gray, cv::COLOR_BGR2GRAY);
  const double width = around.width;
  const double height = around.height;
  cv::Mat cut = Cut(
      gray, {(face.box.x * picture.cols - around.x) / width, (face.box.y * picture.rows - around.y) / height,
             face.box.width * picture.cols / width, face.box.height * picture.rows / height});
  cv::GaussianBlur(cut, cut, {}, kSmooth);
  // The recogniser gives histograms only of what it is trained with.
  patterns_->train(std::vector<cv::Mat>{cut}, std::vector<int>{0});
  return patterns_->getHistograms().front().clone();
}

double LbphRecognizer::Similarity(const cv::Mat& a, const cv::Mat& b) const {
  // Each cell's histogram has the sum 1, so that the alternative chi-square distance is 4 a cell at most.
  const double distance = cv::compareHist(a, b, cv::HISTCMP_CHISQR_ALT) / (4.0 * kCells * kCells);
  return 100 / (1 + std::exp((distance - kHalfAlike) / kSlope));
}

}  // namespace millrace
