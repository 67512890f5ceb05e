#include "consumers/faces/face_record.h"

#include <boost/json/array.hpp>
#include <cmath>
#include <string_view>
#include <utility>

#include "consumers/analysis/result_members.h"

namespace millrace {
namespace {

double RoundedSimilarity(double value) { return std::round(value * 100) / 100; }

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

boost::json::object DetectedFace(const RecordedFace& recorded) {
  const Face& face = recorded.face;
  boost::json::array landmarks;
  for (const Landmark& landmark : face.landmarks) {
    landmarks.push_back({{"X", RoundedRatio(landmark.place.x)},
                         {"Y", RoundedRatio(landmark.place.y)},
                         {"Type", TypeName(landmark.type)}});
  }
  boost::json::object detected{{"BoundingBox", BoundingBox(face.box)},
                               {"Confidence", RoundedRatio(face.confidence)},
                               {"Landmarks", std::move(landmarks)}};
  if (!recorded.track_id.empty()) detected["TrackId"] = recorded.track_id;
  if (recorded.followed) detected["Followed"] = true;
  return detected;
}

boost::json::array MatchedFaces(const RecordedFace& recorded, const FaceGallery* gallery) {
  boost::json::array list;
  if (gallery == nullptr) return list;
  for (const FaceMatch& match : recorded.matches) {
    const KnownFace& known = gallery->faces()[match.face];
    const FaceBox& box = known.in_photograph;
    boost::json::object face{{"BoundingBox", BoundingBox({box.left, box.top, box.width, box.height})},
                             {"FaceId", known.face_id},
                             {"ImageId", known.image_id},
                             {"ExternalImageId", known.person},
                             {"Confidence", RoundedRatio(known.confidence)}};
    list.push_back({{"Similarity", RoundedSimilarity(match.similarity)}, {"Face", std::move(face)}});
  }
  return list;
}

}  // namespace

boost::json::object FaceSearchResponse(const std::vector<RecordedFace>& faces, const FaceGallery* gallery) {
  boost::json::array list;
  for (const RecordedFace& face : faces) {
    list.push_back({{"DetectedFace", DetectedFace(face)}, {"MatchedFaces", MatchedFaces(face, gallery)}});
  }
  boost::json::object record{{"FaceSearchResponse", std::move(list)}};
  if (gallery != nullptr) {
    record["FaceCollection"] = {{"Name", gallery->name()}, {"Version", gallery->version()}};
  }
  return record;
}

}  // namespace millrace
