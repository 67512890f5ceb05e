// Sends fragments of one video stream to one reader, each as a chunk.
//
// A slow reader holds the fragment that it is taking, or some small ones that were fetched together, and no
// more: their bytes count against a budget that all readers share, and are asked for before a fragment is
// fetched. One that takes longer for a fragment than a slow line would is cut off.
//
// Threads: on the request's strand; fetching runs on the worker pool.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "api/aws/byte_budget.h"
#include "api/http/http.h"
#include "api/video_streams/media_chunk.h"
#include "api/video_streams/services.h"

namespace millrace::api {

class MediaSender {
 public:
  struct Item {
    FragmentNumber number;
    std::optional<std::uint64_t> bytes;  // of its document; none: it is looked up
    std::optional<MediaPlace> place;
  };
  // `last` is of the last one of these items; those before it were sent.
  struct Sent {
    std::size_t items = 0;
    Result<void> last;
  };

  // All of them outlive the sender.
  MediaSender(const VideoStreamServices& services, const VideoStream& stream, const MediaFilter& filter,
              ResponseWriter& writer)
      : services_(services), stream_(stream), filter_(filter), writer_(writer) {}

  // Sends the first of the items, and as many behind it as were fetched with it. Errors: kNotFound (the
  // fragment is not there, or has no track that passes), kCorruption and others of the store: nothing of it
  // was sent; kCancelled: the reader is gone, or the answer must be cut off. REQUIRES: there are items; they
  // live until this returns.
  net::awaitable<Sent> Send(std::span<const Item> items);

  // Errors: kCancelled.
  net::awaitable<Result<void>> SendError(std::string number, int code, std::string text);
  net::awaitable<Result<void>> SendKeepAlive();

  bool anything_sent() const { return anything_sent_; }

 private:
  struct Fetched {
    ByteBudget::Share share;
    MediaPieces pieces;
  };
  // What is fetched at a time. No error and nothing fetched: there was no room.
  struct Batch {
    std::vector<Fetched> fetched;
    std::optional<Error> error;  // of the item behind them
  };
  Batch Fetch(std::span<const Item> items) const;
  net::awaitable<Result<void>> Write(const MediaPieces& pieces);

  const VideoStreamServices& services_;
  const VideoStream& stream_;
  const MediaFilter& filter_;
  ResponseWriter& writer_;
  bool anything_sent_ = false;
};

}  // namespace millrace::api
