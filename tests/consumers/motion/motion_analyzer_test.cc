// The motion analyzer's options and records, and the detector's rules over plain pictures.
#include "consumers/motion/motion_analyzer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <cstdlib>
#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>
#include <string>
#include <vector>

namespace millrace::testing {
namespace {

using ::testing::HasSubstr;

boost::json::object Json(const std::string& text) { return boost::json::parse(text).as_object(); }

struct OptionCase {
  const char* name;
  const char* options;
  const char* error;  // what it says
};
void PrintTo(const OptionCase& item, std::ostream* out) { *out << item.name; }

class MotionOptions : public ::testing::TestWithParam<OptionCase> {};
TEST_P(MotionOptions, AreRefusedByName) {
  auto analyzer = MotionAnalyzer::Make(Json(GetParam().options));
  ASSERT_FALSE(analyzer);
  EXPECT_EQ(analyzer.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(analyzer.error().message, HasSubstr(GetParam().error));
}
INSTANTIATE_TEST_SUITE_P(
    , MotionOptions,
    ::testing::Values(
        OptionCase{"unknown", R"({"sensitivty": 50})", "sensitivty"},
        OptionCase{"too_sensitive", R"({"sensitivity": 101})", "sensitivity"},
        OptionCase{"no_number", R"({"sensitivity": "high"})", "sensitivity"},
        OptionCase{"area_of_nothing", R"({"area_min": 0})", "area_min"},
        OptionCase{"never_stops", R"({"stop_after_s": 0})", "stop_after_s"},
        OptionCase{"outlasts_its_minute", R"({"stop_after_s": 61})", "stop_after_s"},
        OptionCase{"zones_no_list", R"({"zones": {"name": "door"}})", "zones"},
        OptionCase{"zone_without_name", R"({"zones": [{"polygon": [[0,0],[1,0],[1,1]]}]})", "name"},
        OptionCase{"zone_without_polygon", R"({"zones": [{"name": "door"}]})", "zones[0].polygon"},
        OptionCase{"two_corners", R"({"zones": [{"name": "door", "polygon": [[0,0],[1,0]]}]})", "polygon"},
        OptionCase{"corner_outside", R"({"zones": [{"name": "door", "polygon": [[0,0],[1.2,0],[1,1]]}]})",
                   "polygon"},
        OptionCase{"corner_of_three", R"({"zones": [{"name": "door", "polygon": [[0,0,0],[1,0],[1,1]]}]})",
                   "polygon"},
        OptionCase{"corner_no_number", R"({"zones": [{"name": "d", "polygon": [["0",0],[1,0],[1,1]]}]})",
                   "polygon"},
        OptionCase{"name_twice",
                   R"({"zones": [{"name": "d", "polygon": [[0,0],[1,0],[1,1]]},
                                 {"name": "d", "polygon": [[0,0],[1,0],[1,1]]}]})",
                   "zones[1].name"},
        OptionCase{"strange_name", R"({"zones": [{"name": "d\n", "polygon": [[0,0],[1,0],[1,1]]}]})",
                   "zones[0].name"},
        OptionCase{"zone_of_unknown", R"({"zones": [{"name": "d", "polygon": [[0,0],[1,0],[1,1]], "x": 1}]})",
                   "zones[0].x"},
        OptionCase{"bad_mask", R"({"masks": [{"name": "tree", "polygon": []}]})", "masks[0].polygon"}),
    [](const auto& instance) { return instance.param.name; });

TEST(MotionAnalyzerTest, TheVersionNamesTheSettings) {
  const std::string plain = (*MotionAnalyzer::Make({}))->version();
  EXPECT_EQ((*MotionAnalyzer::Make(Json(R"({"sensitivity": 50})")))->version(), plain);
  EXPECT_NE((*MotionAnalyzer::Make(Json(R"({"sensitivity": 60})")))->version(), plain);
  EXPECT_NE((*MotionAnalyzer::Make(Json(R"({"masks": [{"name": "t", "polygon": [[0,0],[1,0],[1,1]]}]})")))
                ->version(),
            plain);
}

// A grey view with a grid of posts, of 320 x 180.
cv::Mat View() {
  cv::Mat view(180, 320, CV_8UC1, cv::Scalar(120));
  for (int x = 0; x < view.cols; x += 20)
    cv::rectangle(view, {x, 0, 6, view.rows}, cv::Scalar(90), cv::FILLED);
  return view;
}

