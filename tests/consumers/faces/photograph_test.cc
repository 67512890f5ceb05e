// Photographs from outside: good ones upright and reduced, and hostile ones as errors.
#include "consumers/faces/photograph.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <opencv2/core.hpp>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>
#include <ostream>
#include <string>

#include "consumers/faces/face_photo.h"

namespace millrace::testing {
namespace {

using ::testing::HasSubstr;

Bytes ReadAll(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return Bytes(std::istreambuf_iterator<char>(in), {});
}

// Dark but for the upper left quarter.
Bytes Corner(const std::string& format, int columns = 200, int rows = 100) {
  cv::Mat picture(rows, columns, CV_8UC3, cv::Scalar::all(20));
  picture(cv::Rect(0, 0, columns / 2, rows / 2)).setTo(cv::Scalar(40, 80, 220));
  std::vector<uchar> bytes;
  EXPECT_TRUE(cv::imencode(format, picture, bytes));
  return Bytes(bytes.begin(), bytes.end());
}

// With an EXIF note behind the beginning, as cameras write it.
Bytes Turned(std::uint8_t orientation) {
  Bytes jpeg = Corner(".jpg");
  const std::uint8_t note[] = {0xFF, 0xE1, 0, 34, 'E',         'x', 'i', 'f', 0,    0,    'I', 'I',
                               42,   0,    8, 0,  0,           0,   1,   0,   0x12, 0x01, 3,   0,
                               1,    0,    0, 0,  orientation, 0,   0,   0,   0,    0,    0,   0};
  jpeg.insert(jpeg.begin() + 2, std::begin(note), std::end(note));
  return jpeg;
}

void AppendChunk(Bytes& png, const std::string& type, const Bytes& data) {
  AppendBigEndian(png, static_cast<std::uint32_t>(data.size()));
  Bytes body(type.begin(), type.end());
  body.insert(body.end(), data.begin(), data.end());
  png.insert(png.end(), body.begin(), body.end());
  AppendBigEndian(png, static_cast<std::uint32_t>(crc32(0, body.data(), static_cast<uInt>(body.size()))));
}

Bytes PngHeader(std::uint32_t columns, std::uint32_t rows) {
  Bytes png{0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n'};
  Bytes header;
  AppendBigEndian(header, columns);
  AppendBigEndian(header, rows);
  header.insert(header.end(), {8, 2, 0, 0, 0});
  AppendChunk(png, "IHDR", header);
  return png;
}

Bytes JpegHeader(std::uint16_t columns, std::uint16_t rows) {
  Bytes jpeg{0xFF, 0xD8, 0xFF, 0xFE, 0, 4, 'h', 'i', 0xFF, 0xFF, 0xC0, 0, 17, 8};
  AppendBigEndian(jpeg, rows);
  AppendBigEndian(jpeg, columns);
  jpeg.insert(jpeg.end(), {3, 1, 0x11, 0, 2, 0x11, 0, 3, 0x11, 0});
  return jpeg;
}

bool IsBright(const cv::Mat& picture, double x, double y) {
  const auto pixel =
      picture.at<cv::Vec3b>(static_cast<int>(y * picture.rows), static_cast<int>(x * picture.cols));
  return pixel[2] > 150 && pixel[0] < 100;
}

TEST(PhotographTest, JpegAndPngAreRead) {
  for (const char* format : {".jpg", ".png"}) {
    const auto picture = DecodePhotograph(Corner(format));
    ASSERT_TRUE(picture) << format << picture.error().ToString();
    EXPECT_EQ(picture->type(), CV_8UC3);
    EXPECT_EQ(picture->size(), cv::Size(200, 100));
    EXPECT_TRUE(IsBright(*picture, 0.25, 0.25));
    EXPECT_FALSE(IsBright(*picture, 0.75, 0.25));
    EXPECT_FALSE(IsBright(*picture, 0.25, 0.75));
  }
}

TEST(PhotographTest, GrayOnesAndThoseWithAlphaAreRead) {
  for (const int type : {CV_8UC1, CV_8UC4, CV_16UC3}) {
    std::vector<uchar> png;
    ASSERT_TRUE(cv::imencode(".png", cv::Mat(64, 64, type, cv::Scalar::all(99)), png));
    const auto picture = DecodePhotograph(Bytes(png.begin(), png.end()));
    ASSERT_TRUE(picture) << type;
    EXPECT_EQ(picture->type(), CV_8UC3);
  }
}

TEST(PhotographTest, LargeOnesAreReduced) {
  const auto picture = DecodePhotograph(Corner(".jpg", 4000, 3200));
  ASSERT_TRUE(picture);
  EXPECT_EQ(picture->size(), cv::Size(2000, kPhotographRowsMax));
  const auto wide = DecodePhotograph(Corner(".jpg", 12'000, 300));
  ASSERT_TRUE(wide);
  EXPECT_EQ(wide->size(), cv::Size(kPhotographColumnsMax, 80));
  EXPECT_TRUE(IsBright(*wide, 0.25, 0.25));
}

// With its last scan `times` times.
Bytes Progressive(int times) {
  std::vector<uchar> bytes;
  EXPECT_TRUE(cv::imencode(".jpg", cv::Mat(100, 200, CV_8UC3, cv::Scalar(40, 80, 220)), bytes,
                           {cv::IMWRITE_JPEG_PROGRESSIVE, 1}));
  const Bytes jpeg(bytes.begin(), bytes.end());
  constexpr std::uint8_t kScan[] = {0xFF, 0xDA};
  const auto last = std::find_end(jpeg.begin(), jpeg.end(), std::begin(kScan), std::end(kScan));
  Bytes more(jpeg.begin(), last);
  for (int i = 0; i < times; ++i) more.insert(more.end(), last, jpeg.end() - 2);
  more.insert(more.end(), jpeg.end() - 2, jpeg.end());
  return more;
}

TEST(PhotographTest, AJpegOfTooManyScansIsRefused) {
  EXPECT_TRUE(DecodePhotograph(Progressive(1)));
  const auto refused = DecodePhotograph(Progressive(static_cast<int>(kPhotographScansMax)));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(refused.error().message, HasSubstr("more than 100 scans"));
}

TEST(PhotographTest, WhatOnlyLooksLikeScansIsNotCounted) {
  Bytes scans;
  for (int i = 0; i < 300; ++i) scans.insert(scans.end(), {0xFF, 0xDA});
  Bytes behind = Corner(".jpg");
  behind.insert(behind.end(), scans.begin(), scans.end());
  Bytes comment{0xFF, 0xFE, 2, 90};  // 600 bytes and its length's two
  comment.insert(comment.end(), scans.begin(), scans.end());
  Bytes before = Corner(".jpg");
  before.insert(before.begin() + 2, comment.begin(), comment.end());
  for (const Bytes& jpeg : {behind, before}) {
    const auto picture = DecodePhotograph(jpeg);
    ASSERT_TRUE(picture) << picture.error().ToString();
    EXPECT_TRUE(IsBright(*picture, 0.25, 0.25));
  }
}

TEST(PhotographTest, AreTurnedUpright) {
  // Where the bright quarter is to be, for each orientation that EXIF knows.
  const struct {
    std::uint8_t orientation;
    double x;
    double y;
  } cases[] = {{1, 0.25, 0.25}, {2, 0.75, 0.25}, {3, 0.75, 0.75}, {4, 0.25, 0.75},
               {5, 0.25, 0.25}, {6, 0.75, 0.25}, {7, 0.75, 0.75}, {8, 0.25, 0.75}};
  for (const auto& test : cases) {
    const auto picture = DecodePhotograph(Turned(test.orientation));
    ASSERT_TRUE(picture) << picture.error().ToString();
    EXPECT_EQ(picture->cols, test.orientation >= 5 ? 100 : 200) << int{test.orientation};
    EXPECT_TRUE(IsBright(*picture, test.x, test.y)) << int{test.orientation};
    EXPECT_FALSE(IsBright(*picture, 1 - test.x, test.y)) << int{test.orientation};
    EXPECT_FALSE(IsBright(*picture, test.x, 1 - test.y)) << int{test.orientation};
  }
}

TEST(PhotographTest, WhatIsNoneIsRefused) {
  const Bytes jpeg = Corner(".jpg");
  const Bytes png = Corner(".png");
  const std::string gif = "GIF89a and so on";
  const struct {
    Bytes bytes;
    ErrorCode code;
    const char* says;
  } cases[] = {{{}, ErrorCode::kUnsupported, "JPEG or a PNG"},
               {Bytes(gif.begin(), gif.end()), ErrorCode::kUnsupported, "JPEG or a PNG"},
               {Bytes(1000, 0), ErrorCode::kUnsupported, "JPEG or a PNG"},
               {{0xFF, 0xD8, 0xFF}, ErrorCode::kCorruption, "cannot be decoded"},
               {Bytes(png.begin(), png.begin() + 8), ErrorCode::kCorruption, "cannot be decoded"},
               {Bytes(png.begin(), png.begin() + 40), ErrorCode::kCorruption, "cannot be decoded"},
               {PngHeader(1, 40'000'000), ErrorCode::kInvalidArgument, "on a side"},
               {PngHeader(0, 0), ErrorCode::kCorruption, "cannot be decoded"},
               {JpegHeader(30'000, 30'000), ErrorCode::kInvalidArgument, "million pixels"},
               {JpegHeader(0, 0), ErrorCode::kCorruption, "cannot be decoded"},
               {PngHeader(60'000, 60'000), ErrorCode::kInvalidArgument, "million pixels"},
               {PngHeader(0xFFFFFFFF, 0xFFFFFFFF), ErrorCode::kInvalidArgument, "million pixels"},
               {Bytes(kPhotographBytesMax + 1, 0xFF), ErrorCode::kInvalidArgument, "20 MB"}};
  for (const auto& test : cases) {
    const auto picture = DecodePhotograph(test.bytes);
    ASSERT_FALSE(picture) << test.says << " " << test.bytes.size();
    EXPECT_THAT(picture.error().message, HasSubstr(test.says)) << test.bytes.size();
    EXPECT_EQ(picture.error().code, test.code) << picture.error().message;
  }
}

// A megabyte that unpacks to a gigabyte of text is not unpacked.
TEST(PhotographTest, TextInAPngIsLeftOut) {
  Bytes bomb{'C', 'o', 'm', 'm', 'e', 'n', 't', 0, 0};
  z_stream stream{};
  ASSERT_EQ(deflateInit(&stream, 9), Z_OK);
  Bytes zeros(1 << 20);
  Bytes packed(1 << 16);
  for (int i = 0; i < 64; ++i) {
    stream.next_in = zeros.data();
    stream.avail_in = static_cast<uInt>(zeros.size());
    do {
      stream.next_out = packed.data();
      stream.avail_out = static_cast<uInt>(packed.size());
      deflate(&stream, i == 63 ? Z_FINISH : Z_NO_FLUSH);
      bomb.insert(bomb.end(), packed.begin(), packed.end() - stream.avail_out);
    } while (stream.avail_out == 0);
  }
  deflateEnd(&stream);
  const Bytes good = Corner(".png");
  Bytes png(good.begin(), good.begin() + 33);  // up to the end of IHDR
  for (int i = 0; i < 20; ++i) AppendChunk(png, i % 2 == 0 ? "zTXt" : "iCCP", bomb);
  png.insert(png.end(), good.begin() + 33, good.end());
  const auto picture = DecodePhotograph(png);
  ASSERT_TRUE(picture) << picture.error().ToString();
  EXPECT_TRUE(IsBright(*picture, 0.25, 0.25));
}

TEST(PhotographTest, DamagedOnesEndInAPictureOrAnError) {
  cv::RNG random(3);
  for (const char* format : {".jpg", ".png"}) {
    const Bytes good = Corner(format);
    for (int round = 0; round < 60; ++round) {
      Bytes bad = good;
      for (int i = 0; i < 1 + round / 10; ++i) {
        bad[static_cast<std::size_t>(random.uniform(0, static_cast<int>(bad.size())))] =
            static_cast<std::uint8_t>(random.uniform(0, 256));
      }
      if (round % 3 == 0)
        bad.resize(static_cast<std::size_t>(random.uniform(0, static_cast<int>(bad.size()))));
      const auto picture = DecodePhotograph(bad);
      EXPECT_TRUE(!picture || !picture->empty());
    }
  }
}

TEST(FaceFinderTest, FindsTheOneFace) {
  FaceFinder finder;
  const auto photo = finder.Find(ReadAll(SAMPLE_MEDIA "/astronaut.png"));
  ASSERT_TRUE(photo) << photo.error().ToString();
  EXPECT_NEAR(photo->in_photograph.left + photo->in_photograph.width / 2, 226.0 / 512, 0.03);
  EXPECT_GT(photo->confidence, 75);
  EXPECT_LE(photo->image.size(), kFacePhotoBytesMax);
  const auto image = DecodePhotograph(photo->image);
  ASSERT_TRUE(image);
  EXPECT_LE(std::max(image->cols, image->rows), kFacePhotoSideMax);
  EXPECT_NEAR(photo->in_image.width, 0.5, 0.02);
  // What is kept is enough to find it again.
  EXPECT_TRUE(finder.Find(photo->image)) << "the kept picture shows a face, too";
}

TEST(FaceFinderTest, SaysWhatIsWrongWithAPhotograph) {
  FaceFinder finder;
  const auto encode = [](const cv::Mat& picture) {
    std::vector<uchar> bytes;
    EXPECT_TRUE(cv::imencode(".png", picture, bytes));
    return Bytes(bytes.begin(), bytes.end());
  };
  const cv::Mat portrait = cv::imread(SAMPLE_MEDIA "/astronaut.png");
  cv::Mat two;
  cv::hconcat(portrait, portrait, two);
  cv::Mat tiny;
  cv::resize(portrait, tiny, {}, 0.25, 0.25, cv::INTER_AREA);
  const struct {
    Bytes bytes;
    const char* says;
  } cases[] = {{Corner(".png"), "no face is found"},
               {encode(two), "shows 2 faces"},
               {encode(tiny), "fewer than 32 pixels"},
               {{1, 2, 3}, "JPEG or a PNG"}};
  for (const auto& test : cases) {
    const auto photo = finder.Find(test.bytes);
    ASSERT_FALSE(photo) << test.says;
    EXPECT_THAT(photo.error().message, HasSubstr(test.says));
  }
}

}  // namespace
}  // namespace millrace::testing
