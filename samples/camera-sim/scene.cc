#include "samples/camera-sim/scene.h"

#include <cmath>
#include <cstdio>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>
#include <opencv2/videoio.hpp>
#include <string>
#include <utility>

#include "base/log.h"
#include "samples/camera-sim/face_place.h"
#include "samples/camera-sim/frame_counter.h"

namespace millrace::camera_sim {
namespace {

// A moving test picture: a slowly turning colour gradient with a pattern that slides over it.
class TestBackground final : public Scene {
 public:
  explicit TestBackground(cv::Size size) : picture_(size, CV_8UC3) {}
  cv::Mat Next(int index) override {
    for (int y = 0; y < picture_.rows; ++y) {
      auto* row = picture_.ptr<cv::Vec3b>(y);
      for (int x = 0; x < picture_.cols; ++x) {
        const int tile = ((x + index * 3) / 32 + (y + index) / 32) & 1;
        row[x] = cv::Vec3b(static_cast<std::uint8_t>(x * 200 / picture_.cols + tile * 40),
                           static_cast<std::uint8_t>(y * 200 / picture_.rows + tile * 20),
                           static_cast<std::uint8_t>(100 + (index * 2 + x / 8) % 100));
      }
    }
    return picture_;
  }

 private:
  cv::Mat picture_;
};

// A video file's pictures at the clip's size and rate; starts again at its end when `loop`.
class VideoFile final : public Scene {
 public:
  VideoFile(cv::VideoCapture capture, std::string path, cv::Size size, int fps, bool loop)
      : capture_(std::move(capture)), path_(std::move(path)), size_(size), fps_(fps), loop_(loop) {
    source_fps_ = capture_.get(cv::CAP_PROP_FPS);
    if (!(source_fps_ > 0 && source_fps_ < 1000)) source_fps_ = fps;
  }
  cv::Mat Next(int index) override {
    const auto wanted = static_cast<std::int64_t>(std::floor(index * source_fps_ / fps_ + 1e-6));
    while (read_ <= wanted) {
      cv::Mat picture;
      if (!capture_.read(picture) || picture.empty()) {
        if (!loop_ || read_in_pass_ == 0) return {};
        capture_.open(path_);
        read_in_pass_ = 0;
        continue;
      }
      ++read_;
      ++read_in_pass_;
      cv::resize(picture, current_, size_, 0, 0, cv::INTER_LINEAR);
    }
    return current_.clone();
  }

 private:
  cv::VideoCapture capture_;
  std::string path_;
  cv::Size size_;
  double fps_;
  bool loop_;
  double source_fps_ = 0;
  std::int64_t read_ = 0;          // pictures taken from the file so far
  std::int64_t read_in_pass_ = 0;  // since it was (re)opened
  cv::Mat current_;
};

// The portrait moves over the background, as face_place.h says.
class FaceScene final : public Scene {
 public:
  FaceScene(std::unique_ptr<Scene> background, cv::Mat face, int fps)
      : background_(std::move(background)), face_(std::move(face)), fps_(fps) {}
  cv::Mat Next(int index) override {
    cv::Mat picture = background_->Next(index);
    if (picture.empty()) return picture;
    const FacePlace portrait = PortraitPlace(index, fps_, picture.cols, picture.rows);
    const cv::Rect place(cv::Rect2d(portrait.x, portrait.y, portrait.width, portrait.height));
    cv::Mat face;
    cv::resize(face_, face, place.size(), 0, 0, cv::INTER_AREA);
    face.copyTo(picture(place));
    return picture;
  }

 private:
  std::unique_ptr<Scene> background_;
  cv::Mat face_;
  int fps_;
};

Result<std::unique_ptr<Scene>> OpenVideo(const std::string& path, cv::Size size, int fps, bool loop) {
  cv::VideoCapture capture(path);
  if (!capture.isOpened()) return Error{ErrorCode::kCorruption, "cannot read video from " + path};
  return std::unique_ptr<Scene>(std::make_unique<VideoFile>(std::move(capture), path, size, fps, loop));
}

}  // namespace

Result<std::unique_ptr<Scene>> MakeScene(const ClipOptions& options) {
  const cv::Size size(options.width, options.height);
  if (!options.file.empty()) return OpenVideo(options.file, size, options.fps, false);
  std::unique_ptr<Scene> scene;
  if (options.background.empty()) {
    Log(LogLevel::kInfo, "no --background given: showing a generated test picture");
    scene = std::make_unique<TestBackground>(size);
  } else {
    MILLRACE_ASSIGN_OR_RETURN(scene, OpenVideo(options.background, size, options.fps, true));
  }
  if (options.face.empty()) {
    Log(LogLevel::kInfo, "no --face given: there is no face in the picture");
    return scene;
  }
  cv::Mat face = cv::imread(options.face, cv::IMREAD_COLOR);
  if (face.empty()) return Error{ErrorCode::kCorruption, "cannot read a picture from " + options.face};
  return std::unique_ptr<Scene>(std::make_unique<FaceScene>(std::move(scene), std::move(face), options.fps));
}

void DrawCounters(cv::Mat& picture, int index) {
  const int side = FrameCounterSide(picture.cols);
  for (int square = 0; square < kFrameCounterSquares; ++square) {
    const bool white = FrameCounterBit(static_cast<std::uint32_t>(index), square);
    cv::rectangle(picture, cv::Rect(square * side, 0, side, side),
                  white ? cv::Scalar::all(255) : cv::Scalar::all(0), cv::FILLED);
  }
  char text[32];
  std::snprintf(text, sizeof(text), "frame %06d", index);
  const double scale = picture.rows / 500.0;
  const cv::Point at(side, side + static_cast<int>(40 * scale));
  cv::putText(picture, text, at, cv::FONT_HERSHEY_SIMPLEX, scale, cv::Scalar::all(0), 4, cv::LINE_AA);
  cv::putText(picture, text, at, cv::FONT_HERSHEY_SIMPLEX, scale, cv::Scalar::all(255), 2, cv::LINE_AA);
}

}  // namespace millrace::camera_sim
