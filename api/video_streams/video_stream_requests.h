// What the video stream operations have in common: their requests, and the stream that they name. Internal to
// the video stream files; video_stream_service.cc and media_service.cc are the doors.
//
// Threads: on the worker pool, but for what gives an awaitable: on the request's strand.
#pragma once

#include <boost/json/object.hpp>
#include <string>
#include <type_traits>
#include <utility>

#include "api/aws/aws_body.h"
#include "api/aws/aws_http.h"
#include "api/aws/aws_input.h"
#include "api/aws/byte_budget.h"
#include "api/video_streams/media_chunk.h"
#include "api/video_streams/services.h"
#include "api/video_streams/video_stream_access.h"

namespace millrace::api {

// 1000 fragment numbers in their longest form, and some more.
inline constexpr std::size_t kVideoBodyBytesMax = 512 * 1024;

net::awaitable<AwsResult<GatheredBody>> GatherVideoBody(const VideoStreamServices& services,
                                                        Request& request);

// What `read` (AwsResult<T>(const boost::json::object&)) makes of the request's body, if `authorize`
// (Result<void>(const boost::json::object&)) lets the caller. Both run on the worker pool and outlive the
// call.
template <typename Authorize, typename Read>
net::awaitable<std::invoke_result_t<Read&, const boost::json::object&>> ReadVideoRequest(
    const VideoStreamServices& services, Request& request, Authorize& authorize, Read& read) {
  auto body = co_await GatherVideoBody(services, request);
  if (!body) co_return std::move(body).error();
  auto work = [&]() -> std::invoke_result_t<Read&, const boost::json::object&> {
    MILLRACE_ASSIGN_OR_RETURN(const boost::json::value value, ParseAwsObject(body->text));
    MILLRACE_RETURN_IF_ERROR(authorize(value.get_object()));
    return read(value.get_object());
  };
  co_return co_await services.pool.Run(work);
}
// The same of operations on the stream that the body names.
template <typename Read>
net::awaitable<std::invoke_result_t<Read&, const boost::json::object&>> ReadVideoRequest(
    const VideoStreamServices& services, Request& request, Read& read) {
  auto authorize = [&](const boost::json::object& members) {
    return AuthorizeVideoStream(request.caller.get(), services.store, services.identity, members);
  };
  co_return co_await ReadVideoRequest(services, request, authorize, read);
}

// 200 with this JSON, or the error.
net::awaitable<void> RespondVideo(ResponseWriter& writer, AwsResult<std::string> answer);

// What the models of newer operations call the error of somebody who may not do it.
AwsError InWordsOfAccessDenied(AwsError error, int status = 401);

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

// The identity's endpoint; without one the address as the caller reached it, which admission has checked
// already: "http://127.0.0.1:4567".
std::string EndpointOf(const AwsIdentity& identity, const Request& request);

// In the service's words.
AwsError NoVideoStream();
// Of a stream that keeps nothing.
AwsError NoDataRetention(const VideoStream& stream);
// Of an error of the store: kNotFound in the service's words, others as they are.
AwsError OfVideoStream(Error error);

}  // namespace millrace::api
