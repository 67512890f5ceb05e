#include "consumers/faces/faces_analyzer.h"

#include <boost/json/array.hpp>
#include <cmath>
#include <cstdio>
#include <opencv2/core.hpp>
#include <string_view>
#include <utility>

#include "consumers/analysis/option_reader.h"

namespace millrace {
namespace {

// A millionth of a picture is finer than any detector.
double Rounded(double value) { return std::round(value * 1e6) / 1e6; }

std::string_view TypeName(LandmarkType type) {
  switch (type) {
    case LandmarkType::kEyeLeft:
      return "eyeLeft";
    case LandmarkType::kEyeRight:
      return "eyeRight";
    case LandmarkType::kNose:
      return "nose";
    case LandmarkType::kMouthLeft:
      return "mouthLeft";
    case LandmarkType::kMouthRight:
      return "mouthRight";
  }
  return "";
}

std::string VersionOf(const FaceDetector& detector, double smallest_face) {
  char text[32];
  std::snprintf(text, sizeof(text), "-%.6g", smallest_face);
  return detector.version() + text;
}

Result<FaceSettings> ReadSettings(const boost::json::object& options) {
  FaceSettings settings;
  OptionReader reader(options);
  reader.Text("model", settings.model);
  reader.Text("opencv_data", settings.opencv_data);
  reader.Number("smallest_face", settings.smallest_face, 0.02, 1);
  reader.Number("confidence_min", settings.confidence_min, 0, 100);
  MILLRACE_RETURN_IF_ERROR(reader.Finish());
  return settings;
}

boost::json::object Options(const FaceSettings& settings) {
  return {{"model", settings.model},
          {"opencv_data", settings.opencv_data},
          {"smallest_face", settings.smallest_face},
          {"confidence_min", settings.confidence_min}};
}

class FacesStream final : public StreamAnalyzer {
 public:
  explicit FacesStream(FacesAnalyzer& analyzer) : analyzer_(analyzer) {}
  Result<boost::json::object> Analyze(const AnalysisFrame& frame) override {
    return analyzer_.Analyze(frame);
  }

 private:
  FacesAnalyzer& analyzer_;
};

}  // namespace

boost::json::object FaceSearchResponse(const std::vector<Face>& faces) {
  boost::json::array list;
  for (const Face& face : faces) {
    boost::json::array landmarks;
    for (const Landmark& landmark : face.landmarks) {
      landmarks.push_back({{"X", Rounded(landmark.place.x)},
                           {"Y", Rounded(landmark.place.y)},
                           {"Type", TypeName(landmark.type)}});
    }
    boost::json::object box{{"Height", Rounded(face.box.height)},
                            {"Width", Rounded(face.box.width)},
                            {"Left", Rounded(face.box.x)},
                            {"Top", Rounded(face.box.y)}};
    boost::json::object detected{{"BoundingBox", std::move(box)},
                                 {"Confidence", Rounded(face.confidence)},
                                 {"Landmarks", std::move(landmarks)}};
    list.push_back({{"DetectedFace", std::move(detected)}, {"MatchedFaces", boost::json::array()}});
  }
  return {{"FaceSearchResponse", std::move(list)}};
}

Result<std::unique_ptr<FrameAnalyzer>> FacesAnalyzer::Make(const boost::json::object& options) {
  MILLRACE_ASSIGN_OR_RETURN(const FaceSettings settings, ReadSettings(options));
  return MakeFrom(settings);
}

Result<std::unique_ptr<FrameAnalyzer>> FacesAnalyzer::MakeFrom(const FaceSettings& settings) {
  cv::setNumThreads(1);
  MILLRACE_ASSIGN_OR_RETURN(std::unique_ptr<FaceDetector> detector, MakeFaceDetector(settings));
  return std::unique_ptr<FrameAnalyzer>(std::make_unique<FacesAnalyzer>(std::move(detector), settings));
}

FacesAnalyzer::FacesAnalyzer(std::unique_ptr<FaceDetector> detector, const FaceSettings& settings)
    : detector_(std::move(detector)),
      settings_(settings),
      form_(detector_->form()),
      version_(VersionOf(*detector_, settings.smallest_face)) {}

Result<std::unique_ptr<StreamAnalyzer>> FacesAnalyzer::Open(const std::string& stream,
                                                            const boost::json::object& options) {
  MILLRACE_ASSIGN_OR_RETURN(const FaceSettings settings, ReadSettings(LaidOver(Options(settings_), options)));
  if (settings != settings_) {
    return Error{ErrorCode::kInvalidArgument, "the faces analyzer has one set of options for all streams; '" +
                                                  stream + "' needs an analyzer of another name for its own"};
  }
  return std::unique_ptr<StreamAnalyzer>(std::make_unique<FacesStream>(*this));
}

Result<boost::json::object> FacesAnalyzer::Analyze(const AnalysisFrame& frame) {
  const int type = form_.format == PictureFormat::kGray ? CV_8UC1 : CV_8UC3;
  if (frame.image.empty() || frame.image.type() != type) {
    return Error{ErrorCode::kInvalidArgument,
                 "the faces analyzer got no picture of the form that it asks for"};
  }
  return FaceSearchResponse(detector_->Detect(frame.image));
}

}  // namespace millrace
