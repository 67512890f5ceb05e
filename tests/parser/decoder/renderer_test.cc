// Boxes stand where they are said to be, whatever numbers and texts come.
#include "parser/decoder/renderer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <opencv2/core.hpp>

namespace millrace::testing {
namespace {

TEST(Renderer, PixelsAreRatiosOfThePicture) {
  EXPECT_EQ(PixelsOf({0.25, 0.5, 0.5, 0.25}, {400, 200}), cv::Rect(100, 100, 200, 50));
  EXPECT_EQ(PixelsOf({-0.5, -0.5, 1, 1}, {400, 200}), cv::Rect(0, 0, 200, 100)) << "cut at the edge";
  EXPECT_EQ(PixelsOf({0.9, 0.9, 5, 5}, {400, 200}), cv::Rect(360, 180, 40, 20));
  EXPECT_TRUE(PixelsOf({0.5, 0.5, 0, 0.1}, {400, 200}).empty());
  EXPECT_TRUE(PixelsOf({0.5, 0.5, -0.1, 0.1}, {400, 200}).empty());
  EXPECT_TRUE(PixelsOf({2, 2, 0.1, 0.1}, {400, 200}).empty());
  EXPECT_TRUE(PixelsOf({0, 0, 1, 1}, {0, 0}).empty());
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  EXPECT_TRUE(PixelsOf({kNan, 0, 1, 1}, {400, 200}).empty());
  EXPECT_TRUE(PixelsOf({0, 0, kInfinity, 1}, {400, 200}).empty());
  EXPECT_FALSE(PixelsOf({0, 0, 1e300, 1e300}, {400, 200}).empty());
}

TEST(Renderer, DrawsTheFrameOfABoxAndLeavesTheRestAlone) {
  cv::Mat image(200, 400, CV_8UC3, cv::Scalar::all(10));
  const LabeledBox boxes[] = {{{0.25, 0.25, 0.5, 0.5}, "", {1, 2, 250}}};
  ASSERT_TRUE(DrawBoxes(image, boxes));
  EXPECT_EQ(image.at<cv::Vec3b>(50, 150), cv::Vec3b(1, 2, 250)) << "its upper edge";
  EXPECT_EQ(image.at<cv::Vec3b>(100, 100), cv::Vec3b(1, 2, 250)) << "its left edge";
  EXPECT_EQ(image.at<cv::Vec3b>(100, 200), cv::Vec3b(10, 10, 10)) << "inside";
  EXPECT_EQ(image.at<cv::Vec3b>(20, 20), cv::Vec3b(10, 10, 10)) << "outside";
}

TEST(Renderer, ALabelStandsAboveItsBoxWhereThereIsRoom) {
  for (const int type : {CV_8UC3, CV_8UC1}) {
    cv::Mat image(200, 400, type, cv::Scalar::all(10));
    const LabeledBox boxes[] = {{{0.25, 0.5, 0.5, 0.4}, "ada 97%"}};
    ASSERT_TRUE(DrawBoxes(image, boxes));
    EXPECT_GT(cv::norm(image(cv::Rect(100, 80, 60, 18)), cv::NORM_INF), 10) << "above";
    cv::Mat high(200, 400, type, cv::Scalar::all(10));
    const LabeledBox at_top[] = {{{0.25, 0, 0.5, 0.9}, "ada 97%"}};
    ASSERT_TRUE(DrawBoxes(high, at_top));
    EXPECT_GT(cv::norm(high(cv::Rect(105, 4, 40, 8)), cv::NORM_INF), 10) << "in it";
  }
}

TEST(Renderer, TakesAnyTextAndAnyPlace) {
  cv::Mat image(40, 60, CV_8UC3, cv::Scalar::all(10));
  std::vector<LabeledBox> boxes;
  for (double at = -1.5; at < 2; at += 0.25) {
    boxes.push_back({{at, -at, 0.5, 0.5}, std::string(10'000, '\xC3')});
    boxes.push_back({{-at, at, 3, 3}, std::string("line\nend\0x", 10)});
  }
  EXPECT_TRUE(DrawBoxes(image, boxes));
  cv::Mat empty(0, 0, CV_8UC3);
  EXPECT_TRUE(DrawBoxes(empty, boxes));
  cv::Mat floats(40, 60, CV_32FC3);
  EXPECT_EQ(DrawBoxes(floats, boxes).error().code, ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace millrace::testing
