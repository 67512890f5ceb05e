#include "api/v1/face_collections.h"

#include <algorithm>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <cmath>
#include <utility>

#include "api/v1/camera_json.h"
#include "api/v1/json.h"
#include "wire/digest.h"

namespace millrace::api {
namespace {

const std::string kCollections = "faces/collection/";
const std::string kFaces = "faces/face/";
const std::string kImages = "faces/image/";
constexpr int kForm = 1;

std::string FaceKey(const std::string& room, const std::string& name, const std::string& face_id) {
  return room + name + "/" + face_id;
}

Result<void> CheckPerson(const std::string& person) {
  constexpr std::string_view kKnown = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.:-";
  if (!person.empty() && person.size() <= 255 && person.find_first_not_of(kKnown) == std::string::npos) {
    return {};
  }
  return Error{ErrorCode::kInvalidArgument, "an id has 1 to 255 of the characters a-z, A-Z, 0-9, _ . : -"};
}

Error NoCollection(const std::string& name) {
  return {ErrorCode::kNotFound, "face collection '" + name + "' does not exist"};
}

// Reads what this file has written: what is not so is damaged.
class StoredReader {
 public:
  StoredReader(const std::string& what, ByteSpan value) : what_(what) {
    boost::system::error_code ec;
    auto parsed = boost::json::parse(JsonView(AsText(value)), ec);
    if (!ec && parsed.is_object()) object_ = std::move(parsed.get_object());
    form_ = static_cast<int>(Number("form"));
  }
  std::string Text(const char* name) {
    const auto* value = object_.if_contains(name);
    if (value == nullptr || !value->is_string()) damaged_ = true;
    return damaged_ ? "" : std::string(value->get_string());
  }
  double Number(const char* name) {
    const auto* value = object_.if_contains(name);
    const bool good = value != nullptr && value->is_number() && std::isfinite(value->to_number<double>());
    if (!good) damaged_ = true;
    return good ? value->to_number<double>() : 0;
  }
  std::int64_t Whole(const char* name) {
    const auto* value = object_.if_contains(name);
    boost::system::error_code ec;
    const auto number = value != nullptr && value->is_number() ? value->to_number<std::int64_t>(ec) : 0;
    if (value == nullptr || !value->is_number() || ec || number < 0) damaged_ = true;
    return number;
  }
  FaceBox Box(const std::string& prefix) {
    return {Number((prefix + "_left").c_str()), Number((prefix + "_top").c_str()),
            Number((prefix + "_width").c_str()), Number((prefix + "_height").c_str())};
  }
  Result<void> Finish() const {
    if (form_ > kForm) return Error{ErrorCode::kUnsupported, what_ + " is of a newer version of millrace"};
    if (damaged_ || form_ != kForm) return Error{ErrorCode::kCorruption, what_ + " is damaged"};
    return {};
  }

