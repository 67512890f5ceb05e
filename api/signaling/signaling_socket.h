// A client's WebSocket on a signaling channel, from its handshake to its end.
//
// Threads: the request's strand.
#pragma once

#include <string>

#include "api/http/http.h"
#include "api/signaling/services.h"
#include "api/signaling/signaling_channels.h"

namespace millrace::api {

// `client_id` "": the master. REQUIRES: request.websocket; the caller may connect.
net::awaitable<void> ServeSignaling(const SignalingServices& services, const SignalingChannel& channel,
                                    const std::string& client_id, Request& request, ResponseWriter& writer);

}  // namespace millrace::api
