#include "consumers/faces/collection_reader.h"

#include <algorithm>
#include <boost/json/array.hpp>
#include <cmath>
#include <cstdlib>
#include <utility>

#include "base/log.h"
#include "wire/base64.h"

namespace millrace {
namespace {

constexpr std::size_t kCollectionFacesMax = 1000;  // of a collection, as the server allows
constexpr int kPage = 20;
constexpr int kReadsMax = 8;  // of a collection that changes while it is read
constexpr Duration kReadAgain = std::chrono::milliseconds(250);
constexpr const char* kNoVersion = "none";

Result<std::string> Text(const boost::json::object& object, const char* name) {
  const auto* value = object.if_contains(name);
  if (value == nullptr || !value->is_string()) {
    return Error{ErrorCode::kCorruption, std::string("the server's answer lacks '") + name + "'"};
  }
  return std::string(value->get_string());
}

Result<double> Ratio(const boost::json::object& object, const char* name) {
  const auto* value = object.if_contains(name);
  const double number = value != nullptr && value->is_number() ? value->to_number<double>() : std::nan("");
  if (!(std::fabs(number) <= 100)) {
    return Error{ErrorCode::kCorruption, std::string("the server's answer has no good '") + name + "'"};
  }
  return number;
}

Result<FaceBox> Box(const boost::json::object& object, const char* name) {
  const auto* value = object.if_contains(name);
  if (value == nullptr || !value->is_object()) {
    return Error{ErrorCode::kCorruption, std::string("the server's answer lacks '") + name + "'"};
  }
  FaceBox box;
  MILLRACE_ASSIGN_OR_RETURN(box.left, Ratio(value->get_object(), "Left"));
  MILLRACE_ASSIGN_OR_RETURN(box.top, Ratio(value->get_object(), "Top"));
  MILLRACE_ASSIGN_OR_RETURN(box.width, Ratio(value->get_object(), "Width"));
  MILLRACE_ASSIGN_OR_RETURN(box.height, Ratio(value->get_object(), "Height"));
  return box;
}

Result<KnownFace> ParseKnownFace(const boost::json::object& object) {
  KnownFace face;
  MILLRACE_ASSIGN_OR_RETURN(face.face_id, Text(object, "face_id"));
  MILLRACE_ASSIGN_OR_RETURN(face.image_id, Text(object, "image_id"));
  MILLRACE_ASSIGN_OR_RETURN(face.person, Text(object, "id"));
  MILLRACE_ASSIGN_OR_RETURN(face.confidence, Ratio(object, "confidence"));
  MILLRACE_ASSIGN_OR_RETURN(face.in_photograph, Box(object, "bounding_box"));
  MILLRACE_ASSIGN_OR_RETURN(face.in_image, Box(object, "box_in_image"));
  MILLRACE_ASSIGN_OR_RETURN(const std::string image, Text(object, "image"));
  auto bytes = wire::DecodeBase64(image);
  if (!bytes || bytes->size() > kFacePhotoBytesMax) {
    return Error{ErrorCode::kCorruption, "the server's answer has no good image of a face"};
  }
  face.image = std::move(*bytes);
  return face;
}

bool IsName(const std::string& name) {
  return !name.empty() && name.find_first_not_of(
                              "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                              "0123456789_.-") == std::string::npos;
}

}  // namespace

Result<std::vector<KnownFace>> ParseKnownFaces(const boost::json::object& page) {
  const auto* list = page.if_contains("faces");
  if (list == nullptr || !list->is_array()) {
    return Error{ErrorCode::kCorruption, "the server's answer lacks 'faces'"};
  }
  std::vector<KnownFace> faces;
  for (const auto& item : list->get_array()) {
    if (!item.is_object())
      return Error{ErrorCode::kCorruption, "the server's answer has a face of another type"};
    MILLRACE_ASSIGN_OR_RETURN(KnownFace face, ParseKnownFace(item.get_object()));
    faces.push_back(std::move(face));
  }
  return faces;
}

Result<std::unique_ptr<GallerySource>> CollectionReader::Start(const std::string& collection,
                                                               std::unique_ptr<FaceDetector> detector,
                                                               std::unique_ptr<FaceRecognizer> recognizer) {
  const char* endpoint = std::getenv("MILLRACE_ENDPOINT");
  CollectionReaderOptions options;
  MILLRACE_ASSIGN_OR_RETURN(options.endpoint,
                            wire::Endpoint::Parse(endpoint != nullptr ? endpoint : "http://127.0.0.1:4567"));
  return Start(collection, options, std::move(detector), std::move(recognizer));
}

Result<std::unique_ptr<GallerySource>> CollectionReader::Start(const std::string& collection,
                                                               const CollectionReaderOptions& options,
                                                               std::unique_ptr<FaceDetector> detector,
                                                               std::unique_ptr<FaceRecognizer> recognizer) {
  if (!IsName(collection)) {
    return Error{ErrorCode::kInvalidArgument, "a collection's name has the characters a-z, A-Z, 0-9, _ . -"};
  }
  std::unique_ptr<CollectionReader> reader(
      new CollectionReader(collection, options, std::move(detector), std::move(recognizer)));
  if (auto looked = reader->LookAgain(); !looked) {
    return WithContext(std::move(looked).error(), "face collection '" + collection + "'");
  }
  reader->thread_ = std::thread([&reader = *reader] { reader.Run(); });
  return std::unique_ptr<GallerySource>(std::move(reader));
}

CollectionReader::CollectionReader(const std::string& collection, const CollectionReaderOptions& options,
                                   std::unique_ptr<FaceDetector> detector,
                                   std::unique_ptr<FaceRecognizer> recognizer)
    : collection_(collection),
      options_(options),
      server_(options.endpoint),
      detector_(std::move(detector)),
      recognizer_(std::move(recognizer)) {}

CollectionReader::~CollectionReader() {
  {
    std::lock_guard lock(mutex_);
    ending_ = true;
  }
  ends_.notify_all();
  if (thread_.joinable()) thread_.join();
}

std::shared_ptr<const FaceGallery> CollectionReader::Current() const {
  std::lock_guard lock(mutex_);
  return gallery_;
}

bool CollectionReader::Sleep(Duration duration) {
  std::unique_lock lock(mutex_);
  return !ends_.wait_for(lock, duration, [this] { return ending_; });
}

void CollectionReader::Run() {
  bool well = true;
  while (Sleep(options_.look_again)) {
    const auto looked = LookAgain();
    if (!looked && well) {
      Log(LogLevel::kWarning, "face collection not read again",
          {{"collection", collection_}, {"error", looked.error().ToString()}});
    }
    well = looked.has_value();
  }
}

Result<std::string> CollectionReader::Version() {
  const auto answer = server_.Own("GET", "/v1/face-collections/" + collection_);
  if (answer) return Text(*answer, "version");
  if (answer.error().code == ErrorCode::kNotFound) return std::string(kNoVersion);
  return answer.error();
}

Result<std::vector<KnownFace>> CollectionReader::Read(const std::string& version) {
  std::vector<KnownFace> faces;
  if (version == kNoVersion) return faces;
  std::string next;
  do {
    const auto page = server_.Own("GET", "/v1/face-collections/" + collection_ + "/faces?images=true&limit=" +
                                             std::to_string(kPage) + (next.empty() ? "" : "&next=" + next));
    const Error changed{ErrorCode::kFailedPrecondition, "it changed while it was read"};
    if (!page) return page.error().code == ErrorCode::kNotFound ? changed : page.error();
    MILLRACE_ASSIGN_OR_RETURN(const std::string now, Text(*page, "version"));
    if (now != version) return changed;
    MILLRACE_ASSIGN_OR_RETURN(auto read, ParseKnownFaces(*page));
    if (faces.size() + read.size() > kCollectionFacesMax) {
      return Error{ErrorCode::kCorruption,
                   "it has more than " + std::to_string(kCollectionFacesMax) + " faces"};
    }
    std::move(read.begin(), read.end(), std::back_inserter(faces));
    const auto* token = page->if_contains("next");
    next = token != nullptr && token->is_string() ? std::string(token->get_string()) : "";
  } while (!next.empty());
  return faces;
}

Result<void> CollectionReader::LookAgain() {
  for (int reads = 1;; ++reads) {
    auto looked = LookOnce();
    if (looked || looked.error().code != ErrorCode::kFailedPrecondition) return looked;
    if (reads == kReadsMax || !Sleep(std::min(kReadAgain, options_.look_again))) {
      return Error{ErrorCode::kUnavailable,
                   "it changed each of " + std::to_string(reads) + " times that it was read"};
    }
  }
}

Result<void> CollectionReader::LookOnce() {
  MILLRACE_ASSIGN_OR_RETURN(const std::string version, Version());
  const auto before = Current();
  if (before && before->version() == version) return {};
  MILLRACE_ASSIGN_OR_RETURN(std::vector<KnownFace> faces, Read(version));
  try {
    auto made = std::make_shared<const FaceGallery>(collection_, version, std::move(faces), *detector_,
                                                    *recognizer_, before.get());
    Log(LogLevel::kInfo, "face collection read",
        {{"collection", collection_},
         {"version", version},
         {"faces", std::to_string(made->faces().size())},
         {"unusable", std::to_string(made->unusable())}});
    std::lock_guard lock(mutex_);
    gallery_ = std::move(made);
  } catch (const std::exception& e) {
    return Error{ErrorCode::kInternal, std::string("its faces cannot be looked at: ") + e.what()};
  }
  return {};
}

}  // namespace millrace
