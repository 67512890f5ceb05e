// Motion against the truth: a person of known times over a textured, noisy view, through encoder and decoder;
// and all that is no motion.
//
// Method: 5 pictures a second of 640 x 360, as the analyzer gets them by default; the events of the
// detector's defaults against what was drawn.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <opencv2/core.hpp>
#include <string>
#include <vector>

#include "consumers/motion/motion_detector.h"
#include "tests/consumers/made_scene.h"

namespace millrace::testing {
namespace {

constexpr int kFps = 5;
const cv::Size kSize(640, 360);
const PictureForm kForm{PictureFormat::kGray, 180};
constexpr double kNoise = 4;

struct Seen {
  std::vector<MotionEvent> events;
  std::vector<std::pair<double, MotionFrame>> frames;  // with something moving; seconds
};

double Seconds(Timestamp time) { return static_cast<double>(time.ns) / 1e9; }

std::string ToText(const std::vector<MotionEvent>& events) {
  std::string text;
  for (const MotionEvent& event : events) {
    constexpr const char* kNames[] = {"started", "stopped", "scene changed"};
    text += std::string(kNames[static_cast<int>(event.kind)]) + " zone " + std::to_string(event.zone) +
            " at " + std::to_string(Seconds(event.time)) + "; ";
  }
  return text;
}

// Collects what the detector says of each picture.
class Watcher {
 public:
  explicit Watcher(const MotionSettings& settings = {}) : detector_(settings) {}

  std::function<void(const SeenPicture&)> See() {
    return [this](const SeenPicture& picture) {
      const MotionFrame& frame = detector_.Look(picture.image, picture.time);
      seen_.events.insert(seen_.events.end(), frame.events.begin(), frame.events.end());
      if (!frame.zones.empty()) seen_.frames.emplace_back(Seconds(picture.time), frame);
    };
  }
  const Seen& seen() const { return seen_; }

