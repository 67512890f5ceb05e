// Photographs that people give for face collections: a picture within the bounds, or an error that says why.
//
// Input: the file's bytes.
#include <algorithm>
#include <string>

#include "consumers/faces/photograph.h"
#include "consumers/images/image_encoder.h"
#include "fuzz/fuzz_target.h"

namespace millrace::fuzz {

std::vector<Seed> Seeds() {
  cv::Mat picture(24, 32, CV_8UC3);
  for (int y = 0; y < picture.rows; ++y) {
    for (int x = 0; x < picture.cols * 3; ++x)
      picture.data[y * 96 + x] = static_cast<std::uint8_t>(x * 7 + y);
  }
  return {{"jpeg", EncodeImage(picture, {.format = ImageFormat::kJpeg}).value()},
          {"png", EncodeImage(picture, {.format = ImageFormat::kPng}).value()}};
}

}  // namespace millrace::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto picture = millrace::DecodePhotograph(millrace::ByteSpan(data, size));
  if (!picture) {
    FUZZ_CHECK(!picture.error().message.empty() && picture.error().message.size() < 300,
               picture.error().message);
    return 0;
  }
  // Turned upright, the rows may be columns.
  FUZZ_CHECK(!picture->empty() && picture->type() == CV_8UC3, "a picture in colour");
  FUZZ_CHECK(std::min(picture->rows, picture->cols) <= millrace::kPhotographRowsMax, "a reduced picture");
  return 0;
}
