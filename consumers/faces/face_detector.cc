#include "consumers/faces/face_detector.h"

#include <utility>

#include "consumers/faces/cascade_detector.h"
#include "consumers/faces/yunet_detector.h"

namespace millrace {

Result<std::unique_ptr<FaceDetector>> MakeFaceDetector(const FaceSettings& settings) {
  if (!(settings.smallest_face >= 0.02 && settings.smallest_face <= 1)) {
    return Error{ErrorCode::kInvalidArgument, "the smallest face must be 0.02 to 1 of the picture's height"};
  }
  if (!(settings.confidence_min >= 0 && settings.confidence_min <= 100)) {
    return Error{ErrorCode::kInvalidArgument, "the least confidence must be 0 to 100"};
  }
  std::unique_ptr<FaceDetector> detector;
  if (settings.model.empty()) {
    MILLRACE_ASSIGN_OR_RETURN(detector, CascadeDetector::Open(settings));
  } else {
    MILLRACE_ASSIGN_OR_RETURN(detector, YunetDetector::Open(settings));
  }
  return detector;
}

}  // namespace millrace
