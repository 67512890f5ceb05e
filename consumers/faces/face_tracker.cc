#include "consumers/faces/face_tracker.h"

#include <algorithm>
#include <cmath>
#include <tuple>
#include <utility>

namespace millrace {
namespace {

constexpr double kReach = 0.9;           // widths of the face that it may lie off its prediction at once
constexpr double kReachPerSecond = 2.0;  // … and for each second since it was seen
constexpr double kReachMax = 3.5;
constexpr double kAlike = 0.55;             // the smaller width to the larger one
constexpr double kPredictedSecondsMax = 1;  // a face does not keep its way for longer
constexpr double kVelocityKept = 0.5;

double Seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

cv::Point2d Centre(const cv::Rect2d& box) { return {box.x + box.width / 2, box.y + box.height / 2}; }

void TakePlace(FaceTrack& track, Timestamp time, const cv::Rect2d& box) {
  const double passed = Seconds(time - track.seen);
  if (passed > 0) {
    const cv::Point2d moved = (Centre(box) - Centre(track.face.box)) / passed;
    const double kept = passed > kPredictedSecondsMax ? 0 : kVelocityKept;
    track.velocity = track.velocity * kept + moved * (1 - kept);
  }
  track.face.box = box;
  track.seen = time;
  track.misses = 0;
  track.visible = true;
  track.detected = true;
}

}  // namespace

cv::Rect2d FaceTracker::Predict(const FaceTrack& track, Timestamp time) const {
  const double ahead = std::clamp(Seconds(time - track.seen), 0.0, kPredictedSecondsMax);
  return track.face.box + track.velocity * ahead;
}

void FaceTracker::Forget(Timestamp time) {
  if (last_ && (time < *last_ || time - *last_ > kGoneAfter)) tracks_.clear();
  last_ = time;
  std::erase_if(tracks_, [&](const FaceTrack& track) {
    const Duration unseen = time - track.seen;
    return unseen > kGoneAfter || (unseen > kLostAfter && track.misses >= kMissesMax);
  });
}

std::vector<std::optional<std::size_t>> FaceTracker::Pair(Timestamp time,
                                                          const std::vector<SeenFace>& faces) const {
  std::vector<std::tuple<double, std::size_t, std::size_t>> pairs;  // cost, face, track
  for (std::size_t t = 0; t < tracks_.size(); ++t) {
    const FaceTrack& track = tracks_[t];
    const cv::Rect2d expected = Predict(track, time);
    const double reach = std::min(kReachMax, kReach + kReachPerSecond * Seconds(time - track.seen));
    for (std::size_t f = 0; f < faces.size(); ++f) {
      const cv::Rect2d& box = faces[f].face.box;
      const bool both_known = !track.person.empty() && !faces[f].person.empty();
      if (both_known && track.person != faces[f].person) continue;
      const double alike = std::min(box.width, expected.width) / std::max(box.width, expected.width);
      if (!(alike >= kAlike)) continue;
      const cv::Point2d apart = Centre(box) - Centre(expected);
      const double away =
          2 * std::hypot(apart.x / (box.width + expected.width), apart.y / (box.height + expected.height));
      if (away > reach) continue;
      pairs.emplace_back(away - 2 * std::log(alike) - (both_known ? 1 : 0), f, t);
    }
  }
  std::sort(pairs.begin(), pairs.end());
  std::vector<std::optional<std::size_t>> paired(faces.size());
  std::vector<bool> taken(tracks_.size());
  for (const auto& [cost, face, track] : pairs) {
    if (paired[face] || taken[track]) continue;
    paired[face] = track;
    taken[track] = true;
  }
  return paired;
}

std::optional<std::size_t> FaceTracker::Begin(Timestamp time, const SeenFace& seen, const NameFace& name) {
  FaceTrack made{.id = name(seen.face), .face = seen.face, .seen = time};
  if (tracks_.size() < kTracksMax) {
    tracks_.push_back(std::move(made));
    return tracks_.size() - 1;
  }
  const auto oldest = std::min_element(tracks_.begin(), tracks_.end(),
                                       [](const auto& a, const auto& b) { return a.seen < b.seen; });
  if (oldest->seen >= time) return std::nullopt;
  *oldest = std::move(made);
  return static_cast<std::size_t>(oldest - tracks_.begin());
}

std::vector<std::optional<std::size_t>> FaceTracker::Update(
    Timestamp time, const std::vector<SeenFace>& faces, const NameFace& name,
    const std::function<bool(const cv::Rect2d&)>& looked) {
  Forget(time);
  std::vector<std::optional<std::size_t>> paired = Pair(time, faces);
  std::vector<bool> found(tracks_.size());
  for (const auto& track : paired) {
    if (track) found[*track] = true;
  }
  for (std::size_t t = 0; t < found.size(); ++t) {
    FaceTrack& track = tracks_[t];
    if (found[t]) continue;
    if (looked(track.face.box)) {
      ++track.misses;
      track.visible = false;
    } else if (track.visible) {
      track.seen = time;  // nothing moved there
      track.detected = false;
    }
  }
  for (std::size_t f = 0; f < faces.size(); ++f) {
    if (!paired[f]) continue;
    FaceTrack& track = tracks_[*paired[f]];
    TakePlace(track, time, faces[f].face.box);
    track.face = faces[f].face;
  }
  // After all that go on, so that a new face takes nobody's track.
  for (std::size_t f = 0; f < faces.size(); ++f) {
    if (!paired[f]) paired[f] = Begin(time, faces[f], name);
    if (paired[f] && !faces[f].person.empty()) tracks_[*paired[f]].person = faces[f].person;
  }
  return paired;
}

void FaceTracker::Move(std::size_t track, Timestamp time, const cv::Rect2d& box) {
  last_ = time;
  FaceTrack& moved = tracks_[track];
  // The landmarks go with the box.
  for (Landmark& landmark : moved.face.landmarks) landmark.place += Centre(box) - Centre(moved.face.box);
  TakePlace(moved, time, box);
  moved.detected = false;
}

}  // namespace millrace
