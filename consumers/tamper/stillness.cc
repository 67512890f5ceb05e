#include "consumers/tamper/stillness.h"

#include <cstdlib>
#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>

namespace millrace {
namespace {

constexpr double kSameMax =
    0.08;  // levels, on average: an encoder that codes the same picture anew differs by less

}  // namespace

std::optional<Timestamp> Stillness::Look(const cv::Mat& picture, bool key_frame, Timestamp time,
                                         const cv::Mat& watched) {
  if (!key_frame) return since_;
  const bool comparable = last_.size() == picture.size() && last_.type() == picture.type();
  if (comparable) cv::absdiff(picture, last_, difference_);
  if (comparable && cv::mean(difference_, watched)[0] <= kSameMax) {
    if (!since_) since_ = time_;
  } else {
    since_.reset();
  }
  picture.copyTo(last_);
  time_ = time;
  return since_;
}

}  // namespace millrace
