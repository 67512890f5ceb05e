// A collection as the server has it: read over the public API, and again when it changes.
//
// The known faces are made ready on a thread of this, with a detector and a recogniser of its own,
// so that frames do not wait; what uses a gallery meanwhile goes on with the one before. Of a
// collection that changed only the new faces are looked at.
//
// Errors:  while running: the gallery stays as it was, and a line is logged once until it goes well
//          again.
// Threads: Start and destruction on one; Current from any.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "base/result.h"
#include "consumers/faces/face_detector.h"
#include "consumers/faces/gallery_source.h"
#include "wire/service_client.h"

namespace millrace {

struct CollectionReaderOptions {
  wire::Endpoint endpoint;
  Duration look_again = std::chrono::seconds(2);
};

class CollectionReader final : public GallerySource {
 public:
  // The server that MILLRACE_ENDPOINT names.
  static Result<std::unique_ptr<GallerySource>> Start(const std::string& collection,
                                                      std::unique_ptr<FaceDetector> detector,
                                                      std::unique_ptr<FaceRecognizer> recognizer);
  // Returns when the collection is read once. One that does not exist is empty until it does.
  // Errors: kInvalidArgument: its name; kUnavailable, kDeadlineExceeded: the server does not
  // answer, or the collection changes each time that it is read; kPermissionDenied,
  // kUnauthenticated: it does not give the collection.
  static Result<std::unique_ptr<GallerySource>> Start(const std::string& collection,
                                                      const CollectionReaderOptions& options,
                                                      std::unique_ptr<FaceDetector> detector,
                                                      std::unique_ptr<FaceRecognizer> recognizer);
  ~CollectionReader() override;

  std::shared_ptr<const FaceGallery> Current() const override;

 private:
  CollectionReader(const std::string& collection, const CollectionReaderOptions& options,
                   std::unique_ptr<FaceDetector> detector, std::unique_ptr<FaceRecognizer> recognizer);
  void Run();
  bool Sleep(Duration duration);  // false: this ends
  Result<std::string> Version();
  // Reads all pages of one version. kFailedPrecondition: it changed meanwhile.
  Result<std::vector<KnownFace>> Read(const std::string& version);
  // Once more, and again some times where the collection changes while it is read. Errors:
  // Version's, Read's but for kFailedPrecondition: kUnavailable, it changed each time.
  Result<void> LookAgain();
  // kFailedPrecondition: it changed while it was read.
  Result<void> LookOnce();

  const std::string collection_;
  const CollectionReaderOptions options_;
  // Start, then the thread.
  wire::ServiceClient server_;
  const std::unique_ptr<FaceDetector> detector_;
  const std::unique_ptr<FaceRecognizer> recognizer_;

  mutable std::mutex mutex_;
  std::condition_variable ends_;
  bool ending_ = false;                         // GUARDED_BY(mutex_)
  std::shared_ptr<const FaceGallery> gallery_;  // GUARDED_BY(mutex_)
  std::thread thread_;
};

// One page of GET /v1/face-collections/{name}/faces. Errors: kCorruption.
Result<std::vector<KnownFace>> ParseKnownFaces(const boost::json::object& page);

}  // namespace millrace
