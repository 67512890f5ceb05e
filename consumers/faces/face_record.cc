#include "consumers/faces/face_record.h"

#include <boost/json/array.hpp>
#include <cmath>
#include <string_view>
#include <utility>

namespace millrace {
namespace {

// A millionth of a picture is finer than any detector.
double Rounded(double value) { return std::round(value * 1e6) / 1e6; }
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

boost::json::object BoundingBox(const FaceBox& box) {
  return {{"Height", Rounded(box.height)},
          {"Width", Rounded(box.width)},
          {"Left", Rounded(box.left)},
          {"Top", Rounded(box.top)}};
}

boost::json::object DetectedFace(const RecordedFace& recorded) {
  const Face& face = recorded.face;
  boost::json::array landmarks;
  for (const Landmark& landmark : face.landmarks) {
    landmarks.push_back({{"X", Rounded(landmark.place.x)},
                         {"Y", Rounded(landmark.place.y)},
                         {"Type", TypeName(landmark.type)}});
  }
  boost::json::object detected{
      {"BoundingBox", BoundingBox({face.box.x, face.box.y, face.box.width, face.box.height})},
      {"Confidence", Rounded(face.confidence)},
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
    boost::json::object face{{"BoundingBox", BoundingBox(known.in_photograph)},
                             {"FaceId", known.face_id},
                             {"ImageId", known.image_id},
                             {"ExternalImageId", known.person},
                             {"Confidence", Rounded(known.confidence)}};
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
