// All cameras of the server: connects them, keeps them connected, and says how they are.
//
// Each enabled camera is dialled, recorded into its sink, and dialled again when it is lost: after a delay
// that doubles from try to try up to a limit, with jitter. A wrong password is tried again after a minute or
// more, so that no camera locks the account. At most `dials_max` cameras connect at once and at most
// `dials_per_second` start to. What one camera does costs the others nothing.
//
// Threads: all public calls from any thread. Put and Remove wait for the store; Remove also for the camera's
// end (a second at most when it does not answer): call both where blocking is allowed. Inside: one supervisor
// thread and a few workers that start and stop sources; frames go from the source's threads to the sink
// directly.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/backoff.h"
#include "base/result.h"
#include "base/time.h"
#include "fragments/gap.h"
#include "ingest/camera.h"
#include "ingest/camera_store.h"
#include "ingest/frame_sink.h"
#include "ingest/rtsp_source.h"

namespace millrace {

struct FleetOptions {
  BackoffOptions backoff;
  Duration unauthorized_retry = std::chrono::seconds(60);  // doubles up to unauthorized_retry_max
  Duration unauthorized_retry_max = std::chrono::minutes(15);
  Duration failed_retry = std::chrono::seconds(60);
  Duration stable_after =
      std::chrono::seconds(10);  // recording for so long makes the next retry a first one again
  Duration first_frame_timeout = std::chrono::seconds(20);
  Duration silence_timeout = std::chrono::seconds(10);  // no frame for so long: the connection counts as lost
  Duration clock_difference_max =
      std::chrono::seconds(10);                          // a camera's clock further off than this is not used
  std::size_t source_bytes_max = std::size_t{16} << 20;  // RtspSourceOptions::bytes_max
  std::size_t dials_max = 64;
  double dials_per_second = 25;
  std::size_t workers = 4;
  GapListener* gaps = nullptr;  // hears when a stream is not recorded, and why; outlives the fleet
  const Clock* clock = &SystemClock();
};

class CameraFleet {
 public:
  // Loads the stored cameras and starts the enabled ones. `store` outlives the fleet.
  // `make_source` is for tests; by default sources are GStreamer's (gst_rtsp_source.h).
  // Errors: those of CameraStore::Load.
  static Result<std::unique_ptr<CameraFleet>> Start(CameraStore& store, FrameSinkFactory make_sink,
                                                    FleetOptions options, RtspSourceFactory make_source = {});
  // Stop().
  ~CameraFleet();
  CameraFleet(const CameraFleet&) = delete;
  CameraFleet& operator=(const CameraFleet&) = delete;

  // Makes a camera, or replaces its settings and connects it anew; a camera that is put as it was is left
  // alone. `credentials`: none keeps those it has, as long as the URL names the same host and port (otherwise
  // they are forgotten); an empty username removes them. Returns the camera and whether it is new. The change
  // is stored. Errors: kInvalidArgument; kAlreadyExists: another camera feeds that stream; the store's.
  struct PutResult {
    CameraStatus camera;
    bool created = false;
  };
  Result<PutResult> Put(CameraSettings settings, std::optional<CameraCredentials> credentials);

  // Ends the camera and forgets it. When this returns its sink has ended its run and is gone.
  // Errors: kNotFound; the store's.
  Result<void> Remove(const std::string& name);

  // Errors: kNotFound.
  Result<CameraStatus> Get(const std::string& name) const;
  std::vector<CameraStatus> List() const;  // in name order
  // The name of the camera that feeds the stream.
  std::optional<std::string> CameraOfStream(const std::string& stream) const;

  // Ends all cameras, side by side, and the threads. Nothing else may be called afterwards but the
  // destructor.
  void Stop();

 private:
  class Impl;
  explicit CameraFleet(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace millrace
