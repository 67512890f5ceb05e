// Frames in, fragments out: records one source into one video stream.
//
// Cuts fragments (builder), publishes every frame to the live feed, appends closed fragments to the store,
// and numbers runs. A source that reconnects, changes its tracks or has its clock jump starts a new run.
//
// Threads: any, also several at once (a source's tracks have a thread each). No call waits for the disk. The
// live feed's subscribers run within these calls: they must not call the recorder.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "fragments/fragment_store.h"
#include "media/codec.h"
#include "media/frame.h"

namespace millrace {

struct RecorderOptions {
  Duration fragment_duration_min = std::chrono::seconds(1);   // a key frame this long after the start cuts
  Duration fragment_duration_max = std::chrono::seconds(10);  // cut without a key frame
  std::size_t fragment_bytes_max = 50 * 1000 * 1000;
  // What the stream may hold in memory: a fragment is cut before it takes an eighth of it (two are open at
  // once for a moment, and one is copied into its document); when what waits for the disk takes half of it,
  // fragments are refused. The rest is the live feed's and the source's.
  std::size_t memory_bytes_max = std::size_t{128} << 20;
  const Clock* clock = &SystemClock();
  // Hears of a fragment, [start, end), that the store did not take. On a storage thread, also after the
  // recorder is gone: it must not block.
  std::function<void(const VideoStream& stream, Timestamp start, Timestamp end, const Error& error)>
      refused{};
};

struct RecorderCounters {
  std::uint64_t frames = 0;
  std::uint64_t bytes = 0;
  std::uint64_t fragments_persisted = 0;
  std::uint64_t fragments_failed = 0;
  std::uint64_t frames_dropped = 0;  // before the run's first key frame, of an unknown track, or over a limit
  std::uint64_t times_corrected = 0;  // frames whose time was moved to keep the order
};

class StreamRecorder {
 public:
  // `store` outlives the recorder.
  StreamRecorder(FragmentStore& store, VideoStream stream, RecorderOptions options);
  // Ends the run. Appends that are under way go on; Flush() waits for them.
  ~StreamRecorder();
  StreamRecorder(const StreamRecorder&) = delete;
  StreamRecorder& operator=(const StreamRecorder&) = delete;

  // The tracks of the frames to come. While a run is open and tracks and clock are the same this does
  // nothing; if they differ it ends the run and starts another. Errors: kInvalidArgument, kUnsupported: such
  // tracks cannot be recorded; then no run is open.
  Result<void> StartRun(std::vector<TrackInfo> tracks, ClockSource clock);
  // Video in decode order. Frames that can never be shown are dropped and counted, without an error.
  // Errors (the frame is dropped and counted): kFailedPrecondition (no run is open), kInvalidArgument
  // (unknown track), kNotFound (the stream was deleted).
  Result<void> Push(Frame frame);
  // Packets of a track of this kind were lost before the frames that come next.
  void MarkLoss(TrackKind kind);
  // Closes the open fragment.
  void EndRun();
  // Waits until everything closed so far is durable or has failed; false when `timeout` passed first.
  bool Flush(Duration timeout);

  RecorderCounters counters() const;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace millrace
