// The objects analyzer over networks that say what they are told: every form of output, the way back from the
// network's picture, and clear words where something does not fit.
#include "consumers/objects/objects_analyzer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <cmath>
#include <fstream>
#include <limits>
#include <opencv2/core.hpp>
#include <string>
#include <vector>

#include "tests/consumers/onnx_model.h"
#include "tests/consumers/test_media.h"

namespace millrace::testing {
namespace {

using ::testing::HasSubstr;

constexpr int kSide = 64;
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

// Three things of a network of 64 x 64 with classes person, dog, car; the second nearly the same as the
// first.
struct Thing {
  float x, y, width, height;  // the centre, pixels
  std::size_t label;
  float score;
};
const std::vector<Thing> kThings = {
    {16, 32, 16, 16, 0, 0.9F}, {17, 32, 16, 16, 0, 0.8F}, {48, 40, 8, 20, 2, 0.7F}};

ToldOutput Yolo5(const std::vector<Thing>& things, std::size_t classes = 3) {
  constexpr std::size_t kRows = 20;
  const std::size_t columns = 5 + classes;
  ToldOutput output{
      "output", {1, kRows, static_cast<std::int64_t>(columns)}, std::vector<float>(kRows * columns)};
  for (std::size_t i = 0; i < things.size(); ++i) {
    float* row = output.values.data() + i * columns;
    const Thing& thing = things[i];
    row[0] = thing.x;
    row[1] = thing.y;
    row[2] = thing.width;
    row[3] = thing.height;
    row[4] = thing.score;
    row[5 + thing.label] = 1;
  }
  return output;
}

ToldOutput Yolo8(const std::vector<Thing>& things) {
  constexpr std::size_t kColumns = 84;
  ToldOutput output{"output0", {1, 7, kColumns}, std::vector<float>(7 * kColumns)};
  for (std::size_t i = 0; i < things.size(); ++i) {
    const Thing& thing = things[i];
    const float column[] = {thing.x, thing.y, thing.width, thing.height};
    for (std::size_t k = 0; k < 4; ++k) output.values[k * kColumns + i] = column[k];
    output.values[(4 + thing.label) * kColumns + i] = thing.score;
  }
  return output;
}

ToldOutput Ssd(const std::vector<Thing>& things) {
  ToldOutput output{"detection_out", {1, 1, 10, 7}, {}};
  for (std::size_t i = 0; i < 10; ++i) {
    if (i >= things.size()) {
      output.values.insert(output.values.end(), {-1, 0, 0, 0, 0, 0, 0});
      continue;
    }
    const Thing& thing = things[i];
    output.values.insert(output.values.end(),
                         {0, static_cast<float>(thing.label + 1), thing.score,
                          (thing.x - thing.width / 2) / kSide, (thing.y - thing.height / 2) / kSide,
                          (thing.x + thing.width / 2) / kSide, (thing.y + thing.height / 2) / kSide});
  }
  return output;
}

// With a background class.
std::vector<ToldOutput> SsdPair(const std::vector<Thing>& things) {
  ToldOutput boxes{"boxes", {1, 10, 4}, std::vector<float>(40)};
  ToldOutput scores{"scores", {1, 10, 4}, std::vector<float>(40)};
  for (std::size_t i = 0; i < 10; ++i) scores.values[i * 4] = 0.99F;
  for (std::size_t i = 0; i < things.size(); ++i) {
    const Thing& thing = things[i];
    scores.values[i * 4 + 1 + thing.label] = thing.score;
    float* corners = boxes.values.data() + i * 4;
    corners[0] = (thing.x - thing.width / 2) / kSide;
    corners[1] = (thing.y - thing.height / 2) / kSide;
    corners[2] = (thing.x + thing.width / 2) / kSide;
    corners[3] = (thing.y + thing.height / 2) / kSide;
  }
  return {std::move(scores), std::move(boxes)};
}

class ObjectsTest : public ::testing::Test {
 protected:
  boost::json::object Options(const std::vector<ToldOutput>& outputs,
                              const std::string& labels = "person\ndog\ncar\n") {
    return OptionsOf(MakeOnnxModel(kSide, kSide, outputs), labels);
  }
  boost::json::object OptionsOf(const std::string& model, const std::string& labels) {
    std::ofstream(directory_.File("model.onnx"), std::ios::binary) << model;
    std::ofstream(directory_.File("labels.txt"), std::ios::binary) << labels;
    return {{"model", directory_.File("model.onnx")},
            {"labels", directory_.File("labels.txt")},
            {"width", kSide},
            {"height", kSide}};
  }

