#include "numbered_video.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <opencv2/core.hpp>
#include <sstream>

namespace millrace::testing {
namespace {

// The number stands in two rows of eight fields over the whole picture: a white one, a black one, and 14
// bits, the most significant first, white for one.
constexpr int kFieldsInRow = 8;
constexpr int kFields = 16;

bool IsWhite(std::uint32_t number, int field) {
  if (field < 2) return field == 0;
  return (number >> (kFields - 1 - field) & 1U) != 0;
}

void WritePicture(std::ofstream& out, const VideoOptions& options, std::uint32_t number) {
  std::string row(static_cast<std::size_t>(options.width), '\0');
  for (int y = 0; y < options.height; ++y) {
    for (int x = 0; x < options.width; ++x) {
      const int field = x * kFieldsInRow / options.width + (y * 2 >= options.height ? kFieldsInRow : 0);
      const int shade =
          (x * 7 + y * 3 + static_cast<int>(number) * 5) % 50;  // something for the encoder to do
      row[static_cast<std::size_t>(x)] = static_cast<char>(IsWhite(number, field) ? 200 + shade : 20 + shade);
    }
    out.write(row.data(), static_cast<std::streamsize>(row.size()));
  }
}

}  // namespace

std::int64_t TimestampOf(const VideoOptions& options, int number) {
  return std::int64_t{number} * 1000 / options.fps * 1'000'000;
}

ParsedFragment MakeVideo(const VideoOptions& options) {
  std::string directory = ::testing::TempDir() + "/millrace-decoder-XXXXXX";
  if (mkdtemp(directory.data()) == nullptr) {
    ADD_FAILURE() << "no temporary directory";
    return {};
  }
  {
    std::ofstream raw(directory + "/raw", std::ios::binary);
    for (int i = 0; i < options.pictures; ++i) WritePicture(raw, options, static_cast<std::uint32_t>(i));
  }
  std::ostringstream command;
  command << "SVT_LOG=1 timeout 60 ffmpeg -v error -nostdin -y -f rawvideo -pix_fmt gray -s " << options.width
          << "x" << options.height << " -r " << options.fps << " -i " << directory << "/raw -pix_fmt "
          << options.pixel_format << " -c:v " << options.codec << " -threads 1 -g "
          << options.key_frame_interval << " -bf " << options.b_frames << " " << directory
          << "/video.mkv </dev/null";
  EXPECT_EQ(std::system(command.str().c_str()), 0) << command.str();
  std::ifstream in(directory + "/video.mkv", std::ios::binary);
  auto parsed = ParseFragment(SharedBytes(Bytes(std::istreambuf_iterator<char>(in), {})));
  std::filesystem::remove_all(directory);
  if (!parsed) {
    ADD_FAILURE() << parsed.error().ToString();
    return {};
  }
  EXPECT_EQ(parsed->frames.size(), static_cast<std::size_t>(options.pictures));
  return std::move(*parsed);
}

ParsedFragment FramesOf(const ParsedFragment& video, std::size_t begin, std::size_t end) {
  ParsedFragment part = video;
  part.frames.assign(video.frames.begin() + static_cast<std::ptrdiff_t>(begin),
                     video.frames.begin() + static_cast<std::ptrdiff_t>(end));
  return part;
}

std::optional<std::uint32_t> NumberIn(const cv::Mat& picture) {
  const auto white = [&](int field) {
    const int width = picture.cols / kFieldsInRow;
    const int height = picture.rows / 2;
    const cv::Rect inner(field % kFieldsInRow * width + width / 4, field / kFieldsInRow * height + height / 4,
                         width / 2, height / 2);
    const cv::Scalar mean = cv::mean(picture(inner));
    return mean[0] > 128;
  };
  if (!white(0) || white(1)) return std::nullopt;
  std::uint32_t number = 0;
  for (int field = 2; field < kFields; ++field) number = number << 1 | (white(field) ? 1U : 0U);
  return number;
}

}  // namespace millrace::testing
