// The Kinesis Video Streams service, and what it needs. It reads what is stored on the worker pool, never on
// a thread of the I/O.
//
// Threads: the Add functions before the server starts. What they are given outlives the server.
#pragma once

#include "api/aws/aws_identity.h"
#include "api/camera_of_stream.h"
#include "api/http/router.h"
#include "api/http/worker_pool.h"
#include "base/time.h"
#include "fragments/fragment_store.h"

namespace millrace {
class EdgeControl;
class PutStreams;
namespace wire {
class TokenSealer;
}
}  // namespace millrace

namespace millrace::api {

class ByteBudget;
class SignalingChannels;

// The Kinesis Video Streams protocol: the control plane, /listFragments, /getMedia, /getMediaForFragmentList.
struct VideoStreamServices {
  FragmentStore& store;
  const wire::TokenSealer& sealer;
  WorkerPool& pool;
  ByteBudget& budget;        // of large requests
  ByteBudget& media_budget;  // of the fragments that readers have not taken yet
  ByteBudget& readers;       // counts those that are served media
  const Clock& clock;
  AwsIdentity identity{};
  CameraOfStream camera_of{};
  EdgeControl* edge = nullptr;            // none: without the edge operations
  SignalingChannels* channels = nullptr;  // none: without signaling
};
void AddVideoStreamRoutes(Router& router, VideoStreamServices services);

// POST /putMedia.
struct PutMediaServices {
  FragmentStore& store;
  PutStreams& streams;
  WorkerPool& pool;
  ByteBudget& memory;       // of the fragments that are not durable yet, of all producers
  ByteBudget& connections;  // counts producers
  AwsIdentity identity{};
  CameraOfStream camera_of{};
  Duration idle_every = std::chrono::seconds(5);  // an IDLE acknowledgement, where nothing else is said
};
void AddPutMediaRoutes(Router& router, PutMediaServices services);

}  // namespace millrace::api
