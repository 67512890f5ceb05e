#include "server/api_client.h"

#include <boost/json/parse.hpp>
#include <string_view>

#include "api/v1/json.h"
#include "server/exit_codes.h"
#include "wire/service_client.h"

namespace millrace::server {
namespace {

constexpr std::size_t kAnswerBytesMax = 64 * 1024 * 1024;
constexpr std::size_t kAnswerDepthMax = 48;  // a page of analyzers' records, of 32 each

Result<boost::json::object> ParseAnswer(std::string_view text) {
  boost::json::parse_options options;
  options.max_depth = kAnswerDepthMax;
  boost::system::error_code ec;
  if (text.size() > kAnswerBytesMax) return Error{ErrorCode::kInternal, "the answer is too large"};
  auto value = boost::json::parse(api::JsonView(text), ec, {}, options);
  if (ec || !value.is_object()) return Error{ErrorCode::kInternal, "the answer is no JSON object"};
  return std::move(value.get_object());
}

// "ResourceNotFoundException: Stream …": the name is for programs.
Error WithoutType(Error error) {
  const auto end = error.message.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");
  if (end != 0 && end != std::string::npos && error.message.compare(end, 2, ": ") == 0) {
    error.message.erase(0, end + 2);
  }
  return error;
}

// What somebody without a key, or with a wrong one, can do about it; the server's words after it.
Error AboutKeys(Error error) {
  for (const char* type :
       {"MissingAuthenticationTokenException", "UnrecognizedClientException", "InvalidSignatureException"}) {
    if (error.message.starts_with(type)) error.code = ErrorCode::kUnauthenticated;
  }
  if (error.code != ErrorCode::kUnauthenticated) return WithoutType(std::move(error));
  return WithContext(WithoutType(std::move(error)),
                     "this server asks for a key: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY "
                     "(millrace user add makes one)");
}

Error ToError(const wire::HttpResponse& response) {
  auto object = ParseAnswer(response.body);
  if (object) {
    const auto* error = object->if_contains("error");
    const auto* code =
        error != nullptr && error->is_object() ? error->get_object().if_contains("code") : nullptr;
    const auto* message = code != nullptr ? error->get_object().if_contains("message") : nullptr;
    if (message != nullptr && code->is_string() && message->is_string()) {
      return AboutKeys({ErrorCodeFromString(code->get_string().c_str()), message->get_string().c_str()});
    }
  }
  return Error{ErrorCode::kInternal, "the answer is HTTP " + std::to_string(response.status) +
                                         " without our error text: is this endpoint a millrace server?"};
}

}  // namespace

ErrorCode ErrorCodeFromString(std::string_view name) {
  for (int i = 0; i <= static_cast<int>(ErrorCode::kInternal); ++i) {
    if (ToString(static_cast<ErrorCode>(i)) == name) return static_cast<ErrorCode>(i);
  }
  return ErrorCode::kInternal;
}

Result<ApiClient> ApiClient::Make(const std::string& endpoint) {
  MILLRACE_ASSIGN_OR_RETURN(wire::Endpoint parsed, wire::Endpoint::Parse(endpoint));
  return ApiClient(std::move(parsed));
}

Error ApiClient::Unreachable(const Error& error) {
  unreachable_ = error.code == ErrorCode::kUnavailable || error.code == ErrorCode::kDeadlineExceeded;
  if (!unreachable_) return error;
  return Error{error.code, "no answer from " + http_->endpoint().ToString() + " (" + error.message +
                               "): start it with `millrace serve`, or name it with --endpoint"};
}

Result<boost::json::object> ApiClient::Call(const std::string& method, const std::string& target,
                                            const std::string& body) {
  unreachable_ = false;
  wire::HttpRequest request{method, target, {}, body};
  if (!body.empty()) request.headers.emplace_back("Content-Type", "application/json");
  auto response = http_->Send(request);
  if (!response) return Unreachable(response.error());
  if (response->status < 200 || response->status > 299) return ToError(*response);
  auto object = ParseAnswer(response->body);
  if (!object) {
    return Error{ErrorCode::kInternal,
                 "the answer is not JSON: is " + http_->endpoint().ToString() + " a millrace server?"};
  }
  return object;
}

Result<boost::json::object> ApiClient::DataStreams(const std::string& operation,
                                                   const boost::json::object& request) {
  unreachable_ = false;
  wire::HttpRequest post{"POST", "/", {}, api::ToText(request)};
  post.headers.emplace_back("Content-Type", "application/x-amz-json-1.1");
  post.headers.emplace_back("X-Amz-Target", "Kinesis_20131202." + operation);
  auto response = http_->Send(post);
  if (!response) return Unreachable(response.error());
  if (response->status < 200 || response->status > 299) return AboutKeys(wire::ErrorOf(*response));
  if (response->body.empty()) return boost::json::object();
  auto object = ParseAnswer(response->body);
  if (!object) {
    return Error{ErrorCode::kInternal, "the answer to " + operation + " is not JSON: is " +
                                           http_->endpoint().ToString() + " a millrace server?"};
  }
  return object;
}

Result<void> ApiClient::Download(const std::string& target, const wire::HttpClient::BodySink& sink) {
  unreachable_ = false;
  wire::HttpRequest request{"GET", target, {}, ""};
  auto response = http_->Send(request, sink);
  if (!response) return Unreachable(response.error());
  if (response->status < 200 || response->status > 299) return ToError(*response);
  return {};
}

int ApiClient::Fail(const Error& error) const {
  int code = Complain(error);
  return unreachable_ ? static_cast<int>(kExitUnreachable) : code;
}

}  // namespace millrace::server
