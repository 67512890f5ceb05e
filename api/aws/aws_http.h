// What the AWS protocols have in common over HTTP: request ids, the forms of answers and errors, and request
// bodies that are JSON or CBOR within bounds.
//
// Threads: on the request's strand; ParseAwsObject on any.
#pragma once

#include <boost/json/value.hpp>
#include <string>
#include <string_view>

#include "api/aws/aws_error.h"
#include "api/aws/aws_output.h"
#include "api/http/http.h"

namespace millrace::api {

inline constexpr char kJson11[] = "application/x-amz-json-1.1";
inline constexpr char kCbor11[] = "application/x-amz-cbor-1.1";

// x-amzn-RequestId: of this answer alone.
void AddRequestId(Headers& headers);
// The same, and for data streams x-amz-id-2.
void AddRequestIds(Headers& headers, AwsService service);

// 200 with this body; of data streams an empty one is an answer without a body. Video streams know JSON only.
net::awaitable<void> RespondAws(ResponseWriter& writer, AwsService service, std::string body,
                                AwsEncoding encoding = AwsEncoding::kJson);

// The error's status and body, and x-amzn-ErrorType. Does nothing when the head was written already.
net::awaitable<void> RespondAws(ResponseWriter& writer, AwsService service, AwsError error,
                                AwsEncoding encoding = AwsEncoding::kJson);

// The body as a document (wire/cbor.h says how CBOR becomes one); an object. What it takes in memory is
// bounded by its length: a few bytes of text must not become many of values. Errors: SerializationException
// (malformed, no object, nested too deep, too many values).
AwsResult<boost::json::value> ParseAwsObject(std::string_view body,
                                             AwsEncoding encoding = AwsEncoding::kJson);

// What ParseAwsObject takes at most for a body of this length.
constexpr std::size_t ParsedBytesMax(std::size_t body_bytes) { return 4 * body_bytes + 256 * 1024; }

}  // namespace millrace::api
