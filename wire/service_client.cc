#include "wire/service_client.h"

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <map>
#include <utility>

namespace millrace::wire {
namespace {

Result<boost::json::object> ParseObject(const HttpResponse& response) {
  if (response.body.empty()) return boost::json::object();
  boost::system::error_code ec;
  auto value = boost::json::parse(response.body, ec);
  if (ec || !value.is_object())
    return Error{ErrorCode::kInternal, "the server's answer is not a JSON object"};
  return std::move(value.get_object());
}

std::string TextOf(const boost::json::object& object, const char* name) {
  const auto* value = object.if_contains(name);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

// What a client can do about an AWS protocol's error.
ErrorCode CodeOfType(const std::string& type, int status) {
  static const std::map<std::string, ErrorCode> kCodes = {
      {"ResourceNotFoundException", ErrorCode::kNotFound},
      {"ResourceInUseException", ErrorCode::kFailedPrecondition},
      {"ExpiredIteratorException", ErrorCode::kOutOfRange},
      {"InvalidArgumentException", ErrorCode::kInvalidArgument},
      {"ValidationException", ErrorCode::kInvalidArgument},
      {"ProvisionedThroughputExceededException", ErrorCode::kResourceExhausted},
      {"LimitExceededException", ErrorCode::kResourceExhausted},
      {"ClientLimitExceededException", ErrorCode::kResourceExhausted},
      {"AccessDeniedException", ErrorCode::kPermissionDenied},
  };
  if (auto known = kCodes.find(type); known != kCodes.end()) return known->second;
  if (status == 404) return ErrorCode::kNotFound;
  if (status == 503 || status == 429) return ErrorCode::kUnavailable;
  return status >= 500 ? ErrorCode::kInternal : ErrorCode::kInvalidArgument;
}

bool SameName(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) {
    auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
    return lower(x) == lower(y);
  });
}

}  // namespace

Error ErrorOf(const HttpResponse& response) {
  boost::system::error_code ec;
  auto value = boost::json::parse(response.body, ec);
  boost::json::object object;
  if (!ec && value.is_object()) object = std::move(value.get_object());
  if (const auto* ours = object.if_contains("error"); ours != nullptr && ours->is_object()) {
    std::string code = TextOf(ours->get_object(), "code");
    for (int i = 0; i <= static_cast<int>(ErrorCode::kInternal); ++i) {
      if (ToString(static_cast<ErrorCode>(i)) == code) {
        return Error{static_cast<ErrorCode>(i), TextOf(ours->get_object(), "message")};
      }
    }
  }
  std::string type = TextOf(object, "__type");
  for (const auto& [name, header] : response.headers) {
    if (type.empty() && SameName(name, "x-amzn-ErrorType")) type = header.substr(0, header.find(':'));
  }
  std::string message = TextOf(object, "message");
  if (message.empty()) message = TextOf(object, "Message");
  if (message.empty()) message = "the server answered HTTP " + std::to_string(response.status);
  return Error{CodeOfType(type, response.status), type.empty() ? message : type + ": " + message};
}

ServiceClient::ServiceClient(Endpoint endpoint) : http_(std::move(endpoint), HttpClient::Options{}) {}

Result<HttpResponse> ServiceClient::Post(const std::string& target, std::string content_type,
                                         std::string body, const std::string& operation) {
  HttpRequest request{"POST", target, {{"Content-Type", std::move(content_type)}}, std::move(body)};
  if (!operation.empty()) request.headers.emplace_back("X-Amz-Target", "Kinesis_20131202." + operation);
  auto response = http_.Send(request);
  if (response && (response->status < 200 || response->status > 299)) return ErrorOf(*response);
  return response;
}

Result<boost::json::object> ServiceClient::DataStreams(const std::string& operation,
                                                       const boost::json::object& request) {
  MILLRACE_ASSIGN_OR_RETURN(
      auto response, Post("/", "application/x-amz-json-1.1", boost::json::serialize(request), operation));
  return ParseObject(response);
}

Result<boost::json::object> ServiceClient::Own(const std::string& method, const std::string& target,
                                               const boost::json::object* body) {
  HttpRequest request{method, target, {}, {}};
  if (body != nullptr) {
    request.headers.emplace_back("Content-Type", "application/json");
    request.body = boost::json::serialize(*body);
  }
  MILLRACE_ASSIGN_OR_RETURN(auto response, http_.Send(request));
  if (response.status < 200 || response.status > 299) return ErrorOf(response);
  return ParseObject(response);
}

Result<Bytes> ServiceClient::Media(const std::string& stream,
                                   const std::vector<std::string>& fragment_numbers) {
  boost::json::object request;
  request["StreamName"] = stream;
  boost::json::array numbers;
  for (const std::string& number : fragment_numbers) numbers.push_back(boost::json::string(number));
  request["Fragments"] = std::move(numbers);
  MILLRACE_ASSIGN_OR_RETURN(auto response, Post("/getMediaForFragmentList", "application/json",
                                                boost::json::serialize(request), ""));
  return Bytes(response.body.begin(), response.body.end());
}

}  // namespace millrace::wire
