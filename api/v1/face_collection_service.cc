// GET /v1/face-collections, GET and DELETE /v1/face-collections/{name}, GET, POST and DELETE
// /v1/face-collections/{name}/faces: docs/http-api.md, "Face collections".
#include <algorithm>
#include <boost/json/array.hpp>
#include <memory>
#include <string>

#include "api/aws/aws_body.h"
#include "api/http/handlers.h"
#include "api/v1/face_collections.h"
#include "api/v1/gather_error.h"
#include "api/v1/json.h"
#include "api/v1/services.h"
#include "consumers/faces/face_photo.h"
#include "wire/base64.h"

namespace millrace::api {
namespace {

constexpr std::size_t kFacesDefault = 100;
constexpr std::size_t kFacesMax = 1000;
constexpr std::size_t kImagesMax = 50;  // of an answer with images: some 6 MB

boost::json::object ToJson(const FaceCollection& collection) {
  boost::json::object object;
  object["name"] = collection.name;
  object["faces"] = collection.faces;
  object["bytes"] = collection.bytes;
  object["created"] = FormatRfc3339(collection.created);
  object["updated"] = FormatRfc3339(collection.updated);
  object["version"] = collection.Version();
  return object;
}

boost::json::object ToJson(const FaceBox& box) {
  boost::json::object object;
  object["Height"] = box.height;
  object["Width"] = box.width;
  object["Left"] = box.left;
  object["Top"] = box.top;
  return object;
}

boost::json::object ToJson(const CollectionFace& face) {
  boost::json::object object;
  object["face_id"] = face.face_id;
  object["image_id"] = face.image_id;
  object["id"] = face.person;
  object["confidence"] = face.confidence;
  object["bounding_box"] = ToJson(face.in_photograph);
  object["box_in_image"] = ToJson(face.in_image);
  object["created"] = FormatRfc3339(face.created);
  return object;
}

Result<std::string> ListCollections(const FaceCollectionServices& services, const Target& target) {
  MILLRACE_RETURN_IF_ERROR(target.CheckQuery({}));
  MILLRACE_ASSIGN_OR_RETURN(const auto collections, services.collections.List());
  boost::json::array list;
  for (const FaceCollection& collection : collections) list.push_back(ToJson(collection));
  boost::json::object answer;
  answer["collections"] = std::move(list);
  return ToText(answer);
}

Result<std::string> GetCollection(const FaceCollectionServices& services, const std::string& name,
                                  const Target& target) {
  MILLRACE_RETURN_IF_ERROR(target.CheckQuery({}));
  MILLRACE_ASSIGN_OR_RETURN(const FaceCollection collection, services.collections.Get(name));
  return ToText(ToJson(collection));
}

Result<std::string> DeleteCollection(const FaceCollectionServices& services, const std::string& name,
                                     const Target& target) {
  MILLRACE_RETURN_IF_ERROR(target.CheckQuery({}));
  MILLRACE_RETURN_IF_ERROR(services.collections.Delete(name));
  return std::string("{}");
}

Result<std::string> ListFaces(const FaceCollectionServices& services, const std::string& name,
                              const Target& target) {
  MILLRACE_RETURN_IF_ERROR(target.CheckQuery({"limit", "next", "images"}));
  const std::string_view with = target.Query("images").value_or("false");
  if (with != "true" && with != "false") {
    return Error{ErrorCode::kInvalidArgument, "'images' must be true or false"};
  }
  const bool images = with == "true";
  const std::size_t max = images ? kImagesMax : kFacesMax;
  MILLRACE_ASSIGN_OR_RETURN(const std::size_t limit,
                            target.Count("limit", std::min(kFacesDefault, max), max));
  const std::string after(target.Query("next").value_or(""));
  MILLRACE_ASSIGN_OR_RETURN(const CollectionPage page,
                            services.collections.Faces(name, after, limit, images));
  boost::json::array list;
  for (std::size_t i = 0; i < page.faces.size(); ++i) {
    boost::json::object face = ToJson(page.faces[i]);
    if (images) face["image"] = wire::EncodeBase64(page.images[i]);
    list.push_back(std::move(face));
  }
  boost::json::object answer;
  answer["version"] = page.collection.Version();
  answer["faces"] = std::move(list);
  answer["next"] = nullptr;
  if (page.next) answer["next"] = *page.next;
  return ToText(answer);
}

Result<std::string> IndexFace(const FaceCollectionServices& services, FaceFinder& finder,
                              const std::string& name, const Target& target, std::string_view body) {
  MILLRACE_RETURN_IF_ERROR(target.CheckQuery({"id"}));
  const auto id = target.Query("id");
  if (!id) return Error{ErrorCode::kInvalidArgument, "'id' is missing: whose face it is, as ?id=ada"};
  if (body.empty())
    return Error{ErrorCode::kInvalidArgument, "the body is to be the photograph: a JPEG or a PNG"};
  const ByteSpan photograph = AsBytes(body);
  MILLRACE_ASSIGN_OR_RETURN(FacePhoto photo, finder.Find(photograph));
  MILLRACE_ASSIGN_OR_RETURN(const CollectionFace face,
                            services.collections.Add(name, std::string(*id), photograph, std::move(photo)));
  return ToText(ToJson(face));
}

Result<std::string> RemoveFaces(const FaceCollectionServices& services, const std::string& name,
                                const Target& target) {
  MILLRACE_RETURN_IF_ERROR(target.CheckQuery({"id", "face_id"}));
  const auto id = target.Query("id");
  const auto face_id = target.Query("face_id");
  if (id.has_value() == face_id.has_value()) {
    return Error{ErrorCode::kInvalidArgument, "say whose faces with 'id', or which one with 'face_id'"};
  }
  MILLRACE_ASSIGN_OR_RETURN(const std::size_t removed,
                            id ? services.collections.RemovePerson(name, std::string(*id))
                               : services.collections.RemoveFace(name, std::string(*face_id)));
  boost::json::object answer;
  answer["removed"] = removed;
  return ToText(answer);
}

using NamedAction = Result<std::string> (*)(const FaceCollectionServices&, const std::string&, const Target&);

void AddNamed(Router& router, const FaceCollectionServices& services, const std::string& method,
              const std::string& pattern, NamedAction action) {
  router.Add(method, pattern,
             [services, action](Request& request, ResponseWriter& writer) -> net::awaitable<void> {
               auto work = [&]() -> Result<std::string> {
                 return action(services, request.Parameter("name"), request.target);
               };
               co_await RespondWith(services.pool, writer, work);
             });
}

}  // namespace

void AddFaceCollectionRoutes(Router& router, FaceCollectionServices services) {
  router.Add("GET", "/v1/face-collections",
             [services](Request& request, ResponseWriter& writer) -> net::awaitable<void> {
               auto work = [&]() -> Result<std::string> { return ListCollections(services, request.target); };
               co_await RespondWith(services.pool, writer, work);
             });
  AddNamed(router, services, "GET", "/v1/face-collections/{name}", GetCollection);
  AddNamed(router, services, "DELETE", "/v1/face-collections/{name}", DeleteCollection);
  AddNamed(router, services, "GET", "/v1/face-collections/{name}/faces", ListFaces);
  AddNamed(router, services, "DELETE", "/v1/face-collections/{name}/faces", RemoveFaces);
  auto finder = std::make_shared<FaceFinder>();
  router.Add("POST", "/v1/face-collections/{name}/faces",
             [services, finder](Request& request, ResponseWriter& writer) -> net::awaitable<void> {
               auto body = co_await GatherAwsBody(request, services.budget, kPhotographBytesMax);
               if (!body) {
                 co_await RespondGatherError(writer, std::move(body).error());
                 co_return;
               }
               auto work = [&]() -> Result<std::string> {
                 return IndexFace(services, *finder, request.Parameter("name"), request.target, body->text);
               };
               co_await RespondWith(services.decoders, writer, work);
             });
}

}  // namespace millrace::api
