// What WHIP and WHEP have in common over HTTP: an offer comes in a POST and is answered with 201, the session
// gets a path of its own, where candidates trickle in (PATCH) and it ends (DELETE).
//
// What an entity tag stands for is the session's ICE: it never restarts here, which RFC 9725 section 4.3.3
// lets a server refuse; a client then publishes anew.
#pragma once

#include <functional>
#include <string>

#include "api/http/http.h"
#include "api/http/router.h"
#include "api/http/worker_pool.h"
#include "media/webrtc/webrtc_sessions.h"

namespace millrace::api {

// Opens a session for what was offered; on the pool. Gives its name. kUnsupported: nothing in the offer is
// acceptable.
using OpenWebrtc = std::function<Result<std::string>(const std::string& stream, std::string_view offer,
                                                     WebrtcSession::OnAnswer answered)>;

struct WebrtcDoor {
  std::string prefix;  // "/whip"
  WebrtcSessions& sessions;
  const WebrtcSettings& settings;
  WorkerPool& pool;
  OpenWebrtc open;
};
// POST and OPTIONS {prefix}/{stream}; PATCH, DELETE and OPTIONS {prefix}/{stream}/{session}.
void AddWebrtcDoor(Router& router, WebrtcDoor door);

}  // namespace millrace::api
