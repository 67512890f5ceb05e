#include "consumers/faces/faces_stream.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <opencv2/imgproc.hpp>
#include <utility>

#include "wire/digest.h"

namespace millrace {
namespace {

const cv::Rect2d kWhole(0, 0, 1, 1);
constexpr int kRegionSideMin = 64;        // pixels that a detector is shown
constexpr double kSameFaceOverlap = 0.4;  // of two regions: the common part of the smaller box

cv::Rect PixelsOf(const cv::Mat& picture, const cv::Rect2d& region, int side_min) {
  cv::Rect2d pixels(region.x * picture.cols, region.y * picture.rows, region.width * picture.cols,
                    region.height * picture.rows);
  const double more_x = std::max(0.0, side_min - pixels.width);
  const double more_y = std::max(0.0, side_min - pixels.height);
  pixels = {pixels.x - more_x / 2, pixels.y - more_y / 2, pixels.width + more_x, pixels.height + more_y};
  return cv::Rect(pixels) & cv::Rect(0, 0, picture.cols, picture.rows);
}

// From a part of the picture to all of it.
Face Placed(Face face, const cv::Rect& part, const cv::Mat& picture) {
  const auto x = [&](double ratio) { return (part.x + ratio * part.width) / picture.cols; };
  const auto y = [&](double ratio) { return (part.y + ratio * part.height) / picture.rows; };
  const cv::Rect2d box = face.box;
  face.box = {x(box.x), y(box.y), box.width * part.width / picture.cols,
              box.height * part.height / picture.rows};
  for (Landmark& landmark : face.landmarks) landmark.place = {x(landmark.place.x), y(landmark.place.y)};
  return face;
}

bool Overlap(const cv::Rect2d& a, const cv::Rect2d& b) {
  return (a & b).area() > kSameFaceOverlap * std::min(a.area(), b.area());
}

}  // namespace

FacesStream::FacesStream(std::string stream, FaceTools tools, const FacesStreamOptions& options)
    : stream_(std::move(stream)), tools_(tools), options_(options) {}

Result<boost::json::object> FacesStream::Analyze(const AnalysisFrame& frame) {
  const bool wants_gray = tools_.detector.form().format == PictureFormat::kGray;
  if (frame.image.empty() || frame.image.type() != (wants_gray ? CV_8UC1 : CV_8UC3)) {
    return Error{ErrorCode::kInvalidArgument,
                 "the faces analyzer got no picture of the form that it asks for"};
  }
  if (tools_.galleries != nullptr) {
    std::shared_ptr<const FaceGallery> now = tools_.galleries->Current();
    if (now != gallery_) searcher_.Clear();
    gallery_ = std::move(now);
  }
  cv::Mat gray = frame.image;
  if (!wants_gray) cv::cvtColor(frame.image, gray, cv::COLOR_BGR2GRAY);
  const std::vector<cv::Rect2d> regions = Regions(frame, gray);
  const bool turn = DetectsIn(frame);
  std::vector<RecordedFace> recorded;
  if (turn || !Follow(frame.producer_time, gray)) {
    recorded = Track(frame, gray, Detect(frame.image, regions), regions);
  }
  for (const FaceTrack& track : tracker_.tracks()) {
    if (!track.visible) continue;
    RecordedFace face{.face = track.face, .track_id = track.id, .followed = !track.detected};
    if (gallery_) {
      face.matches = searcher_.Matches(track.id, frame.producer_time, options_.match_threshold, *gallery_);
    }
    recorded.push_back(std::move(face));
  }
  std::stable_sort(recorded.begin(), recorded.end(), [](const RecordedFace& a, const RecordedFace& b) {
    return a.face.confidence > b.face.confidence;
  });
  if (recorded.size() > kFacesMax) recorded.resize(kFacesMax);
  return FaceSearchResponse(recorded, gallery_.get());
}

std::vector<cv::Rect2d> FacesStream::Regions(const AnalysisFrame& frame, const cv::Mat& gray) {
  if (!options_.only_moving) return {kWhole};
  std::vector<cv::Rect2d> moving = moving_.Update(frame.producer_time, gray);
  const std::int64_t now = frame.producer_time.ns / kWholeEvery.count();
  if (whole_in_ == now) return moving;
  whole_in_ = now;
  return {kWhole};
}

bool FacesStream::DetectsIn(const AnalysisFrame& frame) {
  if (frame.fragment_number != fragment_) frame_in_fragment_ = 0;
  fragment_ = frame.fragment_number;
  return frame_in_fragment_++ % options_.detect_every == 0;
}

bool FacesStream::Follow(Timestamp time, const cv::Mat& gray) {
  for (std::size_t i = 0; i < tracker_.tracks().size(); ++i) {
    const FaceTrack& track = tracker_.tracks()[i];
    if (!track.visible) continue;
    const auto follower = followers_.find(track.id);
    if (follower == followers_.end()) return false;
    const auto found = follower->second.Find(gray, tracker_.Predict(track, time));
    if (!found) return false;
    tracker_.Move(i, time, *found);
  }
  return true;
}

std::vector<FacesStream::Found> FacesStream::Detect(const cv::Mat& picture,
                                                    const std::vector<cv::Rect2d>& regions) {
  const int rows_max = tools_.detector.form().rows_max;
  const double scale = rows_max > 0 && picture.rows > rows_max ? 1.0 * rows_max / picture.rows : 1;
  std::vector<Found> all;
  for (const cv::Rect2d& region : regions) {
    const cv::Rect part = PixelsOf(picture, region, static_cast<int>(std::ceil(kRegionSideMin / scale)));
    cv::Mat shown = picture(part);
    if (scale < 1) {
      const cv::Size size(std::max(1, static_cast<int>(std::lround(part.width * scale))),
                          std::max(1, static_cast<int>(std::lround(part.height * scale))));
      cv::resize(picture(part), shown, size, 0, 0, cv::INTER_AREA);
    }
    for (Face& found : tools_.detector.Detect(shown)) {
      Face face = Placed(std::move(found), part, picture);
      const bool again = std::any_of(all.begin(), all.end(), [&](const Found& other) {
        return regions.size() > 1 && Overlap(other.face.box, face.box);
      });
      if (again || face.confidence < options_.confidence_min) continue;
      all.push_back({std::move(face), {}});
    }
  }
  std::stable_sort(all.begin(), all.end(),
                   [](const Found& a, const Found& b) { return a.face.confidence > b.face.confidence; });
  if (all.size() > kFacesMax) all.resize(kFacesMax);
  for (std::size_t i = 0; i < all.size() && i < FaceTracker::kTracksMax; ++i) {
    all[i].matches = Search(picture, all[i].face);
  }
  return all;
}

std::vector<FaceMatch> FacesStream::Search(const cv::Mat& picture, const Face& face) {
  if (!gallery_ || gallery_->faces().empty()) return {};
  if (face.box.width * picture.cols < tools_.recognizer->smallest_width()) return {};
  const cv::Mat description = tools_.recognizer->Describe(picture, face);
  if (description.empty()) return {};
  return gallery_->Search(description, *tools_.recognizer, FaceSearcher::kPeopleMax);
}

std::vector<RecordedFace> FacesStream::Track(const AnalysisFrame& frame, const cv::Mat& gray,
                                             std::vector<Found> found,
                                             const std::vector<cv::Rect2d>& regions) {
  std::vector<SeenFace> seen;
  for (const Found& one : found) {
    SeenFace face{one.face};
    if (!one.matches.empty() && one.matches.front().similarity >= options_.match_threshold) {
      face.person = gallery_->faces()[one.matches.front().face].person;
    }
    seen.push_back(std::move(face));
  }
  const auto looked = [&](const cv::Rect2d& box) {
    const cv::Point2d centre(box.x + box.width / 2, box.y + box.height / 2);
    return std::any_of(regions.begin(), regions.end(),
                       [&](const cv::Rect2d& region) { return region.contains(centre); });
  };
  const auto tracks = tracker_.Update(
      frame.producer_time, seen, [&](const Face& face) { return TrackId(frame, face); }, looked);
  std::vector<RecordedFace> untracked;
  for (std::size_t i = 0; i < found.size(); ++i) {
    if (!tracks[i]) {
      untracked.push_back({.face = found[i].face});
      continue;
    }
    const FaceTrack& track = tracker_.tracks()[*tracks[i]];
    if (options_.detect_every > 1) followers_[track.id].Remember(gray, track.face.box);
    if (!found[i].matches.empty()) {
      searcher_.Add(track.id, frame.producer_time, std::move(found[i].matches));
    }
  }
  std::vector<std::string> ids;
  for (const FaceTrack& track : tracker_.tracks()) ids.push_back(track.id);
  searcher_.Keep(ids);
  std::erase_if(followers_, [&](const auto& follower) {
    return std::find(ids.begin(), ids.end(), follower.first) == ids.end();
  });
  return untracked;
}

std::string FacesStream::TrackId(const AnalysisFrame& frame, const Face& face) const {
  char place[128];
  std::snprintf(place, sizeof(place), "/%lld/%.6f/%.6f/%.6f/%.6f",
                static_cast<long long>(frame.offset.count()), face.box.x, face.box.y, face.box.width,
                face.box.height);
  const std::string first_seen = stream_ + "/" + frame.fragment_number + place;
  return wire::UuidOf(AsBytes(first_seen));
}

}  // namespace millrace
