// Photographs that people give: JPEG or PNG, as pixels.
//
// Hostile files end in errors: the size in the header is looked at before a picture is allocated,
// of a PNG nothing but the picture itself is read (its texts and profiles can be bombs of their
// own), of a JPEG the scans are counted (a decoder goes over the whole picture for each), and
// libavcodec decodes with these bounds. A picture that is cut short gives what there is of it.
//
// Threads: pure functions; any. Memory: 12 bytes for each of kPhotographPixelsMax at worst, 600 MB:
// a progressive JPEG keeps two bytes of each number beside the picture, so 9 bytes for three
// colours in full and 12 for four; others take up to 8. Besides: the file twice.
#pragma once

#include <cstdint>
#include <opencv2/core/mat.hpp>

#include "base/bytes.h"
#include "base/result.h"
#include "consumers/faces/face_photo.h"

namespace millrace {

inline constexpr std::int64_t kPhotographPixelsMax = 50'000'000;
inline constexpr std::size_t kPhotographScansMax = 100;  // of a JPEG; usual are 1 to 20
inline constexpr int kPhotographRowsMax = 1600;
inline constexpr int kPhotographColumnsMax = 3200;

// height x width x 3, BGR, uint8: upright, as the camera's note in it says (EXIF orientation), and
// reduced to kPhotographRowsMax rows and kPhotographColumnsMax columns before that. Errors:
// kUnsupported: another format; kCorruption: nothing can be decoded; kInvalidArgument: too large,
// too many scans; kResourceExhausted: no memory.
Result<cv::Mat> DecodePhotograph(ByteSpan bytes);

}  // namespace millrace
