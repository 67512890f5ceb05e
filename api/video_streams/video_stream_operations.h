// The operations of the Kinesis Video Streams control plane: JSON to JSON, on the worker pool, of a caller
// who may do it. Internal to the video stream files.
//
// Errors:  of the service, as the kinesisvideo model has them for each.
// Threads: the worker pool; they may wait for the disk.
#pragma once

#include <boost/json/object.hpp>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "api/video_streams/video_stream_requests.h"

namespace millrace::api {

using VideoStreamAnswer = AwsResult<std::string>;
// `endpoint`: EndpointOf the request.
using VideoStreamOperation = VideoStreamAnswer (*)(const VideoStreamServices& services,
                                                   const boost::json::object& object,
                                                   const std::string& endpoint);

#define MILLRACE_VIDEO_OPERATION(name) \
  VideoStreamAnswer name(const VideoStreamServices&, const boost::json::object&, const std::string&)

// video_stream_control.cc
MILLRACE_VIDEO_OPERATION(CreateVideoStream);
MILLRACE_VIDEO_OPERATION(DescribeVideoStream);
MILLRACE_VIDEO_OPERATION(ListVideoStreams);
MILLRACE_VIDEO_OPERATION(UpdateVideoStream);
MILLRACE_VIDEO_OPERATION(UpdateDataRetention);
MILLRACE_VIDEO_OPERATION(DeleteVideoStream);
// video_stream_tags.cc
MILLRACE_VIDEO_OPERATION(TagVideoStream);
MILLRACE_VIDEO_OPERATION(UntagVideoStream);
MILLRACE_VIDEO_OPERATION(ListTagsForVideoStream);
MILLRACE_VIDEO_OPERATION(TagVideoResource);
MILLRACE_VIDEO_OPERATION(UntagVideoResource);
MILLRACE_VIDEO_OPERATION(ListTagsForVideoResource);
// video_stream_configuration.cc
MILLRACE_VIDEO_OPERATION(DescribeNotificationConfiguration);
MILLRACE_VIDEO_OPERATION(UpdateNotificationConfiguration);
MILLRACE_VIDEO_OPERATION(DescribeImageGenerationConfiguration);
MILLRACE_VIDEO_OPERATION(UpdateImageGenerationConfiguration);
MILLRACE_VIDEO_OPERATION(DescribeStreamStorageConfiguration);
MILLRACE_VIDEO_OPERATION(UpdateStreamStorageConfiguration);
MILLRACE_VIDEO_OPERATION(DescribeMappedResourceConfiguration);
// edge_operations.cc. REQUIRES: services.edge is not null.
MILLRACE_VIDEO_OPERATION(StartEdgeConfigurationUpdate);
MILLRACE_VIDEO_OPERATION(DescribeEdgeConfiguration);
MILLRACE_VIDEO_OPERATION(DeleteEdgeConfiguration);
MILLRACE_VIDEO_OPERATION(ListEdgeAgentConfigurations);

#undef MILLRACE_VIDEO_OPERATION

// Whether the caller may have a camera made of the secret that StartEdgeConfigurationUpdate names.
// Errors: kPermissionDenied, kUnauthenticated.
Result<void> AuthorizeEdgeSecret(Caller* caller, const AwsIdentity& identity,
                                 const boost::json::object& members);

// -- what they share

// Changes the settings of `stream`, and of no other of its name; `version`: only over this one.
// Errors: VersionMismatchException; those of `change`, as it gives them.
using SettingsChange = std::function<std::optional<AwsError>(StreamSettings&)>;
AwsResult<StreamDescriptionPtr> ChangeVideoStream(const VideoStreamServices& services,
                                                  const VideoStream& stream,
                                                  const std::optional<std::string>& version,
                                                  const SettingsChange& change, bool keep_version = false);
// The stream that the request names, with its settings; and nothing else in the request may be wrong.
AwsResult<StreamDescriptionPtr> DescribeNamedStream(const VideoStreamServices& services, AwsInput& input);

// Tags as a map of the member "Tags"; broken constraints go to `input`.
std::map<std::string, std::string> ReadVideoTags(AwsInput& input, bool required);

inline constexpr std::size_t kVideoTagsMax = 50;  // of one resource, and of one request
// Tags as a list of keys and values; of one key that comes twice, the last value counts.
std::map<std::string, std::string> ReadVideoTagList(AwsInput& input, const AwsListRule& rule);

// StreamStorageConfiguration; none where the request has none. Broken constraints go to `input`.
std::optional<StorageTier> ReadStorageTier(AwsInput& input, bool required);

std::optional<std::string> ReadCurrentVersion(AwsInput& input, bool required);

// NextToken; none where the request has none or an empty one.
std::optional<std::string> ReadVideoToken(AwsInput& input);

// "{}"
inline VideoStreamAnswer NothingToSay() { return std::string("{}"); }

}  // namespace millrace::api
