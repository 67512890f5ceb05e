// Goal: an image shows what a viewer saw at its time. Method: pictures carry their numbers; images are
// decoded by OpenCV, and their numbers read.
#include "consumers/images/image_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <opencv2/imgcodecs.hpp>
#include <ostream>

#include "numbered_footage.h"
#include "tests/consumers/memory_fragment_store.h"

namespace millrace::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Format = ImageFormat;

constexpr Timestamp kStart = Timestamp::FromMillis(1'795'240'800'000);
constexpr int kNoNumber = -1;

int NumberOf(const Image& image) {
  if (image.bytes.empty()) return kNoNumber;
  const auto number = NumberIn(cv::imdecode(image.bytes, cv::IMREAD_COLOR));
  return number ? static_cast<int>(*number) : kNoNumber;
}

Timestamp At(int ms) { return kStart + std::chrono::milliseconds(ms); }

class ImageReaderTest : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(store_.CreateStream("door", std::chrono::hours(1))); }

  // All of them, page by page.
  std::vector<Image> Read(ImageReader& reader, const std::vector<Timestamp>& times) {
    std::vector<Image> all;
    while (all.size() < times.size()) {
      auto some = reader.Next(std::span(times).subspan(all.size()));
      if (!some) {
        ADD_FAILURE() << some.error().ToString();
        break;
      }
      EXPECT_FALSE(some->empty());
      if (some->empty()) break;
      for (Image& image : *some) all.push_back(std::move(image));
    }
    for (std::size_t i = 0; i < all.size(); ++i) EXPECT_EQ(all[i].time, times[i]);
    return all;
  }
  std::vector<int> Numbers(const std::vector<Timestamp>& times, const ImageOptions& options = {}) {
    ImageReader reader(store_, "door", options);
    std::vector<int> numbers;
    for (const Image& image : Read(reader, times)) numbers.push_back(NumberOf(image));
    return numbers;
  }

  MemoryFragmentStore store_;
};

struct CodecCase {
  const char* name;
  const char* codec;
  int b_frames = 0;
};
void PrintTo(const CodecCase& test, std::ostream* out) { *out << test.name; }

class ImagesOfCodec : public ImageReaderTest, public ::testing::WithParamInterface<CodecCase> {};

