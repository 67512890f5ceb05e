// SFace through a stand-in model: what the network says is compared, and other files are refused in words.
#include "consumers/faces/sface_recognizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <opencv2/core.hpp>
#include <string>

#include "consumers/faces/faces_analyzer.h"
#include "model_file.h"
#include "yunet_model.h"

namespace millrace::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

// A face in the middle, upright.
Face MiddleFace() {
  return {.box = {0.3, 0.3, 0.4, 0.4},
          .confidence = 95,
          .landmarks = {{LandmarkType::kEyeLeft, {0.42, 0.42}},
                        {LandmarkType::kEyeRight, {0.58, 0.42}},
                        {LandmarkType::kNose, {0.5, 0.5}},
                        {LandmarkType::kMouthLeft, {0.44, 0.6}},
                        {LandmarkType::kMouthRight, {0.56, 0.6}}}};
}

TEST(SfaceRecognizerTest, ComparesWhatTheNetworkSays) {
  const ModelFile model(MakeSfaceModel(128));
  auto recognizer = MakeFaceRecognizer({.model = model.path()});
  ASSERT_TRUE(recognizer) << recognizer.error().ToString();
  EXPECT_THAT((*recognizer)->version(), StartsWith("sface1-"));
  EXPECT_TRUE((*recognizer)->needs_landmarks());
  const cv::Mat red(200, 200, CV_8UC3, cv::Scalar(10, 10, 200));
  const cv::Mat blue(200, 200, CV_8UC3, cv::Scalar(200, 10, 10));
  const cv::Mat a = (*recognizer)->Describe(red, MiddleFace());
  ASSERT_EQ(a.total(), 128u);
  EXPECT_GT((*recognizer)->Similarity(a, a), 99);
  EXPECT_LT((*recognizer)->Similarity(a, (*recognizer)->Describe(blue, MiddleFace())), 5);
}

TEST(SfaceRecognizerTest, WithoutLandmarksOrColourThereIsNothingToGoBy) {
  const ModelFile model(MakeSfaceModel(128));
  auto recognizer = MakeFaceRecognizer({.model = model.path()});
  ASSERT_TRUE(recognizer);
  const cv::Mat picture(200, 200, CV_8UC3, cv::Scalar::all(99));
  Face blind = MiddleFace();
  blind.landmarks.clear();
  EXPECT_TRUE((*recognizer)->Describe(picture, blind).empty());
  EXPECT_TRUE((*recognizer)->Describe(cv::Mat(200, 200, CV_8UC1, cv::Scalar(9)), MiddleFace()).empty());
  EXPECT_TRUE((*recognizer)->Describe(cv::Mat::zeros(200, 200, CV_8UC3), MiddleFace()).empty());
}

TEST(SfaceRecognizerTest, AnotherFileIsRefusedWithTheNameOfTheRightOne) {
  const std::string good = MakeSfaceModel(128);
  const struct {
    std::string bytes;
    const char* says;
  } cases[] = {{"", "empty"},
               {"no model at all", "cannot be run as ONNX"},
               {std::string(100000, '\0'), "cannot be run as ONNX"},
               {good.substr(0, good.size() / 2), "no model to recognise faces with"},
               {MakeSfaceModel(3), "makes 3 numbers"},
               {MakeYunetModel({}), "no model to recognise faces with"}};
  for (const auto& test : cases) {
    const ModelFile model(test.bytes);
    const auto recognizer = MakeFaceRecognizer({.model = model.path()});
    ASSERT_FALSE(recognizer) << test.says;
    EXPECT_EQ(recognizer.error().code, ErrorCode::kUnsupported);
    EXPECT_THAT(recognizer.error().message, HasSubstr("face_recognition_sface_2021dec.onnx"));
    EXPECT_THAT(recognizer.error().message, HasSubstr(test.says));
  }
  const auto missing = MakeFaceRecognizer({.model = "/nowhere/sface.onnx"});
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ErrorCode::kNotFound);
}

TEST(SfaceRecognizerTest, OptionsThatDoNotFitTogetherAreRefused) {
  const ModelFile model(MakeSfaceModel(128));
  const struct {
    boost::json::object options;
    const char* says;
  } cases[] = {{{{"recognizer_model", model.path()}}, "without a collection"},
               {{{"recognizer_model", model.path()}, {"collection", "staff"}}, "YuNet model"},
               {{{"collection", "no/such name"}}, "a-z, A-Z"},
               {{{"match_threshold", 101}}, "match_threshold"},
               {{{"detect_every", 0}}, "detect_every"},
               {{{"only_moving", 1}}, "only_moving"},
               {{{"colection", "staff"}}, "colection"}};
  for (const auto& test : cases) {
    const auto analyzer = FacesAnalyzer::Make(test.options);
    ASSERT_FALSE(analyzer) << test.says;
    EXPECT_EQ(analyzer.error().code, ErrorCode::kInvalidArgument);
    EXPECT_THAT(analyzer.error().message, HasSubstr(test.says));
  }
}

TEST(SfaceRecognizerTest, AStreamHasOptionsOfItsOwn) {
  auto analyzer = FacesAnalyzer::Make({{"confidence_min", 60}});
  ASSERT_TRUE(analyzer);
  EXPECT_TRUE(
      (*analyzer)->Open("door", {{"confidence_min", 80}, {"detect_every", 5}, {"only_moving", true}}));
  const struct {
    boost::json::object options;
    const char* says;
  } cases[] = {{{{"smallest_face", 0.2}}, "the same for all streams"},
               {{{"collection", "staff"}}, "the same for all streams"},
               {{{"confidence_min", 50}}, "less than the analyzer's"},
               {{{"detect_every", "often"}}, "detect_every"}};
  for (const auto& test : cases) {
    const auto stream = (*analyzer)->Open("door", test.options);
    ASSERT_FALSE(stream) << test.says;
    EXPECT_EQ(stream.error().code, ErrorCode::kInvalidArgument);
    EXPECT_THAT(stream.error().message, HasSubstr(test.says));
  }
}

}  // namespace
}  // namespace millrace::testing
