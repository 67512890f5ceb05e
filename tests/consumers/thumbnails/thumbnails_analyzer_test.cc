// Thumbnails: when there is one, that it is the picture, and that it is never too large.
#include "consumers/thumbnails/thumbnails_analyzer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <opencv2/core.hpp>
#include <opencv2/imgcodecs.hpp>
#include <string>

#include "tests/consumers/made_scene.h"
#include "wire/base64.h"

namespace millrace::testing {
namespace {

using ::testing::HasSubstr;

boost::json::object Json(const std::string& text) { return boost::json::parse(text).as_object(); }

TEST(ThumbnailsTest, OptionsAreRefusedByName) {
  for (const auto& [options, name] :
       {std::pair{R"({"every": 5})", "every"}, std::pair{R"({"every_s": 0})", "every_s"},
        std::pair{R"({"height": 2000})", "height"}, std::pair{R"({"height": 99.5})", "height"},
        std::pair{R"({"quality": 0})", "quality"}, std::pair{R"({"bytes_max": 1000000})", "bytes_max"}}) {
    auto analyzer = ThumbnailsAnalyzer::Make(Json(options));
    ASSERT_FALSE(analyzer) << options;
    EXPECT_EQ(analyzer.error().code, ErrorCode::kInvalidArgument);
    EXPECT_THAT(analyzer.error().message, HasSubstr(name));
  }
  auto analyzer = ThumbnailsAnalyzer::Make({});
  EXPECT_THAT((*analyzer)->Open("gate", Json(R"({"height": 90})")).error().message, HasSubstr("height"));
  EXPECT_TRUE((*analyzer)->Open("gate", Json(R"({"every_s": 60})")));
}

TEST(ThumbnailsTest, TheFirstPictureOfEachTurnHasOne) {
  auto analyzer = ThumbnailsAnalyzer::Make(Json(R"({"every_s": 10})"));
  ASSERT_TRUE(analyzer);
  const auto stream = std::move(*(*analyzer)->Open("gate", Json(R"({"every_s": 10})")));
  const cv::Mat view = TexturedView({320, 180}, 1);
  std::vector<int> with;
  for (int second = 3; second < 40; second += 2) {
    AnalysisFrame frame;
    frame.image = view;
    frame.producer_time = Timestamp::FromSeconds(1'790'000'000 + second);
    auto found = stream->Analyze(frame);
    ASSERT_TRUE(found);
    if (found->empty()) continue;
    with.push_back(second);
    const auto& thumbnail = found->at("Thumbnail").as_object();
    const auto jpeg = wire::DecodeBase64(std::string(thumbnail.at("Image").as_string()));
    ASSERT_TRUE(jpeg);
    const cv::Mat shown = cv::imdecode(*jpeg, cv::IMREAD_COLOR);
    ASSERT_EQ(shown.size(), view.size());
    EXPECT_EQ(thumbnail.at("Width").as_int64(), 320);
    EXPECT_EQ(thumbnail.at("Height").as_int64(), 180);
    EXPECT_EQ(thumbnail.at("ContentType").as_string(), "image/jpeg");
    EXPECT_LT(cv::norm(shown, view, cv::NORM_L1) / static_cast<double>(view.total() * 3), 6);
  }
  EXPECT_EQ(with, (std::vector<int>{3, 11, 21, 31}));
}

// Method: a picture each two seconds, with a pause; which ones have a thumbnail is compared once all is warm.
TEST(ThumbnailsTest, WhereAProcessBeganMakesNoDifference) {
  const auto options = Json(R"({"every_s": 86400})");
  auto analyzer = ThumbnailsAnalyzer::Make(options);
  ASSERT_TRUE(analyzer);
  const std::int64_t warm_up_s = (*analyzer)->warm_up() / std::chrono::seconds(1);
  ASSERT_GT(warm_up_s, 2);
  const cv::Mat view = TexturedView({64, 36}, 1);
  const auto with = [&](std::int64_t from, std::int64_t told_from) {
    const auto stream = std::move(*(*analyzer)->Open("gate", options));
    std::vector<std::int64_t> seconds;
    for (std::int64_t second = from; second < 100; second += second == 60 ? 20 : 2) {
      AnalysisFrame frame;
      frame.image = view;
      frame.producer_time = Timestamp::FromSeconds(1'790'000'000 + second);
      auto found = stream->Analyze(frame);
      EXPECT_TRUE(found);
      if (found && !found->empty() && second >= told_from) seconds.push_back(second);
    }
    return seconds;
  };
  EXPECT_EQ(with(0, 0), (std::vector<std::int64_t>{0, 80}));  // the first, and behind the pause
  EXPECT_EQ(with(20 - warm_up_s, 20), (std::vector<std::int64_t>{80}));
}

TEST(ThumbnailsTest, NoiseIsCutDownToTheLimit) {
  cv::Mat noise(720, 1280, CV_8UC3);
  cv::RNG(5).fill(noise, cv::RNG::UNIFORM, 0, 256);
  for (const std::size_t limit : {std::size_t{256} * 1024, std::size_t{64} * 1024, std::size_t{4} * 1024}) {
    auto made = MakeThumbnail(noise, 100, limit);
    ASSERT_TRUE(made);
    EXPECT_LE(made->jpeg.size(), limit);
    EXPECT_EQ(cv::imdecode(made->jpeg, cv::IMREAD_COLOR).size(), made->size);
  }
  EXPECT_EQ(MakeThumbnail(noise, 100, 10).error().code, ErrorCode::kUnsupported);
  EXPECT_EQ(MakeThumbnail(cv::Mat(), 75, 10'000).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(MakeThumbnail(cv::Mat(5, 5, CV_8UC1), 75, 10'000).error().code, ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace millrace::testing
