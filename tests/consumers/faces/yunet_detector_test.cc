// YuNet through a stand-in model: what the network says comes out as faces, and other models are refused in
// words.
#include "consumers/faces/yunet_detector.h"

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

TEST(YunetDetectorTest, GivesWhatTheNetworkSays) {
  // Anchors 224 to 231 are those of the 2 x 2 cells of 32 pixels, 64 and 96 pixels large in each.
  PriorOutput left{.prior = 224, .score = 0.81F};
  left.location = {0, 0, -10.0F, -10.0F};  // a face of 64 exp(-1) = 23.5 pixels around (16, 16)
  left.location.resize(14);
  left.location[4] = -1.0F;  // right eye of the person: 0.1 x 64 pixels to the left
  PriorOutput right{.prior = 230, .score = 0.64F};
  right.location = {0, 0, -10.0F, -10.0F};
  right.location.resize(14);
  const ModelFile model(MakeYunetModel({left, right}));
  auto detector = MakeFaceDetector({.model = model.path(), .smallest_face = 0.25});
  ASSERT_TRUE(detector) << detector.error().ToString();
  EXPECT_EQ((*detector)->form(), (PictureForm{PictureFormat::kBgr, 64}));
  EXPECT_THAT((*detector)->version(), StartsWith("yunet1-"));

  const std::vector<Face> faces = (*detector)->Detect(cv::Mat::zeros(64, 64, CV_8UC3));
  ASSERT_EQ(faces.size(), 2u);
  EXPECT_NEAR(faces[0].confidence, 90, 0.1);  // the root of score and overlap
  EXPECT_NEAR(faces[1].confidence, 80, 0.1);
  EXPECT_NEAR(faces[0].box.x + faces[0].box.width / 2, 0.25, 0.01);
  EXPECT_NEAR(faces[0].box.y + faces[0].box.height / 2, 0.25, 0.01);
  EXPECT_NEAR(faces[0].box.width * 64, 64 / 2.718, 0.5);
  ASSERT_EQ(faces[0].landmarks.size(), 5u);
  EXPECT_EQ(faces[0].landmarks[0].type, LandmarkType::kEyeLeft);
  EXPECT_NEAR(faces[0].landmarks[0].place.x, 0.25 - 0.1, 0.01);
  EXPECT_NEAR(faces[0].landmarks[1].place.x, 0.25, 0.01);
}

TEST(YunetDetectorTest, LeavesOutWhatIsNotSureEnough) {
  PriorOutput face{.prior = 224, .score = 0.49F};  // 70 of 100
  const ModelFile model(MakeYunetModel({face}));
  for (const auto& [least, count] : {std::pair{60.0, 1u}, std::pair{80.0, 0u}}) {
    auto detector = MakeFaceDetector({.model = model.path(), .confidence_min = least});
    ASSERT_TRUE(detector);
    EXPECT_EQ((*detector)->Detect(cv::Mat::zeros(64, 64, CV_8UC3)).size(), count);
  }
}

// The stand-in gives as much for any picture as for one of 64 x 64: less than a larger one's
// anchors.
TEST(YunetDetectorTest, OutputsTooSmallForAPictureAreNotReadBeyondTheirEnd) {
  const ModelFile model(MakeYunetModel({{.prior = 224, .score = 0.81F}}));
  auto detector = MakeFaceDetector({.model = model.path(), .smallest_face = 0.25});
  ASSERT_TRUE(detector) << detector.error().ToString();
  for (const cv::Size& size : {cv::Size(96, 64), cv::Size(65, 64), cv::Size(640, 360)}) {
    EXPECT_THROW((*detector)->Detect(cv::Mat::zeros(size, CV_8UC3)), cv::Exception) << size;
  }
  EXPECT_EQ((*detector)->Detect(cv::Mat::zeros(64, 64, CV_8UC3)).size(), 1u);
}

TEST(YunetDetectorTest, AnotherModelIsRefusedWithTheNameOfTheRightOne) {
  const std::string good = MakeYunetModel({});
  const struct {
    std::string bytes;
    const char* says;
  } cases[] = {{"", "empty"},
               {"no model at all", "cannot be run as ONNX"},
               {std::string(100000, '\0'), "cannot be run as ONNX"},
               {good.substr(0, good.size() / 2), "("},
               {MakeYunetModel({}, {"cls_8", "obj_8", "bbox_8"}), "this one's are bbox_8, cls_8, obj_8"},
               {MakeYunetModel({}, {"loc", "conf"}), "whose outputs are loc, conf and iou"},
               {MakeYunetModel({}, {"conf", "loc", "iou"}), "another size"}};
  for (const auto& test : cases) {
    const ModelFile model(test.bytes);
    const auto analyzer = FacesAnalyzer::MakeFrom({.detector = {.model = model.path()}});
    ASSERT_FALSE(analyzer) << test.says;
    EXPECT_EQ(analyzer.error().code, ErrorCode::kUnsupported);
    EXPECT_THAT(analyzer.error().message, HasSubstr("face_detection_yunet_2022mar.onnx"));
    EXPECT_THAT(analyzer.error().message, HasSubstr(test.says));
  }
}

}  // namespace
}  // namespace millrace::testing
