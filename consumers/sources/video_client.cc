#include "consumers/sources/video_client.h"

#include <boost/json/serialize.hpp>
#include <utility>

#include "wire/answer_fields.h"
#include "wire/service_client.h"

namespace millrace {
Result<wire::HttpResponse> VideoClient::Post(wire::HttpClient& http, const std::string& target,
                                             boost::json::object request,
                                             const wire::HttpClient::BodySink* sink) {
  request["StreamName"] = address_.stream;
  wire::HttpRequest post{
      "POST", target, {{"Content-Type", "application/json"}}, boost::json::serialize(request)};
  auto response = sink != nullptr ? http.Send(post, *sink) : http.Send(post);
  if (response && (response->status < 200 || response->status > 299)) {
    return WithContext(wire::ErrorOf(*response), "stream '" + address_.stream + "'");
  }
  return response;
}

Result<wire::HttpClient*> VideoClient::DataPlane(const std::string& api) {
  std::unique_ptr<wire::HttpClient>& client = data_plane_[api];
  if (client != nullptr) return client.get();
  wire::HttpClient control(address_.endpoint, address_.http);
  MILLRACE_ASSIGN_OR_RETURN(const auto response,
                            Post(control, "/getDataEndpoint", {{"APIName", api}}, nullptr));
  MILLRACE_ASSIGN_OR_RETURN(const boost::json::object answer, wire::ObjectOf(response));
  const std::string url = wire::TextOf(answer, "DataEndpoint");
  if (url.empty()) {
    return Error{ErrorCode::kInternal, "the server's answer to GetDataEndpoint names no endpoint"};
  }
  MILLRACE_ASSIGN_OR_RETURN(wire::Endpoint endpoint, wire::Endpoint::Parse(url));
  client = std::make_unique<wire::HttpClient>(std::move(endpoint), address_.http);
  return client.get();
}

Result<boost::json::object> VideoClient::Call(const std::string& api, const std::string& target,
                                              boost::json::object request) {
  MILLRACE_ASSIGN_OR_RETURN(wire::HttpClient * http, DataPlane(api));
  MILLRACE_ASSIGN_OR_RETURN(const auto response, Post(*http, target, std::move(request), nullptr));
  return wire::ObjectOf(response);
}

Result<void> VideoClient::Media(const std::string& api, const std::string& target,
                                boost::json::object request, const wire::HttpClient::BodySink& sink) {
  MILLRACE_ASSIGN_OR_RETURN(wire::HttpClient * http, DataPlane(api));
  MILLRACE_ASSIGN_OR_RETURN([[maybe_unused]] const auto response,
                            Post(*http, target, std::move(request), &sink));
  return {};
}

}  // namespace millrace
