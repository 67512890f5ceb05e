#include "consumers/faces/face_gallery.h"

#include <algorithm>
#include <boost/crc.hpp>
#include <map>
#include <opencv2/imgproc.hpp>
#include <string_view>
#include <utility>

#include "consumers/faces/face_detector.h"
#include "consumers/faces/photograph.h"

namespace millrace {

namespace {

std::uint32_t ImageChecksum(const Bytes& image) {
  boost::crc_32_type checksum;
  checksum.process_bytes(image.data(), image.size());
  return checksum.checksum();
}

}  // namespace

FaceGallery::FaceGallery(std::string name, std::string version, std::vector<KnownFace> faces,
                         FaceDetector& detector, FaceRecognizer& recognizer, const FaceGallery* before)
    : name_(std::move(name)), version_(std::move(version)), faces_(std::move(faces)) {
  std::map<std::string_view, std::size_t> known;
  for (std::size_t i = 0; before != nullptr && i < before->faces_.size(); ++i) {
    known.emplace(before->faces_[i].face_id, i);
  }
  for (KnownFace& face : faces_) {
    images_.push_back(ImageChecksum(face.image));
    const auto same = known.find(face.face_id);
    if (same != known.end() && before->images_[same->second] == images_.back() &&
        before->faces_[same->second].in_image == face.in_image) {
      descriptions_.push_back(before->descriptions_[same->second]);
    } else {
      descriptions_.push_back(Describe(face, detector, recognizer));
    }
    if (descriptions_.back().empty()) ++unusable_;
    face.image = Bytes();
  }
}

cv::Mat FaceGallery::Describe(const KnownFace& face, FaceDetector& detector,
                              FaceRecognizer& recognizer) const {
  const auto decoded = DecodePhotograph(face.image);
  if (!decoded) return {};
  cv::Mat picture = *decoded;
  if (detector.form().format == PictureFormat::kGray) cv::cvtColor(picture, picture, cv::COLOR_BGR2GRAY);
  Face found;
  found.box = {face.in_image.left, face.in_image.top, face.in_image.width, face.in_image.height};
  // The same face as this detector sees it; where it does not, as it was seen when it was indexed.
  double most = 0.3;
  for (const Face& candidate : detector.Detect(picture)) {
    const double both = (candidate.box & found.box).area();
    const double alike = both / (candidate.box.area() + found.box.area() - both);
    if (alike <= most) continue;
    most = alike;
    found = candidate;
  }
  return recognizer.Describe(picture, found);
}

std::vector<FaceMatch> FaceGallery::Search(const cv::Mat& description, const FaceRecognizer& recognizer,
                                           std::size_t count) const {
  std::map<std::string_view, FaceMatch> best;  // by person
  for (std::size_t i = 0; i < faces_.size(); ++i) {
    if (descriptions_[i].empty()) continue;
    const FaceMatch match{i, recognizer.Similarity(description, descriptions_[i])};
    const auto [place, added] = best.try_emplace(faces_[i].person, match);
    if (!added && match.similarity > place->second.similarity) place->second = match;
  }
  std::vector<FaceMatch> matches;
  for (const auto& [person, match] : best) matches.push_back(match);
  std::stable_sort(matches.begin(), matches.end(),
                   [](const FaceMatch& a, const FaceMatch& b) { return a.similarity > b.similarity; });
  if (matches.size() > count) matches.resize(count);
  return matches;
}

}  // namespace millrace
