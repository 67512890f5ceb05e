#include "two_people.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>
#include <opencv2/videoio.hpp>

#include "samples/camera-sim/frame_counter.h"

namespace millrace::testing {
namespace {

constexpr int kWidth = 1280;
constexpr int kHeight = 720;

struct Sitter {
  const char* file;
  cv::Rect head;    // of the photograph: what walks about
  cv::Rect2d face;  // of the photograph
};
const std::array<Sitter, kPeople> kSitters = {
    Sitter{SAMPLE_MEDIA "/astronaut.png", {120, 5, 215, 235}, {181, 75, 90, 105}},
    Sitter{SAMPLE_MEDIA "/messi5.jpg", {198, 58, 86, 94}, {226, 89, 32, 42}}};

// Where the head is: all of it within its half of the picture.
cv::Rect HeadAt(std::size_t person, int index) {
  const double t = 1.0 * index / kPeopleFps;
  const auto wave = [&](double period_s, double phase) {
    return 0.5 + 0.5 * std::sin(2 * std::numbers::pi * (t / period_s + phase));
  };
  const double side = person == 0 ? 0 : 0.5;
  const cv::Rect& head = kSitters[person].head;
  const int height = static_cast<int>(kHeight * (0.31 + 0.17 * wave(9, 0.3 + side)));
  const int width = height * head.width / head.height;
  const int x = static_cast<int>((kWidth - width) * wave(13, 0.1 + side));
  const int y = static_cast<int>((kHeight / 2 - height) * wave(5, 0.2)) + (person == 0 ? 0 : kHeight / 2);
  return {x, y, width, height};
}

}  // namespace

struct TwoPeople::Street {
  cv::VideoCapture video;
};

TwoPeople::TwoPeople() : street_(std::make_unique<Street>()), noise_(7) {
  EXPECT_TRUE(street_->video.open(SAMPLE_MEDIA "/vtest.avi"));
  for (std::size_t i = 0; i < kPeople; ++i) {
    const cv::Mat photograph = cv::imread(kSitters[i].file, cv::IMREAD_COLOR);
    EXPECT_FALSE(photograph.empty()) << kSitters[i].file;
    if (!photograph.empty()) portraits_[i] = photograph(kSitters[i].head).clone();
  }
}

TwoPeople::~TwoPeople() = default;

std::string TwoPeople::Photograph(std::size_t person) { return kSitters[person].file; }

cv::Mat TwoPeople::Draw(int index) {
  cv::Mat picture;
  cv::Mat street;
  if (street_->video.read(street)) {
    cv::resize(street, picture, {kWidth, kHeight}, 0, 0, cv::INTER_LINEAR);
  } else {
    picture = cv::Mat(kHeight, kWidth, CV_8UC3, cv::Scalar(90, 100, 95));
  }
  for (std::size_t i = 0; i < kPeople; ++i) {
    const cv::Rect place = HeadAt(i, index);
    cv::Mat head;
    const bool smaller = place.width < portraits_[i].cols;
    cv::resize(portraits_[i], head, place.size(), 0, 0, smaller ? cv::INTER_AREA : cv::INTER_CUBIC);
    head.copyTo(picture(place));
  }
  const double light = 0.85 + 0.35 * std::sin(2 * std::numbers::pi * index / (7.0 * kPeopleFps));
  cv::Mat grain(picture.size(), CV_16SC3);
  noise_.fill(grain, cv::RNG::NORMAL, 0, 5);
  cv::Mat lit;
  picture.convertTo(lit, CV_16SC3, light);
  lit += grain;
  lit.convertTo(picture, CV_8UC3);
  const int side = camera_sim::FrameCounterSide(kWidth);
  for (int square = 0; square < camera_sim::kFrameCounterSquares; ++square) {
    const bool white = camera_sim::FrameCounterBit(static_cast<std::uint32_t>(index), square);
    cv::rectangle(picture, cv::Rect(square * side, 0, side, side), cv::Scalar::all(white ? 255 : 0),
                  cv::FILLED);
  }
  return picture;
}

cv::Rect2d TwoPeople::FaceAt(std::size_t person, int index) {
  const cv::Rect place = HeadAt(person, index);
  const Sitter& sitter = kSitters[person];
  const double scale = 1.0 * place.width / sitter.head.width;
  return {(place.x + (sitter.face.x - sitter.head.x) * scale) / kWidth,
          (place.y + (sitter.face.y - sitter.head.y) * scale) / kHeight, sitter.face.width * scale / kWidth,
          sitter.face.height * scale / kHeight};
}

}  // namespace millrace::testing
