// Pictures of a made-up camera for tests of analyzers: a textured view, a sensor's noise, light, and things
// that move over it at known times; and the same through an encoder and the decoder.
#pragma once

#include <cstdint>
#include <functional>
#include <opencv2/core.hpp>
#include <string>
#include <vector>

#include "base/time.h"
#include "parser/decoder/picture.h"

namespace millrace::testing {

// A view with structure of all sizes, as streets and rooms have: height x width x 3, BGR, uint8. Another
// seed, another view.
cv::Mat TexturedView(cv::Size size, std::uint64_t seed);

// The same, with levels multiplied and added to.
cv::Mat Lit(const cv::Mat& view, double gain, double offset = 0);

// Gaussian noise of each pixel and colour, as a sensor has it; another one in each picture.
class SensorNoise {
 public:
  SensorNoise(cv::Size size, double sigma, std::uint64_t seed);
  void AddTo(cv::Mat& picture);

 private:
  cv::RNG rng_;
  cv::Mat field_;  // larger than the picture: drawn once, since drawing takes longer than all else
};

// Streaks of rain at places of their own in each picture.
void AddRain(cv::Mat& picture, int drops, cv::RNG& rng);

// Somebody in striped clothes, `height` pixels tall, with the feet at this place.
void DrawPerson(cv::Mat& picture, cv::Point feet, int height);

struct Encoding {
  int fps = 5;
  int key_frame_interval = 10;  // frames
  int kbps = 0;                 // 0: at a constant quantiser
};

// The picture as an analyzer gets it.
struct SeenPicture {
  cv::Mat image;
  Timestamp time;  // since the clip's beginning
  bool key_frame = false;
};

// Encodes `count` pictures (`draw` gives each, all of one size) by ffmpeg as H.264, and decodes them by
// FragmentDecoder in `form`. Fails the test where that fails.
void ThroughH264(const Encoding& encoding, int count, const std::function<cv::Mat(int index)>& draw,
                 const PictureForm& form, const std::function<void(const SeenPicture&)>& see);

// The same without a codec: as grey pictures of so many rows.
void Directly(int fps, int count, const std::function<cv::Mat(int index)>& draw, int rows,
              const std::function<void(const SeenPicture&)>& see);

}  // namespace millrace::testing
