// The operations of signaling channels: JSON to JSON, of a caller who may do it. Internal to the signaling
// files.
//
// Errors:  of the service, as the kinesisvideo and kinesis-video-signaling models have them for each.
// Threads: the worker pool; they may wait for the disk.
#pragma once

#include <boost/json/object.hpp>
#include <string>

#include "api/aws/aws_error.h"
#include "api/signaling/services.h"

namespace millrace::api {

using SignalingAnswer = AwsResult<std::string>;
// `endpoint`: EndpointOf the request.
using SignalingOperation = SignalingAnswer (*)(const SignalingServices& services,
                                               const boost::json::object& object,
                                               const std::string& endpoint);

#define MILLRACE_SIGNALING_OPERATION(name) \
  SignalingAnswer name(const SignalingServices&, const boost::json::object&, const std::string&)

// channel_control.cc
MILLRACE_SIGNALING_OPERATION(CreateSignalingChannel);
MILLRACE_SIGNALING_OPERATION(DescribeSignalingChannel);
MILLRACE_SIGNALING_OPERATION(ListSignalingChannels);
MILLRACE_SIGNALING_OPERATION(UpdateSignalingChannel);
MILLRACE_SIGNALING_OPERATION(DeleteSignalingChannel);
MILLRACE_SIGNALING_OPERATION(GetSignalingChannelEndpoint);
MILLRACE_SIGNALING_OPERATION(DescribeMediaStorageConfiguration);
MILLRACE_SIGNALING_OPERATION(UpdateMediaStorageConfiguration);

// storage_sessions.cc
MILLRACE_SIGNALING_OPERATION(JoinStorageSession);
MILLRACE_SIGNALING_OPERATION(JoinStorageSessionAsViewer);

#undef MILLRACE_SIGNALING_OPERATION

}  // namespace millrace::api
