// What the AWS protocols have in common over HTTP: request ids, the forms of answers and errors, and request
// bodies that are JSON within bounds.
//
// Threads: on the request's strand; ParseAwsObject on any.
#pragma once

#include <boost/json/value.hpp>
#include <string>
#include <string_view>

#include "api/aws_error.h"
#include "api/http.h"

namespace millrace::api {

inline constexpr char kJson11[] = "application/x-amz-json-1.1";

// x-amzn-RequestId, and for data streams x-amz-id-2: of this answer alone.
void AddRequestIds(Headers& headers, AwsService service);

// 200 with this JSON; of data streams an empty text is an answer without a body.
net::awaitable<void> RespondAws(ResponseWriter& writer, AwsService service, std::string json);

// The error's status and body, and x-amzn-ErrorType. Does nothing when the head was written already.
net::awaitable<void> RespondAws(ResponseWriter& writer, AwsService service, AwsError error);

// The body as JSON; an object. What it takes in memory is bounded by its length: a few bytes of text must not
// become many of values. Errors: SerializationException (not JSON, no object, nested too deep, too many
// values).
AwsResult<boost::json::value> ParseAwsObject(std::string_view body);

// What ParseAwsObject takes at most for a body of this length.
constexpr std::size_t ParsedBytesMax(std::size_t body_bytes) { return 4 * body_bytes + 256 * 1024; }

}  // namespace millrace::api
