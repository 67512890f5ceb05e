// The objects analyzer: what a network of the user's finds, in the shape of Rekognition's DetectLabels.
//
// {"Labels": [{"Name", "Confidence", "Instances": [{"BoundingBox", "Confidence"}, …]}, …]}
//
// A member for each label of which there is one, the most confident first; its confidence is its best
// instance's. Confidences are 0 to 100, boxes ratios of the picture.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "consumers/analysis/frame_analyzer.h"
#include "consumers/objects/object_detector.h"

namespace millrace {

class ObjectsAnalyzer final : public FrameAnalyzer {
 public:
  // Options: docs/analyzers.md, objects. Switches OpenCV's own threads off for the whole process. Errors: as
  // ObjectDetector::Open; kInvalidArgument: an option, or none for the model or its labels.
  static Result<std::unique_ptr<FrameAnalyzer>> Make(const boost::json::object& options);

  std::string name() const override { return "objects"; }
  std::string version() const override { return version_; }  // with the model's checksum
  PictureForm picture_form() const override { return {PictureFormat::kBgr, rows_}; }
  // All streams share the network: an option that is another one for this stream is kInvalidArgument.
  Result<std::unique_ptr<StreamAnalyzer>> Open(const std::string& stream,
                                               const boost::json::object& options) override;

 private:
  ObjectsAnalyzer(std::unique_ptr<ObjectDetector> detector, const ObjectSettings& settings);

  const std::unique_ptr<ObjectDetector> detector_;
  const std::string settings_;  // as text
  const std::string version_;
  const int rows_;
};

}  // namespace millrace
