// What the edge operations of Kinesis Video Streams have to do with this server's cameras.
#pragma once

#include <optional>
#include <string>

#include "base/result.h"
#include "fragments/stream_description.h"
#include "ingest/camera.h"

namespace millrace {

// Of a stream with an edge configuration.
struct EdgeStatus {
  std::optional<Error> failure;        // why there is no camera as it is configured
  std::optional<CameraStatus> camera;  // none: there is none
};

// Threads: any. All may wait for the disk, Apply also for a camera's end.
class EdgeControl {
 public:
  virtual ~EdgeControl() = default;
  // Whether a camera can be made of it. Errors: kInvalidArgument, which says what is wrong and the way round.
  virtual Result<void> Check(const EdgeConfiguration& edge) = 0;
  // Makes the stream's camera what its settings say now: there, changed, or gone.
  // Errors: why it could not; it is tried again by itself.
  virtual Result<void> Apply(const std::string& stream) = 0;
  virtual EdgeStatus Status(const std::string& stream) = 0;
};

}  // namespace millrace
