// The tamper analyzer's options and records, and the detector's rules over plain pictures.
#include "consumers/tamper/tamper_analyzer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <cmath>
#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>
#include <string>
#include <vector>

#include "tests/consumers/made_scene.h"

namespace millrace::testing {
namespace {

using ::testing::HasSubstr;

boost::json::object Json(const std::string& text) { return boost::json::parse(text).as_object(); }

TEST(TamperAnalyzerTest, OptionsAreRefusedByName) {
  const std::pair<const char*, const char*> cases[] = {
      {R"({"sensitvity": 50})", "sensitvity"},
      {R"({"sensitivity": -1})", "sensitivity"},
      {R"({"kinds": ["covered"]})", "kinds"},
      {R"({"kinds": "Covered"})", "kinds"},
      {R"({"start_after_s": 61})", "start_after_s"},
      {R"({"stop_after_s": 61})", "stop_after_s"},
      {R"({"stop_after_s": "soon"})", "stop_after_s"},
      {R"({"masks": [{"name": "clock", "polygon": [[0,0],[1,0],[2,1]]}]})", "masks[0].polygon"}};
  for (const auto& [options, name] : cases) {
    auto analyzer = TamperAnalyzer::Make(Json(options));
    ASSERT_FALSE(analyzer) << options;
    EXPECT_EQ(analyzer.error().code, ErrorCode::kInvalidArgument);
    EXPECT_THAT(analyzer.error().message, HasSubstr(name));
  }
}

// Five grey pictures a second, each a key frame, of 320 x 180.
class Camera {
 public:
  explicit Camera(const std::string& options = "{}") {
    auto made = TamperAnalyzer::Make(Json(options));
    EXPECT_TRUE(made) << made.error().ToString();
    analyzer_ = std::move(*made);
    auto stream = analyzer_->Open("gate", Json(options));
    EXPECT_TRUE(stream) << stream.error().ToString();
    stream_ = std::move(*stream);
    cv::cvtColor(TexturedView({320, 180}, 3), view_, cv::COLOR_BGR2GRAY);
  }

  void Show(const cv::Mat& picture, double seconds, bool alive = true) {
    for (int i = 0; i < seconds / interval_s_; ++i) {
      AnalysisFrame frame;
      frame.image = picture.clone();
      if (alive) {
        cv::Mat noise(picture.size(), CV_8UC1);
        rng_.fill(noise, cv::RNG::UNIFORM, 0, 4);
        frame.image += noise;
      }
      frame.key_frame = true;
      frame.producer_time = time_;
      time_ = time_ + Duration(std::llround(interval_s_ * 1e9));
      auto found = stream_->Analyze(frame);
      ASSERT_TRUE(found) << found.error().ToString();
      last_ = *found;
      const auto* events = found->if_contains("Events");
      if (events == nullptr) continue;
      for (const auto& event : events->as_array()) events_.push_back(event.as_object());
    }
  }

  void Every(double interval_s) { interval_s_ = interval_s; }
  void Wait(Duration time) { time_ = time_ + time; }
  void ForgetEvents() { events_.clear(); }

  const cv::Mat& view() const { return view_; }
  cv::Mat Other() const {
    cv::Mat other;
    cv::cvtColor(TexturedView({320, 180}, 4), other, cv::COLOR_BGR2GRAY);
    return other;
  }
  std::vector<std::string> Told() const {
    std::vector<std::string> told;
    for (const auto& event : events_) {
      told.push_back(std::string(event.at("Type").as_string()) + " " +
                     std::string(event.at("Kind").as_string()));
    }
    return told;
  }
  const std::vector<boost::json::object>& events() const { return events_; }
  const boost::json::object& last() const { return last_; }
  StreamAnalyzer& stream() { return *stream_; }

