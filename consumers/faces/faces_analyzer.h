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
  // Options: "model", "smallest_face", "confidence_min", "opencv_data", as in FaceSettings. Switches OpenCV's
  // own threads off for the whole process (cv::setNumThreads): a reduced picture is too small to share out,
  // and the other cores have cameras to record. Errors: as MakeFaceDetector; kInvalidArgument: an option.
  static Result<std::unique_ptr<FrameAnalyzer>> Make(const boost::json::object& options);
  static Result<std::unique_ptr<FrameAnalyzer>> MakeFrom(const FaceSettings& settings);

  FacesAnalyzer(std::unique_ptr<FaceDetector> detector, const FaceSettings& settings);

  std::string name() const override { return "faces"; }
  // With the detector and what decides its results: "cascade1-0.1".
  std::string version() const override { return version_; }
  PictureForm picture_form() const override { return form_; }
  // All streams share the detector: an option that is another one for this stream is kInvalidArgument.
  Result<std::unique_ptr<StreamAnalyzer>> Open(const std::string& stream,
                                               const boost::json::object& options) override;
  // Errors: kInvalidArgument: no picture, or one of another format.
  Result<boost::json::object> Analyze(const AnalysisFrame& frame);

 private:
  const std::unique_ptr<FaceDetector> detector_;
  const FaceSettings settings_;
  const PictureForm form_;
  const std::string version_;
};

// The record's members for these faces.
boost::json::object FaceSearchResponse(const std::vector<Face>& faces);

}  // namespace millrace
