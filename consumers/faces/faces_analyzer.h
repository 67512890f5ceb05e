// The faces analyzer: finds faces, follows them, and says whose they are by a collection that the user made.
// consumers/faces/face_record.h has the form of what it writes; docs/faces.md tells people about it.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "consumers/analysis/frame_analyzer.h"
#include "consumers/faces/face_detector.h"
#include "consumers/faces/face_recognizer.h"
#include "consumers/faces/faces_stream.h"
#include "consumers/faces/gallery_source.h"

namespace millrace {

// What decides the pictures and the models: one for all streams of an analyzer.
struct FacesSettings {
  FaceSettings detector{};
  RecognizerSettings recognizer{};
  std::string collection{};     // empty: no faces are searched
  FacesStreamOptions stream{};  // where a stream has none of its own
};

class FacesAnalyzer final : public FrameAnalyzer {
 public:
  // Options of all streams: "model", "opencv_data", "smallest_face" (FaceSettings), "recognizer_model"
  // (RecognizerSettings), "collection". Those that a stream may have for itself: "confidence_min",
  // "match_threshold", "detect_every", "only_moving" (FacesStreamOptions). A collection is read from the
  // server that MILLRACE_ENDPOINT names, and read again when it changes.
  //
  // Switches OpenCV's own threads off for the whole process (cv::setNumThreads): a reduced picture is too
  // small to share out, and the other cores have cameras to record. Errors: as MakeFaceDetector,
  // MakeFaceRecognizer; kInvalidArgument: an option; kUnavailable: the server with the collection.
  static Result<std::unique_ptr<FrameAnalyzer>> Make(const boost::json::object& options);
  // With galleries from elsewhere; null where no collection is searched.
  static Result<std::unique_ptr<FrameAnalyzer>> MakeFrom(const FacesSettings& settings,
                                                         std::unique_ptr<GallerySource> galleries = nullptr);

  std::string name() const override { return "faces"; }
  // Detector and recogniser, with their models' checksums, and one of all options that decide
  // results: "cascade1-lbph1-t1-3b2a9c01".
  std::string version() const override;
  PictureForm picture_form() const override;
  Duration warm_up() const override { return FacesStream::kWarmUp; }
  // An option that is none of a stream's, and another one than the analyzer's, is kInvalidArgument.
  Result<std::unique_ptr<StreamAnalyzer>> Open(const std::string& stream,
                                               const boost::json::object& options) override;

 private:
  explicit FacesAnalyzer(FacesSettings settings) : settings_(std::move(settings)) {}

  const FacesSettings settings_;
  std::unique_ptr<FaceDetector> detector_;
  std::unique_ptr<FaceRecognizer> recognizer_;  // with a collection
  std::unique_ptr<GallerySource> galleries_;    // likewise
};

}  // namespace millrace
