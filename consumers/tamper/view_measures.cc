#include "consumers/tamper/view_measures.h"

#include <algorithm>
#include <cmath>
#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>

namespace millrace {
namespace {

constexpr double kBlackMax = 40;  // levels: 16 is black in most videos, and sensors are never quite
constexpr double kEdge = 1.8;     // of the gradients around: a thing with strong edges takes no others' place
constexpr double kEdgeMin = 4;    // levels of gradient: below, it is noise
constexpr int kAround = 31;       // pixels, across
constexpr int kCells = 16;        // across
constexpr double kUsualEdge = 0.5;        // how often a pixel is one
constexpr double kUsualEdgesMin = 0.004;  // of the picture: fewer say nothing of the view
constexpr double kContrastMin = 2;

double Sharpness(const ViewMeasures& view) { return view.detail / std::max(view.contrast, kContrastMin); }

}  // namespace

void ViewMeasures::Measure(const cv::Mat& picture, const cv::Mat& watched) {
  cv::Scalar mean;
  cv::Scalar deviation;
  cv::meanStdDev(picture, mean, deviation, watched);
  brightness = mean[0];
  contrast = deviation[0];
  cv::threshold(picture, smooth_, kBlackMax, 255, cv::THRESH_BINARY);
  lit = cv::mean(smooth_, watched)[0] / 255;

  cv::blur(picture, smooth_, {3, 3});
  cv::Sobel(smooth_, dx_, CV_16S, 1, 0, 3, 0.25);
  cv::Sobel(smooth_, dy_, CV_16S, 0, 1, 3, 0.25);
  cv::convertScaleAbs(dx_, dx_);
  cv::convertScaleAbs(dy_, dy_);
  cv::add(dx_, dy_, gradient_);
  detail = cv::mean(gradient_, watched)[0];
  cv::blur(gradient_, smooth_, {kAround, kAround});
  smooth_.convertTo(smooth_, CV_8U, kEdge, kEdgeMin);
  cv::compare(gradient_, smooth_, edges, cv::CMP_GT);
  cv::bitwise_and(edges, watched, edges);
  cv::dilate(edges, near_edges, cv::Mat());
  cv::resize(picture, coarse, {kCells, std::max(kCells * picture.rows / picture.cols, 1)}, 0, 0,
             cv::INTER_AREA);
  coarse.convertTo(coarse, CV_32F);
}

void ReferenceView::Learn(const ViewMeasures& view, double share) {
  if (views_ == 0) {
    view.edges.convertTo(edges_, CV_32F, 1.0 / 255);
    view.coarse.copyTo(coarse_);
    detail_ = view.detail;
    sharpness_ = Sharpness(view);
    views_ = 1;
    return;
  }
  share = std::max(share, 1.0 / ++views_);
  cv::Mat edges;
  view.edges.convertTo(edges, CV_32F, 1.0 / 255);
  cv::accumulateWeighted(edges, edges_, share);
  cv::accumulateWeighted(view.coarse, coarse_, share);
  detail_ += share * (view.detail - detail_);
  sharpness_ += share * (Sharpness(view) - sharpness_);
}

ReferenceView::Likeness ReferenceView::Compare(const ViewMeasures& view) const {
  Likeness likeness;
  cv::Mat usual;
  cv::compare(edges_, kUsualEdge, usual, cv::CMP_GT);
  const int count = cv::countNonZero(usual);
  if (count > kUsualEdgesMin * static_cast<double>(usual.total())) {
    const double by_chance = cv::mean(view.near_edges)[0] / 255;
    const double there = cv::mean(view.near_edges, usual)[0] / 255;
    likeness.edges = (there - by_chance) / std::max(1 - by_chance, 0.01);
  }
  cv::Scalar mean_now;
  cv::Scalar deviation_now;
  cv::Scalar mean_usual;
  cv::Scalar deviation_usual;
  cv::meanStdDev(view.coarse, mean_now, deviation_now);
  cv::meanStdDev(coarse_, mean_usual, deviation_usual);
  const double deviations = deviation_now[0] * deviation_usual[0];
  if (deviations > 1) {
    const double product = view.coarse.dot(coarse_) / static_cast<double>(coarse_.total());
    likeness.coarse = (product - mean_now[0] * mean_usual[0]) / deviations;
  } else {
    likeness.coarse = 0;
  }
  likeness.detail = view.detail / std::max(detail_, 0.1);
  likeness.sharpness = Sharpness(view) / std::max(sharpness_, 0.001);
  return likeness;
}

}  // namespace millrace
