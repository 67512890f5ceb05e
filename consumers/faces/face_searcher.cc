#include "consumers/faces/face_searcher.h"

#include <algorithm>
#include <utility>

namespace millrace {

void FaceSearcher::Add(const std::string& track, Timestamp time, std::vector<FaceMatch> matches) {
  std::deque<Picture>& pictures = seen_[track];
  pictures.push_back({time, std::move(matches)});
  if (pictures.size() > kKept) pictures.pop_front();
}

std::vector<FaceMatch> FaceSearcher::Matches(const std::string& track, Timestamp time, double similarity_min,
                                             const FaceGallery& gallery) const {
  const auto found = seen_.find(track);
  if (found == seen_.end()) return {};
  struct Sum {
    double similarity = 0;
    FaceMatch best;
  };
  std::map<std::string_view, Sum> people;
  std::size_t pictures = 0;
  for (const Picture& picture : found->second) {
    if (time - picture.time > kKeptFor) continue;
    ++pictures;
    for (const FaceMatch& match : picture.matches) {
      Sum& sum = people[gallery.faces()[match.face].person];
      sum.similarity += match.similarity;
      if (match.similarity >= sum.best.similarity) sum.best = match;
    }
  }
  std::vector<FaceMatch> matches;
  for (const auto& [person, sum] : people) {
    const double mean = sum.similarity / static_cast<double>(pictures);
    if (mean >= similarity_min) matches.push_back({sum.best.face, mean});
  }
  std::stable_sort(matches.begin(), matches.end(),
                   [](const FaceMatch& a, const FaceMatch& b) { return a.similarity > b.similarity; });
  if (matches.size() > kPeopleMax) matches.resize(kPeopleMax);
  return matches;
}

void FaceSearcher::Keep(const std::vector<std::string>& tracks) {
  std::erase_if(seen_, [&](const auto& entry) {
    return std::find(tracks.begin(), tracks.end(), entry.first) == tracks.end();
  });
}

}  // namespace millrace
