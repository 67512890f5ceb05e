// Follows faces from one analysed frame to the next, and gives each an id.
//
// A face belongs to the track whose predicted place (constant velocity) it lies nearest to, in widths of the
// face, among those that are near enough for the time between, of a like size, and not of another known
// person. Pairs are made best first. That holds up to some seconds between frames, as key frames have; two
// unknown people who cross within such a gap may change ids.
//
// Ids:     made once, when a face is first seen (`name` of Update), and kept while it is seen again within
//          kLostAfter, or within kGoneAfter where it was looked for fewer than kMissesMax times.
// Bounds:  kTracksMax tracks. With more faces than that the best ones have one.
// Threads: one owner.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "consumers/faces/face_detector.h"

namespace millrace {

struct SeenFace {
  Face face;
  std::string person{};  // who it is taken for by itself; empty: unknown
};

struct FaceTrack {
  std::string id;
  Face face;               // as seen last; its box moves with what follows it
  cv::Point2d velocity{};  // of the box's centre, ratios of the picture a second
  Timestamp seen;          // last
  int misses = 0;          // times it was looked for since then
  bool visible = true;     // in the newest frame
  bool detected = true;    // in it, and not only followed
  std::string person{};    // the newest that is known
};

class FaceTracker {
 public:
  static constexpr std::size_t kTracksMax = 64;
  static constexpr int kMissesMax = 3;
  static constexpr Duration kLostAfter = std::chrono::seconds(2);
  static constexpr Duration kGoneAfter = std::chrono::seconds(12);

  using NameFace = std::function<std::string(const Face&)>;

  // Takes the faces that were found at `time`, best first. `looked` says of a box whether it was looked at
  // where it lies: tracks elsewhere stay as they are. Gives for each face its track's place in tracks(), none
  // where there are too many. A time before the last one, or long after it, begins anew.
  std::vector<std::optional<std::size_t>> Update(Timestamp time, const std::vector<SeenFace>& faces,
                                                 const NameFace& name,
                                                 const std::function<bool(const cv::Rect2d&)>& looked);

  // A frame in which nothing was detected, but this track's face was followed to `box`.
  void Move(std::size_t track, Timestamp time, const cv::Rect2d& box);

  const std::vector<FaceTrack>& tracks() const { return tracks_; }

  // Where the track's face is to be expected at `time`.
  cv::Rect2d Predict(const FaceTrack& track, Timestamp time) const;

 private:
  void Forget(Timestamp time);
  std::vector<std::optional<std::size_t>> Pair(Timestamp time, const std::vector<SeenFace>& faces) const;
  std::optional<std::size_t> Begin(Timestamp time, const SeenFace& seen, const NameFace& name);

  std::vector<FaceTrack> tracks_;
  std::optional<Timestamp> last_;
};

}  // namespace millrace
