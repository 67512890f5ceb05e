// The collections of known faces that users make from photographs, in the log's metadata.
//
//   faces/collection/<name>        JSON: when it was made and changed, how many faces and bytes, the changes
//   faces/face/<name>/<face id>    JSON: who, from which photograph, where in it
//   faces/image/<name>/<face id>   JPEG: the face with its surroundings (consumers/faces/face_photo.h)
//
// What is kept is the picture, and not what one recogniser makes of it: so each can be used on it, later ones
// too. Each change is one batch. A face's id comes of the collection, the person and the photograph: the same
// photograph given again replaces itself.
//
// Bounds:  kFaceCollectionsMax, kCollectionFacesMax, kFaceBytesMax in all.
// Threads: any; all calls may wait for the disk.
// Errors:  kInvalidArgument (a name), kNotFound, kResourceExhausted (a bound), and those of the log.
#pragma once

#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "consumers/faces/face_photo.h"
#include "storage/record_log.h"

namespace millrace::api {

inline constexpr std::size_t kFaceCollectionsMax = 100;
inline constexpr std::size_t kCollectionFacesMax = 1000;
inline constexpr std::uint64_t kFaceBytesMax = std::uint64_t{48} << 20;

struct FaceCollection {
  std::string name;
  Timestamp created{};
  Timestamp updated{};
  std::uint64_t faces = 0;
  std::uint64_t bytes = 0;
  std::uint64_t changes = 0;

  // Another one after each change, also of one that was deleted and made again.
  std::string Version() const;
};

struct CollectionFace {
  std::string face_id;
  std::string image_id;  // of the photograph
  std::string person;    // [a-zA-Z0-9_.:-]{1,255}: Rekognition's ExternalImageId
  Timestamp created;
  double confidence = 0;
  FaceBox in_photograph{};
  FaceBox in_image{};
  std::uint64_t bytes = 0;  // of the image
};

struct CollectionPage {
  FaceCollection collection;
  std::vector<CollectionFace> faces;
  std::vector<Bytes> images;        // where asked for: of each face
  std::optional<std::string> next;  // the last face's id; none: there are no more
};

class FaceCollections {
 public:
  // Both outlive this.
  FaceCollections(storage::RecordLog& log, const Clock& clock) : log_(log), clock_(clock) {}

  Result<std::vector<FaceCollection>> List();  // in name order
  Result<FaceCollection> Get(const std::string& name);
  // The faces by id, from behind `after`. An image that went meanwhile is kFailedPrecondition: ask again.
  Result<CollectionPage> Faces(const std::string& name, const std::string& after, std::size_t limit,
                               bool images);
  // Keeps the face of a photograph as that of `person`; makes the collection where it is not there.
  Result<CollectionFace> Add(const std::string& name, const std::string& person, ByteSpan photograph,
                             FacePhoto photo);
  // The faces of this person, or of this face id: how many there were. kNotFound: none.
  Result<std::size_t> RemovePerson(const std::string& name, const std::string& person);
  Result<std::size_t> RemoveFace(const std::string& name, const std::string& face_id);
  Result<void> Delete(const std::string& name);

 private:
  Result<std::vector<CollectionFace>> AllFaces(const std::string& name);
  Result<std::size_t> Remove(const std::string& name, const std::string& what,
                             const std::function<bool(const CollectionFace&)>& goes);

  storage::RecordLog& log_;
  const Clock& clock_;
  std::mutex changing_;  // one change at a time: counts and bounds
};

}  // namespace millrace::api
