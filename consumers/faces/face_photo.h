// The face of a photograph, as a collection keeps it: a small picture that any recogniser can be shown later.
#pragma once

#include <cstddef>
#include <memory>
#include <mutex>

#include "base/bytes.h"
#include "base/result.h"

namespace millrace {

class FaceDetector;

struct FaceBox {  // as ratios of a picture's width and height
  double left = 0;
  double top = 0;
  double width = 0;
  double height = 0;
  friend bool operator==(const FaceBox&, const FaceBox&) = default;
};

struct FacePhoto {
  Bytes image;       // JPEG: the face with half its width around, at most kFacePhotoSideMax either way
  FaceBox in_image;  // the face in it
  FaceBox in_photograph;
  double confidence = 0;  // that it is one, 0 to 100
};

inline constexpr std::size_t kPhotographBytesMax = std::size_t{20} << 20;
inline constexpr int kFacePhotoSideMax = 320;
inline constexpr std::size_t kFacePhotoBytesMax = 128 * 1024;

// Threads: any; one photograph is looked at at a time, whose memory is DecodePhotograph's.
class FaceFinder {
 public:
  FaceFinder();
  ~FaceFinder();

  // The face of the one person that the photograph shows. Errors: DecodePhotograph's; kInvalidArgument: no
  // face, or several that could be meant, or one of fewer than 32 pixels; kNotFound, kUnsupported: the
  // detector's files, which are looked for at the first photograph.
  Result<FacePhoto> Find(ByteSpan photograph);

 private:
  Result<void> Load();

  std::mutex mutex_;
  // One after the other: for faces as large as in a portrait, and for small ones. GUARDED_BY(mutex_)
  std::unique_ptr<FaceDetector> large_;
  std::unique_ptr<FaceDetector> small_;
};

}  // namespace millrace
