// Pictures come out as they went in: the right ones, at their times, in the form that was asked for.
#include "parser/decoder/fragment_decoder.h"

#include <gtest/gtest.h>

#include <cmath>
#include <opencv2/core.hpp>
#include <ostream>
#include <stdexcept>
#include <string>
#include <vector>

#include "numbered_video.h"

namespace millrace::testing {
namespace {

using Kind = FrameSelection::Kind;

struct Taken {
  std::vector<int> numbers;
  std::vector<std::int64_t> times;
  std::vector<bool> key_frames;
  DecodeReport report;
};

Taken DecodeAll(FragmentDecoder& decoder, const ParsedFragment& fragment) {
  Taken taken;
  const auto report = decoder.Decode(fragment, [&](const Picture& picture) -> Result<void> {
    const auto number = NumberIn(picture.image);
    EXPECT_TRUE(number) << "no number in picture " << taken.numbers.size();
    taken.numbers.push_back(static_cast<int>(number.value_or(9999)));
    taken.times.push_back(picture.timestamp_ns);
    taken.key_frames.push_back(picture.key_frame);
    return {};
  });
  EXPECT_TRUE(report) << report.error().ToString();
  if (report) taken.report = *report;
  return taken;
}

void ExpectTimesOfNumbers(const Taken& taken, const VideoOptions& options) {
  for (std::size_t i = 0; i < taken.numbers.size(); ++i) {
    EXPECT_EQ(taken.times[i], TimestampOf(options, taken.numbers[i])) << "picture " << taken.numbers[i];
  }
}

std::vector<int> Every(int step, int count) {
  std::vector<int> numbers;
  for (int i = 0; i < count; i += step) numbers.push_back(i);
  return numbers;
}

struct CodecCase {
  const char* name;
  const char* codec;
  int b_frames;
  const char* pixel_format = "yuv420p";
};
void PrintTo(const CodecCase& test, std::ostream* out) { *out << test.name; }

class DecoderOfCodec : public ::testing::TestWithParam<CodecCase> {
 protected:
  VideoOptions Options() const {
    VideoOptions options;
    options.codec = GetParam().codec;
    options.b_frames = GetParam().b_frames;
    options.pixel_format = GetParam().pixel_format;
    return options;
  }
};

TEST_P(DecoderOfCodec, GivesTheChosenPicturesAtTheirTimes) {
  const VideoOptions options = Options();
  const ParsedFragment video = MakeVideo(options);
  const struct {
    FrameSelection selection;
    std::vector<int> numbers;
  } cases[] = {{{Kind::kAll}, Every(1, 50)},
               {{Kind::kEveryNth, 7}, Every(7, 50)},
               {{Kind::kPerSecond, 5}, Every(5, 50)},
               {{Kind::kKeyFrames}, {0, 25}}};
  for (const auto& test : cases) {
    for (const PictureFormat format : {PictureFormat::kGray, PictureFormat::kBgr}) {
      FragmentDecoder decoder({.selection = test.selection, .form = {.format = format}});
      for (int round = 0; round < 2; ++round) {  // the decoder stays usable
        const Taken taken = DecodeAll(decoder, video);
        EXPECT_EQ(taken.numbers, test.numbers) << ToString(test.selection);
        ExpectTimesOfNumbers(taken, options);
        EXPECT_EQ(taken.report.frames, 50u);
        EXPECT_EQ(taken.report.pictures, test.numbers.size());
        EXPECT_EQ(taken.report.damaged, 0u);
        EXPECT_EQ(taken.report.too_early, 0u);
      }
    }
  }
}

TEST_P(DecoderOfCodec, GivesTheFramesOfTheTimesAskedFor) {
  VideoOptions options = Options();
  options.key_frame_interval = 10;
  const ParsedFragment video = MakeVideo(options);
  for (const std::vector<int>& numbers :
       {std::vector<int>{0}, {49}, {9, 10}, {8, 9, 31}, {3, 12, 13, 40, 47}, {10, 20, 30}, Every(3, 50)}) {
    FragmentDecoder decoder({.selection = {Kind::kAll}});
    std::vector<std::int64_t> times;
    for (const int number : numbers) times.push_back(TimestampOf(options, number));
    std::vector<int> given;
    const auto report = decoder.DecodeFrames(video, times, [&](const Picture& picture) -> Result<void> {
      given.push_back(static_cast<int>(NumberIn(picture.image).value_or(9999)));
      EXPECT_EQ(picture.timestamp_ns, TimestampOf(options, given.back()));
      return {};
    });
    ASSERT_TRUE(report) << report.error().ToString();
    EXPECT_EQ(given, numbers);
    EXPECT_EQ(report->damaged, 0u);
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, DecoderOfCodec,
    ::testing::Values(
        CodecCase{"H264", "libx264 -preset ultrafast", 0},
        CodecCase{"H264WithBFrames", "libx264 -preset ultrafast -x264-params scenecut=0", 3},
        CodecCase{"H264OpenGop", "libx264 -preset ultrafast -x264-params scenecut=0:open-gop=1", 2},
        CodecCase{"H264FullRange", "libx264 -preset ultrafast", 0, "yuvj420p"},
        CodecCase{"H264TenBit", "libx264 -preset ultrafast", 0, "yuv420p10le"},
        CodecCase{"H265", "libx265 -preset ultrafast -x265-params log-level=error:scenecut=0:open-gop=0", 2},
        CodecCase{"Vp8", "libvpx -deadline realtime -cpu-used 8", 0},
        CodecCase{"Vp9", "libvpx-vp9 -deadline realtime -cpu-used 8", 0},
        CodecCase{"Av1", "libsvtav1 -preset 12 -svtav1-params enable-overlays=0", 0}),
    [](const auto& test) { return test.param.name; });

TEST(FragmentDecoderTest, GivesPicturesOfTheFormAskedFor) {
  const VideoOptions options{.pictures = 1};
  const ParsedFragment video = MakeVideo(options);
  const struct {
    PictureForm form;
    int type;
    cv::Size size;
  } cases[] = {
      {{PictureFormat::kBgr, 0}, CV_8UC3, {320, 180}},   {{PictureFormat::kGray, 0}, CV_8UC1, {320, 180}},
      {{PictureFormat::kBgr, 60}, CV_8UC3, {107, 60}},   {{PictureFormat::kGray, 60}, CV_8UC1, {107, 60}},
      {{PictureFormat::kGray, 77}, CV_8UC1, {137, 77}},  {{PictureFormat::kGray, 1}, CV_8UC1, {2, 1}},
      {{PictureFormat::kGray, 500}, CV_8UC1, {320, 180}}};
  for (const auto& test : cases) {
    FragmentDecoder decoder({.form = test.form});
    int pictures = 0;
    const auto report = decoder.Decode(video, [&](const Picture& picture) -> Result<void> {
      EXPECT_EQ(picture.image.type(), test.type);
      EXPECT_EQ(picture.image.size(), test.size);
      EXPECT_EQ(picture.width, 320);
      EXPECT_EQ(picture.height, 180);
      EXPECT_TRUE(picture.key_frame);
      if (test.size.height > 40) {
        EXPECT_EQ(NumberIn(picture.image), 0u);
      }
      ++pictures;
      return {};
    });
    EXPECT_TRUE(report);
    EXPECT_EQ(pictures, 1);
  }
}

TEST(FragmentDecoderTest, StretchesToTheSizeAskedFor) {
  const ParsedFragment video = MakeVideo({.pictures = 1});  // 320 x 180
  const struct {
    int width;
    int height;
    cv::Size size;
  } cases[] = {{640, 480, {640, 480}}, {160, 0, {160, 90}},  {0, 90, {160, 90}},
               {160, 180, {160, 180}}, {0, 360, {640, 360}}, {1, 0, {1, 1}}};
  for (const auto& test : cases) {
    for (const PictureFormat format : {PictureFormat::kGray, PictureFormat::kBgr}) {
      FragmentDecoder decoder({.form = {.format = format, .width = test.width, .height = test.height}});
      const auto report = decoder.Decode(video, [&](const Picture& picture) -> Result<void> {
        EXPECT_EQ(picture.image.size(), test.size);
        if (test.size.width > 100) {
          EXPECT_EQ(NumberIn(picture.image), 0u);
        }
        return {};
      });
      EXPECT_TRUE(report);
    }
  }
}

TEST(FragmentDecoderTest, CanBeCancelled) {
  const ParsedFragment video = MakeVideo({.pictures = 10});
  int asked = 0;
  FragmentDecoder decoder({.selection = {Kind::kAll}, .cancelled = [&] { return ++asked == 4; }});
  const auto report = decoder.Decode(video, [](const Picture&) -> Result<void> { return {}; });
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code, ErrorCode::kCancelled);
  asked = 100;
  EXPECT_EQ(DecodeAll(decoder, video).numbers, Every(1, 10)) << "the decoder stays usable";
}

// Red, green and blue of the two matrices that cameras use come out as they went in.
TEST(FragmentDecoderTest, ConvertsColourAsTheVideoSays) {
  for (const char* matrix : {"bt709", "smpte170m"}) {
    VideoOptions options{.pictures = 1};
    // Luma 81 with the chroma of red: what is in the picture depends on the matrix alone.
    options.codec =
        std::string("libx264 -preset ultrafast -vf format=yuv420p,geq=lum=81:cb=90:cr=240 -colorspace ") +
        matrix;
    FragmentDecoder decoder({});
    cv::Scalar colour;
    const auto report = decoder.Decode(MakeVideo(options), [&](const Picture& picture) -> Result<void> {
      colour = cv::mean(picture.image);
      return {};
    });
    ASSERT_TRUE(report);
    // ITU-R BT.601 and BT.709 for Y'CbCr (81, 90, 240) in limited range.
    const bool bt709 = std::string_view(matrix) == "bt709";
    const double luma = 1.164 * (81 - 16);
    const double cb = 90 - 128;
    const double cr = 240 - 128;
    EXPECT_NEAR(colour[2], std::min(255.0, luma + (bt709 ? 1.793 : 1.596) * cr), 4) << matrix;
    EXPECT_NEAR(colour[1], std::max(0.0, luma - (bt709 ? 0.213 : 0.391) * cb - (bt709 ? 0.533 : 0.813) * cr),
                4)
        << matrix;
    EXPECT_NEAR(colour[0], std::max(0.0, luma + (bt709 ? 2.112 : 2.018) * cb), 4) << matrix;
  }
}

// A camera with few key frames: its fragments are cut by their length.
TEST(FragmentDecoderTest, ALeadInMakesAFragmentWithoutKeyFrameDecodable) {
  const VideoOptions options{.pictures = 60, .key_frame_interval = 100};
  const ParsedFragment video = MakeVideo(options);
  const ParsedFragment first = FramesOf(video, 0, 20);
  const ParsedFragment second = FramesOf(video, 20, 40);
  const ParsedFragment third = FramesOf(video, 40, 60);

  FragmentDecoder alone({.selection = {Kind::kAll}});
  const Taken nothing = DecodeAll(alone, third);
  EXPECT_EQ(nothing.numbers, std::vector<int>{});
  EXPECT_EQ(nothing.report.too_early, 20u);
  EXPECT_EQ(nothing.report.damaged, 0u);

  FragmentDecoder led({.selection = {Kind::kEveryNth, 5}});
  ASSERT_TRUE(led.LeadIn(first));
  ASSERT_TRUE(led.LeadIn(second));
  const Taken taken = DecodeAll(led, third);
  EXPECT_EQ(taken.numbers, (std::vector<int>{40, 45, 50, 55}));
  ExpectTimesOfNumbers(taken, options);
  EXPECT_EQ(DecodeAll(led, third).report.too_early, 4u) << "the lead-in is for one fragment";
  EXPECT_EQ(DecodeAll(led, first).report.pictures, 4u);
}

TEST(FragmentDecoderTest, WithoutChosenFramesThereIsNothingToDecode) {
  const ParsedFragment video = MakeVideo({.pictures = 10});
  const ParsedFragment later = FramesOf(video, 3, 10);
  FragmentDecoder decoder({});
  EXPECT_EQ(DecodeAll(decoder, later).report, (DecodeReport{.frames = 7}));
  EXPECT_EQ(DecodeAll(decoder, FramesOf(video, 0, 0)).report, DecodeReport{});
  ParsedFragment silent = video;
  silent.document.tracks.clear();
  EXPECT_EQ(DecodeAll(decoder, silent).report, DecodeReport{});
}

TEST(FragmentDecoderTest, FollowsATrackThatChanges) {
  const VideoOptions small{.pictures = 2};
  const VideoOptions large{.codec = "libx265 -preset ultrafast -x265-params log-level=error",
                           .pictures = 2,
                           .width = 480,
                           .height = 270};
  const ParsedFragment videos[] = {MakeVideo(small), MakeVideo(large), MakeVideo(small)};
  FragmentDecoder decoder({.selection = {Kind::kAll}});
  for (const ParsedFragment& video : videos)
    EXPECT_EQ(DecodeAll(decoder, video).numbers, (std::vector<int>{0, 1}));
}

TEST(FragmentDecoderTest, WhatTheSinkSaysEndsIt) {
  const ParsedFragment video = MakeVideo({.pictures = 10, .b_frames = 2});
  FragmentDecoder decoder({.selection = {Kind::kAll}});
  int calls = 0;
  const auto stopped = decoder.Decode(video, [&](const Picture&) -> Result<void> {
    if (++calls == 3) return Error{ErrorCode::kCancelled, "enough"};
    return {};
  });
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().code, ErrorCode::kCancelled);
  EXPECT_EQ(calls, 3);
  EXPECT_THROW((void)decoder.Decode(
                   video, [](const Picture&) -> Result<void> { throw std::runtime_error("from the sink"); }),
               std::runtime_error);
  EXPECT_EQ(DecodeAll(decoder, video).numbers, Every(1, 10)) << "the decoder stays usable";
}

// With a device or, as on most machines, without one: the same pictures, and it says which.
TEST(FragmentDecoder, HardwareGivesTheSamePicturesOrSaysWhyItDoesNot) {
  const ParsedFragment video = MakeVideo({});
  FragmentDecoder software({.selection = {Kind::kAll}, .form = {PictureFormat::kGray}});
  EXPECT_EQ(software.device(), "");
  const Taken expected = DecodeAll(software, video);
  EXPECT_EQ(software.device(), "software");
  FragmentDecoder decoder({.selection = {Kind::kAll}, .form = {PictureFormat::kGray}, .hardware = true});
  const Taken taken = DecodeAll(decoder, video);
  EXPECT_EQ(taken.numbers, expected.numbers);
  EXPECT_EQ(taken.times, expected.times);
  EXPECT_NE(decoder.device(), "software") << "it says what was tried";
  if (decoder.device().starts_with("software")) {
    EXPECT_EQ(taken.report.on_device, 0u);
    EXPECT_TRUE(decoder.device().starts_with("software (no device for h264: ")) << decoder.device();
  }
}

}  // namespace
}  // namespace millrace::testing