// Shows pictures, five a second, and collects the events of the records.
class Camera {
 public:
  explicit Camera(const std::string& options = "{}") {
    auto made = MotionAnalyzer::Make(Json(options));
    EXPECT_TRUE(made) << made.error().ToString();
    analyzer_ = std::move(*made);
    auto stream = analyzer_->Open("gate", Json(options));
    EXPECT_TRUE(stream) << stream.error().ToString();
    stream_ = std::move(*stream);
  }

  boost::json::object Show(const cv::Mat& picture) {
    AnalysisFrame frame;
    frame.image = picture;
    frame.producer_time = time_;
    time_ = time_ + std::chrono::milliseconds(200);
    auto found = stream_->Analyze(frame);
    EXPECT_TRUE(found) << found.error().ToString();
    if (!found) return {};
    if (const auto* events = found->if_contains("Events")) {
      for (const auto& event : events->as_array()) events_.push_back(event.as_object());
    }
    return *found;
  }
  void ShowStill(int pictures) {
    for (int i = 0; i < pictures; ++i) Show(View());
  }
  // A block of 30 x 30 that moves by 6 pixels a picture, from `from`.
  void ShowBlock(cv::Point from, int pictures) {
    for (int i = 0; i < pictures; ++i) {
      cv::Mat picture = View();
      cv::rectangle(picture, {from.x + 6 * i, from.y, 30, 30}, cv::Scalar(220), cv::FILLED);
      last_ = Show(picture);
    }
  }
  // A block that goes to and fro without a rest, from the picture of this index to the other.
  void ShowPacing(int from, int to) {
    for (int i = from; i < to; ++i) ShowBlock({40 + std::abs(6 * i % 360 - 180), 60}, 1);
  }
  void Wait(Duration time) { time_ = time_ + time; }
  void ForgetEvents() { events_.clear(); }
  void End() {
    auto found = stream_->End();
    ASSERT_TRUE(found) << found.error().ToString();
    const auto* events = found->if_contains("Events");
    if (events == nullptr) return;
    for (const auto& event : events->as_array()) events_.push_back(event.as_object());
  }

  std::vector<std::string> Types() const {
    std::vector<std::string> types;
    for (const auto& event : events_) {
      std::string type(event.at("Type").as_string());
      if (event.contains("Zone")) type += " " + std::string(event.at("Zone").as_string());
      types.push_back(std::move(type));
    }
    return types;
  }
  const std::vector<boost::json::object>& events() const { return events_; }
  const boost::json::object& last() const { return last_; }
  Timestamp time() const { return time_; }
  StreamAnalyzer& stream() { return *stream_; }