TEST_P(ImagesOfCodec, ShowWhatWasShown) {
  // 10 frames a second, a key frame a second, fragments of two seconds.
  const VideoOptions options{.codec = GetParam().codec,
                             .pictures = 60,
                             .fps = 10,
                             .key_frame_interval = 10,
                             .b_frames = GetParam().b_frames};
  PutVideo(store_, "door", MakeVideo(options), kStart, 20);
  const std::vector<Timestamp> times{At(0),     At(99),    At(100),   At(950),   At(1000),
                                     At(1'999), At(2'000), At(2'550), At(4'100), At(5'999)};
  EXPECT_THAT(Numbers(times), ElementsAre(0, 0, 1, 9, 10, 19, 20, 25, 41, 59));
  EXPECT_EQ(store_.reads(), 3U) << "a fragment's images are made together";
  EXPECT_THAT(Numbers(times, {.key_frames_only = true}), ElementsAre(0, 0, 0, 0, 10, 10, 20, 20, 40, 50));
  ImageReader reader(store_, "door", {});
  const auto newest = reader.Newest();
  ASSERT_TRUE(newest) << newest.error().ToString();
  EXPECT_EQ(NumberOf(*newest), 59);
  EXPECT_EQ(newest->shown, At(5'900));
  EXPECT_EQ(newest->fragment.counter, 3U);
}

INSTANTIATE_TEST_SUITE_P(
    All, ImagesOfCodec,
    ::testing::Values(
        CodecCase{"H264", "libx264 -preset ultrafast -x264-params scenecut=0"},
        CodecCase{"H264WithBFrames", "libx264 -preset ultrafast -x264-params scenecut=0", 2},
        CodecCase{"H265", "libx265 -preset ultrafast -x265-params log-level=error:scenecut=0:open-gop=0"},
        CodecCase{"Vp8", "libvpx -deadline realtime -cpu-used 8"},
        CodecCase{"Vp9", "libvpx-vp9 -deadline realtime -cpu-used 8"},
        CodecCase{"Av1", "libsvtav1 -preset 12 -svtav1-params enable-overlays=0"}),
    [](const auto& test) { return test.param.name; });

TEST_F(ImageReaderTest, GapsHaveNoMedia) {
  const ParsedFragment video = MakeVideo({.pictures = 20, .fps = 10, .key_frame_interval = 10});
  PutVideo(store_, "door", video, kStart, 10);
  PutVideo(store_, "door", video, At(5'000), 10);
  ImageReader reader(store_, "door", {});
  const auto images = Read(reader, {At(-1), At(1'950), At(2'000), At(4'999), At(5'100), At(7'000)});
  ASSERT_EQ(images.size(), 6U);
  for (const std::size_t gap : {0U, 2U, 3U, 5U}) {
    EXPECT_EQ(images[gap].problem, Image::Problem::kNoMedia) << gap;
    EXPECT_TRUE(images[gap].bytes.empty());
  }
  EXPECT_EQ(NumberOf(images[1]), 19);
  EXPECT_EQ(NumberOf(images[4]), 1);
}

TEST_F(ImageReaderTest, ServerTimesFollowTheOpening) {
  PutVideo(store_, "door", MakeVideo({.pictures = 20, .fps = 10, .key_frame_interval = 10}), kStart, 10,
           std::chrono::hours(2));
  const Timestamp server = kStart + std::chrono::hours(2);
  const auto at = [&](int ms) { return server + std::chrono::milliseconds(ms); };
  EXPECT_THAT(
      Numbers({at(-1), at(0), at(550), at(1'000), at(1'999), at(2'000)}, {.clock = ImageClock::kServer}),
      ElementsAre(kNoNumber, 0, 5, 10, 19, kNoNumber));
}

TEST_F(ImageReaderTest, KeyFramesFarBackAreFound) {
  // One key frame in six fragments.
  PutVideo(store_, "door", MakeVideo({.pictures = 60, .fps = 10, .key_frame_interval = 100}), kStart, 10);
  EXPECT_THAT(Numbers({At(250), At(3'500), At(3'600), At(5'950)}), ElementsAre(2, 35, 36, 59));
  EXPECT_THAT(Numbers({At(250), At(3'500), At(5'950)}, {.key_frames_only = true}), ElementsAre(0, 0, 0));
  // Deletion took the key frame: nothing can be made of what needs it.
  store_.Remove("door", 1);
  ImageReader reader(store_, "door", {});
  const auto images = Read(reader, {At(3'500)});
  ASSERT_EQ(images.size(), 1U);
  EXPECT_EQ(images[0].problem, Image::Problem::kMediaError);
  EXPECT_THAT(images[0].explanation, HasSubstr("key frame"));
}

TEST_F(ImageReaderTest, ImagesHaveTheSizeAndFormatAskedFor) {
  PutVideo(store_, "door", MakeVideo({.pictures = 5, .fps = 5}), kStart, 10);  // 320 x 180
  const struct {
    ImageForm form;
    cv::Size size;
  } cases[] = {{{}, {320, 180}},
               {{.width = 640}, {640, 360}},
               {{.height = 90}, {160, 90}},
               {{.width = 400, .height = 400}, {400, 400}},
               {{.width = 200, .encoding = {.format = Format::kPng}}, {200, 113}}};
  for (const auto& test : cases) {
    ImageReader reader(store_, "door", {.form = test.form});
    const auto images = Read(reader, {At(650)});
    ASSERT_EQ(images.size(), 1U);
    EXPECT_EQ(cv::imdecode(images[0].bytes, cv::IMREAD_COLOR).size(), test.size);
    EXPECT_EQ(NumberOf(images[0]), 3);
    const bool png = images[0].bytes[1] == 'P';
    EXPECT_EQ(png, test.form.encoding.format == Format::kPng);
  }
}

TEST_F(ImageReaderTest, APageEndsWhereItsBytesDo) {
  PutVideo(store_, "door", MakeVideo({.pictures = 50, .fps = 10, .key_frame_interval = 10}), kStart, 50);
  std::vector<Timestamp> times;
  for (int i = 0; i < 50; ++i) times.push_back(At(100 * i));
  const ImageOptions png{.form = {.encoding = {.format = Format::kPng}}, .bytes_max = 200'000};
  ImageReader reader(store_, "door", png);
  const auto some = reader.Next(times);
  ASSERT_TRUE(some) << some.error().ToString();
  EXPECT_GT(some->size(), 1U);
  EXPECT_LT(some->size(), 50U);
  std::size_t bytes = 0;
  for (const Image& image : *some) bytes += image.bytes.size();
  EXPECT_LT(bytes, 200'000U + 320 * 180 * 3);
  const std::vector<int> all = Numbers(times, png);
  for (int i = 0; i < 50; ++i) EXPECT_EQ(all[static_cast<std::size_t>(i)], i);
}

TEST_F(ImageReaderTest, WhatCannotBeDecodedIsSaid) {
  const ParsedFragment video = MakeVideo({.pictures = 10, .fps = 10, .key_frame_interval = 10});
  PutVideo(store_, "door", video, kStart, 10);
  // The second fragment's frames are noise.
  ParsedFragment noise = video;
  Bytes rubbish(4'000, 0xA5);
  noise.bytes = SharedBytes(std::move(rubbish));
  for (ParsedFrame& frame : noise.frames) frame.data = noise.bytes.span().subspan(7, 900);
  PutVideo(store_, "door", noise, At(1'000), 10);
  // The third has sound alone.
  Fragment sound = *store_.Read("door", FragmentNumber(store_.List("door", {}).value()[0].number));
  sound.facts.number = *store_.OpenFragment(*store_.GetStream("door"));
  sound.facts.start = At(2'000);
  sound.mkv = SharedBytes(Bytes{0x1A, 0x45, 0xDF});  // and the document is cut short
  store_.Put("door", sound);
  PutVideo(store_, "door", video, At(3'000), 10);

  ImageReader reader(store_, "door", {});
  const auto images = Read(reader, {At(500), At(1'200), At(1'700), At(2'500), At(3'500)});
  ASSERT_EQ(images.size(), 5U);
  EXPECT_EQ(NumberOf(images[0]), 5);
  for (const std::size_t bad : {1U, 2U, 3U}) {
    EXPECT_EQ(images[bad].problem, Image::Problem::kMediaError);
    EXPECT_THAT(images[bad].explanation, HasSubstr("fragment "));
  }
  EXPECT_EQ(NumberOf(images[4]), 5) << "the next one is none the worse";
}

TEST_F(ImageReaderTest, EndsWhenItIsTold) {
  PutVideo(store_, "door", MakeVideo({.pictures = 50, .fps = 10, .key_frame_interval = 50}), kStart, 50);
  int frames = 0;
  ImageReader reader(store_, "door", {.cancelled = [&] { return ++frames > 10; }});
  const std::vector<Timestamp> times{At(4'000)};
  const auto images = reader.Next(times);
  ASSERT_FALSE(images);
  EXPECT_EQ(images.error().code, ErrorCode::kCancelled);
  EXPECT_EQ(frames, 11);
}

TEST_F(ImageReaderTest, FootageThatGoesMeanwhileIsNone) {
  PutVideo(store_, "door", MakeVideo({.pictures = 10, .fps = 10}), kStart, 10);
  store_.SetReadHook([&] { store_.Remove("door", 1); });
  ImageReader reader(store_, "door", {});
  const auto images = Read(reader, {At(500)});
  ASSERT_EQ(images.size(), 1U);
  EXPECT_EQ(images[0].problem, Image::Problem::kNoMedia);
  EXPECT_EQ(reader.Newest().error().code, ErrorCode::kNotFound);
}

}  // namespace
}  // namespace millrace::testing
