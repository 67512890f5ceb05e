// Says who a followed face is: what its last few detections say together.
//
// One picture of a face may be blurred or half turned; the mean of up to kKept pictures of the last kKeptFor
// is steadier, and says less when they disagree. A person whom no picture shows alike is not listed.
//
// Bounds:  kKept pictures of each track, kPeopleMax people of each.
// Threads: one owner.
#pragma once

#include <deque>
#include <map>
#include <string>
#include <vector>

#include "base/time.h"
#include "consumers/faces/face_gallery.h"

namespace millrace {

class FaceSearcher {
 public:
  static constexpr std::size_t kKept = 5;
  static constexpr Duration kKeptFor = std::chrono::seconds(10);
  static constexpr std::size_t kPeopleMax = 5;

  // One more picture of the track: Search's answer, kPeopleMax people at most.
  void Add(const std::string& track, Timestamp time, std::vector<FaceMatch> matches);
  // Who the track is by its pictures up to `time`, best first; none below `similarity_min`.
  std::vector<FaceMatch> Matches(const std::string& track, Timestamp time, double similarity_min,
                                 const FaceGallery& gallery) const;
  // Forgets all tracks but these.
  void Keep(const std::vector<std::string>& tracks);
  void Clear() { seen_.clear(); }  // another gallery: its indices say something else

 private:
  struct Picture {
    Timestamp time;
    std::vector<FaceMatch> matches;
  };
  std::map<std::string, std::deque<Picture>> seen_;
};

}  // namespace millrace