 private:
  std::unique_ptr<FrameAnalyzer> analyzer_;
  std::unique_ptr<StreamAnalyzer> stream_;
  Timestamp time_ = Timestamp::FromSeconds(1'790'000'000);
  std::vector<boost::json::object> events_;
  boost::json::object last_;
};

using Types = std::vector<std::string>;
const std::string kLeft = R"({"name": "left", "polygon": [[0,0],[0.5,0],[0.5,1],[0,1]]})";
const std::string kRight = R"({"name": "right", "polygon": [[0.5,0],[1,0],[1,1],[0.5,1]]})";

TEST(MotionAnalyzerTest, TellsWhereAndWhen) {
  Camera camera;
  camera.ShowStill(30);
  const Timestamp begin = camera.time();
  camera.ShowBlock({40, 60}, 10);
  const auto& zones = camera.last().at("Motion").at("Zones").as_array();
  ASSERT_EQ(zones.size(), 1u);
  EXPECT_EQ(zones[0].at("Name").as_string(), "all");
  EXPECT_NEAR(zones[0].at("Area").to_number<double>(), 30.0 * 30 / (320 * 180), 0.006);
  const auto& box = zones[0].at("Boxes").at(0);
  EXPECT_NEAR(box.at("Left").to_number<double>(), (40 + 54) / 320.0, 0.02);
  EXPECT_NEAR(box.at("Top").to_number<double>(), 60 / 180.0, 0.02);
  EXPECT_NEAR(box.at("Width").to_number<double>(), 30 / 320.0, 0.03);
  const Timestamp end = camera.time() - std::chrono::milliseconds(200);
  camera.ShowStill(20);
  ASSERT_EQ(camera.Types(), (Types{"MotionStarted all", "MotionStopped all"}));
  EXPECT_EQ(camera.events()[0].at("Time").as_string(), FormatRfc3339(begin));
  EXPECT_EQ(camera.events()[1].at("Time").as_string(), FormatRfc3339(end));
  EXPECT_EQ(camera.events()[1].at("StartTime").as_string(), FormatRfc3339(begin));
  EXPECT_EQ(camera.events()[1].at("EventId"), camera.events()[0].at("EventId"));
  EXPECT_EQ(camera.events()[0].at("EventId").as_string(), "motion-all-" + std::to_string(begin.millis()));
}

TEST(MotionAnalyzerTest, ZonesAreWatchedByThemselves) {
  Camera camera(R"({"zones": [)" + kLeft + "," + kRight + "]}");
  camera.ShowStill(30);
  camera.ShowBlock({10, 60}, 45);  // from the left to the right
  camera.ShowStill(20);
  EXPECT_EQ(camera.Types(), (Types{"MotionStarted left", "MotionStarted right", "MotionStopped left",
                                   "MotionStopped right"}));
}

TEST(MotionAnalyzerTest, WhatHappensOutsideOfZonesOrUnderMasksCountsNowhere) {
  Camera outside(R"({"zones": [)" + kLeft + "]}");
  outside.ShowStill(30);
  outside.ShowBlock({180, 60}, 15);
  EXPECT_EQ(outside.Types(), Types());
  Camera masked(R"({"masks": [)" + kRight + "]}");
  masked.ShowStill(30);
  masked.ShowBlock({180, 60}, 15);
  EXPECT_EQ(masked.Types(), Types());
  Camera everywhere(R"({"masks": [{"name": "all of it", "polygon": [[0,0],[1,0],[1,1],[0,1]]}]})");
  everywhere.ShowStill(30);
  everywhere.ShowBlock({40, 60}, 15);
  EXPECT_EQ(everywhere.Types(), Types());
}

// Somebody near a door that is all that is watched: no change of the light.
TEST(MotionAnalyzerTest, AZoneThatIsFilledAndLeftIsMotion) {
  Camera camera(
      R"({"zones": [{"name": "door", "polygon": [[0.32,0.34],[0.39,0.34],[0.39,0.46],[0.32,0.46]]}]})");
  camera.ShowStill(30);
  camera.ShowBlock({40, 60}, 25);
  camera.ShowStill(20);
  EXPECT_EQ(camera.Types(), (Types{"MotionStarted door", "MotionStopped door"}));
}

TEST(MotionAnalyzerTest, AMotionThatLastsGoesOnAsAnotherEachMinute) {
  Camera camera;
  camera.ShowStill(30);
  const Timestamp begin = camera.time();
  camera.ShowPacing(30, 550);  // 110 s, and the minute is over 40 s and 100 s after the beginning
  camera.ShowStill(20);
  ASSERT_EQ(camera.Types(), (Types{"MotionStarted all", "MotionStopped all", "MotionStarted all",
                                   "MotionStopped all", "MotionStarted all", "MotionStopped all"}));
  const auto& events = camera.events();
  for (std::size_t i = 0; i < 6; i += 2) {
    EXPECT_EQ(events[i].contains("Continued"), i > 0);
    EXPECT_EQ(events[i].at("EventId"), events[i + 1].at("EventId"));
  }
  EXPECT_EQ(events[0].at("Time").as_string(), FormatRfc3339(begin));
  EXPECT_EQ(events[2].at("Time").as_string(), FormatRfc3339(Timestamp::FromSeconds(1'790'000'040)));
  EXPECT_EQ(events[4].at("Time").as_string(), FormatRfc3339(Timestamp::FromSeconds(1'790'000'100)));
}

TEST(MotionAnalyzerTest, AProcessThatBeginsWithinAMotionTellsTheSameOfIt) {
  std::vector<boost::json::object> told[2];
  const int warm_up = 5 * 160;  // pictures
  ASSERT_EQ((*MotionAnalyzer::Make({}))->warm_up(), std::chrono::milliseconds(200) * warm_up);
  for (const int first : {0, 175}) {
    Camera camera;
    camera.Wait(std::chrono::milliseconds(200) * first);
    camera.ShowPacing(first, 175 + warm_up);
    camera.ForgetEvents();
    camera.ShowPacing(175 + warm_up, 1150);  // 230 s
    camera.ShowStill(20);
    told[first == 0 ? 0 : 1] = camera.events();
  }
  EXPECT_EQ(told[0].size(), 3u);  // one ends with its minute and goes on, and ends
  EXPECT_EQ(told[0], told[1]);
}

TEST(MotionAnalyzerTest, AnInterruptionEndsAMotion) {
  Camera camera;
  camera.ShowStill(30);
  camera.End();
  EXPECT_EQ(camera.Types(), Types());
  camera.ShowBlock({40, 60}, 10);
  camera.End();
  ASSERT_EQ(camera.Types(), (Types{"MotionStarted all", "MotionStopped all"}));
  EXPECT_EQ(camera.events()[0].at("EventId"), camera.events()[1].at("EventId"));
}

TEST(MotionAnalyzerTest, AMomentsRestIsTheSameMotion) {
  Camera camera;
  camera.ShowStill(30);
  camera.ShowBlock({40, 60}, 8);
  camera.ShowStill(6);  // 1.2 s
  camera.ShowBlock({88, 60}, 8);
  camera.ShowStill(20);
  EXPECT_EQ(camera.Types(), (Types{"MotionStarted all", "MotionStopped all"}));
}

TEST(MotionAnalyzerTest, WhatIsLeftStandingStopsMoving) {
  Camera camera;
  camera.ShowStill(30);
  camera.ShowBlock({40, 60}, 8);
  cv::Mat parked = View();
  cv::rectangle(parked, {82, 60, 30, 30}, cv::Scalar(220), cv::FILLED);
  const Timestamp end = camera.time() - std::chrono::milliseconds(200);
  for (int i = 0; i < 300; ++i) camera.Show(parked);
  ASSERT_EQ(camera.Types(), (Types{"MotionStarted all", "MotionStopped all"}));
  EXPECT_LE(*ParseTime(std::string(camera.events()[1].at("Time").as_string())) - end,
            std::chrono::milliseconds(500));
}

TEST(MotionAnalyzerTest, SensitivityDecidesHowFaintAndSmallAThingMayBe) {
  for (const auto& [sensitivity, found] : {std::pair{10, false}, std::pair{95, true}}) {
    Camera camera(R"({"sensitivity": )" + std::to_string(sensitivity) + "}");
    camera.ShowStill(30);
    for (int i = 0; i < 15; ++i) {
      cv::Mat picture = View();
      const cv::Mat place = picture(cv::Rect(40 + 4 * i, 60, 12, 12));
      place += cv::Scalar(14);
      camera.Show(picture);
    }
    EXPECT_EQ(!camera.Types().empty(), found) << sensitivity;
  }
}

TEST(MotionAnalyzerTest, FootageThatIsMissingBeginsAnew) {
  Camera camera;
  camera.ShowStill(30);
  camera.ShowBlock({40, 60}, 8);
  camera.Wait(std::chrono::minutes(1));
  cv::Mat other = View();
  cv::flip(other, other, 0);
  other(cv::Rect(100, 20, 120, 90)) += cv::Scalar(60);
  for (int i = 0; i < 30; ++i) camera.Show(other);
  EXPECT_EQ(camera.Types(), (Types{"MotionStarted all", "MotionStopped all"}));
}

TEST(MotionAnalyzerTest, PicturesOfAnySizeAreTaken) {
  Camera camera;
  camera.ShowStill(20);
  for (const cv::Size size : {cv::Size(1, 1), cv::Size(2, 180), cv::Size(320, 1), cv::Size(320, 180)}) {
    for (int i = 0; i < 10; ++i) camera.Show(cv::Mat(size, CV_8UC1, cv::Scalar(i % 2 == 0 ? 20 : 230)));
  }
  AnalysisFrame frame;
  EXPECT_EQ(camera.stream().Analyze(frame).error().code, ErrorCode::kInvalidArgument);
  frame.image = cv::Mat(180, 320, CV_8UC3);
  EXPECT_EQ(camera.stream().Analyze(frame).error().code, ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace millrace::testing
