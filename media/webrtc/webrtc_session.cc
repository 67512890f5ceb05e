#include "media/webrtc/webrtc_session.h"

#include <utility>

namespace millrace {

WebrtcPeer::Events WebrtcSession::PeerEvents() {
  WebrtcPeer::Events events;
  events.on_connected = [this] { Connected(); };
  events.on_ended = [this](Error error) {
    const std::lock_guard lock(mutex_);
    if (!ended_) ended_ = std::move(error);
  };
  events.on_receive = [this](GstPad* pad, const SdpMedia& media) { Receive(pad, media); };
  return events;
}

Result<void> WebrtcSession::Open(SdpOffer offer, OnAnswer answered) {
  WebrtcPeer::Events events = PeerEvents();
  events.on_description = std::move(answered);
  peer_ = std::make_unique<WebrtcPeer>(settings_, std::move(offer), std::move(events));
  return Start();
}

Result<void> WebrtcSession::Offer(SdpProposal proposal, std::shared_ptr<WebrtcSignaling> signaling) {
  signaling_ = std::move(signaling);
  WebrtcPeer::Events events = PeerEvents();
  // Where there is none, on_ended tells why.
  events.on_description = [this](Result<std::string> offer) {
    if (offer) signaling_->SendOffer(*offer);
  };
  events.on_candidate = [this](const IceCandidate& candidate) { signaling_->SendCandidate(candidate); };
  peer_ = std::make_unique<WebrtcPeer>(settings_, std::move(proposal), std::move(events));
  return Start();
}

Result<void> WebrtcSession::Start() {
  opened_ = std::chrono::steady_clock::now();
  MILLRACE_RETURN_IF_ERROR(peer_->Build());
  prepared_ = true;
  MILLRACE_RETURN_IF_ERROR(Prepare(*peer_));
  peer_->Start();
  return {};
}

std::optional<Error> WebrtcSession::TakeSignals() {
  WebrtcSignaling::Signals signals = signaling_->Take(peer_->connected());
  if (signals.over) return signals.over;
  for (const std::string& answer : signals.answers) {
    if (answered_) break;
    auto taken = peer_->TakeAnswer(answer);
    // To the offer of a session before: the peer may have sent it before it had this one.
    if (!taken && taken.error().code == ErrorCode::kFailedPrecondition) continue;
    answered_ = true;
    if (!taken) return std::move(taken).error();
  }
  peer_->AddCandidates(signals.candidates);
  return std::nullopt;
}

std::optional<Error> WebrtcSession::Look(SteadyTime now) {
  {
    const std::lock_guard lock(mutex_);
    if (ended_) return ended_;
  }
  if (signaling_ == nullptr) {
    peer_->StopGathering(now - times_.gathering_max);
  } else if (auto over = TakeSignals()) {
    return over;
  }
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
  signaling_.reset();
}

}  // namespace millrace
