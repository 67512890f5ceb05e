// WHEP: a live stream is watched, with less than a second of delay.
#include "api/webrtc/services.h"
#include "api/webrtc/webrtc_http.h"
#include "consumers/whep/whep_service.h"

namespace millrace::api {

void AddWhepRoutes(Router& router, WhepService& whep, WorkerPool& pool) {
  auto open = [&whep](const std::string& stream, std::string_view offer, WebrtcSession::OnAnswer answered) {
    return whep.Open(stream, offer, std::move(answered));
  };
  AddWebrtcDoor(router, {"/whep", whep.sessions(), whep.settings(), pool, std::move(open)});
}

}  // namespace millrace::api
