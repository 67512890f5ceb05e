// WHIP (RFC 9725) and WHEP (draft-ietf-wish-whep): WebRTC over HTTP, to publish and to watch.
//
// Threads: the Add functions before the server starts. What they are given outlives the server.
#pragma once

#include "api/camera_of_stream.h"
#include "api/http/router.h"
#include "api/http/worker_pool.h"
#include "base/time.h"
#include "fragments/fragment_store.h"
#include "ingest/webrtc_publisher.h"
#include "media/webrtc/webrtc_sessions.h"

namespace millrace {
class WhepService;
}

namespace millrace::api {

// POST and OPTIONS /whip/{stream}; PATCH, DELETE and OPTIONS /whip/{stream}/{session}.
struct WhipServices {
  FragmentStore& store;
  PutStreams& streams;
  WebrtcSessions& publishers;
  const WebrtcSettings& settings;
  WorkerPool& pool;
  WebrtcPublisherOptions options{};
  CameraOfStream camera_of{};
  Duration retention = kCameraRetentionDefault;  // of a stream that is made by publishing to it
};
void AddWhipRoutes(Router& router, WhipServices services);

// POST and OPTIONS /whep/{stream}; PATCH, DELETE and OPTIONS /whep/{stream}/{session}.
void AddWhepRoutes(Router& router, WhepService& whep, WorkerPool& pool);

}  // namespace millrace::api
