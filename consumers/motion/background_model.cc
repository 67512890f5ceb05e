#include "consumers/motion/background_model.h"

#include <algorithm>
#include <cmath>
#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>
#include <utility>

#include "consumers/motion/light_fit.h"

namespace millrace {
namespace {

constexpr float kVarianceAtFirst = 9.0F;  // levels squared
constexpr float kDifferenceMax = 25.0F;   // more at once does not make a pixel count as unsteady
// How long it takes until the background has gone two thirds of the way to what is seen.
constexpr double kLearnStill_s = 6;
constexpr double kLearnStanding_s = 15;
constexpr double kLearnMoving_s = 120;
constexpr double kLearnDeviation_s = 10;
constexpr Duration kMomentAgo = std::chrono::milliseconds(150);
constexpr std::size_t kMomentsMax = 16;
constexpr double kChangedPart = 0.6;  // of the threshold: what has moved a little differs a little

double Share(Duration elapsed, double time_constant_s) {
  return 1 - std::exp(-std::chrono::duration<double>(elapsed).count() / time_constant_s);
}

}  // namespace

const BackgroundModel::View& BackgroundModel::Compare(const cv::Mat& picture, Timestamp time,
                                                      const cv::Mat& watched) {
  cv::blur(picture, smooth_, {3, 3});
  smooth_.convertTo(picture_, CV_32F);
  if (pictures_ == 0) {
    time_ = time;
    Restart();
    view_.first = true;
    view_.shift = 0;
    view_.foreground = cv::Mat::zeros(picture.size(), CV_8UC1);
    view_.changed = cv::Mat::zeros(picture.size(), CV_8UC1);
    return view_;
  }
  view_.first = false;
  elapsed_ = std::max(time - time_, Duration{0});
  time_ = time;
  const LightChange light = FitLightChange(background_, picture_, watched);
  const double before = cv::mean(background_, watched)[0];
  background_.convertTo(background_, CV_32F, light.gain, light.offset);
  view_.shift = static_cast<float>(std::abs(light.gain * before + light.offset - before));

  cv::Mat residual;
  if (moments_.size() == kMomentsMax) {  // its memory is used again
    residual = std::move(moments_.front().residual);
    moments_.pop_front();
  }
  cv::subtract(picture_, background_, residual);
  difference_ = cv::abs(residual);
  cv::sqrt(variance_, threshold_);
  threshold_.convertTo(threshold_, CV_32F, settings_.deviations, 0);
  cv::max(threshold_, settings_.difference_min, threshold_);
  cv::compare(difference_, threshold_, view_.foreground, cv::CMP_GT);
  cv::bitwise_and(view_.foreground, watched, view_.foreground);

  while (moments_.size() > 1 && time - moments_[1].time >= kMomentAgo) moments_.pop_front();
  cv::absdiff(residual, moments_.front().residual, moment_);
  threshold_.convertTo(threshold_, CV_32F, kChangedPart, 0);
  cv::compare(moment_, threshold_, view_.changed, cv::CMP_GT);
  cv::bitwise_and(view_.changed, watched, view_.changed);
  moments_.push_back({time, std::move(residual)});
  return view_;
}

void BackgroundModel::Learn(const cv::Mat& moving) {
  ++pictures_;
  if (view_.first) return;
  cv::bitwise_not(moving, steady_);
  cv::min(difference_, kDifferenceMax, difference_);
  cv::multiply(difference_, difference_, difference_);
  cv::accumulateWeighted(difference_, variance_, Share(elapsed_, kLearnDeviation_s), steady_);
  // Each pixel by what it is: moving, standing, still.
  cv::accumulateWeighted(picture_, background_, Share(elapsed_, kLearnMoving_s), moving);
  cv::bitwise_and(view_.foreground, steady_, standing_);
  cv::accumulateWeighted(picture_, background_, Share(elapsed_, kLearnStanding_s), standing_);
  cv::subtract(steady_, standing_, steady_);
  const double share = std::max(Share(elapsed_, kLearnStill_s), 1.0 / (pictures_ + 1));  // a mean at first
  cv::accumulateWeighted(picture_, background_, share, steady_);
}

void BackgroundModel::Restart() {
  pictures_ = 0;
  picture_.copyTo(background_);
  variance_ = cv::Mat(picture_.size(), CV_32F, cv::Scalar(kVarianceAtFirst));
  moments_.clear();
  moments_.push_back({time_, cv::Mat::zeros(picture_.size(), CV_32F)});
}

}  // namespace millrace
