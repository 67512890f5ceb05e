// A picture as the bytes of an image file: JPEG by libjpeg-turbo, PNG by libpng.
//
// Threads: pure functions; any.
#pragma once

#include <opencv2/core/mat.hpp>
#include <optional>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"
#include "fragments/stream_description.h"

namespace millrace {

struct ImageEncoding {
  static constexpr int kQualityMax = 100;

  ImageFormat format = ImageFormat::kJpeg;
  int jpeg_quality = 80;  // 1 to kQualityMax: the larger, the better and the more bytes
  friend bool operator==(const ImageEncoding&, const ImageEncoding&) = default;
};

std::optional<ImageFormat> ImageFormatFromString(std::string_view name);  // "jpeg", "jpg", "png"
std::string_view ContentType(ImageFormat format);                         // "image/jpeg", "image/png"
std::string_view FileEnding(ImageFormat format);                          // ".jpg", ".png"

// `picture`: height x width x 3, BGR, uint8; not empty, at most 65,500 either way. Errors: kInvalidArgument
// (another picture), kResourceExhausted (no memory), kInternal.
Result<Bytes> EncodeImage(const cv::Mat& picture, const ImageEncoding& encoding);

}  // namespace millrace
