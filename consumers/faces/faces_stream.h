// The faces of one video stream: found, followed from frame to frame, and searched in a collection.
//
// Detection takes most of the time. Where the options say so, only each Nth frame of a fragment is detected
// in, and the faces are followed by correlation in the others (a face that is lost brings detection forward);
// and only those parts of the picture that move are looked at, the whole picture once in kWholeEvery of
// producer time. What does not move stays where it is.
//
// Again:   all of this depends on the frames and the collection alone. What a track's id and its
//          pictures come from is forgotten kWarmUp after the face went, so that an analysis that
//          begins so much earlier gives the same; except that a face that was there before the
//          beginning has another id.
// Threads: one owner.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "consumers/analysis/frame_analyzer.h"
#include "consumers/faces/face_detector.h"
#include "consumers/faces/face_follower.h"
#include "consumers/faces/face_record.h"
#include "consumers/faces/face_searcher.h"
#include "consumers/faces/face_tracker.h"
#include "consumers/faces/gallery_source.h"
#include "consumers/faces/moving_regions.h"

namespace millrace {

struct FacesStreamOptions {
  double confidence_min = 50;   // of faces, 0 to 100
  double match_threshold = 80;  // a face of less similarity is not listed, 0 to 100
  int detect_every = 1;         // frames of a fragment
  bool only_moving = false;
};

// What the streams of an analyzer share. All outlive the streams.
struct FaceTools {
  FaceDetector& detector;
  FaceRecognizer* recognizer = nullptr;      // null: no collection is searched
  const GallerySource* galleries = nullptr;  // likewise
};

class FacesStream final : public StreamAnalyzer {
 public:
  static constexpr Duration kWarmUp = FaceTracker::kGoneAfter + std::chrono::seconds(3);
  static constexpr Duration kWholeEvery = std::chrono::seconds(10);
  // Of a frame, best first: so that its record stays below 512 KiB.
  static constexpr std::size_t kFacesMax = 300;

  FacesStream(std::string stream, FaceTools tools, const FacesStreamOptions& options);

  // Errors: kInvalidArgument: no picture, or one of another format.
  Result<boost::json::object> Analyze(const AnalysisFrame& frame) override;

 private:
  struct Found {
    Face face;
    std::vector<FaceMatch> matches;
  };

  std::vector<cv::Rect2d> Regions(const AnalysisFrame& frame, const cv::Mat& gray);
  bool DetectsIn(const AnalysisFrame& frame);
  // Moves the visible tracks to where their faces are now. False: one of them is lost.
  bool Follow(Timestamp time, const cv::Mat& gray);
  std::vector<Found> Detect(const cv::Mat& picture, const std::vector<cv::Rect2d>& regions);
  std::vector<FaceMatch> Search(const cv::Mat& picture, const Face& face);
  // The faces that there was no place to follow.
  std::vector<RecordedFace> Track(const AnalysisFrame& frame, const cv::Mat& gray, std::vector<Found> found,
                                  const std::vector<cv::Rect2d>& regions);
  std::string TrackId(const AnalysisFrame& frame, const Face& face) const;

  const std::string stream_;
  const FaceTools tools_;
  const FacesStreamOptions options_;
  FaceTracker tracker_;
  FaceSearcher searcher_;
  MovingRegions moving_;
  std::map<std::string, FaceFollower> followers_;  // by track
  std::shared_ptr<const FaceGallery> gallery_;     // of this frame; may be null
  std::string fragment_;
  int frame_in_fragment_ = 0;
  std::optional<std::int64_t> whole_in_;  // the kWholeEvery in which all was looked at last
};

}  // namespace millrace
