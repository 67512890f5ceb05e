// Where a camera's frames go. In the server that is a StreamRecorder (recorder_sink.h); in tests anything.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "base/result.h"
#include "fragments/fragment.h"
#include "ingest/camera.h"
#include "media/codec.h"
#include "media/frame.h"

namespace millrace {

// Threads: calls come from the source's streaming threads, one at a time; they must not block and must not
// call the fleet.
class FrameSink {
 public:
  virtual ~FrameSink() = default;
  // The tracks of the frames to come. Ends the run before it, if one is open.
  virtual Result<void> StartRun(const std::vector<TrackInfo>& tracks, ClockSource clock) = 0;
  // REQUIRES: a run is open. Frames of one track come in decode order.
  virtual Result<void> Push(Frame frame) = 0;
  // Packets of a track of this kind were lost on the way, before the frames that come next.
  virtual void MarkLoss(TrackKind kind) = 0;
  virtual void EndRun() = 0;
};

// Makes the sink of a camera when it is enabled. May wait for the disk. Errors are shown as the camera's last
// error, and it is tried again later.
using FrameSinkFactory = std::function<Result<std::unique_ptr<FrameSink>>(const CameraSettings&)>;

}  // namespace millrace
