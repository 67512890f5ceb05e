// Tampering against the truth: what is done to a made-up camera at a known time, through encoder and decoder,
// and what is no tampering.
//
// Method: 5 pictures a second of 640 x 360 with a key frame each second; 15 s of the usual view first.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>
#include <string>
#include <vector>

#include "consumers/tamper/tamper_detector.h"
#include "tests/consumers/made_scene.h"

namespace millrace::testing {
namespace {

constexpr int kFps = 5;
constexpr double kNoise = 4;
constexpr double kBegin_s = 15;
constexpr double kEnd_s = 25;
const cv::Size kSize(640, 360);
const PictureForm kForm{PictureFormat::kGray, 180};

struct SeenEvent {
  TamperEvent event;
  double told_s = 0;  // the picture that it came with
};

double Seconds(Timestamp time) { return static_cast<double>(time.ns) / 1e9; }

std::string ToText(const std::vector<SeenEvent>& events) {
  constexpr const char* kNames[] = {"black", "covered", "defocused", "moved", "frozen"};
  std::string text;
  for (const SeenEvent& seen : events) {
    text += std::string(kNames[static_cast<int>(seen.event.kind)]) +
            (seen.event.started ? " started at " : " ended at ") + std::to_string(Seconds(seen.event.time)) +
            ", told at " + std::to_string(seen.told_s) + "; ";
  }
  return text;
}

// What the detector's defaults tell of so many seconds.
std::vector<SeenEvent> Watch(double seconds, const std::function<cv::Mat(double time_s)>& draw,
                             int kbps = 0) {
  TamperDetector detector({});
  std::vector<SeenEvent> events;
  ThroughH264(
      {.fps = kFps, .key_frame_interval = kFps, .kbps = kbps}, static_cast<int>(seconds * kFps),
      [&](int index) { return draw(static_cast<double>(index) / kFps); }, kForm,
      [&](const SeenPicture& picture) {
        const TamperFrame& frame = detector.Look(picture.image, picture.key_frame, picture.time);
        for (const TamperEvent& event : frame.events) events.push_back({event, Seconds(picture.time)});
      });
  return events;
}

// The tampering is told within two seconds, with its own time, and so is its end.
void ExpectOne(const std::vector<SeenEvent>& events, TamperKind kind) {
  ASSERT_EQ(events.size(), 2u) << ToText(events);
  EXPECT_EQ(events[0].event.kind, kind) << ToText(events);
  EXPECT_TRUE(events[0].event.started);
  EXPECT_NEAR(Seconds(events[0].event.time), kBegin_s, 0.5) << ToText(events);
  EXPECT_LE(events[0].told_s, kBegin_s + 2) << ToText(events);
  EXPECT_EQ(events[1].event.kind, kind);
  EXPECT_FALSE(events[1].event.started);
  EXPECT_NEAR(Seconds(events[1].event.time), kEnd_s, 0.5) << ToText(events);
  EXPECT_EQ(events[1].event.began, events[0].event.time);
}

bool Tampered(double time_s) { return time_s >= kBegin_s && time_s < kEnd_s; }

class TamperVideoTest : public ::testing::Test {
 protected:
  cv::Mat Noisy(const cv::Mat& picture) {
    cv::Mat noisy = picture.clone();
    noise_.AddTo(noisy);
    return noisy;
  }

  const cv::Mat view_ = TexturedView(kSize, 31);
  SensorNoise noise_{kSize, kNoise, 5};
};

TEST_F(TamperVideoTest, ABlackPicture) {
  ExpectOne(Watch(32, [&](double time_s) { return Noisy(Tampered(time_s) ? Lit(view_, 0.02) : view_); }),
            TamperKind::kBlack);
}

TEST_F(TamperVideoTest, ACoveredLens) {
  // A hand: blurred skin, brighter here than there.
  cv::Mat hand(kSize, CV_8UC3);
  for (int y = 0; y < hand.rows; ++y) {
    hand.row(y).setTo(cv::Scalar(60 + y / 12, 80 + y / 8, 120 + y / 6));
  }
  for (const int kbps : {0, 100}) {
    ExpectOne(Watch(
                  32, [&](double time_s) { return Noisy(Tampered(time_s) ? hand : view_); }, kbps),
              TamperKind::kCovered);
  }
}

TEST_F(TamperVideoTest, ATurnedCamera) {
  const cv::Mat wide = TexturedView({960, 540}, 33);
  const cv::Mat here = wide(cv::Rect({40, 90}, kSize));
  const cv::Mat there = wide(cv::Rect({240, 150}, kSize));  // two thirds of it are the same
  for (const int kbps : {0, 100}) {
    ExpectOne(Watch(
                  32, [&](double time_s) { return Noisy(Tampered(time_s) ? there : here); }, kbps),
              TamperKind::kMoved);
  }
}

TEST_F(TamperVideoTest, ALensOutOfFocus) {
  cv::Mat blurred;
  cv::GaussianBlur(view_, blurred, {0, 0}, 7);
  ExpectOne(Watch(32, [&](double time_s) { return Noisy(Tampered(time_s) ? blurred : view_); }),
            TamperKind::kDefocused);
}

TEST_F(TamperVideoTest, AFrozenPicture) {
  const cv::Mat last = Noisy(view_);
  ExpectOne(Watch(32, [&](double time_s) { return Tampered(time_s) ? last : Noisy(view_); }),
            TamperKind::kFrozen);
}

TEST_F(TamperVideoTest, PeopleAndLightAreNoTampering) {
  for (const int kbps : {0, 60}) {
    const auto events = Watch(
        40,
        [&](double time_s) {
          cv::Mat picture = view_.clone();
          for (int i = 0; i < 6; ++i) {  // near and far
            const double way = std::fmod(time_s * (40 + 15 * i) + 170 * i, kSize.width + 200) - 100;
            DrawPerson(picture, {static_cast<int>(way), 250 + 20 * i}, 90 + 40 * i);
          }
          picture = Lit(picture, 1 - 0.6 * time_s / 40);
          return Noisy(picture);
        },
        kbps);
    EXPECT_EQ(ToText(events), "") << kbps;
  }
}

TEST_F(TamperVideoTest, AQuietSceneIsNotFrozen) {
  for (const int kbps : {0, 60}) {
    EXPECT_EQ(ToText(Watch(
                  40, [&](double) { return Noisy(view_); }, kbps)),
              "")
        << kbps;
  }
}

}  // namespace
}  // namespace millrace::testing
