// Finds things in a picture by a network of the user's, through OpenCV's dnn module on the processor.
#pragma once

#include <memory>
#include <opencv2/core/mat.hpp>
#include <opencv2/dnn.hpp>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "consumers/objects/detection_output.h"
#include "consumers/objects/object_settings.h"

namespace millrace {

struct FoundObject {
  std::size_t label = 0;  // an index of labels()
  double confidence = 0;  // 0 to 100
  cv::Rect2d box;         // as ratios of the picture's width and height; within 0 to 1
};

// Threads: one owner.
class ObjectDetector {
 public:
  // Reads the model and the labels, and runs the model once. A first label "background" is no class of its
  // own. Errors: kNotFound: a file that is not there; kUnsupported: a model that does not run, or not with
  // pictures of this size, or whose outputs nobody knows; kInvalidArgument: labels that do not fit it, a
  // class that is no label.
  static Result<std::unique_ptr<ObjectDetector>> Open(const ObjectSettings& settings);

  // `picture`: height x width x 3, BGR, uint8; not empty. The picture is fitted into the network's, with grey
  // around it. Most confident first. Errors: kUnsupported: outputs of another shape than at Open. Throws:
  // cv::Exception.
  Result<std::vector<FoundObject>> Detect(const cv::Mat& picture);

  const std::vector<std::string>& labels() const { return labels_; }
  std::uint32_t model_checksum() const { return checksum_; }

 private:
  ObjectDetector(const ObjectSettings& settings, std::vector<std::string> labels)
      : settings_(settings), labels_(std::move(labels)) {}

  Result<std::vector<cv::Mat>> Run(const cv::Mat& picture);

  const ObjectSettings settings_;
  const std::vector<std::string> labels_;
  std::set<std::size_t> wanted_;  // labels; empty: all
  std::uint32_t checksum_ = 0;
  cv::dnn::Net network_;
  std::vector<cv::String> output_names_;
  OutputForm form_;
};

}  // namespace millrace
