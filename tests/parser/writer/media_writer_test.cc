// What is written is read back: the same frames, at the same distances, in a file that ffmpeg takes without a
// word.
#include "parser/writer/media_writer.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <opencv2/core.hpp>
#include <ostream>
#include <sstream>
#include <string>

#include "parser/decoder/fragment_decoder.h"
#include "parser/decoder/renderer.h"
#include "parser/writer/picture_writer.h"
#include "tests/parser/decoder/numbered_video.h"

namespace millrace::testing {
namespace {

namespace fs = std::filesystem;

class WriterTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = ::testing::TempDir() + "/millrace-writer-XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
  }
  void TearDown() override { fs::remove_all(directory_); }

  std::string Path(const std::string& name) const { return (directory_ / name).string(); }

  // A command's output; anything on standard error fails the test.
  std::string Output(const std::string& command) const {
    const std::string line =
        "timeout 60 " + command + " > " + Path("out.txt") + " 2> " + Path("err.txt") + " </dev/null";
    EXPECT_EQ(std::system(line.c_str()), 0) << command;
    EXPECT_EQ(Text(Path("err.txt")), "") << command;
    return Text(Path("out.txt"));
  }
  static std::string Text(const std::string& path) {
    std::ifstream in(path);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  // Of the pictures as a player shows them, in ms.
  std::vector<int> ShownMs(const std::string& path) const {
    std::istringstream in(Output(
        "ffprobe -v warning -select_streams v -show_entries frame=best_effort_timestamp_time -of csv=p=0 " +
        path));
    std::vector<int> times;
    for (double seconds = 0; in >> seconds; in.ignore(64, '\n')) {
      times.push_back(static_cast<int>(std::lround(seconds * 1000)));
    }
    return times;
  }

  fs::path directory_;
};

struct CopyCase {
  const char* name;
  const char* codec;
  int b_frames;
  Container container;
};
void PrintTo(const CopyCase& test, std::ostream* out) { *out << test.name; }

class Copying : public WriterTest, public ::testing::WithParamInterface<CopyCase> {};

INSTANTIATE_TEST_SUITE_P(
    Containers, Copying,
    ::testing::Values(
        CopyCase{"H264Mp4", "libx264 -preset ultrafast", 2, Container::kMp4},
        CopyCase{"H264PyramidMp4", "libx264 -preset ultrafast -x264-params b-pyramid=normal:b-adapt=0", 3,
                 Container::kMp4},
        CopyCase{"H264Fragmented", "libx264 -preset ultrafast", 2, Container::kFragmentedMp4},
        CopyCase{"H264Mkv", "libx264 -preset ultrafast", 2, Container::kMkv},
        CopyCase{"H265Mp4", "libx265 -preset ultrafast -x265-params log-level=none", 2, Container::kMp4},
        CopyCase{"Vp9Mp4", "libvpx-vp9 -deadline realtime -cpu-used 8", 0, Container::kMp4},
        CopyCase{"Vp8Mkv", "libvpx -deadline realtime -cpu-used 8", 0, Container::kMkv}),
    [](const auto& tested) { return std::string(tested.param.name); });

TEST_P(Copying, KeepsEachFrameAndItsTime) {
  VideoOptions options;
  options.codec = GetParam().codec;
  options.b_frames = GetParam().b_frames;
  const ParsedFragment video = MakeVideo(options);
  const std::string path = Path(GetParam().container == Container::kMkv ? "a.mkv" : "a.mp4");
  auto writer = MediaWriter::Create(path, GetParam().container, video.document.TrackInfos());
  ASSERT_TRUE(writer) << writer.error().message;
  // As a camera's fragments would come: a key frame and what follows it.
  ASSERT_TRUE((*writer)->Write(FramesOf(video, 0, 25)));
  ASSERT_TRUE((*writer)->Write(FramesOf(video, 25, 50)));
  ASSERT_TRUE((*writer)->Finish());
  EXPECT_EQ((*writer)->frames(), 50u);

  std::vector<int> expected;
  for (int i = 0; i < options.pictures; ++i) {
    expected.push_back(static_cast<int>(TimestampOf(options, i) / 1'000'000));
  }
  EXPECT_EQ(ShownMs(path), expected);
  // Decoded again: the pictures in their order.
  Output("ffmpeg -v warning -i " + path + " -c copy -f matroska -y " + Path("again.mkv"));
  std::ifstream in(Path("again.mkv"), std::ios::binary);
  const auto again = ParseFragment(SharedBytes(Bytes(std::istreambuf_iterator<char>(in), {})));
  ASSERT_TRUE(again);
  ASSERT_EQ(again->frames.size(), video.frames.size());
  for (std::size_t i = 0; i < video.frames.size(); ++i) {
    EXPECT_TRUE(std::ranges::equal(again->frames[i].data, video.frames[i].data)) << "frame " << i;
  }
}

class MediaWriterTest : public WriterTest {
 protected:
  void SetUp() override {
    WriterTest::SetUp();
    video_ = MakeVideo({.pictures = 10, .key_frame_interval = 5});
  }
  ParsedFragment video_;
};

TEST_F(MediaWriterTest, SaysWhatItCannotWrite) {
  const auto tracks = video_.document.TrackInfos();
  EXPECT_EQ(MediaWriter::Create("", Container::kMkv, tracks).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(MediaWriter::Create(Path("a.mkv"), Container::kMkv, {}).error().code,
            ErrorCode::kInvalidArgument);
  EXPECT_EQ(MediaWriter::Create(Path("no/such/a.mkv"), Container::kMkv, tracks).error().code,
            ErrorCode::kNotFound);
  TrackInfo vp8 = tracks[0];
  vp8.codec = Codec::kVp8;
  const auto refused = MediaWriter::Create(Path("a.mp4"), Container::kMp4, {vp8});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kUnsupported);
  EXPECT_EQ(refused.error().message, "MP4 cannot hold vp8; MKV can");
  EXPECT_FALSE(fs::exists(Path("a.mp4")));
  // Nothing of it is an address.
  EXPECT_FALSE(MediaWriter::Create("http://127.0.0.1:1/a.mkv", Container::kMkv, tracks));
}

TEST_F(MediaWriterTest, RefusesTimesThatGoBack) {
  auto writer = MediaWriter::Create(Path("a.mkv"), Container::kMkv, video_.document.TrackInfos());
  ASSERT_TRUE(writer);
  ASSERT_TRUE((*writer)->Write(FramesOf(video_, 5, 10)));
  const auto back = (*writer)->Write(FramesOf(video_, 0, 5));
  ASSERT_FALSE(back);
  EXPECT_EQ(back.error().code, ErrorCode::kCorruption);
  ASSERT_TRUE((*writer)->Finish());
  EXPECT_EQ(ShownMs(Path("a.mkv")).size(), 5u) << "what was written before is there";
  EXPECT_EQ((*writer)->Finish().error().code, ErrorCode::kFailedPrecondition);
}

TEST_F(MediaWriterTest, FragmentsWithoutItsTracksAreNothing) {
  auto writer = MediaWriter::Create(Path("a.mkv"), Container::kMkv, video_.document.TrackInfos());
  ASSERT_TRUE(writer);
  ParsedFragment other = video_;
  for (ParsedFrame& frame : other.frames) frame.track = 9;
  ASSERT_TRUE((*writer)->Write(other));
  ASSERT_TRUE((*writer)->Write(ParsedFragment()));
  EXPECT_EQ((*writer)->frames(), 0u);
  ASSERT_TRUE((*writer)->Finish());
}

TEST_F(WriterTest, PicturesAreEncodedAtTheirTimes) {
  auto writer = PictureWriter::Create(Path("p.mp4"), {.width = 321, .height = 181});
  ASSERT_TRUE(writer) << writer.error().message;
  const std::vector<int> times = {0, 40, 80, 500, 520, 2000};
  for (const int ms : times) {
    cv::Mat image(181, 321, CV_8UC3, cv::Scalar(200, 40, 40));
    const LabeledBox boxes[] = {{{0.25, 0.25, 0.5, 0.5}, "ada"}};
    ASSERT_TRUE(DrawBoxes(image, boxes));
    ASSERT_TRUE((*writer)->Write(image, std::int64_t{1'700'000'000'000 + ms} * 1'000'000));
  }
  cv::Mat gray(181, 321, CV_8UC1, cv::Scalar(90));
  ASSERT_TRUE((*writer)->Write(gray, std::int64_t{1'700'000'003'000} * 1'000'000));
  EXPECT_EQ((*writer)->Write(gray, std::int64_t{1'700'000'003'000} * 1'000'000).error().code,
            ErrorCode::kInvalidArgument);
  EXPECT_EQ((*writer)->Write(gray, 0).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(
      (*writer)->Write(cv::Mat(181, 320, CV_8UC3), std::int64_t{1'700'000'009'000} * 1'000'000).error().code,
      ErrorCode::kInvalidArgument);
  EXPECT_EQ((*writer)->Write(cv::Mat(), std::int64_t{1'700'000'009'000} * 1'000'000).error().code,
            ErrorCode::kInvalidArgument);
  ASSERT_TRUE((*writer)->Finish());
  EXPECT_EQ(ShownMs(Path("p.mp4")), (std::vector<int>{0, 40, 80, 500, 520, 2000, 3000}));
  EXPECT_EQ(
      Output("ffprobe -v error -show_entries stream=codec_name,width,height -of csv=p=0 " + Path("p.mp4")),
      "h264,320,180\n");
}

TEST_F(WriterTest, ImpossiblePicturesAreRefusedAtOnce) {
  for (const PictureWriterOptions& options :
       {PictureWriterOptions{}, PictureWriterOptions{.width = 1, .height = 100},
        PictureWriterOptions{.width = 100000, .height = 100},
        PictureWriterOptions{.width = 64, .height = 64, .threads = 0},
        PictureWriterOptions{.width = 64, .height = 64, .frames_per_second = 0}}) {
    EXPECT_EQ(PictureWriter::Create(Path("x.mp4"), options).error().code, ErrorCode::kInvalidArgument);
  }
  EXPECT_FALSE(fs::exists(Path("x.mp4")));
}

}  // namespace
}  // namespace millrace::testing