 private:
  MotionDetector detector_;
  Seen seen_;
};

// Somebody who walks from left to right between two times, in a picture of `index`.
void Walk(cv::Mat& picture, int index, double from_s, double to_s, int height = 90) {
  const double time = static_cast<double>(index) / kFps;
  if (time < from_s || time > to_s) return;
  const double way = (time - from_s) / (to_s - from_s);
  DrawPerson(picture, {static_cast<int>(60 + way * (picture.cols - 120)), picture.rows * 3 / 4}, height);
}

void ExpectOneMotion(const std::vector<MotionEvent>& events, double from_s, double to_s) {
  ASSERT_EQ(events.size(), 2u) << ToText(events);
  EXPECT_EQ(events[0].kind, MotionEvent::Kind::kStarted);
  EXPECT_NEAR(Seconds(events[0].time), from_s, 0.5) << ToText(events);
  EXPECT_EQ(events[1].kind, MotionEvent::Kind::kStopped);
  EXPECT_NEAR(Seconds(events[1].time), to_s, 0.5) << ToText(events);
  EXPECT_EQ(events[1].started, events[0].time);
}

TEST(MotionVideoTest, StartsAndStopsWithTheWalker) {
  const cv::Mat view = TexturedView(kSize, 1);
  for (const int kbps : {0, 150}) {
    SensorNoise noise(kSize, kNoise, 7);
    Watcher watcher;
    ThroughH264(
        {.fps = kFps, .kbps = kbps}, 30 * kFps,
        [&](int index) {
          cv::Mat picture = view.clone();
          Walk(picture, index, 8.4, 16.6);
          noise.AddTo(picture);
          return picture;
        },
        kForm, watcher.See());
    ExpectOneMotion(watcher.seen().events, 8.4, 16.6);
    // Each box is where the walker is.
    std::size_t right = 0;
    for (const auto& [time, frame] : watcher.seen().frames) {
      const double x = (60 + (time - 8.4) / 8.2 * (kSize.width - 120)) / kSize.width;
      const cv::Rect2d walker(x - 18.0 / kSize.width, 0.5, 36.0 / kSize.width, 0.25);
      const cv::Rect2d& box = frame.zones[0].boxes[0];
      const double both = (box & walker).area();
      right += both / (box.area() + walker.area() - both) >= 0.5 ? 1 : 0;
    }
    EXPECT_GE(right * 10, watcher.seen().frames.size() * 9);
    EXPECT_GE(watcher.seen().frames.size(), 38u);
  }
}

TEST(MotionVideoTest, ANoisySensorAndAMiserlyEncoderAreNoMotion) {
  for (const int kbps : {0, 60}) {
    for (const double sigma : {2.0, 8.0}) {
      const cv::Mat view = TexturedView(kSize, 2);
      SensorNoise noise(kSize, sigma, 11);
      Watcher watcher;
      ThroughH264(
          {.fps = kFps, .kbps = kbps}, 40 * kFps,
          [&](int) {
            cv::Mat picture = view.clone();
            noise.AddTo(picture);
            return picture;
          },
          kForm, watcher.See());
      EXPECT_EQ(ToText(watcher.seen().events), "") << kbps << " kbit/s, noise " << sigma;
    }
  }
}

TEST(MotionVideoTest, DuskIsNoMotion) {
  const cv::Mat view = TexturedView(kSize, 3);
  SensorNoise noise(kSize, kNoise, 13);
  Watcher watcher;
  ThroughH264(
      {.fps = kFps, .kbps = 200}, 70 * kFps,
      [&](int index) {
        const double way = std::clamp((static_cast<double>(index) / kFps - 5) / 60, 0.0, 1.0);
        cv::Mat picture = Lit(view, 1.3 - 1.05 * way);
        noise.AddTo(picture);
        return picture;
      },
      kForm, watcher.See());
  EXPECT_EQ(ToText(watcher.seen().events), "");
}

TEST(MotionVideoTest, RainIsNoMotion) {
  const cv::Mat view = TexturedView(kSize, 4);
  SensorNoise noise(kSize, kNoise, 17);
  cv::RNG rain(29);
  Watcher watcher;
  ThroughH264(
      {.fps = kFps}, 40 * kFps,
      [&](int index) {
        cv::Mat picture = view.clone();
        if (index > 5 * kFps) AddRain(picture, 120, rain);
        noise.AddTo(picture);
        return picture;
      },
      kForm, watcher.See());
  EXPECT_EQ(ToText(watcher.seen().events), "");
}

TEST(MotionVideoTest, AWalkerInDuskAndRainIsFound) {
  const cv::Mat view = TexturedView(kSize, 5);
  SensorNoise noise(kSize, kNoise, 19);
  cv::RNG rain(29);
  Watcher watcher;
  ThroughH264(
      {.fps = kFps}, 40 * kFps,
      [&](int index) {
        cv::Mat picture = view.clone();
        Walk(picture, index, 20, 28);
        AddRain(picture, 80, rain);
        picture = Lit(picture, 1.2 - 0.6 * index / (40.0 * kFps));
        noise.AddTo(picture);
        return picture;
      },
      kForm, watcher.See());
  ExpectOneMotion(watcher.seen().events, 20, 28);
}

TEST(MotionVideoTest, ASwitchedLightIsAChangeOfTheScene) {
  const cv::Mat view = TexturedView(kSize, 6);
  SensorNoise noise(kSize, kNoise, 23);
  Watcher watcher;
  ThroughH264(
      {.fps = kFps}, 30 * kFps,
      [&](int index) {
        cv::Mat picture = Lit(view, index < 10 * kFps ? 1 : 0.45, index < 20 * kFps ? 0 : 70);
        noise.AddTo(picture);
        return picture;
      },
      kForm, watcher.See());
  const std::vector<MotionEvent>& events = watcher.seen().events;
  ASSERT_EQ(events.size(), 2u) << ToText(events);
  EXPECT_EQ(events[0].kind, MotionEvent::Kind::kSceneChanged);
  EXPECT_NEAR(Seconds(events[0].time), 10, 0.25);
  EXPECT_EQ(events[1].kind, MotionEvent::Kind::kSceneChanged);
  EXPECT_NEAR(Seconds(events[1].time), 20, 0.25);
}

TEST(MotionVideoTest, WhereAProcessBeganMakesNoDifferenceAfterTheWarmUp) {
  const cv::Mat view = TexturedView(kSize, 7);
  constexpr int kLater = 20 * kFps;
  constexpr int kWarm = 30 * kFps;
  std::vector<std::string> told[2];
  for (const int first : {0, kLater}) {
    MotionDetector detector({});
    SensorNoise noise(kSize, kNoise, 37);
    Directly(
        kFps, 75 * kFps,
        [&](int index) {
          cv::Mat picture = Lit(view, 1 - 0.3 * index / (75.0 * kFps));
          Walk(picture, index, 12, 18);
          Walk(picture, index, 56, 62);
          noise.AddTo(picture);
          return picture;
        },
        180,
        [&](const SeenPicture& picture) {
          const auto index = static_cast<int>(std::lround(Seconds(picture.time) * kFps));
          if (index < first) return;
          const MotionFrame& frame = detector.Look(picture.image, picture.time);
          if (index >= kLater + kWarm) told[first == 0 ? 0 : 1].push_back(ToText(frame.events));
        });
  }
  EXPECT_EQ(told[0], told[1]);
  std::string all;
  for (const std::string& text : told[0]) all += text;
  EXPECT_NE(all, "");
}

}  // namespace
}  // namespace millrace::testing
