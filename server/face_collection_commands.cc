// `millrace faces index|collections|remove|delete`, and `list --collection`.
#include <cstdio>
#include <fstream>

#include "api/http/target.h"
#include "consumers/faces/face_photo.h"
#include "server/api_client.h"
#include "server/console_output.h"
#include "server/exit_codes.h"
#include "server/faces_commands.h"

namespace millrace::server {
namespace {

std::string PathOf(const std::string& collection) {
  return "/v1/face-collections/" + api::PercentEncode(collection);
}

Result<std::string> ReadPhotograph(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string bytes(kPhotographBytesMax + 1, '\0');
  if (file) file.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  if (!file.is_open() || file.bad()) return Error{ErrorCode::kNotFound, "cannot read " + path};
  bytes.resize(static_cast<std::size_t>(file.gcount()));
  if (bytes.empty()) return Error{ErrorCode::kInvalidArgument, path + " is empty, or no file"};
  if (bytes.size() > kPhotographBytesMax) {
    return Error{ErrorCode::kInvalidArgument, path + " is larger than 20 MB: make it smaller"};
  }
  return bytes;
}

std::string Count(double value) { return std::to_string(static_cast<long long>(value)); }

}  // namespace

int RunFacesIndex(const ClientOptions& client, const FacesIndexOptions& options) {
  auto api = ApiClient::Make(client.endpoint);
  if (!api) return Complain(api.error());
  for (const std::string& path : options.photographs) {
    auto photograph = ReadPhotograph(path);
    if (!photograph) return Complain(photograph.error());
    auto face = api->Call("POST", PathOf(options.collection) + "/faces?id=" + api::PercentEncode(options.id),
                          *photograph);
    if (!face) return api->Fail(WithContext(face.error(), path));
    if (client.json) {
      PrintJson(*face);
    } else {
      std::printf("%s: kept in %s as %s, face %s (confidence %.0f)\n", path.c_str(),
                  options.collection.c_str(), options.id.c_str(), Member(*face, "face_id").c_str(),
                  NumberMember(*face, "confidence"));
    }
  }
  return kExitOk;
}

int RunFaceCollections(const ClientOptions& client) {
  auto api = ApiClient::Make(client.endpoint);
  if (!api) return Complain(api.error());
  auto answer = api->Call("GET", "/v1/face-collections");
  if (!answer) return api->Fail(answer.error());
  if (client.json) {
    PrintJson(*answer);
    return kExitOk;
  }
  std::vector<std::vector<std::string>> rows{{"NAME", "FACES", "SIZE", "UPDATED"}};
  AddRows(*answer, "collections", rows, [](const boost::json::object& one) {
    return std::vector<std::string>{Member(one, "name"), Count(NumberMember(one, "faces")),
                                    HumanBytes(NumberMember(one, "bytes")), Member(one, "updated")};
  });
  if (rows.size() == 1) {
    std::printf("No collections. Begin one: millrace faces index COLLECTION photo.jpg --id NAME\n");
  } else {
    PrintTable(rows);
  }
  return kExitOk;
}

int RunCollectionFaces(const ClientOptions& client, const std::string& collection) {
  auto api = ApiClient::Make(client.endpoint);
  if (!api) return Complain(api.error());
  std::vector<std::vector<std::string>> rows{{"ID", "FACE", "CONFIDENCE", "INDEXED"}};
  std::string next;
  do {
    auto answer = api->Call("GET", PathOf(collection) + "/faces?limit=1000" +
                                       (next.empty() ? "" : "&next=" + api::PercentEncode(next)));
    if (!answer) return api->Fail(answer.error());
    if (client.json) PrintJson(*answer);
    AddRows(*answer, "faces", rows, [](const boost::json::object& one) {
      return std::vector<std::string>{Printable(Member(one, "id")), Member(one, "face_id"),
                                      Count(NumberMember(one, "confidence")), Member(one, "created")};
    });
    next = NextPage(*answer).value_or("");
  } while (!next.empty());
  if (!client.json) PrintTable(rows);
  return kExitOk;
}

int RunFacesRemove(const ClientOptions& client, const FacesRemoveOptions& options) {
  auto api = ApiClient::Make(client.endpoint);
  if (!api) return Complain(api.error());
  const std::string which = options.id ? "id=" + api::PercentEncode(*options.id)
                                       : "face_id=" + api::PercentEncode(options.face_id.value_or(""));
  auto answer = api->Call("DELETE", PathOf(options.collection) + "/faces?" + which);
  if (!answer) return api->Fail(answer.error());
  client.json ? PrintJson(*answer)
              : static_cast<void>(std::printf("%s faces are removed.\n", Member(*answer, "removed").c_str()));
  return kExitOk;
}

int RunFacesDelete(const ClientOptions& client, const std::string& collection) {
  auto api = ApiClient::Make(client.endpoint);
  if (!api) return Complain(api.error());
  auto answer = api->Call("DELETE", PathOf(collection));
  if (!answer) return api->Fail(answer.error());
  client.json ? PrintJson(*answer)
              : static_cast<void>(std::printf("Collection %s is deleted.\n", collection.c_str()));
  return kExitOk;
}

}  // namespace millrace::server
