// A real face at known places and times, and a street without one: what the faces analyzer finds at its
// defaults.
//
// Method: camera-sim encodes the clips (samples/camera-sim/face_place.h says where the face is); the decoder
// and the analyzer read them as `millrace analyze` does.
#include <gtest/gtest.h>
#include <stdlib.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <opencv2/core.hpp>
#include <string>
#include <vector>

#include "consumers/faces/faces_analyzer.h"
#include "parser/decoder/fragment_decoder.h"
#include "samples/camera-sim/face_place.h"
#include "samples/camera-sim/frame_counter.h"

namespace millrace::testing {
namespace {

constexpr int kWidth = 1280;
constexpr int kHeight = 720;
const std::string kBackground = SAMPLE_MEDIA "/vtest.avi";
const std::string kFace = SAMPLE_MEDIA "/astronaut.png";

// The clip that camera-sim makes with these options, as one document.
ParsedFragment MakeClip(const std::string& options) {
  std::string directory = ::testing::TempDir() + "/millrace-faces-XXXXXX";
  if (mkdtemp(directory.data()) == nullptr) {
    ADD_FAILURE() << "no temporary directory";
    return {};
  }
  const std::string command =
      "timeout 600 " CAMERA_SIM_BIN " --port 0 --no-audio --until-stdin-closes --dump " + directory +
      "/clip.mkv --background " + kBackground + " " + options + " </dev/null >" + directory + "/log 2>&1";
  EXPECT_EQ(std::system(command.c_str()), 0) << command;
  std::ifstream in(directory + "/clip.mkv", std::ios::binary);
  auto parsed = ParseFragment(SharedBytes(Bytes(std::istreambuf_iterator<char>(in), {})));
  std::filesystem::remove_all(directory);
  if (!parsed) {
    ADD_FAILURE() << parsed.error().ToString();
    return {};
  }
  return std::move(*parsed);
}

struct Analysed {
  int index = 0;                  // of the picture in the clip, by its timestamp
  std::vector<cv::Rect2d> boxes;  // ratios
};

std::vector<cv::Rect2d> BoxesOf(const boost::json::object& members) {
  std::vector<cv::Rect2d> boxes;
  for (const boost::json::value& face : members.at("FaceSearchResponse").as_array()) {
    const boost::json::object& box = face.at("DetectedFace").at("BoundingBox").as_object();
    boxes.emplace_back(box.at("Left").to_number<double>(), box.at("Top").to_number<double>(),
                       box.at("Width").to_number<double>(), box.at("Height").to_number<double>());
  }
  return boxes;
}

// Key frames alone, with the analyzer's defaults.
std::vector<Analysed> Analyse(const ParsedFragment& clip, int fps) {
  auto analyzer = FacesAnalyzer::Make({});
  if (!analyzer) {
    ADD_FAILURE() << analyzer.error().ToString();
    return {};
  }
  std::vector<Analysed> all;
  const auto stream = (*analyzer)->Open("door", {});
  EXPECT_TRUE(stream);
  FragmentDecoder decoder({.form = (*analyzer)->picture_form()});
  const auto report = decoder.Decode(clip, [&](const Picture& picture) -> Result<void> {
    AnalysisFrame frame;
    frame.image = picture.image;
    MILLRACE_ASSIGN_OR_RETURN(const boost::json::object members, (*stream)->Analyze(frame));
    all.push_back({static_cast<int>(std::lround(static_cast<double>(picture.timestamp_ns) * fps / 1e9)),
                   BoxesOf(members)});
    return {};
  });
  EXPECT_TRUE(report) << report.error().ToString();
  return all;
}

cv::Rect2d FaceAt(int index, int fps) {
  const auto face = camera_sim::FaceIn(camera_sim::PortraitPlace(index, fps, kWidth, kHeight));
  return {face.x / kWidth, face.y / kHeight, face.width / kWidth, face.height / kHeight};
}

double IntersectionOverUnion(const cv::Rect2d& a, const cv::Rect2d& b) {
  const double both = (a & b).area();
  return both / (a.area() + b.area() - both);
}

TEST(FaceVideoTest, FindsTheFaceAtItsPlaceAndTime) {
  constexpr int kFps = 10;
  const ParsedFragment clip = MakeClip("--face " + kFace + " --fps 10 --gop 2 --duration 30");

  // The pictures' own numbers say that their timestamps are theirs.
  FragmentDecoder decoder({.form = {PictureFormat::kGray, 0}});
  std::vector<int> numbers;
  ASSERT_TRUE(decoder.Decode(clip, [&](const Picture& picture) -> Result<void> {
    const auto number = camera_sim::ReadFrameCounter(picture.image.data, picture.image.step[0], kWidth);
    EXPECT_EQ(number, std::lround(static_cast<double>(picture.timestamp_ns) * kFps / 1e9));
    numbers.push_back(static_cast<int>(number.value_or(0)));
    return {};
  }));

  const std::vector<Analysed> analysed = Analyse(clip, kFps);
  ASSERT_GE(analysed.size(), 150u);
  ASSERT_EQ(analysed.size(), numbers.size());
  std::size_t found = 0;
  std::size_t wrong = 0;
  std::string missed;
  for (std::size_t i = 0; i < analysed.size(); ++i) {
    EXPECT_EQ(analysed[i].index, numbers[i]);
    const cv::Rect2d face = FaceAt(analysed[i].index, kFps);
    double best = 0;
    for (const cv::Rect2d& box : analysed[i].boxes) {
      best = std::max(best, IntersectionOverUnion(box, face));
      wrong += IntersectionOverUnion(box, face) < 0.5 ? 1 : 0;
    }
    found += best >= 0.5 ? 1 : 0;
    if (best < 0.5) missed += " " + std::to_string(analysed[i].index);
  }
  EXPECT_GE(found * 100, analysed.size() * 95) << "missed:" << missed;
  EXPECT_LE(wrong * 100, analysed.size() * 5) << "boxes beside the face";
  RecordProperty("found", std::to_string(found) + " of " + std::to_string(analysed.size()));
}

TEST(FaceVideoTest, FindsNoneInAStreetWithoutFaces) {
  const std::vector<Analysed> analysed = Analyse(MakeClip("--fps 3 --gop 1 --duration 67"), 3);
  ASSERT_GE(analysed.size(), 200u);
  const auto with_face = std::count_if(analysed.begin(), analysed.end(),
                                       [](const Analysed& frame) { return !frame.boxes.empty(); });
  EXPECT_LE(static_cast<std::size_t>(with_face) * 100, analysed.size());
  RecordProperty("with_face", std::to_string(with_face) + " of " + std::to_string(analysed.size()));
}

}  // namespace
}  // namespace millrace::testing