 private:
  std::unique_ptr<FrameAnalyzer> analyzer_;
  std::unique_ptr<StreamAnalyzer> stream_;
  cv::Mat view_;
  cv::RNG rng_{9};
  double interval_s_ = 0.2;
  Timestamp time_ = Timestamp::FromSeconds(1'790'000'000);
  std::vector<boost::json::object> events_;
  boost::json::object last_;
};

using Told = std::vector<std::string>;

TEST(TamperAnalyzerTest, TellsWhatAndWhen) {
  Camera camera;
  camera.Show(camera.view(), 15);
  camera.Show(cv::Mat(180, 320, CV_8UC1, cv::Scalar(90)), 5);
  EXPECT_EQ(camera.last().at("Tamper").at("Kind").as_string(), "Covered");
  camera.Show(camera.view(), 5);
  EXPECT_TRUE(camera.last().at("Tamper").at("Kind").is_null());
  EXPECT_GT(camera.last().at("Tamper").at("View").to_number<double>(), 0.9);
  ASSERT_EQ(camera.Told(), (Told{"TamperStarted Covered", "TamperStopped Covered"}));
  const Timestamp begin = Timestamp::FromSeconds(1'790'000'015);
  EXPECT_EQ(camera.events()[0].at("Time").as_string(), FormatRfc3339(begin));
  EXPECT_EQ(camera.events()[1].at("StartTime").as_string(), FormatRfc3339(begin));
  EXPECT_EQ(camera.events()[0].at("EventId"), camera.events()[1].at("EventId"));
}

TEST(TamperAnalyzerTest, OneThingTurnsIntoAnother) {
  Camera camera;
  camera.Show(camera.view(), 15);
  camera.Show(cv::Mat(180, 320, CV_8UC1, cv::Scalar(90)), 5);
  camera.Show(cv::Mat(180, 320, CV_8UC1, cv::Scalar(10)), 5);
  camera.Show(camera.view(), 5);
  EXPECT_EQ(camera.Told(), (Told{"TamperStarted Covered", "TamperStopped Covered", "TamperStarted Black",
                                 "TamperStopped Black"}));
}

TEST(TamperAnalyzerTest, OnlyTheKindsThatAreWanted) {
  Camera camera(R"({"kinds": ["Moved"]})");
  camera.Show(camera.view(), 15);
  camera.Show(cv::Mat(180, 320, CV_8UC1, cv::Scalar(10)), 5);
  camera.Show(camera.view(), 5, false);
  EXPECT_EQ(camera.Told(), Told());
  camera.Show(camera.Other(), 5);
  EXPECT_EQ(camera.Told(), Told{"TamperStarted Moved"});
}

TEST(TamperAnalyzerTest, AMomentIsNoTampering) {
  Camera camera;
  camera.Show(camera.view(), 15);
  for (int i = 0; i < 5; ++i) {
    camera.Show(camera.Other(), 0.6);  // a lorry passes close by
    camera.Show(camera.view(), 3);
  }
  EXPECT_EQ(camera.Told(), Told());
}

TEST(TamperAnalyzerTest, AMovedCamerasNewViewIsAcceptedInTheEnd) {
  Camera camera;
  camera.Show(camera.view(), 15);
  camera.Show(camera.Other(), 300);
  ASSERT_EQ(camera.Told(), (Told{"TamperStarted Moved", "TamperStopped Moved"}));
  camera.Show(cv::Mat(180, 320, CV_8UC1, cv::Scalar(90)), 5);
  EXPECT_TRUE(camera.events()[1].contains("Accepted"));
  EXPECT_EQ(camera.Told().back(), "TamperStarted Covered");
}

TEST(TamperAnalyzerTest, WhatLastsGoesOnAsAnotherEachTwoMinutes) {
  Camera camera;
  camera.Show(camera.view(), 15);
  camera.Show(cv::Mat(180, 320, CV_8UC1, cv::Scalar(10)), 200);  // two minutes are over at 40 s and 160 s
  camera.Show(camera.view(), 5);
  ASSERT_EQ(camera.Told(), (Told{"TamperStarted Black", "TamperStopped Black", "TamperStarted Black",
                                 "TamperStopped Black", "TamperStarted Black", "TamperStopped Black"}));
  for (std::size_t i = 0; i < 6; i += 2) {
    EXPECT_EQ(camera.events()[i].contains("Continued"), i > 0);
    EXPECT_EQ(camera.events()[i].at("EventId"), camera.events()[i + 1].at("EventId"));
  }
  EXPECT_EQ(camera.events()[4].at("Time").as_string(), FormatRfc3339(Timestamp::FromSeconds(1'790'000'160)));
}

TEST(TamperAnalyzerTest, AProcessThatBeginsWhileTheLensIsCoveredTellsTheSameOfIt) {
  ASSERT_EQ((*TamperAnalyzer::Make({}))->warm_up(), std::chrono::minutes(10));
  const cv::Mat hand(180, 320, CV_8UC1, cv::Scalar(90));
  std::vector<boost::json::object> told[2];
  for (const int first : {0, 20}) {
    Camera camera;
    camera.Every(1);
    camera.Wait(std::chrono::seconds(first));
    if (first == 0) {
      camera.Show(camera.view(), 15);
      camera.Show(hand, 5);
    }
    camera.Show(hand, 600);
    if (first == 0) {
      EXPECT_EQ(camera.Told(), (Told{"TamperStarted Covered", "TamperStopped Covered"}));
      EXPECT_TRUE(camera.events().back().contains("Accepted"));
    }
    camera.ForgetEvents();
    camera.Show(camera.view(), 20);
    told[first == 0 ? 0 : 1] = camera.events();
  }
  EXPECT_EQ(told[0], told[1]);
}

TEST(TamperAnalyzerTest, AnInterruptionEndsIt) {
  Camera camera;
  camera.Show(camera.view(), 15);
  EXPECT_TRUE(camera.stream().End()->empty());
  camera.Show(cv::Mat(180, 320, CV_8UC1, cv::Scalar(10)), 5);
  const auto ended = camera.stream().End();
  ASSERT_TRUE(ended);
  const auto& event = ended->at("Events").at(0).as_object();
  EXPECT_EQ(event.at("Type").as_string(), "TamperStopped");
  EXPECT_EQ(event.at("EventId"), camera.events().at(0).at("EventId"));
}

TEST(TamperAnalyzerTest, AClockInThePictureIsMasked) {
  for (const bool masked : {false, true}) {
    Camera camera(masked ? R"({"masks": [{"name": "clock", "polygon": [[0,0],[0.4,0],[0.4,0.2],[0,0.2]]}]})"
                         : "{}");
    camera.Show(camera.view(), 15);
    for (int i = 0; i < 10; ++i) {
      cv::Mat frozen = camera.view().clone();
      cv::putText(frozen, "12:00:0" + std::to_string(i), {4, 20}, cv::FONT_HERSHEY_SIMPLEX, 0.6,
                  cv::Scalar(255));
      camera.Show(frozen, 0.2, false);
    }
    EXPECT_EQ(camera.Told(), masked ? Told{"TamperStarted Frozen"} : Told());
  }
}

TEST(TamperAnalyzerTest, PicturesOfAnySizeAreTaken) {
  Camera camera;
  for (const cv::Size size : {cv::Size(1, 1), cv::Size(3, 180), cv::Size(320, 1), cv::Size(320, 180)}) {
    camera.Show(cv::Mat(size, CV_8UC1, cv::Scalar(100)), 12);
  }
  AnalysisFrame frame;
  EXPECT_EQ(camera.stream().Analyze(frame).error().code, ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace millrace::testing
