// The analyzer on single pictures: what its records say, and what it makes of pictures that are none.
#include "consumers/faces/faces_analyzer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <limits>
#include <opencv2/core.hpp>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>
#include <ostream>
#include <set>
#include <string>
#include <vector>

#include "consumers/faces/cascade_detector.h"

namespace millrace::testing {
namespace {

using ::testing::HasSubstr;

// The astronaut's portrait in the middle of an empty picture, `rows` high, of which it takes `part`.
cv::Mat WithPortrait(int rows, int columns, double part) {
  cv::Mat picture(rows, columns, CV_8UC1, cv::Scalar::all(120));
  const cv::Mat portrait = cv::imread(SAMPLE_MEDIA "/astronaut.png", cv::IMREAD_GRAYSCALE);
  EXPECT_FALSE(portrait.empty());
  const int side = static_cast<int>(rows * part);
  cv::Mat small;
  cv::resize(portrait, small, {side, side}, 0, 0, cv::INTER_AREA);
  small.copyTo(picture(cv::Rect((columns - side) / 2, (rows - side) / 2, side, side)));
  return picture;
}

std::unique_ptr<FrameAnalyzer> Open(const FaceSettings& settings = {}) {
  auto analyzer = FacesAnalyzer::MakeFrom({.detector = settings});
  EXPECT_TRUE(analyzer) << analyzer.error().ToString();
  return analyzer ? std::move(*analyzer) : nullptr;
}

boost::json::object Analyze(FrameAnalyzer& analyzer, const cv::Mat& picture) {
  AnalysisFrame frame;
  frame.image = picture;
  auto stream = analyzer.Open("door", {});
  EXPECT_TRUE(stream) << stream.error().ToString();
  auto members = (*stream)->Analyze(frame);
  EXPECT_TRUE(members) << members.error().ToString();
  return members ? *members : boost::json::object{};
}

TEST(FacesAnalyzerTest, SaysWhatItIs) {
  const auto analyzer = Open();
  EXPECT_EQ(analyzer->name(), "faces");
  EXPECT_THAT(analyzer->version(), ::testing::MatchesRegex("cascade1-t1-[0-9a-f]+"));
  EXPECT_EQ(analyzer->picture_form(), (PictureForm{PictureFormat::kGray, 240}));
  EXPECT_EQ(Open({.smallest_face = 0.05})->picture_form().rows_max, 480);
}

TEST(FacesAnalyzerTest, AllThatDecidesResultsIsAnotherVersion) {
  std::set<std::string> versions;
  const auto is_new = [&](const FacesSettings& settings) {
    const auto analyzer = FacesAnalyzer::MakeFrom(settings);
    EXPECT_TRUE(analyzer) << analyzer.error().ToString();
    return analyzer && versions.insert((*analyzer)->version()).second;
  };
  EXPECT_TRUE(is_new({}));
  EXPECT_FALSE(is_new({})) << "the same settings are the same version";
  EXPECT_TRUE(is_new({.detector = {.smallest_face = 0.05}}));
  EXPECT_TRUE(is_new({.collection = "staff"}));
  EXPECT_TRUE(is_new({.stream = {.confidence_min = 60}}));
  EXPECT_TRUE(is_new({.stream = {.match_threshold = 90}}));
  EXPECT_TRUE(is_new({.stream = {.detect_every = 2}}));
  EXPECT_TRUE(is_new({.stream = {.only_moving = true}}));
}

TEST(FacesAnalyzerTest, WritesRekognitionsRecord) {
  const auto analyzer = Open();
  const boost::json::object members = Analyze(*analyzer, WithPortrait(240, 426, 0.8));
  ASSERT_EQ(members.size(), 1u);
  const boost::json::array& faces = members.at("FaceSearchResponse").as_array();
  ASSERT_EQ(faces.size(), 1u) << boost::json::serialize(members);
  const boost::json::object& face = faces[0].as_object();
  EXPECT_EQ(face.at("MatchedFaces").as_array().size(), 0u);
  const boost::json::object& detected = face.at("DetectedFace").as_object();
  EXPECT_TRUE(detected.at("Landmarks").as_array().empty());
  EXPECT_GT(detected.at("Confidence").as_double(), 60);
  EXPECT_LE(detected.at("Confidence").as_double(), 100);
  const boost::json::object& box = detected.at("BoundingBox").as_object();
  ASSERT_EQ(box.size(), 4u);
  // The face in the portrait is at 181 to 271 and 75 to 180 of 512; the portrait is 192 of 426 x 240.
  EXPECT_NEAR(box.at("Left").as_double() + box.at("Width").as_double() / 2, (117 + 226 * 0.375) / 426, 0.02);
  EXPECT_NEAR(box.at("Top").as_double() + box.at("Height").as_double() / 2, (24 + 127 * 0.375) / 240, 0.04);
}

TEST(FacesAnalyzerTest, AFaceIsFoundHoweverLargeItIs) {
  const auto analyzer = Open();
  for (const double part : {0.5, 0.7, 0.9, 1.0}) {
    EXPECT_EQ(Analyze(*analyzer, WithPortrait(240, 426, part)).at("FaceSearchResponse").as_array().size(), 1u)
        << part;
  }
  // A close-up: the face alone fills the picture.
  const cv::Mat portrait = cv::imread(SAMPLE_MEDIA "/astronaut.png", cv::IMREAD_GRAYSCALE);
  cv::Mat close;
  cv::resize(portrait(cv::Rect(140, 30, 170, 190)), close, {215, 240}, 0, 0, cv::INTER_LINEAR);
  EXPECT_EQ(Analyze(*analyzer, close).at("FaceSearchResponse").as_array().size(), 1u);
}

TEST(FacesAnalyzerTest, NothingFoundIsAnEmptyList) {
  const auto analyzer = Open();
  cv::Mat noise(240, 426, CV_8UC1);
  cv::RNG random(1);
  random.fill(noise, cv::RNG::UNIFORM, 0, 256);
  const cv::Mat pictures[] = {cv::Mat::zeros(240, 426, CV_8UC1), noise,
                              cv::Mat::zeros(1, 1, CV_8UC1),     cv::Mat::ones(24, 24, CV_8UC1),
                              cv::Mat::zeros(3, 4000, CV_8UC1),  cv::Mat::zeros(240, 5, CV_8UC1)};
  for (const cv::Mat& picture : pictures) {
    EXPECT_EQ(boost::json::serialize(Analyze(*analyzer, picture)), R"({"FaceSearchResponse":[]})")
        << picture.size();
  }
}

TEST(FacesAnalyzerTest, RefusesPicturesOfAnotherForm) {
  const auto analyzer = Open();
  const cv::Mat pictures[] = {cv::Mat(), cv::Mat::zeros(240, 320, CV_8UC3), cv::Mat::zeros(24, 24, CV_32FC1)};
  for (const cv::Mat& picture : pictures) {
    AnalysisFrame frame;
    frame.image = picture;
    const auto members = (*analyzer->Open("door", {}))->Analyze(frame);
    ASSERT_FALSE(members);
    EXPECT_EQ(members.error().code, ErrorCode::kInvalidArgument);
  }
}

// A wall of portraits: many faces are found, and a bounded number of candidates is looked at.
TEST(FacesAnalyzerTest, FindsManyFaces) {
  const auto analyzer = Open();
  cv::Mat wall(240, 640, CV_8UC1);
  const cv::Mat one = WithPortrait(120, 128, 1.0);
  for (int y = 0; y < 2; ++y) {
    for (int x = 0; x < 5; ++x) one.copyTo(wall(cv::Rect(x * 128, y * 120, 128, 120)));
  }
  const auto faces = Analyze(*analyzer, wall).at("FaceSearchResponse").as_array();
  EXPECT_GE(faces.size(), 8u);
  EXPECT_LE(faces.size(), CascadeDetector::kCandidatesMax);
}

// Sees a thousand faces in each picture, with all their landmarks.
class CrowdDetector final : public FaceDetector {
 public:
  std::string version() const override { return "crowd1"; }
  PictureForm form() const override { return {PictureFormat::kGray, 0}; }
  std::vector<Face> Detect(const cv::Mat&) override {
    std::vector<Face> faces;
    for (int i = 0; i < 1000; ++i) {
      const double x = 0.0101010101 * (i % 40) * 2.4;
      const double y = 0.0101010101 * (i / 40) * 3.8;
      Face face{{x, y, 0.0123456789, 0.0234567891}, 50 + i * 0.0499};
      for (int k = 0; k < 5; ++k) {
        face.landmarks.push_back({static_cast<LandmarkType>(k), {x + 0.00123456 * k, y + 0.00234567 * k}});
      }
      faces.push_back(std::move(face));
    }
    return faces;
  }
};

TEST(FacesAnalyzerTest, ACrowdIsCutToItsBestFaces) {
  CrowdDetector detector;
  FacesStream stream("square", {.detector = detector}, {});
  AnalysisFrame frame;
  frame.image = cv::Mat::zeros(240, 426, CV_8UC1);
  const auto members = stream.Analyze(frame);
  ASSERT_TRUE(members) << members.error().ToString();
  const boost::json::array& faces = members->at("FaceSearchResponse").as_array();
  ASSERT_EQ(faces.size(), FacesStream::kFacesMax);
  EXPECT_NEAR(faces[0].at("DetectedFace").at("Confidence").to_number<double>(), 99.85, 0.01);
  EXPECT_NEAR(faces[299].at("DetectedFace").at("Confidence").to_number<double>(), 84.93, 0.01);
  EXPECT_LT(boost::json::serialize(*members).size(), std::size_t{256} << 10);
}

TEST(FacesAnalyzerTest, LandmarksAreWritten) {
  const Face face{{0.1, 0.2, 0.3, 0.4},
                  97.5,
                  {{LandmarkType::kEyeLeft, {0.15, 0.25}}, {LandmarkType::kNose, {0.2, 0.3}}}};
  const boost::json::value expected = boost::json::parse(R"({"FaceSearchResponse": [{"DetectedFace": {
      "BoundingBox": {"Height": 0.4, "Width": 0.3, "Left": 0.1, "Top": 0.2}, "Confidence": 97.5,
      "Landmarks": [{"X": 0.15, "Y": 0.25, "Type": "eyeLeft"}, {"X": 0.2, "Y": 0.3, "Type": "nose"}]},
      "MatchedFaces": []}]})");
  EXPECT_EQ(boost::json::value(FaceSearchResponse({{.face = face}}, nullptr)), expected);
}

