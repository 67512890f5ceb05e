// Photographs that people give: JPEG or PNG, as pixels.
//
// Hostile files end in errors: the size in the header is looked at before a picture is allocated, of a PNG
// nothing but the picture itself is read (its texts and profiles can be bombs of their own), and libavcodec
// decodes with these bounds. A picture that is cut short gives what there is of it.
//
// Threads: pure functions; any. Memory: 8 bytes for each of kPhotographPixelsMax at worst.
#pragma once

#include <cstdint>
#include <opencv2/core/mat.hpp>

#include "base/bytes.h"
#include "base/result.h"

namespace millrace {

inline constexpr std::size_t kPhotographBytesMax = std::size_t{20} << 20;
inline constexpr std::int64_t kPhotographPixelsMax = 50'000'000;
inline constexpr int kPhotographRowsMax = 1600;

// height x width x 3, BGR, uint8: upright, as the camera's note in it says (EXIF orientation), and reduced to
// kPhotographRowsMax rows before that. Errors: kUnsupported: another format; kCorruption: nothing can be
// decoded; kInvalidArgument: too large; kResourceExhausted: no memory.
Result<cv::Mat> DecodePhotograph(ByteSpan bytes);

}  // namespace millrace
