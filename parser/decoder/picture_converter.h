// libav's picture as a cv::Mat of the form that was asked for.
#pragma once

#include <memory>
#include <opencv2/core/mat.hpp>

#include "base/result.h"
#include "parser/decoder/picture.h"

struct AVFrame;

namespace millrace {

// Threads: one owner. Memory: one picture of the form, and what libswscale keeps for a picture's rows.
class PictureConverter {
 public:
  explicit PictureConverter(const PictureForm& form);
  ~PictureConverter();
  PictureConverter(const PictureConverter&) = delete;
  PictureConverter& operator=(const PictureConverter&) = delete;

  // `decoded` in whatever pixel format a decoder gives. The result lies in `decoded` or in this converter:
  // valid until either is used again. A colour picture is converted with the matrix and range that the video
  // names (BT.601 where it names none, as players do). Errors: kUnsupported: a pixel format that cannot be
  // converted. Throws: cv::Exception, std::bad_alloc: no memory.
  Result<cv::Mat> Convert(const AVFrame& decoded);

 private:
  struct Scaler;

  Result<cv::Mat> Scale(const AVFrame& decoded, int width, int height);

  const PictureForm form_;
  std::unique_ptr<Scaler> scaler_;  // libswscale's state for the last kind of picture
  cv::Mat coarse_;                  // reduced by a whole factor
  cv::Mat padded_;                  // converted_ and rows behind it
  cv::Mat converted_;
};

}  // namespace millrace
