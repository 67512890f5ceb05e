// Sends fragments of one video stream to one reader, each as a chunk.
//
// A slow reader holds the fragment that it is taking, and no more: its bytes count against a budget that all
// readers share, and are asked for before the fragment is fetched. One that takes longer for a fragment than
// a slow line would is cut off.
//
// Threads: on the request's strand; fetching runs on the worker pool.
#pragma once

#include <string>

#include "api/http/http.h"
#include "api/video_streams/media_chunk.h"
#include "api/video_streams/services.h"

namespace millrace::api {

class MediaSender {
 public:
  // All of them outlive the sender.
  MediaSender(const VideoStreamServices& services, const VideoStream& stream, const MediaFilter& filter,
              ResponseWriter& writer)
      : services_(services), stream_(stream), filter_(filter), writer_(writer) {}

  // Sends the fragment. Errors: kNotFound (it is not there, or has no track that passes), kCorruption and
  // others of the store: nothing was sent; kCancelled: the reader is gone, or the answer must be cut off.
  net::awaitable<Result<void>> Send(const FragmentNumber& number, std::optional<MediaPlace> place);

  // Errors: kCancelled.
  net::awaitable<Result<void>> SendError(std::string number, int code, std::string text);
  net::awaitable<Result<void>> SendKeepAlive();

  bool anything_sent() const { return anything_sent_; }

 private:
  net::awaitable<Result<void>> Write(MediaPieces pieces);

  const VideoStreamServices& services_;
  const VideoStream& stream_;
  const MediaFilter& filter_;
  ResponseWriter& writer_;
  bool anything_sent_ = false;
};

}  // namespace millrace::api