struct SettingsCase {
  const char* name;
  FaceSettings settings;
  ErrorCode code;
  const char* says;
};
void PrintTo(const SettingsCase& test, std::ostream* out) { *out << test.name; }

class FaceSettingsRefused : public ::testing::TestWithParam<SettingsCase> {};

TEST_P(FaceSettingsRefused, WithAReason) {
  const auto analyzer = FacesAnalyzer::MakeFrom({.detector = GetParam().settings});
  ASSERT_FALSE(analyzer);
  EXPECT_EQ(analyzer.error().code, GetParam().code);
  EXPECT_THAT(analyzer.error().message, HasSubstr(GetParam().says));
}

INSTANTIATE_TEST_SUITE_P(
    All, FaceSettingsRefused,
    ::testing::Values(
        SettingsCase{"NoData", {.opencv_data = "/nowhere"}, ErrorCode::kNotFound, "opencv-data"},
        SettingsCase{"TooSmall", {.smallest_face = 0.01}, ErrorCode::kInvalidArgument, "0.02 to 1"},
        SettingsCase{"TooLarge", {.smallest_face = 1.5}, ErrorCode::kInvalidArgument, "0.02 to 1"},
        SettingsCase{"NotANumber",
                     {.smallest_face = std::numeric_limits<double>::quiet_NaN()},
                     ErrorCode::kInvalidArgument,
                     "0.02 to 1"},
        SettingsCase{"Confidence", {.confidence_min = 101}, ErrorCode::kInvalidArgument, "0 to 100"},
        SettingsCase{"NoModel", {.model = "/nowhere/a.onnx"}, ErrorCode::kNotFound, "/nowhere/a.onnx"}),
    [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace millrace::testing
