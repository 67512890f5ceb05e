#include "wire/service_client.h"

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <map>
#include <utility>

#include "base/text.h"
#include "wire/answer_fields.h"
#include "wire/cbor.h"

namespace millrace::wire {
namespace {

constexpr char kCbor[] = "application/x-amz-cbor-1.1";
constexpr std::size_t kCborDepthMax = 32;

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
      {"ConnectionLimitExceededException", ErrorCode::kResourceExhausted},
      {"AccessDeniedException", ErrorCode::kPermissionDenied},
      {"NotAuthorizedException", ErrorCode::kPermissionDenied},
      {"MissingAuthenticationTokenException", ErrorCode::kUnauthenticated},
      {"IncompleteSignatureException", ErrorCode::kUnauthenticated},
      {"InvalidSignatureException", ErrorCode::kUnauthenticated},
      {"UnrecognizedClientException", ErrorCode::kUnauthenticated},
      {"ExpiredTokenException", ErrorCode::kUnauthenticated},
      {"RequestTimeoutException", ErrorCode::kDeadlineExceeded},
  };
  if (auto known = kCodes.find(type); known != kCodes.end()) return known->second;
  if (status == 401) return ErrorCode::kUnauthenticated;
  if (status == 403) return ErrorCode::kPermissionDenied;
  if (status == 404) return ErrorCode::kNotFound;
  if (status == 408) return ErrorCode::kDeadlineExceeded;
  if (status == 503 || status == 429) return ErrorCode::kUnavailable;
  return status >= 500 ? ErrorCode::kInternal : ErrorCode::kInvalidArgument;
}

const std::string* HeaderOf(const HttpResponse& response, std::string_view name) {
  for (const auto& [key, value] : response.headers) {
    if (EqualsIgnoreCase(key, name)) return &value;
  }
  return nullptr;
}

// What an error's body says; empty where it is no object.
boost::json::object BodyOf(const HttpResponse& response) {
  const std::string* type = HeaderOf(response, "Content-Type");
  if (type != nullptr && type->starts_with(kCbor)) {
    auto value = DecodeCbor(AsBytes(response.body), kCborDepthMax);
    return value && value->is_object() ? std::move(value->get_object()) : boost::json::object();
  }
  boost::system::error_code ec;
  auto value = boost::json::parse(response.body, ec);
  return !ec && value.is_object() ? std::move(value.get_object()) : boost::json::object();
}

}  // namespace

Error ErrorOf(const HttpResponse& response) {
  const boost::json::object object = BodyOf(response);
  if (const auto* ours = object.if_contains("error"); ours != nullptr && ours->is_object()) {
    std::string code = TextOf(ours->get_object(), "code");
    for (int i = 0; i <= static_cast<int>(ErrorCode::kInternal); ++i) {
      if (ToString(static_cast<ErrorCode>(i)) == code) {
        return Error{static_cast<ErrorCode>(i), TextOf(ours->get_object(), "message")};
      }
    }
  }
  std::string type = TextOf(object, "__type");
  const std::string* header = HeaderOf(response, "x-amzn-ErrorType");
  if (type.empty() && header != nullptr) type = header->substr(0, header->find(':'));
  std::string message = TextOf(object, "message");
  if (message.empty()) message = TextOf(object, "Message");
  if (message.empty()) message = "the server answered HTTP " + std::to_string(response.status);
  return Error{CodeOfType(type, response.status), type.empty() ? message : type + ": " + message};
}

bool MayPassByItself(ErrorCode code) {
  return code == ErrorCode::kUnavailable || code == ErrorCode::kDeadlineExceeded ||
         code == ErrorCode::kResourceExhausted || code == ErrorCode::kInternal;
}

Result<boost::json::object> ObjectOf(const HttpResponse& response) {
  if (response.body.empty()) return boost::json::object();
  boost::system::error_code ec;
  auto value = boost::json::parse(response.body, ec);
  if (ec || !value.is_object())
    return Error{ErrorCode::kInternal, "the server's answer is not a JSON object"};
  return std::move(value.get_object());
}

ServiceClient::ServiceClient(Endpoint endpoint, HttpClient::Options options)
    : http_(std::move(endpoint), std::move(options)) {}

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
  return ObjectOf(response);
}

Result<boost::json::object> ServiceClient::DataStreamsCbor(const std::string& operation,
                                                           std::string request) {
  MILLRACE_ASSIGN_OR_RETURN(auto response, Post("/", kCbor, std::move(request), operation));
  if (response.body.empty()) return boost::json::object();
  auto value = DecodeCbor(AsBytes(response.body), kCborDepthMax);
  if (!value || !value->is_object())
    return Error{ErrorCode::kInternal, "the server's answer is not a CBOR map"};
  return std::move(value->get_object());
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
  return ObjectOf(response);
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
