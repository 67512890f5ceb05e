// The server's services as their clients call them: JSON in, JSON or an error out.
//
// Errors:  what the server said, under the code that tells what can be done about it; kUnavailable and
//          kDeadlineExceeded: no server answers now.
// Threads: one thread at a time uses a client.
#pragma once

#include <boost/json/object.hpp>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "wire/http_client.h"

namespace millrace::wire {

class ServiceClient {
 public:
  explicit ServiceClient(Endpoint endpoint, HttpClient::Options options = {});

  // An operation of Kinesis Data Streams: "GetRecords".
  Result<boost::json::object> DataStreams(const std::string& operation, const boost::json::object& request);
  // The same in CBOR (wire/cbor.h), whose blobs cost no base64. `request`: what a CborWriter wrote.
  Result<boost::json::object> DataStreamsCbor(const std::string& operation, std::string request);
  // One of our own paths: "POST", "/v1/applications/faces/commit". `body` null: none.
  Result<boost::json::object> Own(const std::string& method, const std::string& target,
                                  const boost::json::object* body = nullptr);
  // GetMediaForFragmentList: one Matroska document. A fragment that is not there any more, or that the
  // server cannot read, is no error: the document has tags that say so in its place (parser/tags.h).
  Result<Bytes> Media(const std::string& stream, const std::vector<std::string>& fragment_numbers);

 private:
  Result<HttpResponse> Post(const std::string& target, std::string content_type, std::string body,
                            const std::string& operation);

  HttpClient http_;
};

// The error of an answer whose status is none of 2xx: ours ({"error":{"code","message"}}) or that of an AWS
// protocol ({"__type","message"} in JSON or CBOR, or the type in a header).
Error ErrorOf(const HttpResponse& response);
// Whether what only reads may be asked for again after such an error: it may be over soon.
bool MayPassByItself(ErrorCode code);
// What an answer in JSON says; empty where it has no body. Errors: kInternal: it is no object.
Result<boost::json::object> ObjectOf(const HttpResponse& response);

}  // namespace millrace::wire
