#include "consumers/faces/faces_analyzer.h"

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <cmath>
#include <opencv2/core.hpp>
#include <utility>

#include "consumers/analysis/option_reader.h"
#include "consumers/analysis/result_members.h"
#include "consumers/faces/collection_reader.h"

namespace millrace {
namespace {

constexpr double kComfortable =
    1.5;  // of the recogniser's smallest width: the smallest face's in the picture

Result<FacesSettings> ReadSettings(const boost::json::object& options, FacesSettings settings = {}) {
  OptionReader reader(options);
  reader.Text("model", settings.detector.model);
  reader.Text("opencv_data", settings.detector.opencv_data);
  reader.Number("smallest_face", settings.detector.smallest_face, 0.02, 1);
  reader.Text("recognizer_model", settings.recognizer.model);
  reader.Text("collection", settings.collection, 128);
  reader.Number("confidence_min", settings.stream.confidence_min, 0, 100);
  reader.Number("match_threshold", settings.stream.match_threshold, 0, 100);
  reader.Integer("detect_every", settings.stream.detect_every, 1, 1000);
  reader.Boolean("only_moving", settings.stream.only_moving);
  MILLRACE_RETURN_IF_ERROR(reader.Finish());
  return settings;
}

// All that decides results but what is in the models' files, whose checksums their versions have.
std::string ToText(const FacesSettings& settings) {
  return boost::json::serialize(
      boost::json::array{settings.detector.smallest_face, settings.detector.confidence_min,
                         settings.detector.model.empty() ? settings.detector.opencv_data : "",
                         settings.collection, settings.stream.confidence_min, settings.stream.match_threshold,
                         settings.stream.detect_every, settings.stream.only_moving});
}

bool SameModels(const FacesSettings& a, const FacesSettings& b) {
  return a.detector.model == b.detector.model && a.detector.opencv_data == b.detector.opencv_data &&
         a.detector.smallest_face == b.detector.smallest_face && a.recognizer.model == b.recognizer.model &&
         a.collection == b.collection;
}

Result<std::unique_ptr<FaceRecognizer>> OpenRecognizer(const FacesSettings& settings) {
  MILLRACE_ASSIGN_OR_RETURN(std::unique_ptr<FaceRecognizer> recognizer,
                            MakeFaceRecognizer(settings.recognizer));
  if (recognizer->needs_landmarks() && settings.detector.model.empty()) {
    return Error{ErrorCode::kInvalidArgument,
                 "recognizer_model needs the landmarks of faces, which OpenCV's cascades do not give: give a "
                 "YuNet model as model, too"};
  }
  return recognizer;
}

}  // namespace

Result<std::unique_ptr<FrameAnalyzer>> FacesAnalyzer::Make(const boost::json::object& options) {
  MILLRACE_ASSIGN_OR_RETURN(FacesSettings settings, ReadSettings(options));
  settings.detector.confidence_min = settings.stream.confidence_min;
  if (settings.collection.empty()) {
    if (!settings.recognizer.model.empty()) {
      return Error{ErrorCode::kInvalidArgument,
                   "recognizer_model is of no use without a collection: name one"};
    }
    return MakeFrom(settings);
  }
  // Of its own, since it looks at the collection on a thread of its own.
  MILLRACE_ASSIGN_OR_RETURN(auto detector, MakeFaceDetector(settings.detector));
  MILLRACE_ASSIGN_OR_RETURN(auto recognizer, OpenRecognizer(settings));
  MILLRACE_ASSIGN_OR_RETURN(
      auto reader, CollectionReader::Start(settings.collection, std::move(detector), std::move(recognizer)));
  return MakeFrom(settings, std::move(reader));
}

Result<std::unique_ptr<FrameAnalyzer>> FacesAnalyzer::MakeFrom(const FacesSettings& settings,
                                                               std::unique_ptr<GallerySource> galleries) {
  cv::setNumThreads(1);
  std::unique_ptr<FacesAnalyzer> analyzer(new FacesAnalyzer(settings));
  MILLRACE_ASSIGN_OR_RETURN(analyzer->detector_, MakeFaceDetector(settings.detector));
  if (galleries != nullptr) {
    MILLRACE_ASSIGN_OR_RETURN(analyzer->recognizer_, OpenRecognizer(settings));
    analyzer->galleries_ = std::move(galleries);
  }
  return std::unique_ptr<FrameAnalyzer>(std::move(analyzer));
}

std::string FacesAnalyzer::version() const {
  return VersionOf(detector_->version() + (recognizer_ ? "-" + recognizer_->version() : "") + "-t1",
                   ToText(settings_));
}

PictureForm FacesAnalyzer::picture_form() const {
  PictureForm form = detector_->form();
  if (recognizer_ == nullptr) return form;
  // Recognising takes more pixels than finding; the detector is shown the picture reduced.
  const double wanted = kComfortable * recognizer_->smallest_width() / settings_.detector.smallest_face;
  form.rows_max = std::max(form.rows_max, static_cast<int>(std::ceil(wanted)));
  return form;
}

Result<std::unique_ptr<StreamAnalyzer>> FacesAnalyzer::Open(const std::string& stream,
                                                            const boost::json::object& options) {
  MILLRACE_ASSIGN_OR_RETURN(const FacesSettings own, ReadSettings(options, settings_));
  if (!SameModels(own, settings_)) {
    return Error{ErrorCode::kInvalidArgument,
                 "model, opencv_data, smallest_face, recognizer_model and collection are the same for all "
                 "streams of an analyzer; '" +
                     stream + "' needs an analyzer of another name for its own"};
  }
  if (own.stream.confidence_min < settings_.detector.confidence_min) {
    return Error{
        ErrorCode::kInvalidArgument,
        "confidence_min of '" + stream + "' is less than the analyzer's, which decides what is found"};
  }
  return std::unique_ptr<StreamAnalyzer>(std::make_unique<FacesStream>(
      stream, FaceTools{*detector_, recognizer_.get(), galleries_.get()}, own.stream));
}

}  // namespace millrace
