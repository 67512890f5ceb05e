// The known faces of a collection, ready to be compared with.
//
// Threads: never changes once it is made; any number of readers, each with a recogniser of its own.
#pragma once

#include <cstdint>
#include <memory>
#include <opencv2/core/mat.hpp>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "consumers/faces/face_photo.h"
#include "consumers/faces/face_recognizer.h"

namespace millrace {

struct KnownFace {
  std::string face_id;
  std::string image_id;  // of the photograph
  std::string person;    // as the user calls them
  double confidence = 0;
  FaceBox in_photograph{};
  FaceBox in_image{};
  Bytes image{};  // as FacePhoto has it
};

struct FaceMatch {
  std::size_t face = 0;   // index in faces()
  double similarity = 0;  // 0 to 100
};

class FaceGallery {
 public:
  // Looks at each face's image with the detector and the recogniser that are used on the frames, so
  // that like is compared with like; one in which they find nothing to go by matches nobody, and is
  // counted. `version` names this state of the collection. Faces that `before` has, too, are not
  // looked at again: it was made with the same detector and recogniser.
  FaceGallery(std::string name, std::string version, std::vector<KnownFace> faces, FaceDetector& detector,
              FaceRecognizer& recognizer, const FaceGallery* before = nullptr);

  const std::string& name() const { return name_; }
  const std::string& version() const { return version_; }
  const std::vector<KnownFace>& faces() const { return faces_; }
  std::size_t unusable() const { return unusable_; }

  // The most similar face of each person, most similar person first; `count` at most.
  std::vector<FaceMatch> Search(const cv::Mat& description, const FaceRecognizer& recognizer,
                                std::size_t count) const;

 private:
  cv::Mat Describe(const KnownFace& face, FaceDetector& detector, FaceRecognizer& recognizer) const;

  const std::string name_;
  const std::string version_;
  std::vector<KnownFace> faces_;       // without their images
  std::vector<std::uint32_t> images_;  // the checksum of each face's image
  std::vector<cv::Mat> descriptions_;  // of each face; empty: unusable
  std::size_t unusable_ = 0;
};

}  // namespace millrace