 private:
  const std::string what_;
  boost::json::object object_;
  int form_ = 0;
  bool damaged_ = false;
};

void WriteBox(boost::json::object& object, const std::string& prefix, const FaceBox& box) {
  object[prefix + "_left"] = box.left;
  object[prefix + "_top"] = box.top;
  object[prefix + "_width"] = box.width;
  object[prefix + "_height"] = box.height;
}

Bytes CollectionBytes(const boost::json::object& object) {
  const std::string text = boost::json::serialize(object);
  return Bytes(text.begin(), text.end());
}

storage::MetadataChange Write(const FaceCollection& collection) {
  boost::json::object object;
  object["form"] = kForm;
  object["created"] = collection.created.ns;
  object["updated"] = collection.updated.ns;
  object["faces"] = collection.faces;
  object["bytes"] = collection.bytes;
  object["changes"] = collection.changes;
  return {kCollections + collection.name, CollectionBytes(object), std::nullopt};
}

Result<FaceCollection> ReadCollection(const std::string& name, ByteSpan value) {
  StoredReader reader("face collection '" + name + "'", value);
  FaceCollection collection;
  collection.name = name;
  collection.created = Timestamp{reader.Whole("created")};
  collection.updated = Timestamp{reader.Whole("updated")};
  collection.faces = static_cast<std::uint64_t>(reader.Whole("faces"));
  collection.bytes = static_cast<std::uint64_t>(reader.Whole("bytes"));
  collection.changes = static_cast<std::uint64_t>(reader.Whole("changes"));
  MILLRACE_RETURN_IF_ERROR(reader.Finish());
  return collection;
}

storage::MetadataChange Write(const std::string& name, const CollectionFace& face) {
  boost::json::object object;
  object["form"] = kForm;
  object["image_id"] = face.image_id;
  object["person"] = face.person;
  object["created"] = face.created.ns;
  object["confidence"] = face.confidence;
  object["bytes"] = face.bytes;
  WriteBox(object, "photograph", face.in_photograph);
  WriteBox(object, "image", face.in_image);
  return {FaceKey(kFaces, name, face.face_id), CollectionBytes(object), std::nullopt};
}

Result<CollectionFace> ReadFace(const std::string& face_id, ByteSpan value) {
  StoredReader reader("face '" + face_id + "'", value);
  CollectionFace face;
  face.face_id = face_id;
  face.image_id = reader.Text("image_id");
  face.person = reader.Text("person");
  face.created = Timestamp{reader.Whole("created")};
  face.confidence = reader.Number("confidence");
  face.bytes = static_cast<std::uint64_t>(reader.Whole("bytes"));
  face.in_photograph = reader.Box("photograph");
  face.in_image = reader.Box("image");
  MILLRACE_RETURN_IF_ERROR(reader.Finish());
  return face;
}

}  // namespace

std::string FaceCollection::Version() const {
  return std::to_string(created.ns) + "-" + std::to_string(changes);
}

Result<std::vector<FaceCollection>> FaceCollections::List() {
  MILLRACE_ASSIGN_OR_RETURN(const auto entries, log_.ListMetadata(kCollections));
  std::vector<FaceCollection> collections;
  for (const storage::MetadataEntry& entry : entries) {
    MILLRACE_ASSIGN_OR_RETURN(FaceCollection collection,
                              ReadCollection(entry.key.substr(kCollections.size()), entry.value));
    collections.push_back(std::move(collection));
  }
  return collections;
}

Result<FaceCollection> FaceCollections::Get(const std::string& name) {
  MILLRACE_RETURN_IF_ERROR(CheckName(name, "face collection's name"));
  const auto entry = log_.GetMetadata(kCollections + name);
  if (!entry) return entry.error().code == ErrorCode::kNotFound ? NoCollection(name) : entry.error();
  return ReadCollection(name, entry->value);
}

Result<std::vector<CollectionFace>> FaceCollections::AllFaces(const std::string& name) {
  const std::string prefix = FaceKey(kFaces, name, "");
  MILLRACE_ASSIGN_OR_RETURN(const auto entries, log_.ListMetadata(prefix));
  std::vector<CollectionFace> faces;
  for (const storage::MetadataEntry& entry : entries) {
    MILLRACE_ASSIGN_OR_RETURN(CollectionFace face, ReadFace(entry.key.substr(prefix.size()), entry.value));
    faces.push_back(std::move(face));
  }
  return faces;
}

Result<CollectionPage> FaceCollections::Faces(const std::string& name, const std::string& after,
                                              std::size_t limit, bool images) {
  CollectionPage page;
  MILLRACE_ASSIGN_OR_RETURN(page.collection, Get(name));
  MILLRACE_ASSIGN_OR_RETURN(std::vector<CollectionFace> faces, AllFaces(name));
  std::erase_if(faces, [&](const CollectionFace& face) { return face.face_id <= after; });
  if (faces.size() > limit) {
    faces.resize(limit);
    page.next = faces.back().face_id;
  }
  for (const CollectionFace& face : faces) {
    if (!images) break;
    auto image = log_.GetMetadata(FaceKey(kImages, name, face.face_id));
    if (!image && image.error().code == ErrorCode::kNotFound) {
      return Error{ErrorCode::kFailedPrecondition,
                   "face collection '" + name + "' changed meanwhile: ask again"};
    }
    if (!image) return std::move(image).error();
    page.images.push_back(std::move(image->value));
  }
  page.faces = std::move(faces);
  return page;
}

Result<CollectionFace> FaceCollections::Add(const std::string& name, const std::string& person,
                                            ByteSpan photograph, FacePhoto photo) {
  MILLRACE_RETURN_IF_ERROR(CheckName(name, "face collection's name"));
  MILLRACE_RETURN_IF_ERROR(CheckPerson(person));
  const std::string digest = wire::Hex(wire::Sha256Of(photograph));
  CollectionFace face{.face_id = wire::UuidOf(AsBytes(name + "\n" + person + "\n" + digest)),
                      .image_id = wire::UuidOf(AsBytes(digest)),
                      .person = person,
                      .created = clock_.Now(),
                      .confidence = photo.confidence,
                      .in_photograph = photo.in_photograph,
                      .in_image = photo.in_image,
                      .bytes = photo.image.size()};
  std::lock_guard changing(changing_);
  MILLRACE_ASSIGN_OR_RETURN(const std::vector<FaceCollection> all, List());
  FaceCollection collection{.name = name, .created = face.created};
  std::uint64_t bytes = face.bytes;
  bool there = false;
  for (const FaceCollection& other : all) {
    bytes += other.bytes;
    if (other.name != name) continue;
    collection = other;
    there = true;
  }
  if (!there && all.size() >= kFaceCollectionsMax) {
    return Error{ErrorCode::kResourceExhausted, "there are " + std::to_string(kFaceCollectionsMax) +
                                                    " face collections already: delete one first"};
  }
  if (const auto before = log_.GetMetadata(FaceKey(kFaces, name, face.face_id))) {
    MILLRACE_ASSIGN_OR_RETURN(const CollectionFace same, ReadFace(face.face_id, before->value));
    collection.faces -= std::min<std::uint64_t>(collection.faces, 1);
    collection.bytes -= std::min(collection.bytes, same.bytes);
    bytes -= std::min(bytes, same.bytes);
  }
  if (collection.faces >= kCollectionFacesMax) {
    return Error{ErrorCode::kResourceExhausted, "face collection '" + name + "' has " +
                                                    std::to_string(kCollectionFacesMax) +
                                                    " faces already: remove some, or begin another one"};
  }
  if (bytes > kFaceBytesMax) {
    return Error{ErrorCode::kResourceExhausted, "the face collections together have " +
                                                    std::to_string(kFaceBytesMax >> 20) +
                                                    " MiB already: remove faces first"};
  }
  ++collection.faces;
  ++collection.changes;
  collection.bytes += face.bytes;
  collection.updated = face.created;
  storage::CommitBatch batch;
  batch.metadata.push_back(Write(collection));
  batch.metadata.push_back(Write(name, face));
  batch.metadata.push_back({FaceKey(kImages, name, face.face_id), std::move(photo.image), std::nullopt});
  MILLRACE_RETURN_IF_ERROR(log_.Commit(std::move(batch)));
  return face;
}

Result<std::size_t> FaceCollections::Remove(const std::string& name, const std::string& what,
                                            const std::function<bool(const CollectionFace&)>& goes) {
  std::lock_guard changing(changing_);
  MILLRACE_ASSIGN_OR_RETURN(FaceCollection collection, Get(name));
  MILLRACE_ASSIGN_OR_RETURN(const std::vector<CollectionFace> faces, AllFaces(name));
  storage::CommitBatch batch;
  std::size_t removed = 0;
  for (const CollectionFace& face : faces) {
    if (!goes(face)) continue;
    ++removed;
    collection.faces -= std::min<std::uint64_t>(collection.faces, 1);
    collection.bytes -= std::min(collection.bytes, face.bytes);
    batch.metadata.push_back({FaceKey(kFaces, name, face.face_id), std::nullopt, std::nullopt});
    batch.metadata.push_back({FaceKey(kImages, name, face.face_id), std::nullopt, std::nullopt});
  }
  if (removed == 0) {
    return Error{ErrorCode::kNotFound, "face collection '" + name + "' has no face of " + what};
  }
  ++collection.changes;
  collection.updated = clock_.Now();
  batch.metadata.push_back(Write(collection));
  MILLRACE_RETURN_IF_ERROR(log_.Commit(std::move(batch)));
  return removed;
}

Result<std::size_t> FaceCollections::RemovePerson(const std::string& name, const std::string& person) {
  MILLRACE_RETURN_IF_ERROR(CheckPerson(person));
  return Remove(name, "id '" + person + "'",
                [&](const CollectionFace& face) { return face.person == person; });
}

Result<std::size_t> FaceCollections::RemoveFace(const std::string& name, const std::string& face_id) {
  return Remove(name, "this face id", [&](const CollectionFace& face) { return face.face_id == face_id; });
}

Result<void> FaceCollections::Delete(const std::string& name) {
  std::lock_guard changing(changing_);
  MILLRACE_RETURN_IF_ERROR(Get(name));
  MILLRACE_ASSIGN_OR_RETURN(const std::vector<CollectionFace> faces, AllFaces(name));
  storage::CommitBatch batch;
  batch.metadata.push_back({kCollections + name, std::nullopt, std::nullopt});
  for (const CollectionFace& face : faces) {
    batch.metadata.push_back({FaceKey(kFaces, name, face.face_id), std::nullopt, std::nullopt});
    batch.metadata.push_back({FaceKey(kImages, name, face.face_id), std::nullopt, std::nullopt});
  }
  MILLRACE_RETURN_IF_ERROR(log_.Commit(std::move(batch)));
  return {};
}

}  // namespace millrace::api
