// The HTTP API as commands see it: JSON in, JSON or an error out.
#pragma once

#include <boost/json/object.hpp>
#include <string>

#include "base/result.h"
#include "wire/http_client.h"

namespace millrace::server {

class ApiClient {
 public:
  // Errors: kInvalidArgument (not an endpoint).
  static Result<ApiClient> Make(const std::string& endpoint);

  // Errors: what the server said, under its code; kUnavailable: no server answers, with what to do.
  Result<boost::json::object> Call(const std::string& method, const std::string& target,
                                   const std::string& body = "");
  // An operation of the Data Streams protocol: "ListShards". An answer without a body is an empty object.
  Result<boost::json::object> DataStreams(const std::string& operation, const boost::json::object& request);
  // The body of the answer to a GET, piece by piece.
  Result<void> Download(const std::string& target, const wire::HttpClient::BodySink& sink);

  // Whether the last failure was that nobody answered.
  bool unreachable() const { return unreachable_; }
  // Complain(error), with the exit code of an unreachable server where it was that.
  int Fail(const Error& error) const;

 private:
  explicit ApiClient(wire::Endpoint endpoint)
      : http_(std::make_unique<wire::HttpClient>(std::move(endpoint), wire::HttpClient::Options{})) {}
  Error Unreachable(const Error& error);

  std::unique_ptr<wire::HttpClient> http_;
  bool unreachable_ = false;
};

// The code of this name (base/result.h); kInternal for none.
ErrorCode ErrorCodeFromString(std::string_view name);

}  // namespace millrace::server
