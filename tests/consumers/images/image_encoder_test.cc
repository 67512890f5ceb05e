// Goal: what goes in comes out of the file again. Method: OpenCV's decoders read it.
#include "consumers/images/image_encoder.h"

#include <gtest/gtest.h>

#include <opencv2/core.hpp>
#include <opencv2/imgcodecs.hpp>

namespace millrace {
namespace {

using Format = ImageFormat;

// Smooth, so that JPEG can keep it, and of an odd size.
cv::Mat Gradient(int width = 321, int height = 177) {
  cv::Mat picture(height, width, CV_8UC3);
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      picture.at<cv::Vec3b>(y, x) =
          cv::Vec3b(static_cast<uchar>(x / 2), static_cast<uchar>(y), static_cast<uchar>((x + y) / 2));
    }
  }
  return picture;
}

TEST(ImageEncoderTest, PngKeepsEveryPixel) {
  const cv::Mat picture = Gradient();
  const auto bytes = EncodeImage(picture, {.format = Format::kPng});
  ASSERT_TRUE(bytes) << bytes.error().ToString();
  const cv::Mat read = cv::imdecode(*bytes, cv::IMREAD_UNCHANGED);
  ASSERT_EQ(read.size(), picture.size());
  EXPECT_EQ(cv::norm(read, picture, cv::NORM_INF), 0);
  // A part of a larger picture: its rows do not follow one another.
  const cv::Mat part = picture(cv::Rect(10, 20, 33, 44));
  EXPECT_EQ(cv::norm(cv::imdecode(*EncodeImage(part, {.format = Format::kPng}), cv::IMREAD_UNCHANGED), part,
                     cv::NORM_INF),
            0);
}

TEST(ImageEncoderTest, JpegIsAsGoodAsItsQuality) {
  const cv::Mat picture = Gradient();
  std::size_t before = 0;
  for (const int quality : {1, 50, 80, 100}) {
    const auto bytes = EncodeImage(picture, {.format = Format::kJpeg, .jpeg_quality = quality});
    ASSERT_TRUE(bytes) << bytes.error().ToString();
    const cv::Mat read = cv::imdecode(*bytes, cv::IMREAD_UNCHANGED);
    ASSERT_EQ(read.size(), picture.size());
    EXPECT_LT(cv::norm(read, picture, cv::NORM_INF), quality == 1 ? 128 : quality == 100 ? 6 : 30) << quality;
    EXPECT_GT(bytes->size(), before) << quality;
    before = bytes->size();
  }
  EXPECT_TRUE(EncodeImage(Gradient(1, 1), {}));
}

TEST(ImageEncoderTest, WhatIsNoPictureIsRefused) {
  for (const Format format : {Format::kJpeg, Format::kPng}) {
    const ImageEncoding encoding{.format = format};
    EXPECT_EQ(EncodeImage(cv::Mat(), encoding).error().code, ErrorCode::kInvalidArgument);
    EXPECT_EQ(EncodeImage(cv::Mat(10, 10, CV_8UC1), encoding).error().code, ErrorCode::kInvalidArgument);
    EXPECT_EQ(EncodeImage(cv::Mat(1, 70'000, CV_8UC3), encoding).error().code, ErrorCode::kInvalidArgument);
  }
  for (const int quality : {-1, 0, 101}) {
    EXPECT_EQ(EncodeImage(Gradient(), {.jpeg_quality = quality}).error().code, ErrorCode::kInvalidArgument);
  }
}

TEST(ImageEncoderTest, FormatsHaveNames) {
  EXPECT_EQ(ImageFormatFromString("jpeg"), Format::kJpeg);
  EXPECT_EQ(ImageFormatFromString("jpg"), Format::kJpeg);
  EXPECT_EQ(ImageFormatFromString("png"), Format::kPng);
  for (const char* other : {"", "JPEG", "gif", "png "}) EXPECT_FALSE(ImageFormatFromString(other)) << other;
  EXPECT_EQ(ContentType(Format::kJpeg), "image/jpeg");
  EXPECT_EQ(FileEnding(Format::kPng), ".png");
}

}  // namespace
}  // namespace millrace
