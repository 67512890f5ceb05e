#include "api/v1/edge_address.h"

#include <boost/json/object.hpp>

#include "api/aws/aws_names.h"
#include "api/v1/camera_url.h"
#include "api/v1/json.h"

namespace millrace::api {

Result<CameraAddress> AddressInSecret(SecretStore& secrets, std::string_view arn) {
  const std::string name(SecretNameIn(arn));
  auto value = secrets.Read(name);
  if (!value && value.error().code == ErrorCode::kNotFound) {
    return Error{
        ErrorCode::kNotFound,
        "there is no secret '" + name + "' here; make it of the camera's URL: millrace secret set " + name};
  }
  if (!value) return std::move(value).error();
  std::string url = *value;
  if (url.starts_with("{")) {
    const auto object = ParseJsonObject(url, kSecretBytesMax);
    const auto* member = object ? object->if_contains("MediaURI") : nullptr;
    if (member == nullptr || !member->is_string()) {
      return Error{ErrorCode::kInvalidArgument,
                   "secret '" + name + "' is JSON without a text \"MediaURI\", which is the camera's URL"};
    }
    url = std::string(member->get_string());
  }
  auto parsed = ParseCameraUrl(url);
  if (!parsed) return WithContext(std::move(parsed).error(), "secret '" + name + "'");
  return CameraAddress{std::move(parsed->url),
                       {parsed->username.value_or(""), parsed->password.value_or("")}};
}

}  // namespace millrace::api
