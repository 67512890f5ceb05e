// One connection to an RTSP camera: frames and their end come out.
//
// The interface has one implementation today, over GStreamer's rtspsrc (gst_rtsp_source.h); tests have
// others.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "fragments/fragment.h"
#include "ingest/camera.h"
#include "media/codec.h"
#include "media/frame.h"

namespace millrace {

struct RtspSourceOptions {
  std::string name;  // for logs
  std::string url;   // without user and password
  std::optional<CameraCredentials> credentials;
  CameraTransport transport = CameraTransport::kTcp;
  bool tls_verify = true;
  Duration network_timeout = std::chrono::seconds(10);       // connecting, and each answer
  Duration clock_difference_max = std::chrono::seconds(10);  // sender reports further off are not used
  // A frame that takes more, and frames that wait for the connection's other tracks and take more, are a
  // fault of the camera. Beside it there is what comes in within the time that lost packets are waited for.
  std::size_t bytes_max = std::size_t{16} << 20;
  const Clock* clock = &SystemClock();
};

// What a source tells its owner. Calls come from the source's own threads, one at a time, and must not block;
// none may call the source's Stop. After OnEnded there is no other; after Stop() has returned there is none
// at all.
class RtspSourceEvents {
 public:
  virtual ~RtspSourceEvents() = default;
  // The tracks of the frames to come. Comes before the first frame, and again when the tracks changed or the
  // clock jumped: what follows does not continue what was before.
  virtual void OnRun(const std::vector<TrackInfo>& tracks, ClockSource clock) = 0;
  virtual void OnFrame(Frame frame) = 0;
  // Packets of a track of this kind did not arrive; comes before the frames that they are missing from.
  virtual void OnLoss(TrackKind kind, std::uint64_t packets) = 0;
  // The clock in use became another without a jump.
  virtual void OnClock(ClockSource clock) = 0;
  // A frame's stamp was wild and was replaced (`corrected`), or the camera's clock jumped and was followed
  // (`jumps`).
  virtual void OnTimeTrouble(std::uint64_t corrected, std::uint64_t jumps) = 0;
  // It is over. kUnauthenticated: user or password are wrong; kUnsupported: nothing in it can be recorded;
  // kNotFound: the camera knows no such path; kUnavailable, kDeadlineExceeded: it is away. No text holds a
  // secret.
  virtual void OnEnded(Error error) = 0;
};

// Threads: one owner calls Start once, then Stop once.
class RtspSource {
 public:
  virtual ~RtspSource() = default;
  // Returns at once; connecting goes on by itself. Errors: kInternal: it cannot be built.
  virtual Result<void> Start() = 0;
  // Waits until all of its threads are gone: a tenth of a second when the camera answers, not longer than a
  // second when it does not.
  virtual void Stop() = 0;
};

// `events` outlives the source.
using RtspSourceFactory =
    std::function<std::unique_ptr<RtspSource>(const RtspSourceOptions& options, RtspSourceEvents& events)>;

}  // namespace millrace
