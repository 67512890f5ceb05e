// Where the faces analyzer has its collection from.
#pragma once

#include <memory>

#include "consumers/faces/face_gallery.h"

namespace millrace {

// Threads: any.
class GallerySource {
 public:
  virtual ~GallerySource() = default;
  // As it is now; what was given before stays as it was. Not null: a collection that is not there is empty.
  virtual std::shared_ptr<const FaceGallery> Current() const = 0;
};

}  // namespace millrace
