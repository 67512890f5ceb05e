// GET /v1/secrets, PUT and DELETE /v1/secrets/{name}. What a secret holds goes in and never comes out.
#include <boost/json/array.hpp>

#include "api/http/handlers.h"
#include "api/v1/camera_json.h"
#include "api/v1/json.h"
#include "api/v1/services.h"
#include "ingest/secret_store.h"

namespace millrace::api {
namespace {

boost::json::object Describe(const SecretServices& services, const SecretInfo& secret) {
  boost::json::object object;
  object["name"] = secret.name;
  object["arn"] = services.identity.SecretArn(secret.name);
  object["created"] = FormatRfc3339(secret.created);
  object["updated"] = FormatRfc3339(secret.updated);
  return object;
}

Result<std::string> ListSecrets(const SecretServices& services) {
  MILLRACE_ASSIGN_OR_RETURN(const auto secrets, services.secrets.List());
  boost::json::array list;
  for (const SecretInfo& secret : secrets) list.push_back(Describe(services, secret));
  boost::json::object answer;
  answer["secrets"] = std::move(list);
  return ToText(answer);
}

Result<std::string> PutSecret(const SecretServices& services, const std::string& name,
                              std::string_view body) {
  MILLRACE_RETURN_IF_ERROR(CheckName(name, "secret name"));
  MILLRACE_ASSIGN_OR_RETURN(const auto object, ParseJsonObject(body));
  ObjectReader reader(object, {"value"});
  const auto value = reader.String("value", kSecretBytesMax);
  MILLRACE_RETURN_IF_ERROR(reader.Finish());
  if (!value) return Error{ErrorCode::kInvalidArgument, "'value' is missing: the secret itself, as text"};
  MILLRACE_ASSIGN_OR_RETURN(const SecretInfo secret, services.secrets.Put(name, *value));
  services.changed();
  return ToText(Describe(services, secret));
}

Result<std::string> RemoveSecret(const SecretServices& services, const std::string& name) {
  auto removed = services.secrets.Remove(name);
  if (!removed && removed.error().code == ErrorCode::kNotFound) {
    return Error{ErrorCode::kNotFound, removed.error().message + "; GET /v1/secrets lists them"};
  }
  if (!removed) return std::move(removed).error();
  services.changed();
  return std::string("{}");
}

}  // namespace

void AddSecretRoutes(Router& router, SecretServices services) {
  router.Add("GET", "/v1/secrets",
             [services](Request& request, ResponseWriter& writer) -> net::awaitable<void> {
               auto work = [&]() -> Result<std::string> {
                 MILLRACE_RETURN_IF_ERROR(request.target.CheckQuery({}));
                 return ListSecrets(services);
               };
               co_await RespondWith(services.pool, writer, work);
             });
  router.Add("PUT", "/v1/secrets/{name}",
             [services](Request& request, ResponseWriter& writer) -> net::awaitable<void> {
               auto body = co_await ReadBody(request, kJsonBodyBytesMax);
               if (!body) {
                 co_await RespondBodyError(writer, std::move(body).error());
                 co_return;
               }
               auto work = [&]() -> Result<std::string> {
                 MILLRACE_RETURN_IF_ERROR(request.target.CheckQuery({}));
                 return PutSecret(services, request.Parameter("name"), *body);
               };
               co_await RespondWith(services.pool, writer, work);
             });
  router.Add("DELETE", "/v1/secrets/{name}",
             [services](Request& request, ResponseWriter& writer) -> net::awaitable<void> {
               auto work = [&]() -> Result<std::string> {
                 MILLRACE_RETURN_IF_ERROR(request.target.CheckQuery({}));
                 return RemoveSecret(services, request.Parameter("name"));
               };
               co_await RespondWith(services.pool, writer, work);
             });
}

}  // namespace millrace::api
