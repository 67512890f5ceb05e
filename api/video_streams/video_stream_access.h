// Whether a caller may do what he asks for to a video stream: the one place that authorizes the Kinesis Video
// Streams protocol. The action is the route's (api/access/access_rules.h).
//
// Threads: the worker pool; looks into the store.
#pragma once

#include <boost/json/object.hpp>
#include <string_view>

#include "api/access/caller.h"
#include "api/aws/aws_identity.h"
#include "fragments/fragment_store.h"

namespace millrace::api {

// `name` and `arn` as the request has them, "" for none; where both are given, both must be allowed. The
// resource is the stream's ARN, with creation time 0 where there is no such stream; "*" where none is named.
// Errors: kPermissionDenied, kUnauthenticated. `caller` null: everything is allowed.
Result<void> AuthorizeVideoStream(Caller* caller, FragmentStore& store, const AwsIdentity& identity,
                                  std::string_view name, std::string_view arn);
// The same of a body's StreamName, StreamARN and ResourceARN.
Result<void> AuthorizeVideoStream(Caller* caller, FragmentStore& store, const AwsIdentity& identity,
                                  const boost::json::object& members);

}  // namespace millrace::api
