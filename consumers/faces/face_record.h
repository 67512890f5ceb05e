// What the faces analyzer writes of a frame: Rekognition's face search on video streams.
//
//   {"FaceSearchResponse": [{"DetectedFace": {"BoundingBox": {"Height", "Width", "Left", "Top"},
//   "Confidence",
//      "Landmarks": [{"X", "Y", "Type"}], "TrackId"}, "MatchedFaces": [{"Similarity", "Face": {"BoundingBox",
//      "FaceId", "ImageId", "ExternalImageId", "Confidence"}}]}, …], "FaceCollection": {"Name", "Version"}}
//
// Best face first, an empty list where there is none. Ratios of the picture's width and height; confidence
// and similarity 0 to 100. Landmarks are empty where the detector finds none (the cascades); Pose and Quality
// are not measured and not given. Ours beside theirs: TrackId, the same from frame to frame; "Followed": true
// of a face that was not detected in this frame but followed to it; FaceCollection, where one is searched:
// its name and the state of it that was.
#pragma once

#include <boost/json/object.hpp>
#include <string>
#include <vector>

#include "consumers/faces/face_detector.h"
#include "consumers/faces/face_gallery.h"

namespace millrace {

struct RecordedFace {
  Face face;
  std::string track_id{};  // empty: there were too many to follow
  bool followed = false;
  std::vector<FaceMatch> matches{};  // in the gallery
};

// `gallery` null: none is searched.
boost::json::object FaceSearchResponse(const std::vector<RecordedFace>& faces, const FaceGallery* gallery);

}  // namespace millrace
