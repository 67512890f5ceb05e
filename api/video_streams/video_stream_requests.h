// What the video stream operations have in common: their requests, and the stream that they name. Internal to
// the video stream files; video_stream_service.cc and media_service.cc are the doors.
//
// Threads: on the worker pool, but for GatherVideoBody.
#pragma once

#include <boost/json/object.hpp>
#include <string>

#include "api/aws/aws_body.h"
#include "api/aws/aws_input.h"
#include "api/aws/byte_budget.h"
#include "api/video_streams/media_chunk.h"
#include "api/video_streams/services.h"

namespace millrace::api {

// 1000 fragment numbers in their longest form, and some more.
inline constexpr std::size_t kVideoBodyBytesMax = 512 * 1024;

net::awaitable<AwsResult<GatheredBody>> GatherVideoBody(const VideoStreamServices& services,
                                                        Request& request);

// The stream that StreamName or StreamARN names, which must be there; and nothing else in the request may be
// wrong.
AwsResult<VideoStream> FindVideoStream(FragmentStore& store, AwsInput& input);
inline AwsResult<VideoStream> FindVideoStream(const VideoStreamServices& services, AwsInput& input) {
  return FindVideoStream(services.store, input);
}

// MillraceFilter: {"Tracks":[1],"TrackKind":"VIDEO","KeyFramesOnly":true}. An extension: the service ignores
// it.
MediaFilter ReadMediaFilter(AwsInput& input);

// The routes of media_service.cc.
void AddMediaRoutes(Router& router, VideoStreamServices services);

// The address as the caller reached it, which admission has checked already: "http://127.0.0.1:4567".
std::string EndpointOf(const Request& request);

// In the service's words.
AwsError NoVideoStream();
// Of a stream that keeps nothing.
AwsError NoDataRetention(const VideoStream& stream);
// Of an error of the store: kNotFound in the service's words, others as they are.
AwsError OfVideoStream(Error error);

}  // namespace millrace::api
