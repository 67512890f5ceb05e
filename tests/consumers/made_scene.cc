#include "made_scene.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <opencv2/imgproc.hpp>

#include "parser/decoder/fragment_decoder.h"
#include "parser/parse_fragment.h"

namespace millrace::testing {

cv::Mat TexturedView(cv::Size size, std::uint64_t seed) {
  cv::RNG rng(seed);
  cv::Mat view = cv::Mat::zeros(size, CV_32FC3);
  for (int cells = 4; cells <= 128; cells *= 2) {
    cv::Mat grid(std::max(cells * size.height / size.width, 2), cells, CV_32FC3);
    rng.fill(grid, cv::RNG::NORMAL, 0.0, 28.0 / std::sqrt(static_cast<double>(cells) / 4));
    cv::resize(grid, grid, size, 0, 0, cv::INTER_CUBIC);
    view += grid;
  }
  view += cv::Scalar(115, 118, 122);
  // Walls, doors and windows have edges.
  for (int i = 0; i < 40; ++i) {
    const cv::Point corner(rng.uniform(0, size.width), rng.uniform(0, size.height));
    const cv::Size sides(rng.uniform(size.width / 40, size.width / 8),
                         rng.uniform(size.height / 30, size.height / 5));
    const cv::Mat place = view(cv::Rect(corner, sides) & cv::Rect({}, size));
    place += cv::Scalar::all(rng.uniform(-45.0, 45.0));
  }
  cv::Mat picture;
  view.convertTo(picture, CV_8UC3);
  return picture;
}

cv::Mat Lit(const cv::Mat& view, double gain, double offset) {
  cv::Mat lit;
  view.convertTo(lit, -1, gain, offset);
  return lit;
}

SensorNoise::SensorNoise(cv::Size size, double sigma, std::uint64_t seed)
    : rng_(seed), field_(size.height + 128, size.width + 128, CV_16SC3) {
  rng_.fill(field_, cv::RNG::NORMAL, 0.0, sigma);
}

void SensorNoise::AddTo(cv::Mat& picture) {
  const cv::Point place(rng_.uniform(0, 128), rng_.uniform(0, 128));
  cv::add(picture, field_(cv::Rect(place, picture.size())), picture, cv::noArray(), CV_8U);
}

void AddRain(cv::Mat& picture, int drops, cv::RNG& rng) {
  for (int i = 0; i < drops; ++i) {
    const cv::Point top(rng.uniform(0, picture.cols), rng.uniform(0, picture.rows));
    const int length = rng.uniform(picture.rows / 60, picture.rows / 20);
    cv::line(picture, top, top + cv::Point(length / 8, length), cv::Scalar::all(rng.uniform(170, 230)), 1,
             cv::LINE_AA);
  }
}

void DrawPerson(cv::Mat& picture, cv::Point feet, int height) {
  const int width = height * 2 / 5;
  const int stripe = std::max(height / 10, 1);
  for (int y = 0; y < height; y += stripe) {
    const cv::Scalar colour = (y / stripe) % 2 == 0 ? cv::Scalar(40, 30, 190) : cv::Scalar(215, 205, 60);
    const cv::Rect band(feet.x - width / 2, feet.y - height + y, width, std::min(stripe, height - y));
    cv::rectangle(picture, band, colour, cv::FILLED);
  }
}

void ThroughH264(const Encoding& encoding, int count, const std::function<cv::Mat(int index)>& draw,
                 const PictureForm& form, const std::function<void(const SeenPicture&)>& see) {
  std::string directory = ::testing::TempDir() + "/millrace-scene-XXXXXX";
  ASSERT_NE(mkdtemp(directory.data()), nullptr);
  const std::string path = directory + "/clip.mkv";
  FILE* encoder = nullptr;
  for (int i = 0; i < count; ++i) {
    const cv::Mat picture = draw(i);
    if (encoder == nullptr) {
      const std::string rate = encoding.kbps == 0 ? std::string("-qp 26")
                                                  : "-b:v " + std::to_string(encoding.kbps) + "k -maxrate " +
                                                        std::to_string(encoding.kbps) + "k -bufsize " +
                                                        std::to_string(encoding.kbps) + "k";
      const std::string command =
          "timeout 600 ffmpeg -v error -y -f rawvideo -pix_fmt bgr24 -s " + std::to_string(picture.cols) +
          "x" + std::to_string(picture.rows) + " -r " + std::to_string(encoding.fps) +
          " -i - -c:v libx264 -preset veryfast -tune zerolatency -threads 1 -g " +
          std::to_string(encoding.key_frame_interval) + " -pix_fmt yuv420p " + rate + " " + path;
      encoder = popen(command.c_str(), "w");
      ASSERT_NE(encoder, nullptr);
    }
    ASSERT_EQ(std::fwrite(picture.data, picture.total() * picture.elemSize(), 1, encoder), 1u);
  }
  ASSERT_EQ(pclose(encoder), 0);
  std::ifstream in(path, std::ios::binary);
  auto parsed = ParseFragment(SharedBytes(Bytes(std::istreambuf_iterator<char>(in), {})));
  std::filesystem::remove_all(directory);
  ASSERT_TRUE(parsed) << parsed.error().ToString();
  FragmentDecoder decoder({.selection = {FrameSelection::Kind::kAll}, .form = form});
  const auto report = decoder.Decode(*parsed, [&](const Picture& picture) -> Result<void> {
    see({picture.image, Timestamp{picture.timestamp_ns}, picture.key_frame});
    return {};
  });
  ASSERT_TRUE(report) << report.error().ToString();
  EXPECT_EQ(report->pictures, static_cast<std::uint32_t>(count));
}

void Directly(int fps, int count, const std::function<cv::Mat(int index)>& draw, int rows,
              const std::function<void(const SeenPicture&)>& see) {
  for (int i = 0; i < count; ++i) {
    cv::Mat gray;
    cv::cvtColor(draw(i), gray, cv::COLOR_BGR2GRAY);
    if (gray.rows > rows) cv::resize(gray, gray, {gray.cols * rows / gray.rows, rows}, 0, 0, cv::INTER_AREA);
    see({gray, Timestamp{std::int64_t{1'000'000'000} * i / fps}, i % (2 * fps) == 0});
  }
}

}  // namespace millrace::testing
