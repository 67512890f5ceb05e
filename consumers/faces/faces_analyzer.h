// The faces analyzer: Rekognition's face records, without the search.
//
// {"FaceSearchResponse": [{"DetectedFace": {"BoundingBox": {"Height", "Width", "Left", "Top"}, "Confidence",
// "Landmarks": [{"X", "Y", "Type"}]}, "MatchedFaces": []}, …]}, best face first, an empty list where there is
// none. Ratios of the picture's width and height; confidence 0 to 100. Landmarks are empty where the detector
// finds none (the cascades); Pose and Quality are not measured and not given.
#pragma once

#include <memory>

#include "base/result.h"
#include "consumers/analysis/frame_analyzer.h"
#include "consumers/faces/face_detector.h"

namespace millrace {

class FacesAnalyzer final : public FrameAnalyzer {
 public:
  // Switches OpenCV's own threads off for the whole process (cv::setNumThreads): a reduced picture is too
  // small to share out, and the other cores have cameras to record. Errors: as MakeFaceDetector.
  static Result<std::unique_ptr<FrameAnalyzer>> Open(const FaceSettings& settings);

  explicit FacesAnalyzer(std::unique_ptr<FaceDetector> detector, double smallest_face);

  std::string name() const override { return "faces"; }
  // With the detector and what decides its results: "cascade1-0.1".
  std::string version() const override { return version_; }
  PictureForm picture_form() const override { return form_; }
  // Errors: kInvalidArgument: no picture, or one of another format.
  Result<boost::json::object> Analyze(const AnalysisFrame& frame) override;

 private:
  const std::unique_ptr<FaceDetector> detector_;
  const PictureForm form_;
  const std::string version_;
};

// The record's members for these faces.
boost::json::object FaceSearchResponse(const std::vector<Face>& faces);

}  // namespace millrace
