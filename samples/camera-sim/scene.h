// The pictures of the clip, before encoding.
#pragma once

#include <memory>
#include <opencv2/core.hpp>

#include "base/result.h"
#include "samples/camera-sim/options.h"

namespace millrace::camera_sim {

// Gives the clip's pictures one after the other. Threads: one owner.
class Scene {
 public:
  virtual ~Scene() = default;
  // Picture `index` (height x width x 3, BGR, uint8), without the counters. Called with 0, 1, 2, ….
  // Empty only when there is nothing to show any more (a file's end).
  virtual cv::Mat Next(int index) = 0;
};

// The file, or the generated picture: the face panned and zoomed over the background, or a moving test
// picture where they are not given (a log line says so). Errors: kNotFound, kCorruption: a file that cannot
// be read.
Result<std::unique_ptr<Scene>> MakeScene(const ClipOptions& options);

// Draws both counters: digits for people, squares (frame_counter.h) for tests.
void DrawCounters(cv::Mat& picture, int index);

}  // namespace millrace::camera_sim
