#include "media/webrtc/webrtc_session.h"

#include <utility>

namespace millrace {

Result<void> WebrtcSession::Open(SdpOffer offer, OnAnswer answered) {
  WebrtcPeer::Events events;
  events.on_answer = std::move(answered);
  events.on_connected = [this] { Connected(); };
  events.on_ended = [this](Error error) {
    const std::lock_guard lock(mutex_);
    if (!ended_) ended_ = std::move(error);
  };
  events.on_receive = [this](GstPad* pad, const SdpMedia& media) { Receive(pad, media); };
  opened_ = std::chrono::steady_clock::now();
  peer_ = std::make_unique<WebrtcPeer>(settings_, std::move(offer), std::move(events));
  MILLRACE_RETURN_IF_ERROR(peer_->Build());
  prepared_ = true;
  MILLRACE_RETURN_IF_ERROR(Prepare(*peer_));
  peer_->Start();
  return {};
}

std::optional<Error> WebrtcSession::Look(SteadyTime now) {
  {
    const std::lock_guard lock(mutex_);
    if (ended_) return ended_;
  }
  peer_->StopGathering(now - times_.gathering_max);
  if (peer_->connected()) return LookAtMedia(now);
  if (now - opened_ < times_.connecting_max) return std::nullopt;
  return Error{ErrorCode::kDeadlineExceeded, "the peer did not connect"};
}

void WebrtcSession::Close() {
  if (peer_ == nullptr) return;
  if (prepared_) Closing();
  peer_->Stop();
  if (prepared_) Stopped();
  peer_.reset();
}

}  // namespace millrace
