// A video stream as it comes: GetMedia, without end, over cuts and restarts of the server.
//
//   MediaStream media({.address = {.endpoint = endpoint, .stream = "door"}});
//   auto ended = media.Run([&](const ParsedFragment& fragment) -> Result<void> {
//     MILLRACE_ASSIGN_OR_RETURN(auto report, decoder.Decode(fragment, show));
//     return {};
//   });
//
// Each fragment comes whole, once, in the order of fragment numbers. Where a body ends (the server ends one
// after a time, a connection breaks, the server is restarted) the next one is asked for behind the last whole
// fragment, by its continuation token; what was cut in the middle comes again from its beginning, and nobody
// sees the first half.
//
// Back-pressure: the next bytes are read when the sink has returned; a slow sink slows the server down.
// Memory:  one fragment, and a piece of 64 KiB.
// Errors:  kNotFound (no such stream), kInvalidArgument, kUnauthenticated, kPermissionDenied: as the
//          server said them; kCorruption: the body is no Matroska; kResourceExhausted: a fragment is over
//          the parser's limits; the sink's. What may be over soon (kUnavailable, kDeadlineExceeded,
//          throttling) is tried again, with delays that double from retry_first to retry_max, each
//          shortened by up to a half, so that readers do not come back together.
// Threads: Run belongs to one thread, and calls the sink on it; Stop and the counters to any.
#pragma once

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>

#include "consumers/sources/video_client.h"
#include "parser/fragment_gatherer.h"

namespace millrace {

// Where reading begins: StartSelector of GetMedia.
struct MediaStart {
  enum class Kind {
    kNow,                // with the newest fragment
    kEarliest,           // with the oldest that is kept
    kServerTimestamp,    // with the one that contains `time`
    kProducerTimestamp,  // likewise, by the producer's clock
    kAfterFragment,      // behind the one with the number `place`
    kToken,              // where the continuation token `place` says
  };
  Kind kind = Kind::kNow;
  Timestamp time{};
  std::string place{};
};

struct MediaStreamOptions {
  VideoStreamAddress address;
  MediaStart start{};
  bool resume = true;  // false: Run returns where the first body ends, or with what cut it
  Duration retry_first = std::chrono::milliseconds(250);
  Duration retry_max = std::chrono::seconds(20);
  ParserLimits limits{};
};

class MediaStream {
 public:
  explicit MediaStream(MediaStreamOptions options);

  // Until Stop, an error, or (without `resume`) the end of the body. Stop is noticed with the next bytes,
  // which come at least every few seconds from a server that lives. Once.
  Result<void> Run(const FragmentGatherer::Sink& sink);
  void Stop();

  std::uint64_t fragments() const { return fragments_; }    // that were given
  std::uint64_t reconnects() const { return reconnects_; }  // bodies behind the first one
  // Where one that goes on should begin: {kToken, …}, or as the options have it while no fragment was given.
  MediaStart place() const;

 private:
  // One body. `refused`: set where it is of no use to ask for it again.
  Result<void> RunOnce(const FragmentGatherer::Sink& sink, std::optional<Error>& refused);
  Result<void> Take(const FragmentGatherer::Sink& sink, const ParsedFragment& fragment);
  bool WaitToRetry(Duration delay);

  const MediaStreamOptions options_;
  VideoClient client_;
  std::atomic<bool> stopped_ = false;
  std::atomic<std::uint64_t> fragments_ = 0;
  std::atomic<std::uint64_t> reconnects_ = 0;

  mutable std::mutex mutex_;
  std::condition_variable stop_;
  MediaStart place_;         // GUARDED_BY(mutex_)
  std::string last_number_;  // of Run's thread: of the fragment that was given last
};

}  // namespace millrace
