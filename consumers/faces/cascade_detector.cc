#include "consumers/faces/cascade_detector.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>
#include <utility>

namespace millrace {
namespace {

constexpr int kQuickWindow = 24;          // pixels: the quick cascade's own size
constexpr double kQuickScaleStep = 1.15;  // at 1.2 two faces in a hundred more are missed
constexpr std::size_t kHitsMax = 4096;    // grouping them takes the square of their number
constexpr double kSameFace = 0.4;         // cv::SimilarRects: hits that belong together

constexpr double kRegion = 1.8;     // of a candidate's side: what the good cascade is shown
constexpr double kNormalSide = 28;  // pixels of a candidate in it
constexpr double kGoodScaleStep = 1.1;
constexpr int kAgreeing = 2;            // more hits than these
constexpr double kSmallestRatio = 0.6;  // of a face to its candidate
constexpr double kLargestRatio = 1.6;
constexpr double kSharedAreaMax = 0.4;  // of two faces, as a part of the smaller one

Result<void> Load(cv::CascadeClassifier& cascade, const std::string& path) {
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(path, ignored)) {
    return Error{ErrorCode::kNotFound, "there is no " + path + "; Debian's package opencv-data has it"};
  }
  try {
    if (cascade.load(path)) return {};
  } catch (const cv::Exception&) {
  }
  return Error{ErrorCode::kUnsupported, path + " holds no cascade that this OpenCV can use"};
}

// Half of the hits' cost: what lies near is sought in the picture, what is larger in smaller ones.
std::vector<cv::Rect> Hits(cv::CascadeClassifier& cascade, const cv::Mat& picture) {
  std::vector<cv::Rect> hits;
  cv::Mat level = picture;
  for (int octave = 0; level.rows >= kQuickWindow && level.cols >= kQuickWindow; ++octave) {
    std::vector<cv::Rect> found;
    const int largest = 2 * kQuickWindow - 1;
    cascade.detectMultiScale(level, found, kQuickScaleStep, 0, 0, {}, {largest, largest});
    for (const cv::Rect& hit : found) {
      if (hits.size() == kHitsMax) return hits;
      hits.emplace_back(hit.x << octave, hit.y << octave, hit.width << octave, hit.height << octave);
    }
    cv::Mat half;
    cv::resize(level, half, {level.cols / 2, level.rows / 2}, 0, 0, cv::INTER_AREA);
    level = half;
  }
  return hits;
}

// Hits are chance up to a point, and then quickly certain: 3 give 65, 7 give 91, 14 give 99.
double Confidence(int hits) { return 100 * (1 - std::exp2(-hits / 2.0)); }

}  // namespace

Result<std::unique_ptr<FaceDetector>> CascadeDetector::Open(const FaceSettings& settings) {
  std::unique_ptr<CascadeDetector> detector(new CascadeDetector(settings));
  MILLRACE_RETURN_IF_ERROR(
      Load(detector->quick_, settings.opencv_data + "/lbpcascades/lbpcascade_frontalface.xml"));
  MILLRACE_RETURN_IF_ERROR(
      Load(detector->good_, settings.opencv_data + "/haarcascades/haarcascade_frontalface_alt2.xml"));
  return std::unique_ptr<FaceDetector>(std::move(detector));
}

std::string CascadeDetector::version() const { return "cascade1"; }

PictureForm CascadeDetector::form() const {
  return {PictureFormat::kGray, static_cast<int>(std::ceil(kQuickWindow / settings_.smallest_face - 1e-9))};
}

std::vector<Face> CascadeDetector::Detect(const cv::Mat& picture) {
  std::vector<Candidate> found;
  for (const Candidate& candidate : FindCandidates(picture)) Confirm(picture, candidate, found);
  std::stable_sort(found.begin(), found.end(),
                   [](const Candidate& a, const Candidate& b) { return a.hits > b.hits; });
  std::vector<Face> faces;
  std::vector<cv::Rect2d> taken;
  const double width = picture.cols;
  const double height = picture.rows;
  for (const Candidate& face : found) {
    const cv::Rect2d box = face.box & cv::Rect2d(0, 0, width, height);
    const bool again = std::any_of(taken.begin(), taken.end(), [&](const cv::Rect2d& other) {
      return (other & box).area() > kSharedAreaMax * std::min(other.area(), box.area());
    });
    if (again || box.empty() || Confidence(face.hits) < settings_.confidence_min) continue;
    taken.push_back(box);
    faces.push_back(
        {{box.x / width, box.y / height, box.width / width, box.height / height}, Confidence(face.hits)});
  }
  return faces;
}

std::vector<CascadeDetector::Candidate> CascadeDetector::FindCandidates(const cv::Mat& picture) {
  const std::vector<cv::Rect> hits = Hits(quick_, picture);
  if (hits.empty()) return {};  // cv::partition looks at the first one
  std::vector<int> labels;
  const int groups = cv::partition(hits, labels, cv::SimilarRects(kSameFace));
  std::vector<Candidate> candidates(static_cast<std::size_t>(groups));
  for (std::size_t i = 0; i < hits.size(); ++i) {
    Candidate& candidate = candidates[static_cast<std::size_t>(labels[i])];
    candidate.box.x += hits[i].x;
    candidate.box.y += hits[i].y;
    candidate.box.width += hits[i].width;
    candidate.box.height += hits[i].height;
    ++candidate.hits;
  }
  for (Candidate& candidate : candidates) {
    const double hits_of_it = candidate.hits;
    candidate.box = {candidate.box.x / hits_of_it, candidate.box.y / hits_of_it,
                     candidate.box.width / hits_of_it, candidate.box.height / hits_of_it};
  }
  if (candidates.size() > kCandidatesMax) {
    std::stable_sort(candidates.begin(), candidates.end(),
                     [](const Candidate& a, const Candidate& b) { return a.hits > b.hits; });
    candidates.resize(kCandidatesMax);
  }
  return candidates;
}

void CascadeDetector::Confirm(const cv::Mat& picture, const Candidate& candidate,
                              std::vector<Candidate>& faces) {
  const cv::Rect2d& box = candidate.box;
  const double side = kRegion * box.width;
  const cv::Rect region =
      cv::Rect(cv::Rect2d(box.x + (box.width - side) / 2, box.y + (box.height - side) / 2, side, side)) &
      cv::Rect(0, 0, picture.cols, picture.rows);
  const double scale = kNormalSide / box.width;
  cv::Mat normal;
  cv::resize(picture(region), normal, {}, scale, scale, scale < 0.5 ? cv::INTER_AREA : cv::INTER_LINEAR);
  const int smallest = static_cast<int>(kSmallestRatio * kNormalSide);
  const int largest = static_cast<int>(kLargestRatio * kNormalSide);
  std::vector<cv::Rect> found;
  std::vector<int> hits;
  good_.detectMultiScale(normal, found, hits, kGoodScaleStep, kAgreeing, 0, {smallest, smallest},
                         {largest, largest});
  for (std::size_t i = 0; i < found.size(); ++i) {
    const cv::Rect& face = found[i];
    faces.push_back(
        {{region.x + face.x / scale, region.y + face.y / scale, face.width / scale, face.height / scale},
         hits[i]});
  }
}

}  // namespace millrace
