#include "consumers/faces/face_photo.h"

#include <algorithm>
#include <cmath>
#include <opencv2/imgproc.hpp>
#include <string>
#include <utility>
#include <vector>

#include "consumers/faces/face_detector.h"
#include "consumers/faces/photograph.h"
#include "consumers/images/image_encoder.h"

namespace millrace {
namespace {

constexpr double kLarge = 0.12;  // of the photograph's height
constexpr double kSmall = 0.04;
constexpr double kConfidenceMin = 75;
constexpr double kPixelsMin = 32;
constexpr double kAround = 2.0;         // of the kept picture to the face
constexpr double kClearlyLarger = 2.0;  // the area of the face that is meant to any other one's

cv::Mat ReducedGray(const cv::Mat& picture, int rows_max) {
  cv::Mat gray;
  cv::cvtColor(picture, gray, cv::COLOR_BGR2GRAY);
  if (rows_max > 0 && gray.rows > rows_max) {
    const int columns = std::max(1, static_cast<int>(std::lround(1.0 * gray.cols * rows_max / gray.rows)));
    cv::resize(gray, gray, {columns, rows_max}, 0, 0, cv::INTER_AREA);
  }
  return gray;
}

std::vector<Face> Detect(FaceDetector& detector, const cv::Mat& picture) {
  std::vector<Face> faces = detector.Detect(ReducedGray(picture, detector.form().rows_max));
  std::erase_if(faces, [](const Face& face) { return face.confidence < kConfidenceMin; });
  std::stable_sort(faces.begin(), faces.end(),
                   [](const Face& a, const Face& b) { return a.box.area() > b.box.area(); });
  return faces;
}

FaceBox ToBox(const cv::Rect2d& box) { return {box.x, box.y, box.width, box.height}; }

// The face with its surroundings, small enough to be kept; what lies outside the photograph is left out.
Result<FacePhoto> Cut(const cv::Mat& picture, const Face& face) {
  const cv::Rect2d pixels(face.box.x * picture.cols, face.box.y * picture.rows, face.box.width * picture.cols,
                          face.box.height * picture.rows);
  const double width = pixels.width * kAround;
  const double height = pixels.height * kAround;
  const cv::Rect around = cv::Rect(cv::Rect2d(pixels.x + (pixels.width - width) / 2,
                                              pixels.y + (pixels.height - height) / 2, width, height)) &
                          cv::Rect(0, 0, picture.cols, picture.rows);
  cv::Mat cut = picture(around).clone();
  const double scale = 1.0 * kFacePhotoSideMax / std::max(around.width, around.height);
  if (scale < 1) cv::resize(cut, cut, {}, scale, scale, cv::INTER_AREA);
  FacePhoto photo;
  MILLRACE_ASSIGN_OR_RETURN(photo.image, EncodeImage(cut, {.jpeg_quality = 92}));
  photo.in_image = {(pixels.x - around.x) / around.width, (pixels.y - around.y) / around.height,
                    pixels.width / around.width, pixels.height / around.height};
  photo.in_photograph = ToBox(face.box);
  photo.confidence = face.confidence;
  return photo;
}

}  // namespace

FaceFinder::FaceFinder() = default;
FaceFinder::~FaceFinder() = default;

Result<void> FaceFinder::Load() {
  if (small_ != nullptr) return {};
  FaceSettings settings;
  settings.smallest_face = kLarge;
  MILLRACE_ASSIGN_OR_RETURN(large_, MakeFaceDetector(settings));
  settings.smallest_face = kSmall;
  MILLRACE_ASSIGN_OR_RETURN(small_, MakeFaceDetector(settings));
  return {};
}

Result<FacePhoto> FaceFinder::Find(ByteSpan photograph) {
  std::lock_guard lock(mutex_);
  MILLRACE_RETURN_IF_ERROR(Load());
  MILLRACE_ASSIGN_OR_RETURN(const cv::Mat picture, DecodePhotograph(photograph));
  try {
    std::vector<Face> faces = Detect(*large_, picture);
    if (faces.empty()) faces = Detect(*small_, picture);
    if (faces.empty()) {
      return Error{ErrorCode::kInvalidArgument,
                   "no face is found in the photograph: it must show one from the front, upright, and not "
                   "smaller than a twenty-fifth of its height"};
    }
    if (faces.size() > 1 && faces[0].box.area() < kClearlyLarger * faces[1].box.area()) {
      return Error{ErrorCode::kInvalidArgument,
                   "the photograph shows " + std::to_string(faces.size()) +
                       " faces: cut it so that only the one that is meant is left"};
    }
    if (faces[0].box.width * picture.cols < kPixelsMin) {
      return Error{ErrorCode::kInvalidArgument,
                   "the face in the photograph has fewer than 32 pixels: take a larger picture"};
    }
    return Cut(picture, faces[0]);
  } catch (const cv::Exception& e) {
    return Error{ErrorCode::kInternal, std::string("the photograph cannot be looked at: ") + e.what()};
  }
}

}  // namespace millrace
