// The signaling service of Kinesis Video Streams with WebRTC, and what it needs.
//
// Threads: the Add function before the server starts. What it is given outlives the server.
#pragma once

#include <cstdint>
#include <functional>

#include "api/http/router.h"
#include "api/signaling/signaling_channels.h"
#include "api/signaling/signaling_hub.h"
#include "api/video_streams/services.h"
#include "base/time.h"
#include "ingest/webrtc_publisher.h"
#include "media/webrtc/webrtc_sessions.h"

namespace millrace {
class WhepService;
}

namespace millrace::api {

class ByteBudget;

// What storage sessions are made of: the server as the peer of a channel's clients.
struct StorageSessionServices {
  WebrtcSessions& publishers;
  const WebrtcSettings& settings;
  PutStreams& streams;
  WhepService& viewers;
  WebrtcPublisherOptions options{};
};

struct SignalingServices {
  VideoStreamServices video;
  SignalingChannels& channels;
  SignalingHub& hub;
  ByteBudget& connections;       // counts WebSockets
  const WebrtcSettings& webrtc;  // whose STUN and TURN servers clients are told
  std::function<std::uint16_t()>
      tls_port{};  // where clients that want TLS find the server; none, or 0: nowhere
  Duration ping_every = std::chrono::seconds(30);
  const StorageSessionServices* storage = nullptr;  // none: WebRTC is switched off
};

// The WebSocket at /, POST /v1/get-ice-server-config, POST /joinStorageSession and …AsViewer, and the control
// plane: POST /createSignalingChannel, …
void AddSignalingRoutes(Router& router, SignalingServices services);

}  // namespace millrace::api