  static boost::json::array Find(const boost::json::object& options, const cv::Mat& picture) {
    auto analyzer = ObjectsAnalyzer::Make(options);
    if (!analyzer) {
      ADD_FAILURE() << analyzer.error().ToString();
      return {};
    }
    auto stream = (*analyzer)->Open("gate", options);
    if (!stream) {
      ADD_FAILURE() << stream.error().ToString();
      return {};
    }
    AnalysisFrame frame;
    frame.image = picture;
    auto found = (*stream)->Analyze(frame);
    if (!found) {
      ADD_FAILURE() << found.error().ToString();
      return {};
    }
    return found->at("Labels").as_array();
  }

  void ExpectError(const boost::json::object& options, ErrorCode code, const std::string& text) {
    auto analyzer = ObjectsAnalyzer::Make(options);
    ASSERT_FALSE(analyzer) << text;
    EXPECT_EQ(analyzer.error().code, code) << analyzer.error().ToString();
    EXPECT_THAT(analyzer.error().message, HasSubstr(text));
  }

  TemporaryDirectory directory_;
};

void ExpectBox(const boost::json::value& instance, double left, double top, double width, double height) {
  const auto& box = instance.at("BoundingBox");
  EXPECT_NEAR(box.at("Left").to_number<double>(), left, 1e-4);
  EXPECT_NEAR(box.at("Top").to_number<double>(), top, 1e-4);
  EXPECT_NEAR(box.at("Width").to_number<double>(), width, 1e-4);
  EXPECT_NEAR(box.at("Height").to_number<double>(), height, 1e-4);
}

TEST_F(ObjectsTest, EveryFormOfOutputsSaysTheSame) {
  const cv::Mat picture(128, 128, CV_8UC3, cv::Scalar(10, 20, 30));
  const std::vector<std::vector<ToldOutput>> models = {
      {Yolo5(kThings)}, {Yolo8(kThings)}, {Ssd(kThings)}, SsdPair(kThings)};
  for (const std::vector<ToldOutput>& outputs : models) {
    const boost::json::array labels = Find(Options(outputs), picture);
    ASSERT_EQ(labels.size(), 2u) << outputs[0].name;
    EXPECT_EQ(labels[0].at("Name").as_string(), "person");
    EXPECT_NEAR(labels[0].at("Confidence").to_number<double>(), 90, 0.01);
    ASSERT_EQ(labels[0].at("Instances").as_array().size(), 1u) << "of two that overlap, the better one";
    ExpectBox(labels[0].at("Instances").at(0), 8.0 / 64, 24.0 / 64, 16.0 / 64, 16.0 / 64);
    EXPECT_EQ(labels[1].at("Name").as_string(), "car");
    ExpectBox(labels[1].at("Instances").at(0), 44.0 / 64, 30.0 / 64, 8.0 / 64, 20.0 / 64);
  }
}

TEST_F(ObjectsTest, BoxesComeBackFromTheLetterbox) {
  // Of 128 x 32 the network sees 64 x 16, with 24 rows of grey above and below.
  const cv::Mat wide(32, 128, CV_8UC3, cv::Scalar(0));
  boost::json::array labels = Find(Options({Yolo5({{32, 32, 16, 8, 1, 0.9F}})}), wide);
  ASSERT_EQ(labels.size(), 1u);
  ExpectBox(labels[0].at("Instances").at(0), 24.0 / 64, 4.0 / 16, 16.0 / 64, 8.0 / 16);
  // What reaches beyond the picture is cut; what lies in the grey alone is none.
  labels = Find(Options({Yolo5({{32, 24, 16, 8, 1, 0.9F}, {10, 4, 6, 6, 0, 0.9F}})}), wide);
  ASSERT_EQ(labels.size(), 1u);
  ExpectBox(labels[0].at("Instances").at(0), 24.0 / 64, 0, 16.0 / 64, 4.0 / 16);
  const cv::Mat tall(128, 32, CV_8UC3, cv::Scalar(0));
  labels = Find(Options({Yolo8({{32, 32, 8, 16, 1, 0.9F}})}), tall);
  ASSERT_EQ(labels.size(), 1u);
  ExpectBox(labels[0].at("Instances").at(0), 4.0 / 16, 24.0 / 64, 8.0 / 16, 16.0 / 64);
}

TEST_F(ObjectsTest, ThresholdOverlapAndClassesAreTheUsers) {
  const cv::Mat picture(64, 64, CV_8UC3, cv::Scalar(0));
  boost::json::object options = Options({Yolo5(kThings)});
  options["confidence_min"] = 75;
  EXPECT_EQ(Find(options, picture).size(), 1u);
  options["confidence_min"] = 50;
  options["overlap_max"] = 99;
  EXPECT_EQ(Find(options, picture).at(0).at("Instances").as_array().size(), 2u);
  options["classes"] = boost::json::array{"car", "dog"};
  const boost::json::array labels = Find(options, picture);
  ASSERT_EQ(labels.size(), 1u);
  EXPECT_EQ(labels[0].at("Name").as_string(), "car");
}

TEST_F(ObjectsTest, ColoursComeInTheOrderAndScaleThatAreAskedFor) {
  ToldOutput output = Yolo5({{32, 32, 16, 16, 0, 0}});
  output.weights.resize(3 * output.values.size());
  output.weights[3 * 4] = 1;  // objectness is the first colour's mean
  const cv::Mat red(64, 64, CV_8UC3, cv::Scalar(0, 0, 204));
  boost::json::object options = Options({output});
  const boost::json::array labels = Find(options, red);
  ASSERT_EQ(labels.size(), 1u);
  EXPECT_NEAR(labels[0].at("Confidence").to_number<double>(), 80, 0.1);
  options["bgr"] = true;
  EXPECT_EQ(Find(options, red).size(), 0u);
  options["bgr"] = false;
  options["mean"] = boost::json::array{127.5, 127.5, 127.5};
  options["scale"] = 1 / 127.5;
  EXPECT_NEAR(Find(options, red).at(0).at("Confidence").to_number<double>(), 60, 0.1);
}

TEST_F(ObjectsTest, NumbersThatAreNoneAreNoObjects) {
  const cv::Mat picture(64, 64, CV_8UC3, cv::Scalar(0));
  const float huge = std::numeric_limits<float>::max();
  const float infinite = std::numeric_limits<float>::infinity();
  EXPECT_EQ(Find(Options({Yolo5({{kNaN, 1, 2, 3, 0, 0.9F},
                                 {32, 32, 0, 5, 0, 0.9F},
                                 {32, 32, -4, 5, 0, 0.9F},
                                 {huge, huge, huge, huge, 0, 0.9F},
                                 {32, 32, infinite, 5, 0, 0.9F},
                                 {32, 32, 5, 5, 0, kNaN}})}),
                 picture)
                .size(),
            0u);
  ToldOutput ssd = Ssd({{32, 32, 5, 5, 7, 0.9F}, {32, 32, 5, 5, 0, 0.9F}});  // a class without a label
  ssd.values[7 + 1] = -3;
  EXPECT_EQ(Find(Options({ssd}), picture).size(), 0u);
}

TEST_F(ObjectsTest, SaysWhatIsMissingOrDoesNotFit) {
  ExpectError({}, ErrorCode::kInvalidArgument, "model");
  ExpectError({{"model", "/m.onnx"}}, ErrorCode::kInvalidArgument, "labels");
  ExpectError({{"model", directory_.File("none.onnx")}, {"labels", "l"}}, ErrorCode::kNotFound, "none.onnx");
  boost::json::object options = Options({Yolo5(kThings)});
  options["labels"] = directory_.File("none.txt");
  ExpectError(options, ErrorCode::kNotFound, "none.txt");
  ExpectError(Options({Yolo5(kThings)}, "person\ndog\n"), ErrorCode::kInvalidArgument,
              "1x20x8 has 3 classes, and there are 2 labels");
  ExpectError(Options({Yolo8(kThings)}, "person\n"), ErrorCode::kInvalidArgument,
              "1x7x84 has 3 classes, and there are 1 label");
  ExpectError(Options({Yolo5(kThings)}, ""), ErrorCode::kInvalidArgument, "empty");
  ExpectError(Options({Yolo5(kThings)}, std::string("person\0dog", 10)), ErrorCode::kInvalidArgument,
              "no text");
  ExpectError(Options({Yolo5(kThings)}, "person\nd\xE9j\xE0\ncar\n"), ErrorCode::kInvalidArgument,
              "line 2 is not UTF-8");
  ExpectError(Options({Yolo5(kThings)}, std::string(300, 'x')), ErrorCode::kInvalidArgument, "line 1");
  ExpectError(Options({{"output", {1, 10}, std::vector<float>(10)}}), ErrorCode::kUnsupported, "1x10");
  ExpectError(
      Options({Yolo5(kThings), {"b", {1, 4}, std::vector<float>(4)}, {"c", {1, 4}, std::vector<float>(4)}}),
      ErrorCode::kUnsupported, "1x4, 1x4, 1x20x8");
  ExpectError(OptionsOf("no model at all", "person\n"), ErrorCode::kUnsupported, "model.onnx");
  ExpectError(OptionsOf("", "person\n"), ErrorCode::kUnsupported, "model.onnx");
  options = Options({Yolo5(kThings)});
  options["classes"] = boost::json::array{"cat"};
  ExpectError(options, ErrorCode::kInvalidArgument, "'cat'");
  options = Options({Yolo5(kThings)});
  options["confidence"] = 50;
  ExpectError(options, ErrorCode::kInvalidArgument, "confidence");
  options = Options({Yolo5(kThings)});
  options["mean"] = boost::json::array{1, 2};
  ExpectError(options, ErrorCode::kInvalidArgument, "mean");
}

TEST_F(ObjectsTest, TheVersionNamesTheModelAndWhatDecides) {
  boost::json::object options = Options({Yolo5(kThings)});
  const std::string version = (*ObjectsAnalyzer::Make(options))->version();
  options["confidence_min"] = 60;
  EXPECT_NE((*ObjectsAnalyzer::Make(options))->version(), version);
  EXPECT_NE((*ObjectsAnalyzer::Make(Options({Yolo5({})})))->version(), version);
  EXPECT_NE((*ObjectsAnalyzer::Make(Options({Yolo5(kThings)}, "person\ndog\nlorry")))->version(), version);
  EXPECT_EQ((*ObjectsAnalyzer::Make(Options({Yolo5(kThings)})))->version(), version);
}

TEST_F(ObjectsTest, ABackgroundAmongTheLabelsIsNoClass) {
  const cv::Mat picture(64, 64, CV_8UC3, cv::Scalar(0));
  const boost::json::array labels = Find(Options({Ssd(kThings)}, "background\nperson\ndog\ncar"), picture);
  ASSERT_EQ(labels.size(), 2u);
  EXPECT_EQ(labels[0].at("Name").as_string(), "person");
}

TEST_F(ObjectsTest, StreamsShareTheNetwork) {
  boost::json::object options = Options({Yolo5(kThings)});
  auto analyzer = ObjectsAnalyzer::Make(options);
  ASSERT_TRUE(analyzer);
  options["confidence_min"] = 60;
  EXPECT_EQ((*analyzer)->Open("gate", options).error().code, ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace millrace::testing
