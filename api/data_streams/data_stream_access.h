// What a Data Streams request is about, and whether its caller may do that: the one place that authorizes
// this protocol.
//
// Threads: on the request's strand or the worker pool.
#pragma once

#include <boost/json/object.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "api/access/caller.h"
#include "api/aws/aws_error.h"
#include "api/data_streams/services.h"

namespace millrace::api {

// The ARNs of all streams and consumers that the request names, by name, by ARN, by shard iterator or by
// listing token, as this server writes them; "*" where it names none. Each of them must be allowed.
std::vector<std::string> ResourcesOf(const DataStreamServices& services, std::string_view operation,
                                     const boost::json::object& members);

// Errors: kPermissionDenied, kUnauthenticated. `caller` null: everything is allowed.
Result<void> AuthorizeDataStream(Caller* caller, const DataStreamServices& services,
                                 std::string_view operation, const boost::json::object& members);

}  // namespace millrace::api
